/* preview.c: see preview.h. Where memory is out, jansson hands NULL on, up to
 * the whole. */
#include "preview.h"

#include <stdlib.h>

#include "pipeline/template.h"
#include "plan.h"
#include "trial.h"

/* ---- sources ---- */

struct counting {
    int64_t n;
    json_t *first;
};

static void on_key(void *context, struct slice key)
{
    struct counting *counting = context;
    if (counting->n++ < PREVIEW_KEYS_SHOWN)
        json_array_append_new(counting->first, json_stringn(key.data, key.len));
}

static int read_keys(struct preview *preview, const struct worker *worker,
                     struct error *err)
{
    struct counting counting = {.first = preview->first[worker->index]};
    int status = plan_each_key(preview->context->pipeline, worker, on_key,
                               &counting, err);
    preview->keys[worker->index] = counting.n;
    preview->known[worker->index] =
        worker->class == CLASS_FILE ? "its file" : "the pipeline";
    return status;
}

/* The keys that one page gave; false where it gave none. */
static bool add_page(struct preview *preview, int index, const json_t *events)
{
    const json_t *event;
    size_t i, k;
    json_array_foreach(events, i, event)
    {
        json_t *first = preview->first[index], *key;
        if (strcmp(trial_text(event, "event"), "keys") != 0)
            continue;
        preview->keys[index] += json_integer_value(json_object_get(event, "n"));
        json_array_foreach(json_object_get(event, "keys"), k, key)
        {
            if (json_array_size(first) < PREVIEW_KEYS_SHOWN)
                json_array_append(first, key);
        }
        return true;
    }
    return false;
}

static void keep_failure(struct preview *preview, int index,
                         const json_t *events)
{
    const json_t *end = json_array_get(events, json_array_size(events) - 1);
    if (!preview->failure[index] && *trial_text(end, "reason"))
        preview->failure[index] = json_pack(
            "{s:s, s:s, s:s}", "reason", trial_text(end, "reason"), "means",
            trial_text(end, "means"), "detail", trial_text(end, "detail"));
}

/* What a page gave twice, or two pages, is counted twice. */
static int fetch_list(struct preview *preview, const struct worker *worker,
                      struct error *err)
{
    int index = worker->index;
    size_t n_failed = 0;
    preview->keys[index] = 0;
    for (size_t i = 0; i < worker->n_input_values && i < PREVIEW_PAGES_MAX;
         i++) {
        json_t *events;
        if (trial_run(preview->context, worker, worker->input_values[i], NULL,
                      -1, &events, err))
            return (int)err->code;
        if (!add_page(preview, index, events)) {
            keep_failure(preview, index, events);
            n_failed++;
        }
        json_decref(events);
    }
    bool whole = worker->n_input_values <= PREVIEW_PAGES_MAX && !n_failed;
    preview->known[index] = whole ? "fetched" : "fetched, in part";
    if (!preview->keys[index])
        preview->keys[index] = -1;
    return 0;
}

/* A run with --limit takes only the first. */
static void cut(struct preview *preview, size_t i)
{
    int64_t *keys = &preview->keys[i];
    if (!preview->limit || *keys <= preview->limit)
        return;
    *keys = preview->limit;
    while (json_array_size(preview->first[i]) > (size_t)preview->limit)
        json_array_remove(preview->first[i], (size_t)preview->limit);
}

static bool is_list(const struct worker *worker)
{
    return worker->class == CLASS_HTML_TABLE ||
           worker->class == CLASS_JSON_LIST;
}

static int read_sources(struct preview *preview, struct error *err)
{
    const struct pipeline *pipeline = preview->context->pipeline;
    int status = 0;
    for (size_t i = 0; i < pipeline->n_workers && !status; i++) {
        const struct worker *worker = &pipeline->workers[i];
        preview->keys[i] = -1;
        preview->first[i] = json_array();
        if (worker->class == CLASS_FILE || worker->class == CLASS_VALUES)
            status = read_keys(preview, worker, err);
        else if (is_list(worker) && preview->fetch_lists)
            status = fetch_list(preview, worker, err);
        cut(preview, i);
    }
    return status;
}

static json_t *sources(const struct preview *preview)
{
    const struct pipeline *pipeline = preview->context->pipeline;
    json_t *list = json_array();
    for (size_t i = 0; i < pipeline->n_workers; i++) {
        const struct worker *worker = &pipeline->workers[i];
        json_t *asks = json_array();
        for (size_t k = 0; is_list(worker) && k < worker->n_input_values; k++)
            json_array_append_new(asks, json_string(worker->input_values[k]));
        bool known = preview->keys[i] >= 0;
        if (worker_class_is_source(worker->class))
            json_array_append_new(
                list,
                json_pack("{s:s, s:s, s:o, s:s?, s:O, s:O, s:O*}", "worker",
                          worker->name, "class",
                          worker_class_name(worker->class), "keys",
                          known ? json_integer(preview->keys[i]) : json_null(),
                          "known", preview->known[i], "first",
                          preview->first[i], "asks", asks, "failure",
                          preview->failure[i]));
        json_decref(asks);
    }
    return list;
}

/* ---- requests ---- */

static void add_request(json_t *list, const struct worker *worker,
                        const char *key, const char *url, bool more)
{
    json_t *request = json_pack("{s:s, s:s?, s:s}", "worker", worker->name,
                                "key", key, "url", url);
    if (more)
        json_object_set_new(request, "more_keys", json_true());
    json_array_append_new(list, request);
}

/* The first one for several keys, with those that are known. */
static size_t request_together(const struct preview *preview,
                               const struct worker *worker, json_t *list)
{
    const struct pipeline *pipeline = preview->context->pipeline;
    const struct queue *queue = &pipeline->queues[worker->input_queue];
    struct slice keys[PREVIEW_KEYS_SHOWN];
    struct buffer url = BUFFER_EMPTY;
    size_t n = 0, k, most = (size_t)worker->request.keys_per_request;
    int64_t all = 0;
    for (size_t i = 0; i < queue->n_producers; i++) {
        json_t *key;
        all += preview->keys[queue->producers[i]];
        json_array_foreach(preview->first[queue->producers[i]], k, key)
        {
            if (n < PREVIEW_KEYS_SHOWN && n < most)
                keys[n++] = slice_of(json_string_value(key));
        }
    }
    if (n) {
        bool good = request_url_of(&worker->request, keys, n, &url) > 0;
        add_request(list, worker, keys[0].data,
                    good ? buffer_text(&url) : "(makes no URL)",
                    n < most && all > (int64_t)n);
    }
    buffer_free(&url);
    return n;
}

/* The line that a program is asked with (node/exec_line.h). */
static void add_line(json_t *list, const struct worker *worker, const char *key)
{
    json_t *asked = json_pack("{s:i, s:s}", "id", 1, "key", key);
    char *line = json_dumps(asked, 0);
    json_array_append_new(list,
                          json_pack("{s:s, s:s, s:s}", "worker", worker->name,
                                    "key", key, "line", line));
    free(line);
    json_decref(asked);
}

static void add_first(json_t *list, const struct worker *worker,
                      const char *key)
{
    struct buffer url = BUFFER_EMPTY;
    if (worker->class == CLASS_EXEC)
        add_line(list, worker, key);
    else if (request_url(&worker->request, slice_of(key), &url))
        add_request(list, worker, key, buffer_text(&url), false);
    else
        add_request(list, worker, key, "(makes no URL)", false);
    buffer_free(&url);
}

/* Of the keys that a source before it gives first. */
static size_t requests_of_keys(const struct preview *preview,
                               const struct worker *worker, json_t *list)
{
    const struct pipeline *pipeline = preview->context->pipeline;
    const struct queue *queue = &pipeline->queues[worker->input_queue];
    size_t n = 0, k;
    if (worker->request.keys_per_request)
        return request_together(preview, worker, list);
    for (size_t i = 0; i < queue->n_producers; i++) {
        json_t *key;
        json_array_foreach(preview->first[queue->producers[i]], k, key)
        {
            if (n++ < PREVIEW_KEYS_SHOWN)
                add_first(list, worker, json_string_value(key));
        }
    }
    return n;
}

static json_t *requests(const struct preview *preview)
{
    const struct pipeline *pipeline = preview->context->pipeline;
    json_t *list = json_array();
    for (size_t i = 0; i < pipeline->n_workers; i++) {
        const struct worker *worker = &pipeline->workers[i];
        for (size_t k = 0; is_list(worker) && k < worker->n_input_values &&
                           k < PREVIEW_KEYS_SHOWN;
             k++)
            add_request(list, worker, NULL, worker->input_values[k], false);
        if (worker_class_is_fetcher(worker->class) &&
            !requests_of_keys(preview, worker, list) && worker->request.url)
            add_request(list, worker, NULL, worker->request.url, false);
    }
    return list;
}

/* ---- how the web is asked ---- */

static json_t *host_of(const struct worker *worker, const char *url)
{
    struct buffer host = BUFFER_EMPTY;
    bool known = url ? url_host(slice_of(url), &host)
                     : request_fixed_host(&worker->request, &host);
    json_t *ret = known ? json_string(buffer_text(&host)) : json_null();
    buffer_free(&host);
    return ret;
}

static void add_host(json_t *list, const struct worker *worker, json_t *host)
{
    const struct request *request = &worker->request;
    json_t *known;
    size_t i;
    json_array_foreach(list, i, known)
    {
        if (!strcmp(trial_text(known, "worker"), worker->name) &&
            json_equal(json_object_get(known, "host"), host)) {
            json_decref(host);
            return;
        }
    }
    json_array_append_new(
        list,
        json_pack("{s:s, s:o, s:o, s:o, s:b, s:b}", "worker", worker->name,
                  "host", host, "rate",
                  request->rate > 0 && request->rate < PIPELINE_RATE_MAX
                      ? json_real(request->rate)
                      : json_null(),
                  "max_in_flight",
                  request->max_in_flight ? json_integer(request->max_in_flight)
                                         : json_null(),
                  "adaptive", request->adaptive, "robots", request->robots));
}

static json_t *hosts(const struct pipeline *pipeline)
{
    json_t *list = json_array();
    for (size_t i = 0; i < pipeline->n_workers; i++) {
        const struct worker *worker = &pipeline->workers[i];
        for (size_t k = 0; is_list(worker) && k < worker->n_input_values; k++)
            add_host(list, worker, host_of(worker, worker->input_values[k]));
        if (worker_class_is_fetcher(worker->class) && worker->request.url)
            add_host(list, worker, host_of(worker, NULL));
    }
    return list;
}

static json_t *retries(const struct pipeline *pipeline)
{
    json_t *list = json_array();
    for (size_t i = 0; i < pipeline->n_workers; i++) {
        const struct worker *worker = &pipeline->workers[i];
        const struct request *request = &worker->request;
        if (worker_class_asks_web(worker->class) || worker->class == CLASS_EXEC)
            json_array_append_new(
                list,
                json_pack("{s:s, s:i, s:I, s:I, s:I}", "worker", worker->name,
                          "attempts", request->attempts, "backoff_ms",
                          (json_int_t)(request->backoff / USEC_PER_MSEC),
                          "backoff_max_ms",
                          (json_int_t)(request->backoff_max / USEC_PER_MSEC),
                          "timeout_ms",
                          (json_int_t)(request->timeout / USEC_PER_MSEC)));
    }
    return list;
}

/* ---- tables ---- */

static json_t *columns_of(const struct preview *preview,
                          const struct worker *store)
{
    json_t *list = json_array();
    for (size_t i = 0; i < store->sink.n_columns; i++) {
        const struct column *column = &store->sink.columns[i];
        bool needed;
        const char *type =
            ledger_column_type(preview->database, preview->context->pipeline,
                               store, column, &needed);
        const char *from = column->source == COLUMN_KEY ? "key"
                           : column->source == COLUMN_FETCHED_AT
                               ? "fetched_at"
                               : column->field;
        json_array_append_new(list, json_pack("{s:s, s:s, s:b, s:s}", "name",
                                              column->name, "type", type,
                                              "needed", needed, "from", from));
    }
    return list;
}

static json_t *tables(const struct preview *preview)
{
    const struct pipeline *pipeline = preview->context->pipeline;
    json_t *list = json_array();
    for (size_t i = 0; i < pipeline->n_workers; i++) {
        const struct worker *worker = &pipeline->workers[i];
        if (worker->class == CLASS_STORE)
            json_array_append_new(list, json_pack("{s:s, s:s, s:o}", "worker",
                                                  worker->name, "table",
                                                  worker->sink.table, "columns",
                                                  columns_of(preview, worker)));
    }
    return list;
}

/* ---- the graph ---- */

static void put_command(struct buffer *text, const struct worker *worker)
{
    for (size_t i = 0; i < worker->program.n_command; i++)
        buffer_printf(text, "%s%s", i ? " " : "", worker->program.command[i]);
    buffer_printf(text, ", one in each node, %d keys at once",
                  worker->instances);
}

static json_t *does(const struct worker *worker)
{
    struct buffer text = BUFFER_EMPTY;
    if (is_list(worker))
        buffer_printf(&text, "%zu page%s, %d at once in each node",
                      worker->n_input_values,
                      worker->n_input_values == 1 ? "" : "s",
                      worker->instances);
    else if (worker->request.keys_per_request)
        buffer_printf(&text, "%d keys a request, %d at once in each node",
                      worker->request.keys_per_request, worker->instances);
    else if (worker->class == CLASS_EXEC)
        put_command(&text, worker);
    else if (worker_class_is_fetcher(worker->class))
        buffer_printf(&text, "%d at once in each node", worker->instances);
    else if (worker->class == CLASS_STORE)
        buffer_printf(&text, "into %s, %d connection%s in each node",
                      worker->sink.table, worker->instances,
                      worker->instances == 1 ? "" : "s");
    else if (worker->class == CLASS_FILE)
        buffer_append_text(&text, worker->file.path);
    else
        buffer_append_text(&text,
                           worker->class == CLASS_SQL ? "a query" : "keys");
    json_t *ret = json_string(buffer_text(&text));
    buffer_free(&text);
    return ret;
}

/* As deep as there are workers: a pipeline has no cycle. */
static json_t *branch(const struct pipeline *pipeline, int index, bool *seen)
{
    const struct worker *worker = &pipeline->workers[index];
    json_t *node =
        json_pack("{s:s, s:s, s:o}", "worker", worker->name, "class",
                  worker_class_name(worker->class), "does", does(worker));
    json_t *queues = json_array();
    if (seen[index] && worker->n_output_queues)
        json_object_set_new(node, "again", json_true());
    for (size_t i = 0; i < worker->n_output_queues && !seen[index]; i++) {
        const struct queue *queue = &pipeline->queues[worker->output_queues[i]];
        json_t *readers = json_array();
        for (size_t k = 0; k < queue->n_consumers; k++)
            json_array_append_new(readers,
                                  branch(pipeline, queue->consumers[k], seen));
        json_array_append_new(
            queues,
            json_pack("{s:s, s:o}", "queue", queue->name, "readers", readers));
    }
    seen[index] = true;
    json_object_set_new(node, "queues", queues);
    return node;
}

static json_t *graph(const struct pipeline *pipeline)
{
    bool seen[PIPELINE_WORKERS_MAX] = {false};
    json_t *list = json_array();
    for (size_t i = 0; i < pipeline->n_workers; i++)
        if (worker_class_is_source(pipeline->workers[i].class))
            json_array_append_new(list, branch(pipeline, (int)i, seen));
    return list;
}

/* ---- the whole ---- */

int preview_build(struct preview *preview, json_t **ret, struct error *err)
{
    const struct pipeline *pipeline = preview->context->pipeline;
    struct buffer url = BUFFER_EMPTY;
    int status = read_sources(preview, err);
    settings_mask_url(preview->database, &url);
    json_t *plan =
        status
            ? NULL
            : json_pack("{s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o}",
                        "pipeline", pipeline->name, "file",
                        preview->context->pipeline_path, "database",
                        buffer_text(&url), "graph", graph(pipeline), "sources",
                        sources(preview), "requests", requests(preview),
                        "hosts", hosts(pipeline), "retries", retries(pipeline),
                        "tables", tables(preview));
    buffer_free(&url);
    for (size_t i = 0; i < pipeline->n_workers; i++) {
        json_decref(preview->first[i]);
        json_decref(preview->failure[i]);
    }
    if (!status && !plan)
        status = error_set(err, ERR_MEMORY, "no memory for a plan");
    if (status)
        return status;
    preview_past(preview, plan);
    preview_estimate(preview, plan);
    *ret = plan;
    return 0;
}
