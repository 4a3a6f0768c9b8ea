/*
 * log_limit.h: not the same line again and again.
 *
 * Of lines that say the same of the same, one goes out at most so often; how
 * many were left out stands in the next one. At most LOG_LIMIT_KINDS kinds are
 * told apart at a time; one more takes the place of that which was longest
 * silent.
 */
#ifndef BASE_LOG_LIMIT_H
#define BASE_LOG_LIMIT_H

#include <stdbool.h>

#include "base/clock.h"
#include "base/slice.h"

#define LOG_LIMIT_KINDS 64
#define LOG_LIMIT_KIND_BYTES 96 /* of its name; what is beyond is not told */

struct log_kind {
    char name[LOG_LIMIT_KIND_BYTES]; /* "": free */
    usec_t next;                     /* when the next line may go out */
    int64_t left_out;
};

/* Zeroed: nothing was said yet. */
struct log_limit {
    usec_t interval; /* between two lines of a kind */
    struct log_kind kinds[LOG_LIMIT_KINDS];
};

/* Whether a line of the kind may go out at `now`; then *ret_left_out are those
 * of its kind that did not since the last one. */
bool log_limit_pass(struct log_limit *limit, const char *kind, usec_t now,
                    int64_t *ret_left_out);

/* A kind of which lines were left out, for what is to be said at the end: it
 * is forgotten. NULL: there is none. The name is good until the next call. */
const char *log_limit_left(struct log_limit *limit, int64_t *ret_left_out);

#endif
