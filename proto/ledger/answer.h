/*
 * answer.h: what is remembered of an answer, so that the next run can ask
 * whether it is still so (option `cache` of a fetcher).
 *
 * A row of windrow_answers is the last answer of one URL for one way of asking
 * for it and of making fields of it, the `shape`. A changed pipeline has
 * another shape, so it finds no row of before. Pure: how the databases are
 * asked is ledger.h's.
 */
#ifndef LEDGER_ANSWER_H
#define LEDGER_ANSWER_H

#include <stdint.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/clock.h"
#include "pipeline/pipeline.h"

#define ANSWER_VALIDATOR_BYTES_MAX 256 /* a longer ETag is not kept */
#define ANSWER_FIELDS_BYTES_MAX 16384  /* encoded; larger ones are not kept */

struct last_answer {
    struct slice url;            /* as it was asked */
    struct slice etag, modified; /* the two headers' values; data NULL: none */
    usec_t fetched_at;           /* wall clock: fetched, or found unchanged */
    usec_t fresh_until;          /* wall clock; 0: nothing was said */
    const struct slice *fields;  /* in the order of the worker's; NULL: there is
                                    no answer */
};

/* Whether it is worth a row: it has a validator or an age, and is text within
 * the limits. */
bool answer_is_good(const struct last_answer *answer, size_t n_fields);

/* FNV-1a, 64 bits; URLs are compared as texts besides. */
int64_t answer_url_hash(struct slice url);

/* The same, of all that decides what the worker stores of one body, and of what
 * it asks a site for: this version, fields, `require`, User-Agent, and the
 * headers that begin with Accept. The other headers may be secrets, of which
 * nothing goes into a database. */
int64_t answer_shape(const struct worker *worker);

/* Fields as one text: "5:12.50-3:abc", where - is NULL. */
void answer_encode(const struct slice *fields, size_t n, struct buffer *ret);
/* The same back, copied into `arena`. NULL: it is no such text of `n` fields,
 * or memory is out. */
const struct slice *answer_decode(struct slice text, size_t n,
                                  struct arena *arena);

#endif
