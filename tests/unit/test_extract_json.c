/* test_extract_json.c: JSON answers, hostile ones above all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "alloc_sweep.h"
#include "extract_json.h"
#include "extract_run.h"

static const char quote[] =
    "{\"chart\":{\"result\":[{\"meta\":{\"currency\":\"USD\",\"symbol\":\"A"
    "\",\"regularMarketPrice\":1.50,\"gmtoffset\":-14400},\"timestamp\":[1,"
    "2],\"indicators\":{\"quote\":[{\"close\":[1.5,null]}]}}],\"error\":null"
    "}}";
static const char price[] =
    "class http_json\nfield price /chart/result/0/meta/regularMarketPrice\n";
static const char computed[] =
    "class http_json\nfield m /chart/result/0/indicators/quote/0/close\n"
    "compute percentile 50\n";
static const char at_a[] = "class http_json\nfield a /a\n";
static const char text_at_a[] = "class http_json\nfield a /a\ntype text\n";

static bool begins(const struct buffer *text, const char *with)
{
    return !strncmp(buffer_text(text), with, strlen(with));
}

/* `n` times `open`, then `inner`, then `n` times `close`. */
static struct buffer nest(const char *open, size_t n, const char *inner,
                          const char *close)
{
    struct buffer text = BUFFER_EMPTY;
    for (size_t i = 0; i < n; i++)
        buffer_append_text(&text, open);
    buffer_append_text(&text, inner);
    for (size_t i = 0; i < n; i++)
        buffer_append_text(&text, close);
    assert_false(text.failed);
    return text;
}

/* A document that was cut anywhere is not JSON, though the field came before
 * the cut; whatever stands in the padding. */
static void test_every_cut_is_seen(void **state)
{
    (void)state;
    struct extract_spec spec;
    extract_spec_init(&spec, price);
    struct extractor *extractor = extractor_new(&spec.worker);
    assert_non_null(extractor);
    static const char pads[] = "\0}],\":{[ 1";
    for (size_t pad = 0; pad < sizeof pads - 1; pad++)
        for (size_t len = 0; len < sizeof quote - 1; len++) {
            struct buffer found = BUFFER_EMPTY;
            struct slice cut = {quote, len};
            extract_run_padded(extractor, &spec, cut, pads[pad], &found);
            if (!begins(&found, "not_json: "))
                fail_msg("cut at %zu: %s", len, buffer_text(&found));
            buffer_free(&found);
        }
    extractor_free(&extractor);
    extract_spec_fini(&spec);
    assert_extract(price, quote, "price 1.50\n");
}

/* What follows the document makes it no document. */
static void test_nothing_may_follow(void **state)
{
    (void)state;
    assert_extract(at_a, "{\"a\":1} \r\n", "a 1\n");
    assert_extract(at_a, "{\"a\":1}{}",
                   "not_json: something follows the document\n");
    assert_extract(at_a, "{\"a\":1}}",
                   "not_json: something follows the document\n");
    assert_extract(at_a, "{\"a\":1} x", "not_json: the document is cut off\n");
}

/* A number keeps its digits, however many, if it is one of JSON's. */
static void test_numbers(void **state)
{
    (void)state;
    static const char *const good[] = {
        "0",
        "-0",
        "1.50",
        "9.0000004E-4",
        "1e+1000",
        "-1.0E0",
        "340282366920938463463374607431768211456"};
    static const char *const bad[] = {"01",  "+1",  "1.",  ".5",  "1e",
                                      "1e+", "--1", "-",   "0x1", "1a",
                                      "NaN", "1_0", "nul", "tru", "Infinity"};
    char body[128], expected[128];
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        snprintf(body, sizeof body, "{\"a\": %s }", good[i]);
        snprintf(expected, sizeof expected, "a %s\n", good[i]);
        assert_extract(at_a, body, expected);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        snprintf(body, sizeof body, "{\"a\":%s}", bad[i]);
        assert_extract(at_a, body, "not_json: not a JSON document\n");
    }
}

/* A number of 10,000 digits is one; of more than a field holds, is not taken.
 */
static void test_long_numbers(void **state)
{
    (void)state;
    struct buffer body = nest("7", 10000, "", "");
    struct buffer expected = BUFFER_EMPTY;
    buffer_printf(&expected, "a %s\n", buffer_text(&body));
    assert_extract("class http_json\nfield a \n", buffer_text(&body),
                   buffer_text(&expected));
    buffer_free(&body);
    buffer_free(&expected);
    body = nest("7", EXTRACT_VALUE_BYTES_MAX + 1, "", "");
    assert_extract("class http_json\nfield a \n", buffer_text(&body),
                   "too_large: : 65537 bytes, more than 65536\n");
    buffer_free(&body);
}

/* A text field is unescaped; what UTF-8 or PostgreSQL can't hold is refused. */
static void test_strings(void **state)
{
    (void)state;
    assert_extract(text_at_a, "{\"a\":\"x\\u00e9\\n\\ud83d\\ude00\"}",
                   "a x\u00e9\n\U0001F600\n");
    assert_extract(text_at_a, "{\"a\":\"x\\u0000y\"}",
                   "field_type: /a: holds a NUL\n");
    static const char *const bad[] = {"\\ud83d", "\\ude00", "\\ud83dx",
                                      "\\x",     "\\u12",   "\\ud83d\\u0041"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char body[64];
        snprintf(body, sizeof body, "{\"a\":\"%s\"}", bad[i]);
        assert_extract(
            text_at_a, body,
            "field_type: /a: a broken string where text is wanted\n");
    }
    assert_extract(text_at_a, "{\"a\":\"x\xff\"}",
                   "not_json: not valid UTF-8\n");
    assert_extract(text_at_a, "{\"b\":\"x\ny\",\"a\":\"\"}",
                   "not_json: a control character in a string\n");
}

/* A field is of its type: a string that holds a number is no number. */
static void test_types(void **state)
{
    (void)state;
    assert_extract(at_a, "{\"a\":\"1\"}",
                   "field_type: /a: a string where a number is wanted\n");
    assert_extract(at_a, "{\"a\":[1]}",
                   "field_type: /a: an array where a number is wanted\n");
    assert_extract("class http_json\nfield a /a\ntype integer\n", "{\"a\":1.0}",
                   "field_type: /a: a number where an integer is wanted\n");
    assert_extract("class http_json\nfield a /a\ntype boolean\n", "{\"a\":1}",
                   "field_type: /a: a number where a boolean is wanted\n");
    assert_extract(text_at_a, "{\"a\":1.50}", "a 1.50\n");
    assert_extract(text_at_a, "{\"a\":true}", "a true\n");
}

/* A time is stored in one form, however it was sent; what is none is told. */
static void test_times(void **state)
{
    (void)state;
    static const char time_at_a[] = "class http_json\nfield a /a\ntype time\n";
    static const char millis_at_a[] =
        "class http_json\nfield a /a\ntype time\nunit 1000\n";
    assert_extract(time_at_a, "{\"a\":1786132801}",
                   "a 2026-08-07T20:00:01.000000Z\n");
    assert_extract(time_at_a, "{\"a\":\"1786132801.25\"}",
                   "a 2026-08-07T20:00:01.250000Z\n");
    assert_extract(time_at_a, "{\"a\":\"2026-08-07T22:00:01+02:00\"}",
                   "a 2026-08-07T20:00:01.000000Z\n");
    assert_extract(millis_at_a, "{\"a\":1786132801123}",
                   "a 2026-08-07T20:00:01.123000Z\n");
    assert_extract(time_at_a, "{\"a\":1786132801123}",
                   "field_type: /a: \"1786132801123\" is no time in seconds, "
                   "nor in ISO 8601\n");
    assert_extract(millis_at_a, "{\"a\":\"now\"}",
                   "field_type: /a: \"now\" is no time in milliseconds, nor "
                   "in ISO 8601\n");
    assert_extract(time_at_a, "{\"a\":true}",
                   "field_type: /a: a boolean where a time is wanted\n");
}

/* Absent and null are two reasons, and neither is one where the field is not
 * required or has a default. */
static void test_absent_and_null(void **state)
{
    (void)state;
    assert_extract(at_a, "{\"b\":1}", "field_missing: /a: absent\n");
    assert_extract(at_a, "{\"a\":null}", "field_null: /a: null\n");
    assert_extract("class http_json\nfield a /a\noptional\nfield b /b/c\n"
                   "optional\ndefault 0\n",
                   "{\"a\":null,\"b\":1}", "a (null)\nb 0\n");
}

/* Pointers as RFC 6901 has them, several with common beginnings, found in
 * whatever order the members come. */
static void test_pointers(void **state)
{
    (void)state;
    static const char spec[] = "class http_json\n"
                               "field w /a~1b\nfield x /m~0n/0\n"
                               "field y /m~0n/1/\nfield z /m~0n/1/ \n"
                               "field again /a~1b\nfield i /00\n";
    static const char expected[] = "w 1\nx 2\ny 3\nz 4\nagain 1\ni 5\n";
    assert_extract(spec, "{\"a/b\":1,\"m~n\":[2,{\"\":3,\" \":4}],\"00\":5}",
                   expected);
    assert_extract(spec,
                   "{\"00\":5,\"\\u006d~n\":[2,{\" \":4,\"\":3},6],"
                   "\"a\\/b\":1}",
                   expected);
    assert_extract("class http_json\nfield a /00\n", "[5]",
                   "field_missing: /00: absent\n");
    assert_extract("class http_json\nfield a /1\n", "[5]",
                   "field_missing: /1: absent\n");
}

/* Of two members of one name the first counts, in all that lies below. */
static void test_first_duplicate_wins(void **state)
{
    (void)state;
    assert_extract(at_a, "{\"a\":1,\"a\":2}", "a 1\n");
    assert_extract("class http_json\nfield b /a/b\n",
                   "{\"a\":{\"c\":1},\"a\":{\"b\":2}}",
                   "field_missing: /a/b: absent\n");
}

/* A document may be any value, with a byte order mark before it. */
static void test_root(void **state)
{
    (void)state;
    static const char spec[] = "class http_json\nfield a \ntype text\n";
    assert_extract(spec, "\xef\xbb\xbf 1.5 ", "a 1.5\n");
    assert_extract(spec, "\"x\"", "a x\n");
    assert_extract(spec, "\"x\" 1",
                   "not_json: something follows the document\n");
    assert_extract(spec, "1 2", "not_json: not a JSON document\n");
    assert_extract(spec, "{}",
                   "field_type: : an object where text is wanted\n");
    assert_extract(spec, "", "not_json: the answer is empty\n");
    assert_extract(at_a, "7", "field_missing: /a: absent\n");
}

/* A million brackets end in a reason, soon; beside them a field is found. */
static void test_depth_bombs(void **state)
{
    (void)state;
    struct buffer body = nest("[", 1000000, "", "");
    assert_extract(at_a, buffer_text(&body),
                   "not_json: the document is cut off\n");
    buffer_free(&body);
    body = nest("{\"a\":", 100000, "1", "}");
    assert_extract(at_a, buffer_text(&body),
                   "field_type: /a: an object where a number is wanted\n");
    buffer_free(&body);
    body = nest("[", 1000000, "", "]");
    assert_extract(at_a, buffer_text(&body), "field_missing: /a: absent\n");
    buffer_free(&body);
}

/* A pointer is followed EXTRACT_JSON_DEPTH_MAX levels deep and no deeper. */
static void test_depth_limit(void **state)
{
    (void)state;
    for (size_t more = 0; more <= 1; more++) {
        size_t depth = EXTRACT_JSON_DEPTH_MAX + more;
        struct buffer steps = nest("/0", depth, "\n", "");
        struct buffer body = nest("[", depth, "5", "]");
        struct buffer spec = BUFFER_EMPTY;
        buffer_printf(&spec, "class http_json\nfield a %s",
                      buffer_text(&steps));
        assert_extract(buffer_text(&spec), buffer_text(&body),
                       more ? "not_json: nested too deeply\n" : "a 5\n");
        buffer_free(&steps);
        buffer_free(&body);
        buffer_free(&spec);
    }
}

/* A list gives its keys in order, each once, strings and numbers alike; other
 * elements are passed over. */
static void test_lists(void **state)
{
    (void)state;
    assert_extract("class json_list\n", "[\"B\",\" A \",7,\"B\",null,[],\"\"]",
                   "B\nA\n7\n");
    assert_extract("class json_list\nlist /q/0\nkey /s/0\nlimit 2\n",
                   "{\"q\":[[{\"s\":[\"A\"]},{},{\"s\":[]},{\"s\":[\"B\"]},"
                   "{\"s\":[\"C\"]}]],\"z\":0}",
                   "A\nB\n");
    assert_extract("class json_list\nlist /q\n", "{\"q\":{}}",
                   "no_keys: the list at \"/q\": an object where an array is "
                   "wanted\n");
    assert_extract("class json_list\nlist /q\nkey /s\n",
                   "{\"q\":[{\"s\":null},{\"s\":\"a\\nb\"},5]}",
                   "no_keys: the list at \"/q\": 3 elements, none with a key "
                   "at \"/s\"\n");
    assert_extract("class json_list\n", "[\"A\",\"B\"",
                   "not_json: the document is cut off\n");
    assert_extract("class json_list\nlimit 1\n", "[\"A\",\"B\"]]",
                   "not_json: something follows the document\n");
}

/* A body that says "too many requests", in whatever case, is a refusal, if it
 * is short. */
static void test_refusals(void **state)
{
    (void)state;
    const char *texts[] = {"Too Many Requests", "slow"};
    struct request request = {.refusals = texts, .n_refusals = 2};
    assert_true(body_is_refusal(&request, slice_of("Edge: too MANY Requests")));
    assert_true(body_is_refusal(&request, slice_of("SLOW")));
    assert_true(body_is_refusal(&request, slice_of("sSlow")));
    assert_false(body_is_refusal(&request, slice_of("Too Many Request")));
    assert_false(body_is_refusal(&request, slice_of("slo")));
    assert_false(body_is_refusal(&request, slice_of("")));
    struct buffer body = nest("x", REFUSAL_BODY_BYTES - 4, "Slow", "");
    assert_true(body_is_refusal(&request, buffer_slice(&body)));
    buffer_append_char(&body, '.');
    assert_false(body_is_refusal(&request, buffer_slice(&body)));
    buffer_free(&body);
}

static void extract_once(void *context)
{
    struct extract_spec *spec = context;
    struct extractor *extractor = extractor_new(&spec->worker);
    assert_true(extractor || alloc_sweep_failed());
    if (!extractor)
        return;
    char body[256 + EXTRACT_PADDING] = "[\"A\",\"B\",\"C\"]";
    struct arena arena = ARENA_EMPTY;
    struct slice *keys;
    size_t n;
    struct extract_result result;
    extract_keys(extractor, slice_of(body), 0, &arena, &keys, &n, &result);
    if (alloc_sweep_failed())
        assert_int_equal(result.reason, REASON_INTERNAL);
    else
        assert_int_equal(n, 3);
    arena_free(&arena);
    extractor_free(&extractor);
}

static void extract_price_once(void *context)
{
    struct extract_spec *spec = context;
    struct extractor *extractor = extractor_new(&spec->worker);
    assert_true(extractor || alloc_sweep_failed());
    if (!extractor)
        return;
    char body[sizeof quote + EXTRACT_PADDING] = "";
    memcpy(body, quote, sizeof quote);
    struct slice field;
    struct extract_result result;
    extract_fields(extractor, slice_of(body), &field, &result);
    if (alloc_sweep_failed())
        assert_int_equal(result.reason, REASON_INTERNAL);
    else
        assert_int_equal(result.reason, REASON_NONE);
    extractor_free(&extractor);
}

static void extract_parts_once(void *context)
{
    struct extract_spec *spec = context;
    struct extractor *extractor = extractor_new(&spec->worker);
    assert_true(extractor || alloc_sweep_failed());
    if (!extractor)
        return;
    char body[64 + EXTRACT_PADDING] = "{\"r\":[{\"s\":\"A\",\"p\":1}]}";
    struct slice key = slice_of("A"), part, field;
    struct extract_result result;
    extract_split(extractor, slice_of(body), &key, 1, &part, &result);
    if (!result.reason)
        extract_part(extractor, key, part, &field, &result);
    assert_int_equal(result.reason,
                     alloc_sweep_failed() ? REASON_INTERNAL : REASON_NONE);
    extractor_free(&extractor);
}

/* Whichever allocation fails: no extractor, or a reason, and nothing leaks. */
static void test_every_allocation_may_fail(void **state)
{
    (void)state;
    struct extract_spec spec;
    extract_spec_init(&spec, "class json_list\n");
    assert_true(alloc_sweep(extract_once, &spec) >= 3);
    extract_spec_fini(&spec);
    extract_spec_init(&spec, price);
    assert_true(alloc_sweep(extract_price_once, &spec) >= 2);
    extract_spec_fini(&spec);
    extract_spec_init(&spec, computed);
    assert_true(alloc_sweep(extract_price_once, &spec) >= 7);
    extract_spec_fini(&spec);
    extract_spec_init(&spec, "class http_json\nfield p /p\neach /r\nof /s\n");
    assert_true(alloc_sweep(extract_parts_once, &spec) >= 4);
    extract_spec_fini(&spec);
}

/* An array of so many numbers is read, and not one more. */
static void test_many_numbers(void **state)
{
    (void)state;
    struct buffer body = BUFFER_EMPTY;
    buffer_append_text(&body, "{\"a\":[");
    for (int i = 0; i < EXTRACT_NUMBERS_MAX; i++)
        buffer_append_text(&body, "null,2,");
    struct slice most = {body.data, body.len - 1};
    struct buffer text = BUFFER_EMPTY;
    static const char sum[] = "class http_json\nfield a /a\ncompute sum\n";

    buffer_append_slice(&text, most);
    buffer_append_text(&text, "]}");
    assert_extract_slice(sum, buffer_slice(&text), "a 40000\n");
    buffer_append_text(&body, "1]}");
    assert_extract_slice(sum, buffer_slice(&body),
                         "too_large: /a: more than 20000 numbers\n");
    buffer_free(&body);
    buffer_free(&text);
}

struct warm {
    struct extractor *extractor;
    char body[sizeof quote + EXTRACT_PADDING];
};

static void extract_warm(void *context)
{
    struct warm *warm = context;
    struct slice field;
    struct extract_result result;
    extract_fields(warm->extractor, slice_of(warm->body), &field, &result);
    assert_int_equal(result.reason, REASON_NONE);
}

/* An extractor that has seen an answer allocates nothing for the next. */
static void warm_up(const char *text)
{
    struct extract_spec spec;
    extract_spec_init(&spec, text);
    struct warm warm = {extractor_new(&spec.worker), ""};
    assert_non_null(warm.extractor);
    memcpy(warm.body, quote, sizeof quote);
    extract_warm(&warm);
    assert_int_equal(alloc_sweep(extract_warm, &warm), 0);
    extractor_free(&warm.extractor);
    extract_spec_fini(&spec);
}

static void test_nothing_is_allocated_when_warm(void **state)
{
    (void)state;
    warm_up(price);
    warm_up(computed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_cut_is_seen),
        cmocka_unit_test(test_nothing_may_follow),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_long_numbers),
        cmocka_unit_test(test_strings),
        cmocka_unit_test(test_types),
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_absent_and_null),
        cmocka_unit_test(test_pointers),
        cmocka_unit_test(test_first_duplicate_wins),
        cmocka_unit_test(test_root),
        cmocka_unit_test(test_depth_bombs),
        cmocka_unit_test(test_depth_limit),
        cmocka_unit_test(test_lists),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_many_numbers),
        cmocka_unit_test(test_every_allocation_may_fail),
        cmocka_unit_test(test_nothing_is_allocated_when_warm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
