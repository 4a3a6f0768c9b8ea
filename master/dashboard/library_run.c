/* library_run.c: one run in full: its pipeline as a graph with what went
 * through it, its failures by reason, its pace. */
#include "library_private.h"

#define PARTS 120 /* of the run's time */

static json_t *graph_queues(const struct pipeline *pipeline)
{
    json_t *array = json_array();
    for (size_t i = 0; i < pipeline->n_queues; i++)
        json_array_append_new(
            array, json_pack("{s:s, s:s}", "name", pipeline->queues[i].name,
                             "description", pipeline->queues[i].description));
    return array;
}

static const char *kind_of(const struct worker *worker)
{
    if (worker_class_is_fetcher(worker->class))
        return "fetcher";
    return worker->class == CLASS_STORE ? "sink" : "source";
}

static json_t *graph_worker(const struct worker *worker)
{
    json_t *outputs = json_array();
    for (size_t i = 0; i < worker->n_output_queues; i++)
        json_array_append_new(outputs, json_integer(worker->output_queues[i]));
    json_t *object =
        json_pack("{s:s, s:s, s:s, s:i, s:o, s:i}", "name", worker->name,
                  "class", worker_class_name(worker->class), "kind",
                  kind_of(worker), "input", worker->input_queue, "outputs",
                  outputs, "instances", worker->instances);
    if (worker->class == CLASS_STORE)
        json_object_set_new(object, "table", json_string(worker->sink.table));
    if (worker_class_is_fetcher(worker->class)) {
        json_object_set_new(object, "rate", json_real(worker->request.rate));
        json_object_set_new(object, "max_in_flight",
                            json_integer(worker->request.max_in_flight));
        json_object_set_new(object, "adaptive",
                            json_boolean(worker->request.adaptive));
    }
    return object;
}

static json_t *graph(const struct known_pipeline *known)
{
    const struct pipeline *pipeline = known->pipeline;
    if (!pipeline)
        return json_pack("{s:s}", "error", known->why);
    json_t *workers = json_array();
    for (size_t i = 0; i < pipeline->n_workers; i++)
        json_array_append_new(workers, graph_worker(&pipeline->workers[i]));
    return json_pack("{s:o, s:o}", "queues", graph_queues(pipeline), "workers",
                     workers);
}

static json_t *counts(struct library *library, int64_t run, struct error *err)
{
    struct worker_count rows[PIPELINE_WORKERS_MAX];
    size_t n = 0;
    if (ledger_worker_counts(library->ledger, run, rows, &n, err))
        return NULL;
    json_t *array = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(
            array,
            json_pack("{s:i, s:I, s:I, s:I, s:I, s:I, s:I}", "worker",
                      rows[i].worker, "stored", (json_int_t)rows[i].stored,
                      "done", (json_int_t)rows[i].done, "failed",
                      (json_int_t)rows[i].failed, "open",
                      (json_int_t)rows[i].open_keys, "open_batches",
                      (json_int_t)rows[i].open_batches, "batches",
                      (json_int_t)rows[i].batches));
    return array;
}

static json_t *reasons(struct library *library, int64_t run, struct error *err)
{
    struct reason_count rows[REASON_COUNT];
    size_t n = 0;
    if (ledger_failure_counts(library->ledger, run, rows, &n, err))
        return NULL;
    json_t *array = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(array,
                              json_pack("{s:s, s:s, s:I}", "reason",
                                        reason_name(rows[i].reason), "text",
                                        reason_text(rows[i].reason), "keys",
                                        (json_int_t)rows[i].keys));
    return array;
}

static json_t *pace(struct library *library, int64_t run, struct error *err)
{
    struct pace pace;
    if (ledger_pace(library->ledger, run, PARTS, &pace, err))
        return NULL;
    json_t *done = json_array(), *failed = json_array();
    for (size_t i = 0; pace.began && i < pace.n; i++) {
        json_array_append_new(done, json_integer(pace.done[i]));
        json_array_append_new(failed, json_integer(pace.failed[i]));
    }
    return json_pack("{s:I, s:I, s:o, s:o}", "began", (json_int_t)pace.began,
                     "ended", (json_int_t)pace.ended, "done", done, "failed",
                     failed);
}

/* A part that could not be had: `err` says why. */
static bool set(json_t *object, const char *name, json_t *part)
{
    return part && !json_object_set_new(object, name, part);
}

json_t *library_run(struct library *library, const struct run_row *row,
                    struct error *err)
{
    json_t *object = json_object();
    if (set(object, "graph", graph(library_pipeline(library, row))) &&
        set(object, "workers", counts(library, row->run, err)) &&
        set(object, "reasons", reasons(library, row->run, err)) &&
        set(object, "pace", pace(library, row->run, err)))
        return object;
    json_decref(object);
    return NULL;
}
