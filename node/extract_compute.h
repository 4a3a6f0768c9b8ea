/*
 * extract_compute.h: computed fields of http_json: an indicator over the array
 * of numbers that lies at the field's pointer.
 */
#ifndef NODE_EXTRACT_COMPUTE_H
#define NODE_EXTRACT_COMPUTE_H

#include "extract_json.h"
#include "extract_result.h"

struct extract_compute;

/* For the worker's fields, which outlive it; `json` is told which arrays they
 * compute over. NULL when memory is out. */
MUSTCHECK
struct extract_compute *extract_compute_new(const struct worker *worker,
                                            struct extract_json *json);
void extract_compute_free(struct extract_compute **compute);

/*
 * Field `i`, whose array was just read. *ret points into the body where it is
 * one of the numbers, as it was sent; else into `compute`, until the next
 * call for this field. False with a reason in `result`.
 */
bool extract_compute_field(struct extract_compute *compute, size_t i,
                           struct slice *ret, struct extract_result *result);

#endif
