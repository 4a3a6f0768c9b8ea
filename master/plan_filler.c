/* plan_filler.c: see plan_filler.h. */
#include "plan_filler.h"

#include "base/crash_point.h"

#define NODES_UNKNOWN 8 /* taken for granted where all nodes are elsewhere */

int plan_flush(struct plan_filler *filler, struct error *err)
{
    if (filler->n == 0)
        return 0;
    int worker = filler->worker;
    if (filler->queue >= 0)
        worker = pipeline_consumer(filler->options->pipeline, filler->queue,
                                   filler->n_batches++)
                     ->index;
    struct closing_child batch = {
        .worker = worker,
        .queue = filler->shared ? filler->queue : -1,
        .keys = filler->keys,
        .n_keys = filler->n,
    };
    CRASH_POINT("master_before_keys_batch");
    int status = ledger_run_add_batch(filler->ledger, filler->run, &batch, err);
    filler->n = 0;
    arena_reset(&filler->arena);
    return status;
}

int plan_add_key(struct plan_filler *filler, struct slice key,
                 struct error *err)
{
    if (filler->each) {
        filler->n_keys++;
        filler->each(filler->context, key);
        return 0;
    }
    char *copy = arena_copy(&filler->arena, key.data, key.len);
    if (!copy)
        return error_set(err, ERR_MEMORY, "no memory for keys");
    filler->keys[filler->n++] = (struct slice){copy, key.len};
    filler->n_keys++;
    return filler->n == filler->batch_keys ? plan_flush(filler, err) : 0;
}

size_t plan_batch_keys(const struct plan_options *options,
                       const struct worker *worker, int64_t keys)
{
    if (options->batch_keys)
        return (size_t)options->batch_keys;
    if (options->key_limit && options->key_limit < keys)
        keys = options->key_limit;
    int64_t n_nodes = options->n_nodes ? options->n_nodes : NODES_UNKNOWN;
    return worker_batch_keys(worker, (size_t)(keys / (4 * n_nodes)),
                             TASK_KEYS_MAX);
}
