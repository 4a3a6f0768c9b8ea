/* One line for each thing worth knowing: log.h. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/log.h"
#include "base/log_limit.h"
#include "captured.h"

static char filler[2 * LOG_LINE_BYTES];

static int setup(void **state)
{
    (void)state;
    memset(filler, 'x', sizeof filler - 1);
    log_configure(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
    return 0;
}

/* What one call writes. */
static const char *line_of(const char *who, const char *text)
{
    captured_begin(STDERR_FILENO);
    log_warn(who, "%s", text);
    return captured_end();
}

static json_t *json_of(const char *who, const char *text)
{
    log_configure(LOG_LEVEL_INFO, LOG_FORMAT_JSON);
    const char *line = line_of(who, text);
    size_t len = strlen(line);
    assert_true(len > 0 && len <= LOG_LINE_BYTES);
    assert_ptr_equal(strchr(line, '\n'), line + len - 1);
    json_error_t where;
    json_t *object = json_loads(line, 0, &where);
    if (!object)
        fail_msg("%s: %s", where.text, line);
    return object;
}

static void assert_json(const char *who, const char *text,
                        const char *expected_who, const char *expected_text)
{
    json_t *object = json_of(who, text);
    const char *got_who, *got_text, *level, *time;
    assert_int_equal(json_unpack(object, "{s:s, s:s, s:s, s:s}", "who",
                                 &got_who, "text", &got_text, "level", &level,
                                 "time", &time),
                     0);
    assert_string_equal(got_who, expected_who);
    assert_string_equal(got_text, expected_text);
    assert_string_equal(level, "warn");
    assert_int_equal(strlen(time), 27);
    json_decref(object);
}

/* A text line: the time, the level, who, what. */
static void test_text_line(void **state)
{
    (void)state;
    const char *line = line_of("node 2", "ready");
    assert_int_equal(line[26], 'Z');
    assert_string_equal(line + 27, " warn  node 2: ready\n");
}

/* One entry is one line, whatever it holds. */
static void test_breaks_become_spaces(void **state)
{
    (void)state;
    assert_string_equal(line_of("a", "b\r\nc\n") + 27, " warn  a: b  c \n");
}

/* What is below the least level is not written. */
static void test_levels(void **state)
{
    (void)state;
    captured_begin(STDERR_FILENO);
    log_debug("a", "unseen");
    log_info("a", "seen");
    const char *lines = captured_end();
    assert_null(strstr(lines, "unseen"));
    assert_non_null(strstr(lines, "info  a: seen\n"));
    log_configure(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
    assert_string_equal(line_of("a", "a warning"), "");
    assert_int_equal(log_level_parse("debug"), LOG_LEVEL_DEBUG);
    assert_int_equal(log_level_parse("error"), LOG_LEVEL_ERROR);
    assert_int_equal(log_level_parse("Error"), -1);
}

/* A line that is too long is cut, and ends like any other. */
static void test_long_text_is_cut(void **state)
{
    (void)state;
    const char *line = line_of(filler, filler);
    size_t len = strlen(line);
    assert_true(len > LOG_LINE_BYTES / 2 && len <= LOG_LINE_BYTES);
    assert_ptr_equal(strchr(line, '\n'), line + len - 1);
}

/* A JSON line is an object whose texts are those that were said. */
static void test_json_line(void **state)
{
    (void)state;
    assert_json("node 2", "ready", "node 2", "ready");
    assert_json("a\"b", "c\\d\te\n\x01\x7F", "a\"b", "c\\d\te\n\x01\x7F");
    assert_json("Gr\xC3\xBC\xC3\x9F", "\xE2\x82\xAC \xF0\x9F\x8C\xBE",
                "Gr\xC3\xBC\xC3\x9F", "\xE2\x82\xAC \xF0\x9F\x8C\xBE");
}

/* It is JSON however long its parts are, and wherever the cut falls: between
 * escapes and between characters. */
static void test_long_json_is_cut(void **state)
{
    (void)state;
    static const char *const pieces[] = {"x", "\x01", "\"", "\xC3\x9F",
                                         "\xF0\x9F\x8C\xBE"};
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        size_t len = strlen(pieces[i]);
        for (size_t shift = 0; shift < 4; shift++) {
            char text[LOG_LINE_BYTES + 8] = "abc";
            text[shift] = '\0';
            while (strlen(text) + len < sizeof text)
                strncat(text, pieces[i], len);
            json_decref(json_of(text, text));
        }
    }
}

/* Bytes that are no UTF-8 (a path, a server's words) spoil one character,
 * not the line. */
static void test_bad_utf8_is_replaced(void **state)
{
    (void)state;
    assert_json("a\xFF", "b\xC3(\x80\xE2\x82", "a?", "b?(???");
    assert_json("\xC0\xAF", "\xED\xA0\x80\xF5\x80\x80\x80", "??", "???????");
}

static void count(void *context)
{
    ++*(int *)context;
}

/* The hook runs before each line that is written, and for no other. */
static void test_hook(void **state)
{
    (void)state;
    int calls = 0;
    log_set_hook(count, &calls);
    line_of("a", "b");
    log_debug("a", "unseen");
    assert_int_equal(calls, 1);
    log_set_hook(NULL, NULL);
    line_of("a", "b");
    assert_int_equal(calls, 1);
}

static char folder[] = "/tmp/windrow-log-XXXXXX";

static long size_of(const char *name)
{
    char path[64];
    struct stat status;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return stat(path, &status) ? -1 : (long)status.st_size;
}

/* A file is added to; moved away, it is opened anew after SIGHUP; too long, it
 * becomes the old one. Its folder gone, standard error hears of it. */
static void test_file(void **state)
{
    (void)state;
    struct error err = ERROR_NONE;
    char path[64], moved[64];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/log", folder);
    snprintf(moved, sizeof moved, "%s/moved", folder);
    log_configure(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
    assert_int_equal(log_to_file(path, &err), 0);
    assert_string_equal(line_of("a", "first"), "");
    assert_int_equal(size_of("log"), strlen(" warn  a: first\n") + 27);
    assert_int_equal(rename(path, moved), 0);
    log_warn("a", "%s", "2nd");
    assert_int_equal(size_of("log"), -1);
    raise(SIGHUP);
    log_warn("a", "%s", "third");
    assert_int_equal(size_of("log"), strlen(" warn  a: third\n") + 27);
    while (size_of("log" LOG_FILE_OLD) < 0)
        log_pass_on(filler, sizeof filler - 1);
    assert_in_range(size_of("log" LOG_FILE_OLD),
                    LOG_FILE_BYTES_MAX - (long)sizeof filler,
                    LOG_FILE_BYTES_MAX);
    assert_int_equal(size_of("log"), sizeof filler - 1);
    const char *names[] = {"log", "moved", ("log" LOG_FILE_OLD)};
    for (size_t i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        assert_int_equal(unlink(path), 0);
    }
    assert_int_equal(rmdir(folder), 0);
    raise(SIGHUP);
    const char *said = line_of("a", "last");
    assert_non_null(strstr(said, "can't be opened anew: No such file"));
    assert_non_null(strstr(said, "a: last\n"));
    err = ERROR_NONE;
    assert_int_equal(log_to_file("/nowhere/log", &err), ERR_FILE);
}

/* Of a kind one line goes out in an interval; the next one says how many did
 * not, or what is said at the end. */
static void test_limit(void **state)
{
    (void)state;
    struct log_limit limit = {.interval = 10};
    int64_t left_out = 0;
    assert_true(log_limit_pass(&limit, "a", 100, &left_out));
    assert_int_equal(left_out, 0);
    assert_false(log_limit_pass(&limit, "a", 109, &left_out));
    assert_true(log_limit_pass(&limit, "b", 109, &left_out));
    assert_int_equal(left_out, 0);
    assert_true(log_limit_pass(&limit, "a", 110, &left_out));
    assert_int_equal(left_out, 1);
    assert_null(log_limit_left(&limit, &left_out));
    assert_false(log_limit_pass(&limit, "b", 110, &left_out));
    assert_false(log_limit_pass(&limit, "b", 111, &left_out));
    assert_string_equal(log_limit_left(&limit, &left_out), "b");
    assert_int_equal(left_out, 2);
    assert_null(log_limit_left(&limit, &left_out));
}

/* More kinds than there is room for: the one that was silent longest goes. */
static void test_limit_is_bounded(void **state)
{
    (void)state;
    struct log_limit limit = {.interval = 1000};
    int64_t left_out = 0;
    char kind[16];
    for (int i = 0; i <= LOG_LIMIT_KINDS; i++) {
        snprintf(kind, sizeof kind, "%d", i);
        assert_true(log_limit_pass(&limit, kind, 100 + i, &left_out));
    }
    assert_false(log_limit_pass(&limit, "1", 200, &left_out));
    assert_true(log_limit_pass(&limit, "0", 200, &left_out));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_text_line, setup),
        cmocka_unit_test_setup(test_breaks_become_spaces, setup),
        cmocka_unit_test_setup(test_levels, setup),
        cmocka_unit_test_setup(test_long_text_is_cut, setup),
        cmocka_unit_test_setup(test_json_line, setup),
        cmocka_unit_test_setup(test_long_json_is_cut, setup),
        cmocka_unit_test_setup(test_bad_utf8_is_replaced, setup),
        cmocka_unit_test_setup(test_hook, setup),
        cmocka_unit_test(test_limit),
        cmocka_unit_test(test_limit_is_bounded),
        cmocka_unit_test_setup(test_file, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
