/*
 * evaluate.h: computes expressions (pipeline/expression.h) over the fields of
 * one answer. Pure.
 */
#ifndef NODE_EVALUATE_H
#define NODE_EVALUATE_H

#include "base/arena.h"
#include "extract.h"
#include "pipeline/expression.h"

/* The values that names stand for; data NULL is null. Fields beyond the
 * numbers, of a worker that was cut down to a part of them, are null. */
struct evaluate_values {
    const struct slice *record, *element;
    size_t n_record, n_element;
};

/*
 * Computes the formula's expression into *ret (data NULL: null), in the form
 * in which fields have their values; what is made for it lies in `arena`.
 * False with a reason where it can't be computed.
 */
bool evaluate(const struct formula *formula,
              const struct evaluate_values *values, struct arena *arena,
              struct slice *ret, struct extract_result *result);

#endif
