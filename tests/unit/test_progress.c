/* How far the run is: progress.h. All times are given, none is waited for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "captured.h"
#include "progress.h"

#define SECOND USEC_PER_SEC

static const struct progress_state half = {
    .done = 40, .failed = 10, .open = 50, .nodes = 2, .nodes_wanted = 3};

/* What is written for `state` at `now`. */
static const char *shown(struct progress *progress, usec_t now,
                         struct progress_state state)
{
    captured_begin(STDERR_FILENO);
    progress_show(progress, now, &state);
    return captured_end();
}

static const char *ended(struct progress *progress, usec_t now,
                         struct progress_state state)
{
    captured_begin(STDERR_FILENO);
    progress_end(progress, now, &state);
    return captured_end();
}

/* Plain lines come every five seconds, with the rate of late and what is left
 * at that rate. */
static void test_plain(void **state)
{
    (void)state;
    struct progress *progress = progress_new(PROGRESS_PLAIN, 0);
    assert_string_equal(
        shown(progress, 0, (struct progress_state){.open = 100}), "");
    assert_string_equal(shown(progress, 5 * SECOND - 1, half), "");
    assert_string_equal(shown(progress, 5 * SECOND, half),
                        "40 stored, 10 failed, 10/s, 5 s left, 2 of 3 nodes\n");
    assert_string_equal(shown(progress, 9 * SECOND, half), "");
    progress_free(&progress);
    assert_null(progress);
}

/* What is not known is not guessed; what holds the run up is said. */
static void test_plain_words(void **state)
{
    (void)state;
    struct progress *progress = progress_new(PROGRESS_PLAIN, 0);
    assert_string_equal(
        shown(progress, 5 * SECOND, (struct progress_state){.open = -1}),
        "0 stored, 0 failed, waiting for a node, 0 nodes\n");
    assert_string_equal(
        shown(progress, 10 * SECOND,
              (struct progress_state){.waiting = true, .draining = true}),
        "0 stored, 0 failed, database is away, pausing, 0 nodes\n");
    progress_free(&progress);
}

/* Long waits are told in minutes and hours. */
static void test_time_left(void **state)
{
    (void)state;
    static const struct {
        int64_t open;
        const char *left;
    } table[] = {{99, "99 s left"},
                 {600, "10 min left"},
                 {36000, "10.0 h left"},
                 {3600000, "? left"}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct progress *progress = progress_new(PROGRESS_PLAIN, 0);
        struct progress_state now = {.open = table[i].open};
        shown(progress, 0, now);
        now.done = 5;
        assert_non_null(
            strstr(shown(progress, 5 * SECOND, now), table[i].left));
        progress_free(&progress);
    }
}

/* The rate is that of the last samples, not of the whole run. */
static void test_rate_of_late(void **state)
{
    (void)state;
    struct progress *progress = progress_new(PROGRESS_PLAIN, 0);
    struct progress_state now = {.open = 0};
    const char *line = "";
    for (int i = 0; i <= 100; i++) {
        now.done += i < 50 ? 1000 : 3;
        line = shown(progress, i * SECOND, now);
    }
    assert_non_null(strstr(line, " 3/s"));
    progress_free(&progress);
}

/* Keys end a batch at a time: between two the rate does not fall to nothing,
 * until nothing ends for long. */
static void test_rate_of_bursts(void **state)
{
    (void)state;
    struct progress *progress = progress_new(PROGRESS_JSON, 0);
    struct progress_state now = {.open = 100};
    const char *line = "";
    for (int i = 0; i <= 139; i++) {
        now.done += i % 10 == 0 ? 100 : 0;
        line = shown(progress, i * SECOND, now);
        const char *rate_at = strstr(line, "\"rate\":");
        double rate = rate_at ? strtod(rate_at + 7, NULL) : 0;
        if (i > 30 && (rate < 7 || rate > 10.1))
            fail_msg("after %d s: %s", i, line);
    }
    line = shown(progress, 191 * SECOND, now);
    assert_non_null(strstr(line, "\"rate\":0.0"));
    progress_free(&progress);
}

/* The wait for a list does not count. */
static void test_rate_after_the_list(void **state)
{
    (void)state;
    struct progress *progress = progress_new(PROGRESS_JSON, 0);
    shown(progress, 0, (struct progress_state){.open = -1});
    shown(progress, 20 * SECOND, (struct progress_state){.open = -1});
    assert_non_null(
        strstr(shown(progress, 22 * SECOND, half), "\"rate\":25.0"));
    progress_free(&progress);
}

/* JSON lines come every second, an object each. */
static void test_json(void **state)
{
    (void)state;
    struct progress *progress = progress_new(PROGRESS_JSON, 0);
    shown(progress, 0, (struct progress_state){.open = 100});
    assert_string_equal(shown(progress, SECOND - 1, half), "");
    assert_string_equal(
        shown(progress, 2 * SECOND, half),
        "{\"stored\":40,\"failed\":10,\"open\":50,\"rate\":25.0,"
        "\"seconds\":2.000,\"nodes\":2,\"waiting\":false,"
        "\"draining\":false}\n");
    progress_free(&progress);
}

/* The last line comes at once, with the rate of this master's whole time:
 * what a resumed run had before is not its work. */
static void test_end(void **state)
{
    (void)state;
    struct progress *progress = progress_new(PROGRESS_PLAIN, 0);
    shown(progress, 0, half);
    struct progress_state end = {.done = 90, .failed = 10, .before = 50};
    assert_string_equal(ended(progress, 2 * SECOND, end),
                        "90 stored, 10 failed, 25/s, 0 s left, 0 nodes\n");
    progress_free(&progress);
}

/* The bar is one line, drawn again and again, which ends at the end. */
static void test_bar(void **state)
{
    (void)state;
    struct progress *progress = progress_new(PROGRESS_BAR, 0);
    const char *line = shown(progress, SECOND, half);
    assert_int_equal(strncmp(line, "\r[#####.....]  50 %  40", 22), 0);
    assert_null(strchr(line, '\n'));
    captured_begin(STDERR_FILENO);
    log_error("a", "line of the log");
    const char *log = captured_end();
    assert_int_equal(strncmp(log, "\r\033[K", 4), 0);
    line = ended(progress, 2 * SECOND, half);
    assert_int_equal(line[strlen(line) - 1], '\n');
    progress_free(&progress);
}

/* Where the terminal's width is not known it is 80: usual figures fit. */
static void test_bar_fits(void **state)
{
    (void)state;
    struct progress *progress = progress_new(PROGRESS_BAR, 0);
    struct progress_state now = {
        .failed = 1000, .open = 60000000, .nodes = 16, .nodes_wanted = 16};
    shown(progress, 0, now);
    now.done = 1000000;
    assert_non_null(strstr(shown(progress, 100 * SECOND, now),
                           " failed, 10000/s, 1.7 h left, 16 nodes\033[K"));
    now.waiting = true;
    assert_non_null(
        strstr(shown(progress, 101 * SECOND, now), "away, 16 nodes\033"));
    progress_free(&progress);
}

/* None is none; and without a terminal `auto` means plain lines. */
static void test_modes(void **state)
{
    (void)state;
    struct progress *progress = progress_new(PROGRESS_NONE, 0);
    assert_string_equal(ended(progress, 10 * SECOND, half), "");
    progress_free(&progress);
    captured_begin(STDERR_FILENO);
    progress = progress_new(PROGRESS_AUTO, 0);
    progress_show(progress, 5 * SECOND, &half);
    assert_string_equal(captured_end(),
                        "40 stored, 10 failed, 0/s, ? left, 2 of 3 nodes\n");
    progress_free(&progress);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain),
        cmocka_unit_test(test_plain_words),
        cmocka_unit_test(test_time_left),
        cmocka_unit_test(test_rate_of_late),
        cmocka_unit_test(test_rate_of_bursts),
        cmocka_unit_test(test_rate_after_the_list),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_end),
        cmocka_unit_test(test_bar),
        cmocka_unit_test(test_bar_fits),
        cmocka_unit_test(test_modes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
