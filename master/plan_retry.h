/*
 * plan_retry.h: the root batches of a run over the keys that failed in another.
 *
 * A key that failed goes to the worker that it failed in: to a source, where
 * that is one; a query begins anew. Where what they give may have been given
 * before (their queue is not read by stores alone), the new run's shared
 * queues must have had the old run's keys (run_spec.keep_keys).
 */
#ifndef MASTER_PLAN_RETRY_H
#define MASTER_PLAN_RETRY_H

#include "plan.h"

struct plan_retry {
    struct ledger *from; /* another connection than that which writes: the
                            failures are read while batches are written */
    int64_t run;         /* that failed */
    int64_t failed[PIPELINE_WORKERS_MAX]; /* keys, by worker */
    int64_t n_failed;
    bool keep_keys;
};

/* Counts the failures of `run`. ERR_DATABASE where one is of a worker that the
 * pipeline has not. */
MUSTCHECK
int plan_retry_count(const struct pipeline *pipeline, struct ledger *from,
                     int64_t run, struct plan_retry *ret, struct error *err);

/* Writes the batches, between ledger_run_begin() and _commit(). */
MUSTCHECK
int plan_retry_write(const struct plan_options *options,
                     const struct plan_retry *retry, struct ledger *ledger,
                     int64_t run, struct error *err);

#endif
