/* What is remembered of an answer: answer.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "ledger/answer.h"
#include "pipeline/template.h"

#define N 3

static struct arena arena;

static int teardown(void **state)
{
    (void)state;
    arena_free(&arena);
    return 0;
}

/* All bytes come back, NULL as NULL and an empty text as one. */
static void test_there_and_back(void **state)
{
    (void)state;
    const struct slice fields[N] = {slice_of("12.50"), {NULL, 0}, {"", 0}};
    struct buffer text = BUFFER_EMPTY;
    answer_encode(fields, N, &text);
    assert_string_equal(buffer_text(&text), "5:12.50-0:");
    const struct slice *back = answer_decode(buffer_slice(&text), N, &arena);
    assert_non_null(back);
    assert_true(slice_equal(back[0], fields[0]));
    assert_null(back[1].data);
    assert_non_null(back[2].data);
    assert_int_equal(back[2].len, 0);
    buffer_free(&text);
}

static void test_no_such_text(void **state)
{
    (void)state;
    static const char *const table[] = {
        "",     "--",          "----",         "1:a--x", "2:a--",
        ":a--", "a--",         "-1:a--",       "1a--",   "--999999:a",
        "--1",  "--0000001:a", "1:a1:b1:c1:d", "--1:"};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (answer_decode(slice_of(table[i]), N, &arena))
            fail_msg("\"%s\" was read", table[i]);
    assert_non_null(answer_decode(slice_of("---"), N, &arena));
    assert_non_null(answer_decode(slice_of(""), 0, &arena));
}

static struct last_answer good(void)
{
    static const struct slice fields[N] = {{"1", 1}, {NULL, 0}, {"", 0}};
    return (struct last_answer){.url = slice_of("http://a.test/"),
                                .etag = slice_of("\"x\""),
                                .fields = fields};
}

/* Worth a row: something to ask with, or an age. */
static void test_worth_a_row(void **state)
{
    (void)state;
    struct last_answer answer = good();
    assert_true(answer_is_good(&answer, N));
    answer.etag.data = NULL;
    answer.etag.len = 0;
    assert_false(answer_is_good(&answer, N));
    answer.modified = slice_of("Sat, 28 Nov 2026 13:55:00 GMT");
    assert_true(answer_is_good(&answer, N));
    answer.modified = (struct slice){0};
    answer.fresh_until = 1;
    assert_true(answer_is_good(&answer, N));
}

/* Each limit, one below and one above; and bytes that are no text. */
static void test_limits(void **state)
{
    (void)state;
    static char long_text[ANSWER_FIELDS_BYTES_MAX + 10];
    memset(long_text, 'a', sizeof long_text);
    struct last_answer answer = good();
    answer.etag = (struct slice){long_text, ANSWER_VALIDATOR_BYTES_MAX};
    assert_true(answer_is_good(&answer, N));
    answer.etag.len++;
    assert_false(answer_is_good(&answer, N));
    answer = good();
    answer.url = (struct slice){long_text, URL_BYTES_MAX};
    assert_true(answer_is_good(&answer, N));
    answer.url.len++;
    assert_false(answer_is_good(&answer, N));
    answer = good();
    struct slice fields[1] = {{long_text, ANSWER_FIELDS_BYTES_MAX - 7}};
    answer.fields = fields;
    assert_true(answer_is_good(&answer, 1));
    fields[0].len++;
    assert_false(answer_is_good(&answer, 1));
    fields[0] = (struct slice){"a\0b", 3};
    assert_false(answer_is_good(&answer, 1));
    fields[0] = slice_of("\xff");
    assert_false(answer_is_good(&answer, 1));
}

/* Another member, for as long as it takes, is another shape. */
#define OTHER(member, value)                                                   \
    do {                                                                       \
        __typeof__(member) before = member;                                    \
        member = value;                                                        \
        if (answer_shape(&worker) == shape)                                    \
            fail_msg("%s is not part of the shape", #member);                  \
        member = before;                                                       \
        assert_true(answer_shape(&worker) == shape);                           \
    } while (0)

/* Whatever changes what is made of a page changes the shape, and so does what
 * is negotiated about the page. */
static void test_shapes(void **state)
{
    (void)state;
    struct field fields[2] = {{.name = "price", .at = "/p", .required = true},
                              {.name = "note", .at = "/n"}};
    struct formula requires[2] = {{.text = "price > 0"}, {.text = "note"}};
    const char *headers[2] = {"Accept-Language: en", "X-Key: 1"};
    struct worker worker = {
        .class = CLASS_HTTP_JSON,
        .fields = fields,
        .n_fields = 2,
        .requires = requires,
        .n_requires = 1,
        .request = {.user_agent = "a", .headers = headers, .n_headers = 2}};
    int64_t shape = answer_shape(&worker);
    OTHER(worker.class, CLASS_HTTP_HTML);
    OTHER(worker.n_fields, 1);
    OTHER(fields[0].name, "close");
    OTHER(fields[0].at, "/q");
    OTHER(fields[0].at, NULL);
    OTHER(fields[0].type, FIELD_TEXT);
    OTHER(fields[0].stored, FIELD_TEXT);
    OTHER(fields[0].unit, 1);
    OTHER(fields[0].compute.indicator, INDICATOR_SMA);
    OTHER(fields[0].compute.n, 5);
    OTHER(fields[0].required, false);
    OTHER(fields[0].default_value, "");
    OTHER(fields[0].value.text, "price / 100");
    OTHER(requires[0].text, "price > 1");
    OTHER(worker.n_requires, 2);
    OTHER(worker.n_requires, 0);
    OTHER(worker.request.user_agent, "b");
    OTHER(headers[0], "Accept-Language: de");
    headers[1] = "X-Key: 2"; /* it may be a secret */
    assert_true(answer_shape(&worker) == shape);
    assert_false(answer_url_hash(slice_of("http://a/")) ==
                 answer_url_hash(slice_of("http://b/")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_there_and_back),
        cmocka_unit_test(test_no_such_text),
        cmocka_unit_test(test_worth_a_row),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_shapes),
    };
    return cmocka_run_group_tests(tests, NULL, teardown);
}
