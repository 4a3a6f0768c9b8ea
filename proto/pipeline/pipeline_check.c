/*
 * pipeline_check.c: queues and workers as a graph.
 *
 * Runs only over a model whose parts are right by themselves. First who may
 * have which queues, then whether each queue is written and read, and by
 * kinds that can follow each other, then cycles, and last that each column
 * of a store is a field of all who feed it.
 */
#include "pipeline/loader.h"

static const struct yaml_node *node_of(const struct loader *loader,
                                       const struct worker *worker,
                                       const char *key)
{
    const struct yaml_node *node = loader->worker_nodes[worker->index];
    const struct yaml_node *entry = yaml_get(node, key);
    return entry ? entry : node;
}

/* Where the worker names output queue number `i` of its list. */
static const struct yaml_node *
output_node(const struct loader *loader, const struct worker *worker, size_t i)
{
    const struct yaml_node *n = node_of(loader, worker, "output_queues")->first;
    while (i--)
        n = n->next;
    return n;
}

static void check_ends(struct loader *loader, const struct worker *worker)
{
    bool source = worker_class_is_source(worker->class);
    const char *class = worker_class_name(worker->class);

    if (source && worker->input_queue >= 0)
        complain(loader, node_of(loader, worker, "input_queue"),
                 "%s is a source and takes no input_queue", class);
    if (!source && worker->input_queue < 0)
        complain(loader, node_of(loader, worker, ""), "%s needs an input_queue",
                 class);
    if (worker->class == CLASS_STORE && worker->n_output_queues)
        complain(loader, node_of(loader, worker, "output_queues"),
                 "store is the end and takes no output_queues");
    if (worker->class != CLASS_STORE && !worker->n_output_queues)
        complain(loader, node_of(loader, worker, "output_queues"),
                 "%s needs output_queues", class);
}

static bool link_queues(struct loader *loader)
{
    struct pipeline *p = loader->pipeline;

    for (size_t q = 0; q < p->n_queues; q++) {
        p->queues[q].producers = load_alloc(loader, p->n_workers, sizeof(int));
        p->queues[q].consumers = load_alloc(loader, p->n_workers, sizeof(int));
        if (!p->queues[q].producers || !p->queues[q].consumers)
            return false;
    }
    for (size_t w = 0; w < p->n_workers; w++) {
        const struct worker *worker = &p->workers[w];
        for (size_t i = 0; i < worker->n_output_queues; i++) {
            struct queue *q = &p->queues[worker->output_queues[i]];
            q->producers[q->n_producers++] = (int)w;
        }
        if (worker->input_queue >= 0) {
            struct queue *q = &p->queues[worker->input_queue];
            q->consumers[q->n_consumers++] = (int)w;
        }
    }
    return true;
}

/* A queue that nobody reads is told where it is written, since that is what
 * would wait there for ever. */
static void check_unread(struct loader *loader, const struct queue *queue)
{
    const struct pipeline *p = loader->pipeline;
    size_t q = (size_t)(queue - p->queues);

    if (!queue->n_producers)
        complain(loader, loader->queue_nodes[q],
                 "queue '%s': no worker writes or reads it", queue->name);
    for (size_t i = 0; i < queue->n_producers; i++) {
        const struct worker *worker = &p->workers[queue->producers[i]];
        for (size_t o = 0; o < worker->n_output_queues; o++)
            if (worker->output_queues[o] == (int)q)
                complain(loader, output_node(loader, worker, o),
                         "queue '%s': no worker reads it", queue->name);
    }
}

static bool one_stores(const struct worker *a, const struct worker *b)
{
    return a->class == CLASS_STORE && worker_class_is_fetcher(b->class);
}

/* What follows a queue must be able to use what comes through it. */
static void check_kinds(struct loader *loader, const struct queue *queue)
{
    const struct worker *workers = loader->pipeline->workers;
    const struct worker *first = &workers[queue->consumers[0]];

    for (size_t i = 1; i < queue->n_consumers; i++) {
        const struct worker *other = &workers[queue->consumers[i]];
        if (one_stores(first, other) || one_stores(other, first))
            complain(loader, node_of(loader, other, "input_queue"),
                     "queue '%s': read by a store and by a fetcher; each item "
                     "would go to one of them. Give each a queue of its own",
                     queue->name);
    }
    for (size_t i = 0; i < queue->n_producers; i++) {
        const struct worker *from = &workers[queue->producers[i]];
        for (size_t c = 0; c < queue->n_consumers; c++) {
            const struct worker *to = &workers[queue->consumers[c]];
            if (to->class == CLASS_STORE && worker_class_is_source(from->class))
                complain(loader, node_of(loader, to, "input_queue"),
                         "queue '%s': store '%s' can't follow '%s', which is "
                         "a source (%s): it gives keys, not records; put a "
                         "fetcher between them",
                         queue->name, to->name, from->name,
                         worker_class_name(from->class));
        }
    }
}

static void check_queue(struct loader *loader, const struct queue *queue)
{
    const struct worker *workers = loader->pipeline->workers;

    if (!queue->n_consumers) {
        check_unread(loader, queue);
        return;
    }
    for (size_t i = 0; i < queue->n_consumers && !queue->n_producers; i++)
        complain(loader,
                 node_of(loader, &workers[queue->consumers[i]], "input_queue"),
                 "queue '%s': no worker writes it", queue->name);
    check_kinds(loader, queue);
}

enum visit { UNSEEN, ON_PATH, DONE };

struct search {
    enum visit visits[PIPELINE_WORKERS_MAX];
    int path[PIPELINE_WORKERS_MAX]; /* workers */
    int via[PIPELINE_WORKERS_MAX];  /* the queue that each goes on by */
    size_t len;
};

static void complain_cycle(struct loader *loader, const struct search *search,
                           int worker, size_t output)
{
    const struct pipeline *p = loader->pipeline;
    struct buffer text = BUFFER_EMPTY;
    size_t i = search->len;

    while (search->path[i - 1] != worker)
        i--;
    for (i--; i < search->len; i++)
        buffer_printf(&text, "%s -> %s -> ", p->workers[search->path[i]].name,
                      p->queues[search->via[i]].name);
    buffer_append_text(&text, p->workers[worker].name);
    loader->out_of_memory |= text.failed;
    complain(
        loader,
        output_node(loader, &p->workers[search->path[search->len - 1]], output),
        "a cycle: %s", buffer_text(&text));
    buffer_free(&text);
}

/* Depth first; as deep as there are workers. */
static void visit(struct loader *loader, struct search *search, int worker)
{
    const struct pipeline *p = loader->pipeline;
    const struct worker *w = &p->workers[worker];
    size_t depth = search->len++;

    search->visits[worker] = ON_PATH;
    search->path[depth] = worker;
    for (size_t o = 0; o < w->n_output_queues; o++) {
        const struct queue *queue = &p->queues[w->output_queues[o]];
        search->via[depth] = w->output_queues[o];
        for (size_t c = 0; c < queue->n_consumers; c++) {
            int next = queue->consumers[c];
            if (search->visits[next] == ON_PATH)
                complain_cycle(loader, search, next, o);
            else if (search->visits[next] == UNSEEN)
                visit(loader, search, next);
        }
    }
    search->visits[worker] = DONE;
    search->len--;
}

static void check_cycles(struct loader *loader)
{
    struct search search = {.len = 0};

    for (size_t w = 0; w < loader->pipeline->n_workers; w++)
        if (search.visits[w] == UNSEEN)
            visit(loader, &search, (int)w);
}

static void complain_field(struct loader *loader, const struct yaml_node *at,
                           const struct worker *from, const struct row_set *set,
                           const char *field)
{
    const char *names[2 * PIPELINE_FIELDS_MAX + 2];
    size_t n = 0;

    CHECK(from->fields || !from->n_fields);
    names[n++] = "key";
    names[n++] = "fetched_at";
    for (size_t i = 0; set && i < set->n_fields; i++)
        names[n++] = set->fields[i].name;
    for (size_t i = 0; i < from->n_fields; i++)
        names[n++] = from->fields[i].name;
    const char *of = load_printf(loader, "'%s'", from->name);
    if (of)
        complain_unknown(loader, at, "field", of, field, names, n);
}

/* The field that a store's column means by `name`: one of the elements, or of
 * the record; NULL: neither. */
static const struct field *find_field(const struct worker *from,
                                      const struct row_set *set,
                                      const char *name,
                                      enum column_source *ret_source)
{
    int i = set ? set_field(set, name) : -1;

    *ret_source = i < 0 ? COLUMN_FIELD : COLUMN_ELEMENT;
    if (i >= 0)
        return &set->fields[i];
    i = worker_field(from, name);
    return i < 0 ? NULL : &from->fields[i];
}

/* Each column must be a field of all who write the queue, of one type. */
static void check_column(struct loader *loader, const struct worker *store,
                         struct column *column)
{
    const struct pipeline *p = loader->pipeline;
    const struct queue *queue = &p->queues[store->input_queue];
    const struct yaml_node *at =
        yaml_get(loader->columns_nodes[store->index], column->name);
    const struct worker *first = NULL;

    for (size_t i = 0; i < queue->n_producers; i++) {
        const struct worker *from = &p->workers[queue->producers[i]];
        const struct row_set *set =
            store->sink.rows ? &from->sets[worker_set(from, store->sink.rows)]
                             : NULL;
        enum column_source source;
        const struct field *field =
            find_field(from, set, column->field, &source);
        if (!field) {
            complain_field(loader, at, from, set, column->field);
            continue;
        }
        if (first &&
            (field->stored != column->type || source != column->source))
            complain(loader, at,
                     "field '%s' has another type in '%s' than in '%s'",
                     column->field, from->name, first->name);
        if (!first) {
            first = from;
            column->type = field->stored;
            column->source = source;
        }
    }
}

/* Whether all who write the queue have the rows that the store wants. */
static bool check_rows(struct loader *loader, const struct worker *store)
{
    const struct pipeline *p = loader->pipeline;
    const struct queue *queue = &p->queues[store->input_queue];
    const char *names[PIPELINE_ROW_SETS_MAX];
    bool good = true;

    for (size_t i = 0; store->sink.rows && i < queue->n_producers; i++) {
        const struct worker *from = &p->workers[queue->producers[i]];
        if (worker_set(from, store->sink.rows) >= 0)
            continue;
        const struct yaml_node *at =
            yaml_get(node_of(loader, store, "options"), "rows");
        for (size_t s = 0; s < from->n_sets; s++)
            names[s] = from->sets[s].name;
        const char *of = load_printf(loader, "'%s'", from->name);
        good = false;
        if (of && from->n_sets)
            complain_unknown(loader, at, "rows", of, store->sink.rows, names,
                             from->n_sets);
        else if (of)
            complain(loader, at, "unknown rows '%s': %s has none",
                     shown(store->sink.rows).text, of);
    }
    return good;
}

static void check_columns(struct loader *loader, struct worker *store)
{
    if (!check_rows(loader, store))
        return;
    for (size_t i = 0; i < store->sink.n_columns; i++)
        if (store->sink.columns[i].source == COLUMN_FIELD)
            check_column(loader, store, &store->sink.columns[i]);
}

void check_graph(struct loader *loader)
{
    struct pipeline *p = loader->pipeline;

    for (size_t w = 0; w < p->n_workers; w++)
        check_ends(loader, &p->workers[w]);
    if (!link_queues(loader))
        return;
    for (size_t q = 0; q < p->n_queues; q++)
        check_queue(loader, &p->queues[q]);
    check_cycles(loader);
    if (loader->complaints->n)
        return;
    for (size_t w = 0; w < p->n_workers; w++)
        if (p->workers[w].class == CLASS_STORE)
            check_columns(loader, &p->workers[w]);
}
