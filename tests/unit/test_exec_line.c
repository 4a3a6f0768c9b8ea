/* The lines between a node and a program: exec_line.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "exec_line.h"

/* The line is good, with this record, or else this error. */
static void assert_good(const char *text, uint64_t id, const char *record,
                        const char *error, bool retry)
{
    struct exec_line line;
    const char *wrong = exec_line_parse(slice_of(text), &line);
    if (wrong)
        fail_msg("%s: %s", text, wrong);
    assert_int_equal(line.id, id);
    assert_true(record ? slice_equal(line.record, slice_of(record))
                       : !line.record.data);
    assert_string_equal(line.error, error);
    assert_int_equal(line.retry, retry);
}

static void assert_wrong(const char *text, const char *why)
{
    struct exec_line line;
    const char *wrong = exec_line_parse(slice_of(text), &line);
    if (!wrong)
        fail_msg("%s: it was taken", text);
    assert_string_equal(wrong, why);
}

static void test_a_question(void **state)
{
    struct buffer out = BUFFER_EMPTY;
    (void)state;
    exec_line_ask(&out, 7, slice_of("AAPL"));
    exec_line_ask(&out, 8, slice_of("a \"b\" \\ é"));
    assert_string_equal(buffer_text(&out),
                        "{\"id\": 7, \"key\": \"AAPL\"}\n"
                        "{\"id\": 8, \"key\": \"a \\\"b\\\" \\\\ é\"}\n");
    buffer_free(&out);
}

/* The record is what was sent, byte by byte. */
static void test_records(void **state)
{
    (void)state;
    assert_good("{\"id\":7,\"record\":{\"p\":1.10}}", 7, "{\"p\":1.10}", "",
                false);
    assert_good(" { \"record\" :  [1e400, -0.0, 12345678901234567890] , "
                "\"id\" : 0 } \r",
                0, "[1e400, -0.0, 12345678901234567890]", "", false);
    assert_good("{\"id\":1,\"record\":{\"a\":\"}{][\\\"\"},\"error\":null,"
                "\"retry\":null,\"took\":{\"ms\":[3,true]}}",
                1, "{\"a\":\"}{][\\\"\"}", "", false);
    assert_good("{\"id\":9007199254740979,\"record\":false}", 9007199254740979,
                "false", "", false);
}

static void test_errors(void **state)
{
    (void)state;
    assert_good("{\"id\":1,\"error\":\"no such\\u0020key\"}", 1, NULL,
                "no such key", false);
    assert_good("{\"id\":1,\"retry\":true,\"error\":\"two\\nlines\\u0000\"}", 1,
                NULL, "two lines ", true);
    assert_good("{\"id\":1,\"error\":\"\",\"retry\":false}", 1, NULL, "",
                false);
}

/* A long error is cut between two characters. */
static void test_a_long_error(void **state)
{
    char text[1200] = "{\"id\":1,\"error\":\"x";
    struct exec_line line;
    (void)state;
    for (int i = 0; i < 400; i++)
        strcat(text, "é");
    strcat(text, "\"}");
    assert_null(exec_line_parse(slice_of(text), &line));
    assert_int_equal(strlen(line.error), EXEC_LINE_ERROR_BYTES - 1);
    assert_memory_equal(line.error + EXEC_LINE_ERROR_BYTES - 3, "é", 2);
}

static void test_no_json(void **state)
{
    static const char *const lines[] = {
        "{\"id\":1,\"record\":{}",
        "{\"id\":1,\"record\":{}}}",
        "{\"id\":1,\"record\":{}} x",
        "{\"id\":01,\"record\":{}}",
        "{\"id\":1,}",
        "{\"id\":1 \"record\":{}}",
        "{\"id\":1,\"record\":[1,]}",
        "{\"id\":1,\"record\":{\"a\"}}",
        "{\"id\":1,\"record\":tru}",
        "{\"id\":1,\"record\":\"\\x\"}",
        "{\"id\":1,\"record\":\"\\u12\"}",
        "{\"id\":1,\"record\":\"\xff\"}",
        "{\"id\":1,\"record\":\"a\tb\"}",
        "{\"id\":1,\"record\":1.}",
        "{\"id\":1,\"record\":1e}",
        "{\"id\":1,\"record\":-}",
        "{\"id\":1,\"record\":NaN}",
        "{'id':1}",
        "{\"id\":1,\"record\":\"a",
        "{\"id\":1,\"record\":[}",
        "{\"id",
    };
    (void)state;
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        assert_wrong(lines[i], "is no JSON");
    assert_wrong("", "is no JSON object");
    assert_wrong("hello", "is no JSON object");
    assert_wrong("[1]", "is no JSON object");
}

static void test_no_answer(void **state)
{
    static const char no_id[] = "has no \"id\" that was sent";
    (void)state;
    assert_wrong("{}", no_id);
    assert_wrong("{\"id\":\"7\",\"record\":1}", no_id);
    assert_wrong("{\"id\":-7,\"record\":1}", no_id);
    assert_wrong("{\"id\":1.0,\"record\":1}", no_id);
    assert_wrong("{\"id\":99999999999999999999,\"record\":1}", no_id);
    assert_wrong("{\"id\":1}", "has neither a \"record\" nor an \"error\"");
    assert_wrong("{\"id\":1,\"record\":null}",
                 "has neither a \"record\" nor an \"error\"");
    assert_wrong("{\"id\":1,\"record\":1,\"error\":\"x\"}",
                 "has a \"record\" and an \"error\"");
    assert_wrong("{\"id\":1,\"error\":{}}", "has an \"error\" that is no text");
    assert_wrong("{\"id\":1,\"error\":\"x\",\"retry\":1}",
                 "has a \"retry\" that is not true or false");
    assert_wrong("{\"id\":1,\"id\":2,\"record\":1}", "has a member twice");
}

/* As deep as the limit, and one level more. */
static void test_depth(void **state)
{
    char text[3 * EXEC_LINE_DEPTH_MAX] = "{\"id\":1,\"record\":";
    struct exec_line line;
    size_t begin = strlen(text);
    (void)state;
    for (int levels = EXEC_LINE_DEPTH_MAX; levels <= EXEC_LINE_DEPTH_MAX + 1;
         levels++) {
        memset(text + begin, '[', (size_t)levels - 1);
        memset(text + begin + levels - 1, ']', (size_t)levels - 1);
        strcpy(text + begin + 2 * (levels - 1), "}");
        assert_true(!exec_line_parse(slice_of(text), &line) ==
                    (levels <= EXEC_LINE_DEPTH_MAX));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_question), cmocka_unit_test(test_records),
        cmocka_unit_test(test_errors),     cmocka_unit_test(test_a_long_error),
        cmocka_unit_test(test_no_json),    cmocka_unit_test(test_no_answer),
        cmocka_unit_test(test_depth),
    };
    return cmocka_run_group_tests_name("exec_line", tests, NULL, NULL);
}
