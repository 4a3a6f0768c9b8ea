/*
 * pipeline_parse.c: version, name, queues, and workers but for their options.
 *
 * A worker that is wrong in one thing is still read as far as it goes, so
 * that a file's mistakes come out together. What depends on several workers
 * waits for pipeline_check.c.
 */
#include "pipeline/loader.h"
#include "pipeline/template.h"

#define TEXT_OF(number) TEXT_OF_IT(number)
#define TEXT_OF_IT(number) #number
#define PIPELINE_VERSION_TEXT TEXT_OF(PIPELINE_VERSION)

static void parse_version(struct loader *loader, const struct yaml_node *root)
{
    const struct yaml_node *node = yaml_get(root, "version");

    if (node) {
        const char *version = load_text(loader, node, "version");
        if (version && strcmp(version, PIPELINE_VERSION_TEXT))
            complain(loader, node, "version is '%s'; %s is allowed",
                     shown(version).text, PIPELINE_VERSION_TEXT);
    } else if (!loader->legacy) {
        complain(loader, root, "version is missing: 'version: %s'",
                 PIPELINE_VERSION_TEXT);
    }
}

/* A name of ours, or NULL after a complaint; `of` is what misses it. */
static const char *parse_name(struct loader *loader, const struct yaml_node *of,
                              const char *what)
{
    const struct yaml_node *node = yaml_get(of, "name");

    if (!node) {
        complain(loader, of, "a %s needs a name", what);
        return NULL;
    }
    const char *name = load_text(loader, node, "name");
    if (name && !load_name_is_good(name)) {
        complain(loader, node,
                 "'%s' is no name: letters, digits and _ . - are allowed, at "
                 "most %d",
                 shown(name).text, NAME_BYTES_MAX);
        return NULL;
    }
    return name;
}

/* The list `key` of the root, of 1 to `n_max` maps; NULL after a complaint. */
static const struct yaml_node *parse_list(struct loader *loader,
                                          const struct yaml_node *root,
                                          const char *key, size_t n_max)
{
    const struct yaml_node *list = yaml_get(root, key);

    if (!list)
        complain(loader, root, "%s are missing: a list of at least one", key);
    else if (list->kind != YAML_LIST || !list->n_items)
        complain(loader, list, "%s must be a list of at least one", key);
    else if (list->n_items > n_max)
        complain(loader, list, "%s has %zu entries; at most %zu are allowed",
                 key, list->n_items, n_max);
    else
        return list;
    return NULL;
}

static void parse_queue(struct loader *loader, const struct yaml_node *node)
{
    struct pipeline *p = loader->pipeline;
    struct queue *queue = &p->queues[p->n_queues];

    if (node->kind != YAML_MAP) {
        complain(loader, node, "a queue must be a map, as in {name: symbols}");
        return;
    }
    load_check_keys(loader, node, "a queue",
                    loader->legacy ? shape_of_older_queue : shape_of_queue);
    const struct yaml_node *description = yaml_get(node, "description");
    queue->name = parse_name(loader, node, "queue");
    queue->description =
        description && description->kind == YAML_TEXT ? description->text : "";
    if (!queue->name)
        return;
    for (size_t i = 0; i < p->n_queues; i++)
        if (!strcmp(p->queues[i].name, queue->name)) {
            complain(loader, yaml_get(node, "name"),
                     "queue '%s' is here a second time, after line %d",
                     queue->name, loader->queue_nodes[i]->line);
            return;
        }
    loader->queue_nodes[p->n_queues++] = node;
}

static void parse_queues(struct loader *loader, const struct yaml_node *root)
{
    const struct yaml_node *list =
        parse_list(loader, root, "queues", PIPELINE_QUEUES_MAX);

    if (!list)
        return;
    loader->pipeline->queues =
        load_alloc(loader, list->n_items, sizeof(struct queue));
    if (!loader->pipeline->queues)
        return;
    for (const struct yaml_node *n = list->first; n; n = n->next)
        parse_queue(loader, n);
}

/* The index of the queue that `node` names; -1 after a complaint. */
static int parse_queue_name(struct loader *loader, const struct yaml_node *node,
                            const char *what)
{
    const struct pipeline *p = loader->pipeline;
    const char *names[PIPELINE_QUEUES_MAX];
    const char *name = load_text(loader, node, what);

    if (!name)
        return -1;
    for (size_t i = 0; i < p->n_queues; i++) {
        names[i] = p->queues[i].name;
        if (!strcmp(names[i], name))
            return (int)i;
    }
    complain_unknown(loader, node, "queue", NULL, name, names, p->n_queues);
    return -1;
}

static void parse_outputs(struct loader *loader, struct worker *worker,
                          const struct yaml_node *list)
{
    if (list->kind != YAML_LIST) {
        complain(loader, list, "output_queues must be a list, as in [prices]");
        return;
    }
    if (list->n_items > PIPELINE_QUEUES_MAX) {
        complain(loader, list, "output_queues has more than %d entries",
                 PIPELINE_QUEUES_MAX);
        return;
    }
    worker->output_queues = load_alloc(loader, list->n_items, sizeof(int));
    if (!worker->output_queues)
        return;
    for (const struct yaml_node *n = list->first; n; n = n->next) {
        int queue = parse_queue_name(loader, n, "an output queue");
        for (size_t i = 0; i < worker->n_output_queues && queue >= 0; i++)
            if (worker->output_queues[i] == queue) {
                complain(loader, n, "queue '%s' is here a second time",
                         loader->pipeline->queues[queue].name);
                queue = -1;
            }
        if (queue >= 0)
            worker->output_queues[worker->n_output_queues++] = queue;
    }
}

static bool parse_class(struct loader *loader, const struct yaml_node *node,
                        enum worker_class *ret)
{
    static const char *names[CLASS_STORE + 1];
    const struct yaml_node *class = yaml_get(node, "class");

    if (!class) {
        complain(loader, node, "a worker needs a class");
        return false;
    }
    const char *name = load_text(loader, class, "class");
    if (!name)
        return false;
    for (int i = 0; i <= CLASS_STORE; i++) {
        names[i] = worker_class_name((enum worker_class)i);
        if (!strcmp(names[i], name)) {
            *ret = (enum worker_class)i;
            return true;
        }
    }
    complain_unknown(loader, class, "class", NULL, name, names,
                     CLASS_STORE + 1);
    return false;
}

static void parse_instances(struct loader *loader, struct worker *worker,
                            const struct yaml_node *node)
{
    struct shape shape = shape_of_instances(worker->class, &worker->instances);

    if (node)
        load_value(loader, node, "instances", &shape, &worker->instances);
}

/* What stands in input_values: pages to read, keys, or a file. */
static bool check_input_value(struct loader *loader,
                              const struct worker *worker,
                              const struct yaml_node *node)
{
    struct buffer host = BUFFER_EMPTY;
    bool good = true;

    switch (worker->class) {
    case CLASS_HTML_TABLE:
    case CLASS_JSON_LIST:
        if (strlen(node->text) > URL_BYTES_MAX ||
            !url_host(slice_of(node->text), &host)) {
            complain(loader, node,
                     "'%s' is no URL: http:// or https:// with a host, at "
                     "most %d bytes",
                     shown(node->text).text, URL_BYTES_MAX);
            good = false;
        }
        loader->out_of_memory |= host.failed;
        buffer_free(&host);
        return good;
    case CLASS_VALUES:
        if (!key_is_valid(slice_of(node->text))) {
            complain(loader, node,
                     "'%s' is no key: at most %d bytes without control "
                     "characters",
                     shown(node->text).text, KEY_BYTES_MAX);
            return false;
        }
        return true;
    default:
        return true;
    }
}

static void parse_input_values(struct loader *loader, struct worker *worker,
                               const struct yaml_node *of, bool legacy)
{
    const struct yaml_node *node = yaml_get(of, "input_values");
    bool pages =
        worker->class == CLASS_HTML_TABLE || worker->class == CLASS_JSON_LIST;
    struct shape shape;
    bool required = false;
    bool allowed = shape_of_input_values(worker->class, &shape, &required);

    if (!node) {
        if (required)
            complain(loader, of, "%s needs input_values: %s",
                     worker_class_name(worker->class),
                     pages ? "the URLs of the pages to read" : "the keys");
        return;
    }
    if (!allowed) {
        complain(loader, node, "%s takes no input_values",
                 worker_class_name(worker->class));
        return;
    }
    if (!load_texts(loader, node, "input_values", (size_t)shape.most,
                    &worker->input_values, &worker->n_input_values))
        return;
    if (!worker->n_input_values)
        complain(loader, node, "input_values is empty");
    const char **value = worker->input_values;
    for (const struct yaml_node *n = node->first; n; n = n->next, value++)
        if (check_input_value(loader, worker, n) && legacy)
            *value = legacy_url(loader, *value);
}

static void note_instances(struct loader *loader, const struct worker *worker,
                           const struct yaml_node *node)
{
    const struct yaml_node *instances = yaml_get(node, "instances");

    if (instances)
        loader->pipeline->notes[loader->pipeline->n_notes++] =
            (struct pipeline_note){
                instances->line, instances->column,
                load_printf(loader,
                            "instances of %s counted threads; it is ignored",
                            worker->name)};
}

/* Class, options, and all that depends on the class. */
static void parse_kind(struct loader *loader, struct worker *worker,
                       const struct yaml_node *node)
{
    bool legacy = yaml_get(node, "location");
    struct yaml_node *options = NULL;

    load_check_keys(loader, node, "a worker",
                    loader->legacy ? shape_of_older_worker : shape_of_worker);
    if (legacy ? !legacy_worker(loader, node, worker, &options)
               : !parse_class(loader, node, &worker->class))
        return;
    if (legacy)
        note_instances(loader, worker, node);
    else
        options = yaml_get(node, "options");
    parse_instances(loader, worker,
                    legacy ? NULL : yaml_get(node, "instances"));
    parse_input_values(loader, worker, node, legacy);
    parse_options(loader, worker, node, options);
}

static void parse_worker(struct loader *loader, const struct yaml_node *node)
{
    struct pipeline *p = loader->pipeline;
    struct worker *worker = &p->workers[p->n_workers];

    if (node->kind != YAML_MAP) {
        complain(loader, node,
                 "a worker must be a map: {name: ..., "
                 "class: ...}");
        return;
    }
    worker->index = (int)p->n_workers;
    worker->input_queue = -1;
    worker->name = parse_name(loader, node, "worker");
    for (size_t i = 0; i < p->n_workers && worker->name; i++)
        if (!strcmp(p->workers[i].name, worker->name))
            complain(loader, yaml_get(node, "name"),
                     "worker '%s' is here a second time, after line %d",
                     worker->name, loader->worker_nodes[i]->line);
    if (!worker->name)
        worker->name = "";
    loader->worker_nodes[p->n_workers++] = node;

    const struct yaml_node *input = yaml_get(node, "input_queue");
    const struct yaml_node *outputs = yaml_get(node, "output_queues");
    if (input)
        worker->input_queue = parse_queue_name(loader, input, "input_queue");
    if (outputs)
        parse_outputs(loader, worker, outputs);
    parse_kind(loader, worker, node);
}

static void parse_workers(struct loader *loader, const struct yaml_node *root)
{
    const struct yaml_node *list =
        parse_list(loader, root, "workers", PIPELINE_WORKERS_MAX);

    if (!list)
        return;
    struct pipeline *p = loader->pipeline;
    p->workers = load_alloc(loader, list->n_items, sizeof *p->workers);
    p->notes = load_alloc(loader, list->n_items, sizeof *p->notes);
    if (!p->workers || !p->notes)
        return;
    for (const struct yaml_node *n = list->first; n; n = n->next)
        parse_worker(loader, n);
}

void parse_pipeline(struct loader *loader, const struct yaml_node *root)
{
    if (root->kind != YAML_MAP) {
        complain(loader, root,
                 "a pipeline must be a map with version, name, "
                 "queues and workers");
        return;
    }
    loader->legacy = legacy_file(root);
    load_check_keys(loader, root, NULL, shape_of_file);
    parse_version(loader, root);
    if (yaml_get(root, "name")) {
        const char *name = parse_name(loader, root, "pipeline");
        if (name)
            loader->pipeline->name = name;
    }
    parse_queues(loader, root);
    if (!loader->out_of_memory)
        parse_workers(loader, root);
}
