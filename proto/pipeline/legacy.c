/*
 * legacy.c: files of the older Python pipelines, which run as they are.
 *
 * Their workers name a module (location) and a class; Windrow's own workers
 * take their place. What those do is written here as the YAML options that
 * somebody would write today, so that it goes the same way through
 * pipeline_options.c as everything else.
 */
#include "pipeline/expand.h"

#define WIKIPEDIA "https://en.wikipedia.org"

static const struct builtin {
    const char *location;
    const char *class;
    enum worker_class is;
    const char *options;
} builtins[] = {
    {"workers.WikiWorker", "WikiWorkerMasterScheduler", CLASS_HTML_TABLE,
     "table: constituents\n"
     "column: Symbol\n"
     "user_agent: windrow/" WINDROW_VERSION
     " (${WINDROW_CONTACT:-no contact given})\n"},
    {"workers.YahooFinanceWorkers", "YahooFinancePriceScheduler",
     CLASS_HTTP_JSON,
     "url: ${YAHOO_URL:-https://query1.finance.yahoo.com}/v8/finance/chart/"
     "{key}?range=1d&interval=1d\n"
     "key_replace: {'^([A-Z]+)\\.([AB])$': '\\1-\\2'}\n"
     "fields: {price: /chart/result/0/meta/regularMarketPrice}\n"
     "retry: {attempts: 5, backoff: 500ms, backoff_max: 30s}\n"
     "timeout: 30s\n"
     "rate: ${YAHOO_RATE:-20/s}\n"
     "max_in_flight: ${YAHOO_IN_FLIGHT:-10}\n"},
    {"workers.PostgresWorker", "PostgresMasterScheduler", CLASS_STORE,
     "table: prices\n"
     "columns: {symbol: key, price: price, extracted_time: fetched_at}\n"},
};
#define N_BUILTINS (sizeof builtins / sizeof *builtins)

bool shape_older_worker(size_t i, const char **ret_location,
                        const char **ret_class)
{
    if (i >= N_BUILTINS)
        return false;
    *ret_location = builtins[i].location;
    *ret_class = builtins[i].class;
    return true;
}

bool legacy_file(const struct yaml_node *root)
{
    const struct yaml_node *workers = yaml_get(root, "workers");

    if (yaml_get(root, "version") || !workers)
        return false;
    for (const struct yaml_node *n = workers->first; n; n = n->next)
        if (yaml_get(n, "location"))
            return true;
    return false;
}

static const struct builtin *find_builtin(struct loader *loader,
                                          const struct yaml_node *node)
{
    const char *locations[N_BUILTINS];
    const char *name = load_text(loader, node, "location");

    if (!name)
        return NULL;
    for (size_t i = 0; i < N_BUILTINS; i++) {
        locations[i] = builtins[i].location;
        if (!strcmp(locations[i], name))
            return &builtins[i];
    }
    complain_unknown(loader, node, "location", NULL, name, locations,
                     N_BUILTINS);
    return NULL;
}

static bool check_class(struct loader *loader, const struct yaml_node *node,
                        const struct builtin *builtin)
{
    const struct yaml_node *class = yaml_get(node, "class");

    if (!class) {
        complain(loader, node, "a worker needs a class");
        return false;
    }
    const char *name = load_text(loader, class, "class");
    if (name && strcmp(name, builtin->class))
        complain_unknown(loader, class, "class", NULL, name, &builtin->class,
                         1);
    return name && !strcmp(name, builtin->class);
}

/* The options stand where the class stands, for complaints about them. */
static void place(struct yaml_node *node, const struct yaml_node *at)
{
    node->line = at->line;
    node->column = at->column;
    if (node->key)
        place(node->key, at);
    for (struct yaml_node *item = node->first; item; item = item->next)
        place(item, at);
}

bool legacy_worker(struct loader *loader, const struct yaml_node *node,
                   struct worker *worker, struct yaml_node **ret_options)
{
    const struct builtin *builtin =
        find_builtin(loader, yaml_get(node, "location"));
    struct yaml_problem problem;
    struct error err = ERROR_NONE;

    if (!builtin || !check_class(loader, node, builtin))
        return false;
    worker->class = builtin->is;
    int failed =
        yaml_tree_parse(slice_of(builtin->options), &loader->pipeline->arena,
                        ret_options, &problem, &err);
    CHECK(failed != ERR_PIPELINE);
    if (failed) {
        loader->out_of_memory = true;
        return false;
    }
    place(*ret_options, yaml_get(node, "class"));
    expand_tree(loader, *ret_options);
    return true;
}

const char *legacy_url(struct loader *loader, const char *url)
{
    const char *instead = settings_get(loader->settings, "WIKIPEDIA_URL");
    size_t len = strlen(WIKIPEDIA);

    if (!instead || !*instead || strncmp(url, WIKIPEDIA, len) ||
        (url[len] && url[len] != '/'))
        return url;
    size_t bytes = strlen(instead) + strlen(url + len) + 1;
    char *copy = load_alloc(loader, 1, bytes);
    if (copy)
        stpcpy(stpcpy(copy, instead), url + len);
    return copy ? copy : url;
}
