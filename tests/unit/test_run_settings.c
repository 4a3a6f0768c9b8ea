/*
 * test_run_settings.c: what a run remembers of the settings it began with.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "ledger/run_settings.h"

static void assert_remembered(const char *pipeline, const char *want)
{
    struct settings *settings = settings_new();
    assert_non_null(settings);
    char *text = run_settings(settings, slice_of(pipeline));
    assert_string_equal(text, want);
    free(text);
    settings_free(&settings);
}

/* Public settings by value, the pipeline's own names by a fingerprint, unset
 * ones as such; secrets not at all; each once. */
static void test_kinds(void **state)
{
    (void)state;
    setenv("YAHOO_RATE", "5/s", 1);
    setenv("SITE", "http://a", 1);
    setenv("PG_PW", "hunter22", 1);
    unsetenv("MINE");
    assert_remembered("a: ${YAHOO_RATE:-1/s} ${MINE} ${PG_PW} ${YAHOO_RATE}",
                      "{\"MINE\":null,\"YAHOO_RATE\":\"5/s\"}");
    assert_remembered("${SITE}", "{\"SITE\":\"fingerprint "
                                 "47935331f4e19ffe\"}");
}

/* What only looks like a variable is none. */
static void test_no_names(void **state)
{
    (void)state;
    assert_remembered("", "{}");
    assert_remembered("$YAHOO_RATE ${} ${", "{}");
}

/* Each that differs, and nothing of the pipeline's own but that it does. */
static void test_compare(void **state)
{
    (void)state;
    struct buffer lines = BUFFER_EMPTY;
    run_settings_compare("{\"A\":\"same\",\"MINE\":\"fingerprint 1\","
                         "\"URL\":\"http://a\",\"X\":null,\"Y\":\"\"}",
                         "{\"A\":\"same\",\"MINE\":\"fingerprint 2\","
                         "\"URL\":\"http://b\",\"X\":\"fingerprint 3\","
                         "\"Z\":\"1\"}",
                         &lines);
    assert_string_equal(buffer_text(&lines), "  MINE has another value now\n"
                                             "  URL was http://a, is http://b\n"
                                             "  X was not set, is set\n"
                                             "  Y was empty, is not set\n"
                                             "  Z was not set, is 1\n");
    buffer_free(&lines);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kinds),
        cmocka_unit_test(test_no_names),
        cmocka_unit_test(test_compare),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
