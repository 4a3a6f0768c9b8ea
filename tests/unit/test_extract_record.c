/*
 * What a fetcher takes out of an answer, by the options of its pipeline file:
 * rows of one answer, and all else that goes beyond a single field.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/packed.h"
#include "extract.h"

static const char pipeline_text[] =
    "version: 1\n"
    "queues: [{name: keys}, {name: records}]\n"
    "workers:\n"
    "- {name: some, class: values, input_values: [a], output_queues: [keys]}\n"
    "- {name: store, class: store, input_queue: records,\n"
    "   options: {table: t, columns: {k: key}}}\n"
    "- name: fetch\n"
    "  class: %s\n"
    "  input_queue: keys\n"
    "  output_queues: [records]\n"
    "  options:\n"
    "    url: http://h/{key}\n";

/* The pipeline whose fetcher is of `class` and has these lines of options. */
static struct pipeline *load(const char *class, const char *options)
{
    struct buffer text = BUFFER_EMPTY;
    struct complaints complaints = {.n = 0};
    struct error err = ERROR_NONE;
    struct settings *settings = settings_new();
    struct pipeline *pipeline = NULL;
    buffer_printf(&text, pipeline_text, class);
    buffer_append_text(&text, options);
    assert_true(settings && !text.failed);
    int rc = pipeline_load(buffer_slice(&text), "test.yaml", settings,
                           &complaints, &pipeline, &err);
    if (rc)
        fail_msg("%d:%d: %s", complaints.items[0].line,
                 complaints.items[0].column, complaints.items[0].text);
    complaints_free(&complaints);
    settings_free(&settings);
    buffer_free(&text);
    return pipeline;
}

static void append_value(struct buffer *out, struct slice value)
{
    if (value.data)
        buffer_append_slice(out, value);
    else
        buffer_append_char(out, '-');
}

/* "NAME: a b; a b" */
static void append_set(struct buffer *out, const struct row_set *set,
                       const struct record_rows *rows)
{
    struct slice rest[PIPELINE_FIELDS_MAX], value = {0};
    for (size_t f = 0; f < set->n_fields; f++)
        rest[f] = rows->columns[f];
    buffer_printf(out, "%s:", set->name);
    for (size_t i = 0; i < rows->n; i++) {
        for (size_t f = 0; f < set->n_fields; f++) {
            assert_true(packed_take(&rest[f], &value));
            buffer_append_char(out, ' ');
            append_value(out, value);
        }
        buffer_append_char(out, ';');
    }
    for (size_t f = 0; f < set->n_fields; f++)
        assert_int_equal(rest[f].len, 0);
    buffer_append_char(out, '\n');
}

/* What the extractor finds, after a body that has nothing to do with it. */
static void run(struct extractor *extractor, const struct worker *worker,
                const char *body, struct buffer *out)
{
    struct slice fields[PIPELINE_FIELDS_MAX] = {0};
    struct extract_result result;
    size_t len = strlen(body);
    char *copy = calloc(1, len + EXTRACT_PADDING);
    assert_non_null(copy);
    memcpy(copy, body, len);
    extract_fields(extractor, (struct slice){copy, len}, fields, &result);
    const struct record_rows *rows = extract_rows(extractor);
    for (size_t i = 0; !result.reason && i < worker->n_fields; i++) {
        buffer_printf(out, "%s ", worker->fields[i].name);
        append_value(out, fields[i]);
        buffer_append_char(out, '\n');
    }
    for (size_t i = 0; !result.reason && i < worker->n_sets; i++)
        append_set(out, &worker->sets[i], &rows[i]);
    if (result.reason)
        buffer_printf(out, "%s: %s\n", reason_name(result.reason),
                      result.detail);
    free(copy);
}

/* Fails unless these options make `expected` of the body; once more with the
 * same extractor, and after a body that is none. */
static void assert_taken(const char *class, const char *options,
                         const char *body, const char *expected)
{
    struct pipeline *pipeline = load(class, options);
    const struct worker *worker = &pipeline->workers[2];
    struct extractor *extractor = extractor_new(worker);
    assert_non_null(extractor);
    for (int turn = 0; turn < 2; turn++) {
        struct buffer out = BUFFER_EMPTY;
        run(extractor, worker, body, &out);
        assert_string_equal(buffer_text(&out), expected);
        buffer_clear(&out);
        run(extractor, worker, "{\"a\": [1, 2, 3], \"x\": [{\"p\": 1}", &out);
        buffer_free(&out);
    }
    extractor_free(&extractor);
    pipeline_free(&pipeline);
}

static void assert_takes(const char *options, const char *body,
                         const char *expected)
{
    assert_taken("http_json", options, body, expected);
}

/* ---- rows ---- */

#define ZIP(rest) "    rows: {s: {zip: {a: /a, b: /b}" rest "}}\n"
#define EACH(rest)                                                             \
    "    rows: {s: {each: /x, fields: {p: /p, q: /q/0}" rest "}}\n"

/* Element by element, with the digits that were sent. */
static void test_zip(void **state)
{
    (void)state;
    assert_takes(ZIP(""), "{\"b\": [1e5, null], \"a\": [1.10, -0]}",
                 "s: 1.10 1e5; -0 -;\n");
    assert_takes(ZIP(""), "{\"a\": [], \"b\": []}", "s:\n");
    assert_takes("    rows: {s: {zip: {a: {at: /0, type: text}, b: /0}}}\n",
                 "[[1.0, 2]]", "s: 1.0 1.0; 2 2;\n");
    assert_takes("    rows: {s: {at: /c, zip: {a: \"\"}}}\n", "{\"c\": [7]}",
                 "s: 7;\n");
    assert_takes("    rows: {s: {zip: {a: {at: /a, type: time, "
                 "unit: milliseconds}}}}\n",
                 "{\"a\": [1786132801123]}",
                 "s: 2026-08-07T20:00:01.123000Z;\n");
}

/* A field may lie within what the rows are made of, and two sets may be made of
 * the same. */
static void test_rows_beside_fields(void **state)
{
    (void)state;
    assert_takes("    fields: {first: /a/0, last: /x/1/p}\n"
                 "    rows: {s: {zip: {a: /a}}, t: {each: /x, fields: "
                 "{p: /p}}, u: {zip: {a: /a}}}\n",
                 "{\"a\": [1, 2], \"x\": [{\"p\": 3}, {\"p\": 4}]}",
                 "first 1\nlast 4\ns: 1; 2;\nt: 3; 4;\nu: 1; 2;\n");
}

/* Arrays of unequal length fail the key, unless it is told what to do. */
static void test_lengths(void **state)
{
    (void)state;
    static const char body[] = "{\"a\": [1, 2, 3], \"b\": [4]}";
    assert_takes(ZIP(""), body, "rows_unequal: /a: 3 elements, /b: 1\n");
    assert_takes(ZIP(", lengths: longest"), body, "s: 1 4; 2 -; 3 -;\n");
    assert_takes(ZIP(", lengths: shortest"), body, "s: 1 4;\n");
    assert_takes("    rows: {s: {zip: {a: /a, b: {at: /b, required: true}}, "
                 "lengths: longest}}\n",
                 body, "field_missing: /b: absent (element 1)\n");
}

/* An array that is not there is all nulls; where none is, the rows are
 * missing. */
static void test_absent_arrays(void **state)
{
    (void)state;
    assert_takes(ZIP(""), "{\"a\": [1, 2]}", "s: 1 -; 2 -;\n");
    assert_takes(ZIP(""), "{\"a\": null, \"b\": [1]}", "s: - 1;\n");
    assert_takes(ZIP(""), "{\"c\": 1}",
                 "field_missing: rows s: no array is there\n");
    assert_takes(ZIP(", required: false"), "{\"a\": null}", "s:\n");
    assert_takes(ZIP(""), "{\"a\": [1], \"b\": {}}",
                 "field_type: /b: an object where an array is wanted\n");
    assert_takes(ZIP(""), "{\"a\": [1], \"b\": [true]}",
                 "field_type: /b: a boolean where a number is wanted "
                 "(element 0)\n");
    assert_takes(ZIP(""), "{\"a\": [[1]], \"b\": [1]}",
                 "field_type: /a: an array where a number is wanted "
                 "(element 0)\n");
    assert_takes("    rows: {s: {zip: {a: {at: /a, required: true}}}}\n",
                 "{\"a\": [1, null]}", "field_null: /a: null (element 1)\n");
    assert_takes("    rows: {s: {zip: {a: {at: /a, default: 0}}}}\n",
                 "{\"a\": [1, null]}", "s: 1; 0;\n");
}

/* Of an array each element, of an object each member. */
static void test_each(void **state)
{
    (void)state;
    assert_takes(EACH(""),
                 "{\"x\": [{\"p\": 1, \"q\": [2, 3]}, {\"q\": []}, 5]}",
                 "s: 1 2; - -; - -;\n");
    assert_takes(EACH(""), "{\"x\": {\"k\": {\"p\": 1}, \"p\": {\"p\": 2}}}",
                 "s: 1 -; 2 -;\n");
    assert_takes("    rows: {s: {each: \"\", fields: {v: \"\"}}}\n",
                 "[1, null, 3]", "s: 1; -; 3;\n");
    assert_takes(EACH(""), "{}", "field_missing: /x: absent\n");
    assert_takes(EACH(", required: false"), "{\"x\": null}", "s:\n");
    assert_takes(EACH(""), "{\"x\": 7}",
                 "field_type: /x: a number where an array is wanted\n");
    assert_takes("    rows: {s: {each: /x, fields: {p: {at: /p, "
                 "required: true}}}}\n",
                 "{\"x\": [{\"p\": 1}, {\"q\": 1}]}",
                 "field_missing: /p: absent (element 1 of /x)\n");
}

/* A document that is cut off gives no rows. */
static void test_rows_of_half_a_document(void **state)
{
    (void)state;
    assert_takes(ZIP(""), "{\"a\": [1, 2], \"b\": [1, 2], \"c\": [",
                 "not_json: the document is cut off\n");
    assert_takes(EACH(""), "{\"x\": [{\"p\": 1}]",
                 "not_json: the document is cut off\n");
}

/* `n` times `piece`, parted by commas, in an array at /a. */
static char *array_of(const char *piece, size_t n)
{
    struct buffer body = BUFFER_EMPTY;
    buffer_append_text(&body, "{\"a\": [");
    for (size_t i = 0; i < n; i++)
        buffer_printf(&body, "%s%s", i ? "," : "", piece);
    buffer_append_text(&body, "]}");
    assert_false(body.failed);
    return body.data;
}

/* So many rows and so many bytes, and no more. */
static void test_row_limits(void **state)
{
    (void)state;
    static const char text_of_a[] =
        "    rows: {s: {zip: {a: {at: /a, type: text}}}}\n";
    char *many = array_of("1", EXTRACT_ROWS_MAX + 1);
    assert_takes(text_of_a, many,
                 "too_large: rows s: more than 100000 elements\n");
    free(many);
    char piece[EXTRACT_VALUE_BYTES_MAX + 3];
    memset(piece, 'x', sizeof piece);
    piece[0] = piece[sizeof piece - 2] = '"';
    piece[sizeof piece - 1] = '\0';
    many = array_of(piece, EXTRACT_ROWS_BYTES_MAX / EXTRACT_VALUE_BYTES_MAX);
    assert_takes(text_of_a, many,
                 "too_large: rows s: more than 16777216 bytes\n");
    free(many);
}

/* ---- values ---- */

/* One field `v` of this value, beside fields of each type; the answer is
 * always the same. */
static void assert_value(const char *value, const char *expected)
{
    static const char fields[] = "    fields:\n"
                                 "      n: /n\n"
                                 "      i: {at: /i, type: integer}\n"
                                 "      t: {at: /t, type: text}\n"
                                 "      b: {at: /b, type: boolean}\n"
                                 "      m: {at: /m, type: time}\n"
                                 "      none: {at: /none, required: false}\n"
                                 "      \"day-high\": {at: /n}\n";
    static const char body[] = "{\"n\": 12.50, \"i\": -7, \"t\": \" aB'c \", "
                               "\"b\": true, \"m\": 1786132801.25}";
    static const char rest[] = "n 12.50\ni -7\nt  aB'c \nb true\n"
                               "m 2026-08-07T20:00:01.250000Z\nnone -\n"
                               "day-high 12.50\nv ";
    struct buffer options = BUFFER_EMPTY, wanted = BUFFER_EMPTY;
    buffer_printf(&options,
                  "%s      v:\n        required: false\n"
                  "        value: >-\n          %s\n",
                  fields, value);
    bool failure = strchr(expected, ':') && strchr(expected, '_');
    buffer_printf(&wanted, "%s%s\n", failure ? "" : rest, expected);
    assert_takes(buffer_text(&options), body, buffer_text(&wanted));
    buffer_free(&options);
    buffer_free(&wanted);
}

/* Exact decimals: nothing is rounded that is not told to be. */
static void test_arithmetic(void **state)
{
    (void)state;
    assert_value("n / 100", "0.1250");
    assert_value("n / 8", "1.56250");
    assert_value("n * n", "156.2500");
    assert_value("n + 0.001 - i", "19.501");
    assert_value("-n", "-12.50");
    assert_value("--n", "12.50");
    assert_value("-i * 2", "14");
    assert_value("2 + 3 * 4", "14");
    assert_value("(2 + 3) * 4", "20");
    assert_value("10 - 3 - 2", "5");
    assert_value("abs(i)", "7");
    assert_value("n", "12.50");
    assert_value("\"day-high\"", "12.50");
    assert_value("none + 1", "-");
    assert_value("0.1 + 0.2", "0.3");
    assert_value("100000000000000000000000000000 * 10 + 1",
                 "1000000000000000000000000000001");
    assert_value("(1 - 1) / 4", "0.00");
}

static void test_rounding(void **state)
{
    (void)state;
    assert_value("round(n, 0)", "12");
    assert_value("round(n, 1)", "12.5");
    assert_value("round(n, 4)", "12.5000");
    assert_value("round(n, 0, 'half_up')", "13");
    assert_value("round(-n, 0, 'half_up')", "-13");
    assert_value("round(-n, 0)", "-12");
    assert_value("round(13.5, 0)", "14");
    assert_value("round(-12.1, 0, 'floor')", "-13");
    assert_value("round(-12.1, 0, 'ceiling')", "-12");
    assert_value("round(12.1, 0, 'up')", "13");
    assert_value("round(-12.9, 0, 'down')", "-12");
    assert_value("divide(n, 3, 4)", "4.1667");
    assert_value("divide(2, 3, 0)", "1");
    assert_value("divide(i, n, 3, 'down')", "-0.560");
    assert_value("divide(1, 0.001, 0)", "1000");
    assert_value("divide(1, i + 7, 2)",
                 "field_value: divide(1, i + 7, 2): division by zero");
}

static void test_conditions(void **state)
{
    (void)state;
    assert_value("if(t == ' aB''c ', 1, 2)", "1");
    assert_value("n == 12.5", "true");
    assert_value("n > 12.49 and i < 0", "true");
    assert_value("n != 12.5 or b", "true");
    assert_value("not b", "false");
    assert_value("b != false", "true");
    assert_value("n in (1, 12.500)", "true");
    assert_value("t not in ('x', 'y')", "true");
    assert_value("none is null", "true");
    assert_value("n is not null", "true");
    assert_value("none > 1", "-");
    assert_value("none > 1 or b", "true");
    assert_value("none > 1 and b", "-");
    assert_value("none > 1 and not b", "false");
    assert_value("not (none > 1)", "-");
    assert_value("if(none > 1, 'a', 'b')", "b");
    assert_value("coalesce(none, i)", "-7");
    assert_value("if(b, null, n)", "-");
    assert_value("m >= time('2026-08-07T22:00:01+02:00')", "true");
    assert_value("m < time('2026-08-07')", "false");
    assert_value("'a' < 'b'", "true");
}

static void test_texts(void **state)
{
    (void)state;
    assert_value("upper(trim(t))", "AB'C");
    assert_value("lower(t)", " ab'c ");
    assert_value("replace(t, 'B', '\u00df')", " a\u00df'c ");
    assert_value("replace('aaa', 'a', '')", "");
    assert_value("replace('abc', '', 'x')", "abc");
    assert_value("concat(trim(t), '-', text(n), '-', text(b))",
                 "aB'c-12.50-true");
    assert_value("concat('a', text(none))", "-");
    assert_value("number(replace('1,234.50', ',', '')) * 2", "2469.00");
    assert_value("number(' 7 ')", "7");
    assert_value("number(t)", "field_value: number(t): the text is no number");
    assert_value("date(m)", "2026-08-07");
    assert_value("unix(m)", "1786132801.250000");
    assert_value("time('2026-08-07')", "2026-08-07T00:00:00.000000Z");
    assert_value("time(t)",
                 "field_value: time(t): the text is no time in ISO 8601");
}

/* What is too long to be computed with is a failure, not a long time. */
static void test_large_numbers(void **state)
{
    (void)state;
    static const char options[] = "    fields: {a: {at: /a, value: a * a}}\n";
    assert_takes(options, "{\"a\": 1e999}",
                 "field_value: a * a: a number of more than 1000 digits\n");
    assert_takes(options, "{\"a\": 1e99999999}",
                 "field_value: a * a: a number of more than 1000 digits\n");
    assert_takes("    fields: {a: {at: /a, value: a > 0}}\n",
                 "{\"a\": 1e-1001}",
                 "field_value: a > 0: a number of more than 1000 digits\n");
    assert_takes("    fields: {a: {at: /a, value: a > 0}}\n",
                 "{\"a\": 1e-1000}", "a true\n");
}

/* A value sees what was sent; a field without a place may be used below it;
 * what is required sees what is stored. */
static void test_pence(void **state)
{
    (void)state;
    static const char options[] =
        "    fields:\n"
        "      pence: {value: \"c in ('GBp', 'GBX')\"}\n"
        "      c: {at: /c, type: text, value: \"if(pence, 'GBP', c)\"}\n"
        "      p: {at: /p, value: \"if(c == 'GBp', p / 100, p)\"}\n"
        "    require: [p > 1, c == upper(c)]\n";
    assert_takes(options, "{\"c\": \"GBp\", \"p\": 9.0000004E2}",
                 "pence true\nc GBP\np 9.0000004\n");
    assert_takes(options, "{\"c\": \"USD\", \"p\": 9.0000004E2}",
                 "pence false\nc USD\np 9.0000004E2\n");
    assert_takes(options, "{\"c\": \"GBp\", \"p\": 99}",
                 "requirement: not met: p > 1\n");
    assert_takes(options, "{\"c\": \"Eur\", \"p\": 2}",
                 "requirement: not met: c == upper(c)\n");
    assert_takes("    fields: {a: {at: /a, required: false}}\n"
                 "    require: [a > 0]\n",
                 "{}", "requirement: not met: a > 0\n");
}

/* Of a page as of JSON. */
static void test_values_of_html(void **state)
{
    (void)state;
    static const char options[] =
        "    fields:\n"
        "      code: {value: upper(unit)}\n"
        "      price: {at: //b, type: text, value: \"number(replace(price, "
        "'p', '')) / 100\"}\n"
        "      unit: {at: //i, type: text}\n"
        "    require: [unit != 'usd']\n";
    assert_taken("http_html", options, "<b>7880.5p</b><i>gbp</i>",
                 "code GBP\nprice 78.805\nunit gbp\n");
    assert_taken("http_html", options, "<b>1</b><i>usd</i>",
                 "requirement: not met: unit != 'usd'\n");
    assert_taken("http_html", options, "<b>1.2.3</b><i>gbp</i>",
                 "field_value: number(replace(price, 'p', '')) / 100: the "
                 "text is no number\n");
}

/* A value that is null fails a field that is required, as what was sent
 * does. */
static void test_null_values(void **state)
{
    (void)state;
    assert_takes("    fields: {a: {at: /a, required: false}, "
                 "v: {value: a + 1}}\n",
                 "{}", "field_null: v: null: a + 1\n");
    assert_takes("    fields: {a: {at: /a, default: 1, value: a + 1}}\n", "{}",
                 "a 2\n");
    assert_takes("    fields: {a: {at: /a, value: a + 1}}\n", "{}",
                 "field_missing: /a: absent\n");
}

/* Values of rows see their element, and the record; rows that do not meet
 * `where` are left out. */
static void test_values_of_rows(void **state)
{
    (void)state;
    assert_takes(
        "    rows:\n"
        "      s:\n"
        "        zip: {a: {at: /a, value: a * by}, up: {value: a > 1}, "
        "b: /b}\n"
        "        where: b is not null and a < 50\n"
        "    fields: {by: {at: /by, value: by * 2}}\n"
        "    require: [by == 20]\n",
        "{\"a\": [1, 2, 3, 5], \"b\": [1, null, 2, 3], \"by\": 10}",
        "by 20\ns: 10 false 1; 30 true 2;\n");
    assert_takes("    rows: {s: {each: /x, fields: {p: {at: /p, "
                 "value: number(p), type: text}}}}\n",
                 "{\"x\": [{\"p\": \"1.0\"}, {}, {\"p\": \"x\"}]}",
                 "field_value: number(p): the text is no number "
                 "(element 2 of /x)\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_zip),
        cmocka_unit_test(test_rows_beside_fields),
        cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_absent_arrays),
        cmocka_unit_test(test_each),
        cmocka_unit_test(test_rows_of_half_a_document),
        cmocka_unit_test(test_row_limits),
        cmocka_unit_test(test_arithmetic),
        cmocka_unit_test(test_rounding),
        cmocka_unit_test(test_conditions),
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_large_numbers),
        cmocka_unit_test(test_pence),
        cmocka_unit_test(test_values_of_html),
        cmocka_unit_test(test_null_values),
        cmocka_unit_test(test_values_of_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
