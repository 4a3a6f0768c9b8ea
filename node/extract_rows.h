/*
 * extract_rows.h: the rows of one row set out of an answer: arrays side by
 * side, or the elements of one array. Part of the extractor; JSON only.
 */
#ifndef NODE_EXTRACT_ROWS_H
#define NODE_EXTRACT_ROWS_H

#include "extract.h"

struct extract_rows;

/* NULL when memory is out. The set must outlive it. */
MUSTCHECK
struct extract_rows *extract_rows_new(const struct row_set *set);
void extract_rows_free(struct extract_rows **rows);

/* The set's rows, valid until the next call. False with a reason in `result`;
 * a set that is not required and not there has no rows. `sent` and `stored`
 * are the `n_record` fields of the record, for what is computed of them. */
bool extract_rows_read(struct extract_rows *rows, struct slice body,
                       size_t n_record, const struct slice *sent,
                       const struct slice *stored, struct record_rows *ret,
                       struct extract_result *result);

#endif
