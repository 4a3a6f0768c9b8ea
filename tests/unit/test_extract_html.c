/* test_extract_html.c: HTML answers, hostile ones above all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "alloc_sweep.h"
#include "base/clock.h"
#include "extract_run.h"
#include "extract_table.h"
#include "extract_tags.h"

#define REFUSAL_CPU_MAX                                                        \
    (USEC_PER_SEC / 2) /* with sanitizers, on any machine                      \
                        */

static const char at_b[] = "class http_html\nfield b //b\n";
static const char keys_of_a[] = "class html_table\ncolumn A\n";

/* `n` times `part`, then `end`. */
static struct buffer repeat(const char *part, size_t n, const char *end)
{
    struct buffer text = BUFFER_EMPTY;
    for (size_t i = 0; i < n; i++)
        buffer_append_text(&text, part);
    buffer_append_text(&text, end);
    assert_false(text.failed);
    return text;
}

/* The outcome is `expected`, and soon. */
static void assert_refused(struct buffer body, const char *expected)
{
    usec_t before = clock_process_cpu();
    assert_extract_slice(at_b, buffer_slice(&body), expected);
    assert_true(clock_process_cpu() - before < REFUSAL_CPU_MAX);
    buffer_free(&body);
}

/* 1 MB of attributes in one tag would be 20 s in libxml2. */
static void test_attribute_bombs(void **state)
{
    (void)state;
    struct buffer body = BUFFER_EMPTY;
    buffer_append_text(&body, "<b>1</b><p");
    for (int i = 0; body.len < 1000000; i++)
        buffer_printf(&body, " a%d", i);
    assert_refused(body, "not_html: a tag longer than 64 KiB\n");
    assert_refused(repeat("<p x=", 1, ""), "field_missing: //b: absent\n");
    body = repeat(" a", EXTRACT_ATTRIBUTES_MAX, "><b>1</b>");
    struct buffer tag = repeat("<p", 1, buffer_text(&body));
    assert_refused(tag, "b 1\n");
    tag = repeat("<p a", 1, buffer_text(&body));
    assert_refused(tag, "not_html: a tag with more than 64 attributes\n");
    buffer_free(&body);
}

/* A tag may hold EXTRACT_TAG_BYTES_MAX bytes, '>' in quotes among them. */
static void test_tag_bytes(void **state)
{
    (void)state;
    struct buffer body = repeat("<p a='", 1, "");
    while (body.len < EXTRACT_TAG_BYTES_MAX - 1)
        buffer_append_char(&body, '>');
    struct buffer longer = repeat(buffer_text(&body), 1, ">>'><b>1</b>");
    buffer_append_text(&body, "'><b>1</b>");
    assert_refused(body, "b 1\n");
    assert_refused(longer, "not_html: a tag longer than 64 KiB\n");
}

/* More nodes than memory should hold are refused before they are made. */
static void test_node_bombs(void **state)
{
    (void)state;
    static const char why[] =
        "too_large: more than 500000 tags, attributes and references\n";
    assert_refused(repeat("<p>", EXTRACT_NODES_MAX + 1, ""), why);
    assert_refused(repeat("<p a>", EXTRACT_NODES_MAX / 2 + 1, ""), why);
    assert_refused(repeat("</p>", EXTRACT_NODES_MAX + 1, ""), why);
    assert_refused(repeat("&", EXTRACT_NODES_MAX + 1, ""), why);
}

/* libxml2 stops reading at its depth limit: such a page is not read by half. */
static void test_depth(void **state)
{
    (void)state;
    assert_refused(repeat("<div>", 1000000 / 5, "<b>1</b>"),
                   "not_html: line 1: Excessive depth in document: 256 use "
                   "XML_PARSE_HUGE option \n");
    assert_refused(repeat("<div>", EXTRACT_HTML_DEPTH_MAX - 3, "<b>1</b>"),
                   "b 1\n");
}

/* Bytes that are no text. */
static void test_bytes(void **state)
{
    (void)state;
    assert_extract(at_b, "<b>1\xff</b>", "not_html: not valid UTF-8\n");
    assert_extract(at_b, "<b>1\xed\xa0\x80</b>", "not_html: not valid UTF-8\n");
    assert_extract_slice(at_b, (struct slice){"<b>1\0</b>", 9},
                         "not_html: holds a NUL\n");
    assert_extract(at_b, " \n", "not_html: the answer is empty\n");
    assert_extract(at_b, "\xef\xbb\xbf<b>1</b>", "b 1\n");
    assert_extract("class http_html\nfield b //b\ntype text\n",
                   "<meta charset=iso-8859-1><b>\u00e9</b>", "b \u00e9\n");
    assert_extract("class http_html\nfield b //b\ntype text\n",
                   "<meta http-equiv=Content-Type content='text/html; "
                   "charset=utf-16'><b>\u00e9</b>",
                   "b \u00e9\n");
}

/* Where the scan of the tags could lose step with libxml2, the page is
 * refused; where not, it reads what libxml2 reads. */
static void test_tags_in_step(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        size_t attributes; /* in the largest tag; 99: refused */
    } pages[] = {
        {"<p a=1 b='>' c=\">\" d>", 4},
        {"<p ' > <b 1 2 3'>", 3},
        {"<p a=x/><b 1 2>", 2},
        {"<!-- <b 1 2> --><p a>", 1},
        {"<!-- --!><b a c> -->", 2},
        {"<!--><b 1 2>--><p a>", 1},
        {"<!-- <b 1 2>", 0},
        {"<!x <b a c>", 2},
        {"</ <b a c>", 2},
        {"</p <b a c>", 0},
        {"<?x y='1'?><b a>", 1},
        {"<?x <b a>", 99},
        {"<!DOCTYPE html \"a>b\">", 99},
        {"<!DOCTYPE html \"a\" 'b'>", 99},
        {"<!DOCTYPE html \"a\"><p a>", 1},
        {"<script>a<b 1 2></script><p a>", 1},
        {"<script/><b 1 2>", 2},
        {"<SCRIPT a>'</script ><p 1 2>", 2},
        {"<script></p><b a c>", 99},
        {"<script><noscript a c>", 99},
        {"<style>x</styles><b a c>", 99},
        {"<style></style><b a c>", 2},
        {"<script></ <b a c></script>", 0},
        {"<script>", 0},
    };
    for (size_t i = 0; i < sizeof pages / sizeof *pages; i++) {
        struct extract_tags tags;
        char body[128] = "";
        strcpy(body, pages[i].body);
        const char *why = extract_tags_check(slice_of(body), &tags);
        size_t found = why ? 99 : tags.attributes_max;
        if (found != pages[i].attributes)
            fail_msg("%s: %zu attributes", pages[i].body, found);
    }
}

/* An XPath has so many steps on one page and no more. */
static void test_xpath_steps(void **state)
{
    (void)state;
    struct buffer body = repeat("<i></i>", 20000, "");
    assert_extract("class http_html\nfield n count(//i[count(//i) > 0])\n",
                   buffer_text(&body),
                   "not_html: the XPath needs more than 10000000 steps on "
                   "this page\n");
    buffer_free(&body);
}

/* What is wrong with an XPath by itself is not tried again, and is said to
 * nobody else. */
static void test_xpaths_that_fail(void **state)
{
    (void)state;
    static const struct {
        const char *xpath, *why;
    } xpaths[] = {
        {"foo(//b)", "it calls a function that XPath 1.0 does not have"},
        {"//b[foo(.)]", "it calls a function that XPath 1.0 does not have"},
        {"h:foo(//b)", "libxml2 can't evaluate it"},
        {"//b[. = $x]", "it has a variable, and there are none"},
        {"//h:b", "it has a prefix, and none is bound"},
        {"//b[contains(.)]",
         "a function of it has too few or too many arguments"},
        {"//b[count('x')]",
         "a text, number or boolean stands where nodes must"},
    };
    FILE *said = tmpfile();
    int errors = dup(STDERR_FILENO);
    assert_true(said && errors >= 0);
    assert_int_equal(dup2(fileno(said), STDERR_FILENO), STDERR_FILENO);
    for (size_t i = 0; i < sizeof xpaths / sizeof *xpaths; i++) {
        char spec[128], expected[200];
        snprintf(spec, sizeof spec, "class http_html\nfield a %s\n",
                 xpaths[i].xpath);
        snprintf(expected, sizeof expected,
                 "field_value: the XPath can't be evaluated: %s\n",
                 xpaths[i].why);
        assert_extract(spec, "<b>1</b>", expected);
    }
    dup2(errors, STDERR_FILENO);
    close(errors);
    assert_int_equal(lseek(fileno(said), 0, SEEK_END), 0);
    fclose(said);
    assert_false(reason_may_pass(REASON_VALUE));
}

/* A field is what an XPath gives: the first node in the document's order, a
 * string, a number or a boolean; numbers lose what is for people. */
static void test_fields(void **state)
{
    (void)state;
    static const char page[] =
        "<p id=x> 1,234.50 </p><b>+5</b><i>1,2</i><u> a \u00a0 b</u><s></s>";
    assert_extract("class http_html\nfield a //i/preceding-sibling::*\n"
                   "field b //b\ntype integer\nfield c //u\ntype text\n"
                   "field d //p/@id\ntype text\nfield e count(//p)\n"
                   "field f //p = ' 1,234.50 '\ntype boolean\n"
                   "field g //q\noptional\nfield h //q\ndefault 7\n",
                   page,
                   "a 1234.50\nb 5\nc a b\nd x\ne 1\nf true\ng (null)\nh 7\n");
    assert_extract("class http_html\nfield a //time/@datetime\ntype time\n",
                   "<time datetime=' 2026-08-07T22:00+02:00 '>Friday</time>",
                   "a 2026-08-07T20:00:00.000000Z\n");
    assert_extract("class http_html\nfield a //p/@id\ntype time\n", page,
                   "field_type: //p/@id: \"x\" is no time in seconds, nor in "
                   "ISO 8601\n");
    assert_extract("class http_html\nfield a //i\n", page,
                   "field_type: //i: \"1,2\" is no number\n");
    assert_extract("class http_html\nfield a //i\ntype integer\n", page,
                   "field_type: //i: \"1,2\" is no integer\n");
    assert_extract("class http_html\nfield a //i\ntype boolean\n", page,
                   "field_type: //i: \"1,2\" is no boolean\n");
    assert_extract("class http_html\nfield a //s\n", page,
                   "field_type: //s: \"\" is no number\n");
    assert_extract("class http_html\nfield a string(//q)\n", page,
                   "field_type: string(//q): \"\" is no number: a function of "
                   "texts gives an empty one where it finds nothing\n");
    assert_extract("class http_html\nfield a concat(' ', //q)\ntype time\n",
                   page,
                   "field_type: concat(' ', //q): \"\" is no time in seconds, "
                   "nor in ISO 8601: a function of texts gives an empty one "
                   "where it finds nothing\n");
    assert_extract("class http_html\nfield a string(//q)\ntype text\n", page,
                   "a \n");
    assert_extract("class http_html\nfield a number(//u)\n", page,
                   "field_type: number(//u): \"NaN\" is no number\n");
    assert_extract("class http_html\nfield a //q\n", page,
                   "field_missing: //q: absent\n");
}

/* A value has so many bytes and no more. */
static void test_value_bytes(void **state)
{
    (void)state;
    static const char text_of_b[] = "class http_html\nfield b //b\ntype text\n";
    struct buffer text = repeat("x", EXTRACT_VALUE_BYTES_MAX, "");
    struct buffer body = repeat("<b>", 1, buffer_text(&text));
    struct buffer expected = repeat("b ", 1, buffer_text(&text));
    buffer_append_char(&expected, '\n');
    assert_extract(text_of_b, buffer_text(&body), buffer_text(&expected));
    buffer_append_char(&body, 'x');
    assert_extract(text_of_b, buffer_text(&body),
                   "too_large: //b: 65537 bytes, more than 65536\n");
    buffer_free(&text);
    buffer_free(&body);
    buffer_free(&expected);
}

/* Cells that claim to span everything cost little. */
static void test_span_bombs(void **state)
{
    (void)state;
    struct buffer body = BUFFER_EMPTY;
    buffer_append_text(&body, "<table><tr><th>A<th colspan=99999 "
                              "rowspan=99999>B<th>C");
    for (int i = 0; i < 20000; i++)
        buffer_append_text(&body, "<tr><td>x<td colspan=-1 rowspan=1e9>y");
    usec_t before = clock_process_cpu();
    assert_extract(keys_of_a, buffer_text(&body), "x\n");
    assert_true(clock_process_cpu() - before < 4 * REFUSAL_CPU_MAX);
    buffer_free(&body);
}

/* A column beyond EXTRACT_COLUMNS_MAX is not there. */
static void test_columns_max(void **state)
{
    (void)state;
    char body[256];
    for (int more = 0; more <= 1; more++) {
        snprintf(body, sizeof body,
                 "<table><tr><th colspan=%d>B<th>A<tr><td colspan=%d><td>x",
                 EXTRACT_COLUMNS_MAX - 1 + more,
                 EXTRACT_COLUMNS_MAX - 1 + more);
        assert_extract(keys_of_a, body,
                       more ? "no_table: no table has a column \"A\"\n"
                            : "x\n");
    }
}

static void extract_table_once(void *context)
{
    struct extract_spec *spec = context;
    struct extractor *extractor = extractor_new(&spec->worker);
    assert_true(extractor || alloc_sweep_failed());
    if (!extractor)
        return;
    char body[256] = "<table><tr><th>A<tr><td>x<tr><td>y</table>";
    struct arena arena = ARENA_EMPTY;
    struct slice *keys;
    size_t n;
    struct extract_result result;
    extract_keys(extractor, slice_of(body), 0, &arena, &keys, &n, &result);
    if (alloc_sweep_failed())
        assert_int_equal(result.reason, REASON_INTERNAL);
    else
        assert_int_equal(n, 2);
    arena_free(&arena);
    extractor_free(&extractor);
}

static void extract_bold_once(void *context)
{
    struct extract_spec *spec = context;
    struct extractor *extractor = extractor_new(&spec->worker);
    assert_true(extractor || alloc_sweep_failed());
    if (!extractor)
        return;
    char body[64 + EXTRACT_PADDING] = "<p><b>1.50</b></p>";
    struct slice field;
    struct extract_result result;
    extract_fields(extractor, slice_of(body), &field, &result);
    if (alloc_sweep_failed())
        assert_int_equal(result.reason, REASON_INTERNAL);
    else
        assert_int_equal(result.reason, REASON_NONE);
    extractor_free(&extractor);
}

/* Whichever allocation of ours fails: no extractor, or a reason, and nothing
 * leaks. */
static void test_every_allocation_may_fail(void **state)
{
    (void)state;
    struct extract_spec spec;
    extract_spec_init(&spec, keys_of_a);
    assert_true(alloc_sweep(extract_table_once, &spec) >= 5);
    extract_spec_fini(&spec);
    extract_spec_init(&spec, at_b);
    assert_true(alloc_sweep(extract_bold_once, &spec) >= 2);
    extract_spec_fini(&spec);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_attribute_bombs),
        cmocka_unit_test(test_tag_bytes),
        cmocka_unit_test(test_node_bombs),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_tags_in_step),
        cmocka_unit_test(test_xpath_steps),
        cmocka_unit_test(test_xpaths_that_fail),
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_value_bytes),
        cmocka_unit_test(test_span_bombs),
        cmocka_unit_test(test_columns_max),
        cmocka_unit_test(test_every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
