/*
 * extract_values.h: from the fields that were sent to the record that is
 * stored: `value` and `require`.
 */
#ifndef NODE_EXTRACT_VALUES_H
#define NODE_EXTRACT_VALUES_H

#include "evaluate.h"

/* Whether a field of the worker has a value of its own, or a record must meet
 * something. */
bool extract_has_values(const struct worker *worker);

/*
 * Computes the `n` fields: `sent` has what was sent, and gets what is computed
 * of fields that have no place in the answer; `stored` gets what is stored.
 * `record` are the `n_record` values of the record that an element is in, as
 * they were sent; NULL where `fields` are the record's own.
 */
bool extract_values(const struct field *fields, size_t n,
                    const struct slice *record, size_t n_record,
                    struct slice *sent, struct slice *stored,
                    struct arena *arena, struct extract_result *result);

/* Whether a condition holds; false, too, with a reason in `result`. */
bool extract_meets(const struct formula *formula,
                   const struct evaluate_values *values, struct arena *arena,
                   struct extract_result *result);

/* Whether the record, as it is stored, meets all that is required of it. */
bool extract_requires(const struct worker *worker, const struct slice *stored,
                      struct arena *arena, struct extract_result *result);

#endif
