/*
 * extract_run.h: an extraction as text, for the extractors' tests.
 *
 * A worker is described in lines, in the words of the pipeline file:
 *
 *     class http_json            or http_html, html_table, json_list
 *     field NAME AT              then for that field:
 *     type integer               or number (the default), text, boolean, time
 *     unit MICROSECONDS          of a time
 *     optional                   not required
 *     default TEXT
 *     compute INDICATOR          and its number: compute sma 50
 *     id, class_of_table, xpath, column, number   of an html_table
 *     list, key                                   of a json_list
 *     limit N                    at most so many keys
 *
 * The outcome is one line a field ("price 289.07", "(null)" for SQL NULL), or
 * one line a key, or "REASON: DETAIL".
 */
#ifndef UNIT_EXTRACT_RUN_H
#define UNIT_EXTRACT_RUN_H

#include "base/buffer.h"
#include "extract.h"

/* A worker made from lines; valid as long as `memory`. */
struct extract_spec {
    struct worker worker;
    struct field fields[PIPELINE_FIELDS_MAX];
    size_t limit;
    struct slice asked[PIPELINE_REQUEST_KEYS_MAX]; /* keys_per_request */
    size_t n_asked;
    char *memory;
};

/* Lines that are no spec end the test program. */
void extract_spec_init(struct extract_spec *spec, const char *text);
void extract_spec_fini(struct extract_spec *spec);

/* Appends the outcome of the extractor on `body`, which is copied first, with
 * EXTRACT_PADDING bytes `pad` and nothing else behind it. */
void extract_run_padded(struct extractor *extractor,
                        const struct extract_spec *spec, struct slice body,
                        char pad, struct buffer *ret);

/* The outcome of a new extractor, with zeros for padding. */
void extract_run(const char *spec, struct slice body, struct buffer *ret);

/* Fails the test unless that outcome is `expected`. */
void assert_extract(const char *spec, const char *body, const char *expected);
void assert_extract_slice(const char *spec, struct slice body,
                          const char *expected);

#endif
