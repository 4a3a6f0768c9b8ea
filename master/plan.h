/*
 * plan.h: a new run's root batches.
 *
 * Sources that nodes run (html_table, json_list, sql) get one batch for each
 * input value. The keys of `file` and `values` are read here, straight into
 * batches: a file is streamed, whatever its length.
 */
#ifndef MASTER_PLAN_H
#define MASTER_PLAN_H

#include "ledger/ledger.h"
#include "pipeline/pipeline.h"

#define PLAN_FILE_KEYS_MAX 100000000

/* Calls `each` for every key of a file or values worker, in their order.
 * ERR_PIPELINE as plan_write(). */
typedef void plan_on_key(void *context, struct slice key);
MUSTCHECK
int plan_each_key(const struct pipeline *pipeline, const struct worker *worker,
                  plan_on_key *each, void *context, struct error *err);

struct plan_options {
    const struct pipeline *pipeline;
    int n_nodes;
    int batch_keys;    /* 0: clamp(keys / (4 nodes), 1, 512) */
    int64_t key_limit; /* of each source; 0: none */
};

/*
 * Writes the root batches between ledger_run_begin() and _commit().
 * ERR_PIPELINE names worker, file and line: a missing file, an absent column,
 * a quote that is not closed, a key that can't be one. A file without keys is
 * only warned of: other sources may have some.
 */
MUSTCHECK
int plan_write(const struct plan_options *options, struct ledger *ledger,
               int64_t run, struct error *err);

#endif
