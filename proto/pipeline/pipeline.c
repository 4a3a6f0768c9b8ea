/*
 * pipeline.c: loading a pipeline as a whole, and asking the model.
 *
 * Loading is a pass for each idea: bytes to a tree (yaml_tree), ${NAME}
 * (expand), queues and workers (pipeline_parse, with legacy for the older
 * files), their options (pipeline_options, _request, _several, _fields), and,
 * only when all that is right, the graph (pipeline_check). The tree stays in
 * the pipeline's arena, and the model points into it.
 */
#include "pipeline/pipeline.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "pipeline/expand.h"
#include "pipeline/loader.h"

const char *worker_class_name(enum worker_class class)
{
    static const char *const names[] = {
        [CLASS_HTML_TABLE] = "html_table",
        [CLASS_JSON_LIST] = "json_list",
        [CLASS_SQL] = "sql",
        [CLASS_FILE] = "file",
        [CLASS_VALUES] = "values",
        [CLASS_HTTP_JSON] = "http_json",
        [CLASS_HTTP_HTML] = "http_html",
        [CLASS_EXEC] = "exec",
        [CLASS_STORE] = "store",
    };
    CHECK((size_t) class < sizeof names / sizeof *names);
    return names[class];
}

bool worker_class_is_source(enum worker_class class)
{
    return class <= CLASS_VALUES;
}

bool worker_class_is_fetcher(enum worker_class class)
{
    return class == CLASS_HTTP_JSON || class == CLASS_HTTP_HTML ||
           class == CLASS_EXEC;
}

bool worker_class_asks_web(enum worker_class class)
{
    return class == CLASS_HTML_TABLE || class == CLASS_JSON_LIST ||
           class == CLASS_HTTP_JSON || class == CLASS_HTTP_HTML;
}

bool worker_class_is_json(enum worker_class class)
{
    return class == CLASS_JSON_LIST || class == CLASS_HTTP_JSON ||
           class == CLASS_EXEC;
}

/* The folder of `path`, or "."; kept with its slash only for "/". */
static const char *folder_of(struct loader *loader, const char *path)
{
    const char *slash = path ? strrchr(path, '/') : NULL;
    size_t len = slash == path ? 1 : (size_t)(slash - path);
    const char *folder = arena_copy(&loader->pipeline->arena,
                                    slash ? path : ".", slash ? len : 1);
    if (!folder)
        loader->out_of_memory = true;
    return folder;
}

/* The file's name without folder and ending. */
static const char *name_of(struct loader *loader, const char *path)
{
    const char *slash = path ? strrchr(path, '/') : NULL;
    const char *base = slash ? slash + 1 : path ? path : "";
    size_t len = strcspn(base, ".");
    const char *name = arena_copy(&loader->pipeline->arena,
                                  len ? base : "pipeline", len ? len : 8);
    if (!name)
        loader->out_of_memory = true;
    return name;
}

/* Everything is tried; what went wrong is in complaints and out_of_memory. */
static void load(struct loader *loader, struct slice text, const char *path)
{
    struct error err = ERROR_NONE;
    struct yaml_problem problem;
    struct yaml_node *root;

    int failed =
        yaml_tree_parse(text, &loader->pipeline->arena, &root, &problem, &err);
    if (failed == ERR_PIPELINE)
        complain_at(loader, problem.line, problem.column, "%s", problem.text);
    if (failed) {
        loader->out_of_memory |= failed == ERR_MEMORY;
        return;
    }
    expand_tree(loader, root);
    if (loader->out_of_memory)
        return;
    loader->pipeline->folder = folder_of(loader, path);
    loader->pipeline->name = name_of(loader, path);
    parse_pipeline(loader, root);
    if (!loader->out_of_memory && loader->complaints->n == 0)
        check_graph(loader);
}

int pipeline_load(struct slice text, const char *path,
                  const struct settings *settings,
                  struct complaints *complaints, struct pipeline **ret,
                  struct error *err)
{
    struct pipeline *pipeline = calloc(1, sizeof *pipeline);
    struct loader loader = {
        .pipeline = pipeline, .settings = settings, .complaints = complaints};

    if (!pipeline)
        return error_set(err, ERR_MEMORY, "no memory for the pipeline");
    if (text.len > PIPELINE_FILE_BYTES_MAX)
        complain_at(&loader, 1, 1, "the file is longer than %d bytes",
                    PIPELINE_FILE_BYTES_MAX);
    else
        load(&loader, text, path);
    if (!loader.out_of_memory && complaints->n == 0) {
        *ret = pipeline;
        return 0;
    }
    pipeline_free(&pipeline);
    if (loader.out_of_memory)
        return error_set(err, ERR_MEMORY, "no memory for the pipeline");
    return error_set(err, ERR_PIPELINE, "%zu complaint%s; line %d: %s",
                     complaints->n + complaints->dropped,
                     complaints->n > 1 ? "s" : "", complaints->items[0].line,
                     complaints->items[0].text);
}

/* The graph, which says what type a column has, may not have been looked at:
 * as a field of that name has, wherever. */
static void guess_types(struct pipeline *pipeline, struct sink *sink)
{
    for (size_t c = 0; c < sink->n_columns; c++)
        for (size_t w = 0; w < pipeline->n_workers; w++) {
            const struct worker *worker = &pipeline->workers[w];
            struct column *column = &sink->columns[c];
            int field = column->source == COLUMN_FIELD
                            ? worker_field(worker, column->field)
                            : -1;
            if (field >= 0)
                column->type = worker->fields[field].type;
        }
}

int pipeline_load_to_look(struct slice text, const struct settings *settings,
                          struct pipeline **ret, struct error *err)
{
    struct complaints complaints = {0};
    struct pipeline *pipeline = calloc(1, sizeof *pipeline);
    struct loader loader = {
        .pipeline = pipeline, .settings = settings, .complaints = &complaints};
    if (!pipeline)
        return error_set(err, ERR_MEMORY, "no memory for the pipeline");
    load(&loader, text, NULL);
    if (loader.out_of_memory)
        error_set(err, ERR_MEMORY, "no memory for the pipeline");
    else if (!pipeline->n_workers)
        error_set(err, ERR_PIPELINE, "the run's pipeline can't be read");
    bool whole = complaints.n == 0;
    complaints_free(&complaints);
    if (err->code != ERR_NONE) {
        pipeline_free(&pipeline);
        return (int)err->code;
    }
    for (size_t i = 0; i < pipeline->n_workers && !whole; i++)
        if (pipeline->workers[i].class == CLASS_STORE)
            guess_types(pipeline, &pipeline->workers[i].sink);
    *ret = pipeline;
    return 0;
}

void pipeline_free(struct pipeline **pipeline)
{
    struct pipeline *p = *pipeline;

    if (!p)
        return;
    for (size_t w = 0; w < p->n_workers; w++) {
        struct request *request = &p->workers[w].request;
        for (size_t i = 0; i < request->n_replaces; i++)
            regfree(&request->replaces[i].compiled);
    }
    arena_free(&p->arena);
    free(p);
    *pipeline = NULL;
}

int pipeline_read_file(const char *path, struct buffer *ret, struct error *err)
{
    char chunk[16384];
    FILE *file = fopen(path, "re");

    if (!file)
        return error_set(err, ERR_FILE, "%s: %s", path, strerror(errno));
    int failed = 0;
    size_t total = 0;
    while (!failed && !feof(file)) {
        size_t n = fread(chunk, 1, sizeof chunk, file);
        total += n;
        if (ferror(file))
            failed = error_set(err, ERR_FILE, "%s: %s", path, strerror(errno));
        else if (total > PIPELINE_FILE_BYTES_MAX)
            failed = error_set(err, ERR_LIMIT, "%s is longer than %d bytes",
                               path, PIPELINE_FILE_BYTES_MAX);
        else if (!buffer_append(ret, chunk, n))
            failed = error_set(err, ERR_MEMORY, "no memory for %s", path);
    }
    fclose(file);
    return failed;
}

const struct worker *pipeline_consumer(const struct pipeline *pipeline,
                                       int queue, size_t turn)
{
    CHECK(queue >= 0 && (size_t)queue < pipeline->n_queues);
    const struct queue *q = &pipeline->queues[queue];
    return &pipeline->workers[q->consumers[turn % q->n_consumers]];
}

bool pipeline_queue_is_shared(const struct pipeline *pipeline, int queue)
{
    CHECK(queue >= 0 && (size_t)queue < pipeline->n_queues);
    const struct queue *q = &pipeline->queues[queue];
    size_t n_batches = 0;

    for (size_t i = 0; i < q->n_producers; i++) {
        const struct worker *w = &pipeline->workers[q->producers[i]];
        if (w->class == CLASS_HTML_TABLE || w->class == CLASS_JSON_LIST)
            n_batches += w->n_input_values;
        else if (w->class == CLASS_VALUES)
            n_batches += 1;
        else
            return true;
    }
    return n_batches > 1;
}

static int find_field(const struct field *fields, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (!strcmp(fields[i].name, name))
            return (int)i;
    return -1;
}

static size_t parts(size_t whole, size_t part)
{
    return (whole + part - 1) / part;
}

size_t worker_batch_keys(const struct worker *worker, size_t keys, size_t most)
{
    size_t request = worker->request.keys_per_request > 1
                         ? (size_t)worker->request.keys_per_request
                         : 1;
    size_t requests = keys ? parts(keys, request) : 1;
    size_t at_once = (size_t)worker->instances;
    size_t batches = parts(at_once, most / request); /* to keep them busy */
    size_t requests_max =
        batches > 1 ? parts(at_once, batches) : most / request;

    return request * (requests < requests_max ? requests : requests_max);
}

int worker_field(const struct worker *worker, const char *name)
{
    return find_field(worker->fields, worker->n_fields, name);
}

int set_field(const struct row_set *set, const char *name)
{
    return find_field(set->fields, set->n_fields, name);
}

int worker_set(const struct worker *worker, const char *name)
{
    for (size_t i = 0; i < worker->n_sets; i++)
        if (!strcmp(worker->sets[i].name, name))
            return (int)i;
    return -1;
}
