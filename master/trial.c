/* trial.c: see trial.h. */
#include "trial.h"

#include <string.h>

#include "once.h"
#include "pipeline/spell.h"
#include "plan.h"

/* ---- which worker ---- */

static bool reads_a_source(const struct pipeline *pipeline,
                           const struct worker *worker)
{
    const struct queue *queue = &pipeline->queues[worker->input_queue];
    for (size_t i = 0; i < queue->n_producers; i++)
        if (worker_class_is_source(
                pipeline->workers[queue->producers[i]].class))
            return true;
    return false;
}

static const struct worker *first_fetcher(const struct pipeline *pipeline)
{
    for (size_t i = 0; i < pipeline->n_workers; i++)
        if (worker_class_is_fetcher(pipeline->workers[i].class) &&
            reads_a_source(pipeline, &pipeline->workers[i]))
            return &pipeline->workers[i];
    return NULL;
}

static const struct worker *named(const struct pipeline *pipeline,
                                  const char *name, struct error *err)
{
    const char *names[PIPELINE_WORKERS_MAX];
    for (size_t i = 0; i < pipeline->n_workers; i++) {
        names[i] = pipeline->workers[i].name;
        if (!strcmp(names[i], name))
            return &pipeline->workers[i];
    }
    const char *near = spell_nearest(name, names, pipeline->n_workers);
    struct buffer all = BUFFER_EMPTY;
    for (size_t i = 0; i < pipeline->n_workers; i++)
        buffer_printf(&all, "%s%s", i ? ", " : "", names[i]);
    error_set(err, ERR_USAGE, "no worker \"%s\"%s%s%s (there are %s)", name,
              near ? "; did you mean \"" : "", near ? near : "",
              near ? "\"?" : "", buffer_text(&all));
    buffer_free(&all);
    return NULL;
}

static int check_worker(const struct worker *worker, const char *key,
                        struct error *err)
{
    bool fetcher = worker_class_is_fetcher(worker->class);
    if (worker->class == CLASS_STORE)
        return error_set(err, ERR_USAGE,
                         "worker \"%s\" is a store: it gives no keys, and "
                         "fetches none",
                         worker->name);
    if (fetcher && !key)
        return error_set(err, ERR_USAGE,
                         "which key? %s takes one: windrow try PIPELINE KEY",
                         worker->name);
    if (!fetcher && key)
        return error_set(err, ERR_USAGE,
                         "worker \"%s\" is a source (%s) and takes no key",
                         worker->name, worker_class_name(worker->class));
    return 0;
}

int trial_worker(const struct pipeline *pipeline, const char *name,
                 const char *key, const struct worker **ret, struct error *err)
{
    const struct worker *worker =
        name ? named(pipeline, name, err) : first_fetcher(pipeline);
    if (!worker)
        return error_set(err, ERR_USAGE, "no fetcher reads a source's keys");
    if (check_worker(worker, key, err))
        return (int)err->code;
    *ret = worker;
    return 0;
}

int trial_check_web(const struct worker *worker, struct error *err)
{
    if (worker_class_asks_web(worker->class) || worker->class == CLASS_EXEC)
        return 0;
    return error_set(err, ERR_USAGE,
                     "worker \"%s\" (%s) asks nothing of the web: there is no "
                     "answer to record",
                     worker->name, worker_class_name(worker->class));
}

/* ---- keys that are here ---- */

struct reading {
    json_t *first;
    int64_t n;
};

static void on_key(void *context, struct slice key)
{
    struct reading *reading = context;
    if (reading->n++ < TRIAL_KEYS_SHOWN_MAX)
        json_array_append_new(reading->first, json_stringn(key.data, key.len));
}

static json_t *end_of(const struct worker *worker, int64_t n)
{
    if (n)
        return json_pack("{s:s, s:s}", "event", "end", "outcome", "keys");
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "event", "end",
                     "outcome", "failure", "worker", worker->name, "key", "",
                     "reason", reason_name(REASON_NO_KEYS), "means",
                     reason_text(REASON_NO_KEYS), "detail", "nothing is there");
}

/* The events of a list, out of a file or the pipeline. */
static int read_keys(const struct pipeline *pipeline,
                     const struct worker *worker, json_t **ret_events,
                     struct error *err)
{
    struct reading reading = {.first = json_array()};
    int status = plan_each_key(pipeline, worker, on_key, &reading, err);
    json_t *events =
        json_pack("[{s:s, s:s, s:I, s:o}, o]", "event", "keys", "worker",
                  worker->name, "n", (json_int_t)reading.n, "keys",
                  reading.first, end_of(worker, reading.n));
    if (!events && !status)
        status = error_set(err, ERR_MEMORY, "no memory for keys");
    if (status)
        json_decref(events);
    else
        *ret_events = events;
    return status;
}

/* ---- the job ---- */

static int ask_node(const struct context *context, const struct worker *worker,
                    const char *key, json_t *answers, int record,
                    json_t **ret_events, struct error *err)
{
    const struct once_options options = {
        .env_files = context->env_files,
        .n_env_files = context->n_env_files,
        .allow_exec = !answers && pipeline_has_programs(context->pipeline),
        .record = record,
    };
    json_t *job =
        json_pack("{s:s%, s:s, s:s, s:s*, s:b, s:o*}", "pipeline",
                  context->pipeline_text.data, context->pipeline_text.len,
                  "path", context->pipeline_path, "worker", worker->name, "key",
                  key, "record", record >= 0, "answers", answers);
    int status =
        job ? once_run(&options, job, ret_events, err)
            : error_set(err, ERR_USAGE, "the key or the pipeline is no UTF-8");
    json_decref(job);
    return status;
}

int trial_run(const struct context *context, const struct worker *worker,
              const char *key, json_t *answers, int record, json_t **ret_events,
              struct error *err)
{
    if (worker->class == CLASS_FILE || worker->class == CLASS_VALUES)
        return read_keys(context->pipeline, worker, ret_events, err);
    return ask_node(context, worker, key, answers, record, ret_events, err);
}

/* ---- what came of it ---- */

const char *trial_text(const json_t *event, const char *name)
{
    const char *text = json_string_value(json_object_get(event, name));
    return text ? text : "";
}

static bool is(const json_t *event, const char *name)
{
    return !strcmp(trial_text(event, "event"), name);
}

static json_t *row_of(const json_t *event)
{
    json_t *values = json_copy(json_object_get(event, "values")), *name;
    size_t i;
    json_array_foreach(json_object_get(event, "times"), i, name)
    {
        json_object_set_new(values, json_string_value(name),
                            json_string(TRIAL_TIME));
    }
    return json_pack("{s:s, s:o}", "table", trial_text(event, "table"),
                     "values", values);
}

json_t *trial_outcome(const json_t *events)
{
    json_t *rows = json_array(), *sets = json_object(), *event;
    json_t *keys = NULL, *failure = NULL;
    size_t i;
    json_array_foreach(events, i, event)
    {
        if (is(event, "row"))
            json_array_append_new(rows, row_of(event));
        else if (is(event, "rows"))
            json_object_set(sets, trial_text(event, "name"),
                            json_object_get(event, "n"));
        else if (is(event, "keys"))
            keys =
                json_pack("{s:O, s:O}", "keys", json_object_get(event, "keys"),
                          "n", json_object_get(event, "n"));
        else if (is(event, "end") &&
                 !strcmp(trial_text(event, "outcome"), "failure"))
            failure = json_pack("{s:{s:s, s:s, s:s}}", "failure", "worker",
                                trial_text(event, "worker"), "reason",
                                trial_text(event, "reason"), "detail",
                                trial_text(event, "detail"));
    }
    if (!failure && !keys) {
        json_t *outcome = json_pack("{s:o}", "rows", rows);
        if (json_object_size(sets))
            json_object_set(outcome, "sets", sets);
        json_decref(sets);
        return outcome;
    }
    json_decref(rows);
    json_decref(sets);
    if (failure)
        json_decref(keys);
    return failure ? failure : keys;
}

/* Whether who failed is a program, by what it was asked. */
static bool is_of_program(const json_t *end, const json_t *events)
{
    const json_t *event;
    size_t i;
    json_array_foreach(events, i, event)
    {
        if (is(event, "request") &&
            !strcmp(trial_text(event, "worker"), trial_text(end, "worker")))
            return !strcmp(trial_text(event, "class"),
                           worker_class_name(CLASS_EXEC));
    }
    return false;
}

int trial_status(const struct worker *worker, const json_t *events)
{
    const json_t *end = json_array_get(events, json_array_size(events) - 1);
    if (strcmp(trial_text(end, "outcome"), "failure") != 0)
        return EXIT_ALL_STORED;
    if (is_of_program(end, events))
        return EXIT_SOME_FAILED;
    switch (reason_parse(trial_text(end, "reason"))) {
    case REASON_DNS:
    case REASON_CONNECT:
    case REASON_TLS:
    case REASON_TIMEOUT:
    case REASON_CUT:
        return EXIT_NOT_FINISHED;
    default:
        return worker_class_is_source(worker->class) ? EXIT_NOT_FINISHED
                                                     : EXIT_SOME_FAILED;
    }
}
