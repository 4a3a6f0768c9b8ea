/*
 * What an http_json takes out of an answer, by the options of its pipeline
 * file: rows of one answer, and all else that goes beyond a single field.
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
    "  class: http_json\n"
    "  input_queue: keys\n"
    "  output_queues: [records]\n"
    "  options:\n"
    "    url: http://h/{key}\n";

/* The pipeline whose fetcher has these lines of options. */
static struct pipeline *load(const char *options)
{
    struct buffer text = BUFFER_EMPTY;
    struct complaints complaints = {.n = 0};
    struct error err = ERROR_NONE;
    struct settings *settings = settings_new();
    struct pipeline *pipeline = NULL;
    buffer_append_text(&text, pipeline_text);
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
    struct slice rest[PIPELINE_FIELDS_MAX], value;
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
    struct slice fields[PIPELINE_FIELDS_MAX];
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
static void assert_takes(const char *options, const char *body,
                         const char *expected)
{
    struct pipeline *pipeline = load(options);
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
    assert_takes(ZIP(""), "{\"c\": 1}", "field_missing: /a: absent\n");
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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
