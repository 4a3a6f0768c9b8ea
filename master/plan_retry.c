/* plan_retry.c: see plan_retry.h. */
#include "plan_retry.h"

#include <inttypes.h>
#include <stdlib.h>

#include "plan_filler.h"

static const struct worker *find_worker(const struct pipeline *pipeline,
                                        const struct failure_row *row,
                                        struct error *err)
{
    for (size_t i = 0; i < pipeline->n_workers; i++)
        if (!strcmp(pipeline->workers[i].name, row->worker))
            return &pipeline->workers[i];
    error_set(err, ERR_DATABASE,
              "failure %" PRId64 " is of a worker \"%s\", which the run's "
              "pipeline has not",
              row->failure, row->worker);
    return NULL;
}

/* ---- counting ---- */

struct counting {
    const struct pipeline *pipeline;
    struct plan_retry *retry;
    struct error *err;
};

static void count(void *context, const struct failure_row *row)
{
    struct counting *counting = context;
    const struct worker *worker =
        find_worker(counting->pipeline, row, counting->err);
    if (!worker)
        return;
    counting->retry->failed[worker->index]++;
    counting->retry->n_failed++;
}

/* Whether what `worker` gives goes on to anything but stores. */
static bool feeds_workers(const struct pipeline *pipeline,
                          const struct worker *worker)
{
    for (size_t i = 0; i < worker->n_output_queues; i++) {
        const struct queue *queue = &pipeline->queues[worker->output_queues[i]];
        for (size_t c = 0; c < queue->n_consumers; c++)
            if (pipeline->workers[queue->consumers[c]].class != CLASS_STORE)
                return true;
    }
    return false;
}

int plan_retry_count(const struct pipeline *pipeline, struct ledger *from,
                     int64_t run, struct plan_retry *ret, struct error *err)
{
    struct plan_retry retry = {.from = from, .run = run};
    struct counting counting = {pipeline, &retry, err};
    if (ledger_failures(from, run, NULL, count, &counting, err) ||
        err->code != ERR_NONE)
        return (int)err->code;
    for (size_t i = 0; i < pipeline->n_workers; i++)
        if (retry.failed[i] && feeds_workers(pipeline, &pipeline->workers[i]))
            retry.keep_keys = true;
    *ret = retry;
    return 0;
}

/* ---- writing ---- */

struct writing {
    const struct plan_options *options;
    const struct plan_retry *retry;
    struct ledger *ledger;
    int64_t run;
    struct plan_filler *fillers[PIPELINE_WORKERS_MAX]; /* NULL: none yet */
    struct error *err;
};

static struct plan_filler *filler_of(struct writing *writing,
                                     const struct worker *worker)
{
    struct plan_filler *filler = writing->fillers[worker->index];
    if (filler)
        return filler;
    filler = calloc(1, sizeof *filler);
    if (!filler) {
        error_set(writing->err, ERR_MEMORY, "no memory for keys");
        return NULL;
    }
    filler->options = writing->options;
    filler->ledger = writing->ledger;
    filler->run = writing->run;
    filler->queue = -1;
    filler->worker = worker->index;
    /* A source has a batch for each input. */
    filler->batch_keys =
        worker_class_is_source(worker->class)
            ? 1
            : plan_batch_keys(writing->options, worker,
                              writing->retry->failed[worker->index]);
    writing->fillers[worker->index] = filler;
    return filler;
}

/* The one page of a list is where the settings now say that it is. */
static struct slice key_of(const struct worker *worker, struct slice key)
{
    if (worker->class == CLASS_SQL)
        return slice_of(PLAN_SQL_FIRST_PAGE);
    if (worker_class_is_source(worker->class) && worker->n_input_values == 1)
        return slice_of(worker->input_values[0]);
    return key;
}

static void write_key(void *context, const struct failure_row *row)
{
    struct writing *writing = context;
    if (writing->err->code != ERR_NONE)
        return;
    const struct worker *worker =
        find_worker(writing->options->pipeline, row, writing->err);
    struct plan_filler *filler = worker ? filler_of(writing, worker) : NULL;
    if (filler && plan_add_key(filler, key_of(worker, row->key), writing->err))
        return; /* which is seen above */
}

int plan_retry_write(const struct plan_options *options,
                     const struct plan_retry *retry, struct ledger *ledger,
                     int64_t run, struct error *err)
{
    struct writing writing = {options, retry, ledger, run, {NULL}, err};
    if (!ledger_failures(retry->from, retry->run, NULL, write_key, &writing,
                         err))
        for (size_t i = 0; i < options->pipeline->n_workers; i++)
            if (writing.fillers[i] && err->code == ERR_NONE &&
                plan_flush(writing.fillers[i], err))
                break;
    for (size_t i = 0; i < options->pipeline->n_workers; i++) {
        if (writing.fillers[i])
            arena_free(&writing.fillers[i]->arena);
        free(writing.fillers[i]);
    }
    return (int)err->code;
}
