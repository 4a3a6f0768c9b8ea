/*
 * pipeline_options.c: a worker's `options`, by its class.
 *
 * One table says which class takes which option, who reads it, and whether
 * it must be there. A new option is a line and a function.
 */
#include "pipeline/loader.h"

typedef void read_option(struct loader *loader, struct worker *worker,
                         const struct yaml_node *node);

static void read_table(struct loader *loader, struct worker *worker,
                       const struct yaml_node *node)
{
    const char *text = load_text(loader, node, "option 'table'");

    if (text && worker->class == CLASS_STORE) {
        const char *dot = strchr(text, '.');
        const char *base = dot ? dot + 1 : text;
        if (!load_name_is_good(text) || dot == text || strchr(base, '.') ||
            !*base || strchr(text, '-'))
            complain(loader, node,
                     "'%s' is no table: name or schema.name of letters, "
                     "digits and _ is allowed",
                     shown(text).text);
        else if (!strncasecmp(base, "windrow_", 8))
            complain(loader, node, "tables named windrow_... are the ledger's");
        else
            worker->sink.table = text;
    } else if (text) {
        worker->table.id = text;
    }
}

static void read_table_class(struct loader *loader, struct worker *worker,
                             const struct yaml_node *node)
{
    worker->table.class = load_text(loader, node, "option 'table_class'");
}

static void read_table_xpath(struct loader *loader, struct worker *worker,
                             const struct yaml_node *node)
{
    const char *xpath = load_text(loader, node, "option 'table_xpath'");
    if (xpath && check_xpath(loader, node, xpath))
        worker->table.xpath = xpath;
}

/* Of html_table a header's text or a number; of file a header's text. */
static void read_column(struct loader *loader, struct worker *worker,
                        const struct yaml_node *node)
{
    const char *text = load_text(loader, node, "option 'column'");
    int64_t number;

    if (!text)
        return;
    if (worker->class == CLASS_FILE)
        worker->file.column = text;
    else if (!node->plain || strspn(text, "-0123456789") != strlen(text))
        worker->table.column = text;
    else if (load_integer(loader, node, "option 'column'", 1,
                          PIPELINE_COLUMN_NUMBER_MAX, &number))
        worker->table.column_number = (int)number;
}

/* A pointer, which may be "" (the document). */
static const char *read_pointer(struct loader *loader,
                                const struct yaml_node *node, const char *what)
{
    if (node->kind == YAML_TEXT && !node->plain && !*node->text)
        return node->text;
    const char *pointer = load_text(loader, node, what);
    return pointer && check_pointer(loader, node, pointer) ? pointer : "";
}

static void read_list(struct loader *loader, struct worker *worker,
                      const struct yaml_node *node)
{
    worker->list.list = read_pointer(loader, node, "option 'list'");
}

static void read_key(struct loader *loader, struct worker *worker,
                     const struct yaml_node *node)
{
    worker->list.key = read_pointer(loader, node, "option 'key'");
}

static void read_path(struct loader *loader, struct worker *worker,
                      const struct yaml_node *node)
{
    worker->file.path = load_text(loader, node, "option 'path'");
}

static void read_query(struct loader *loader, struct worker *worker,
                       const struct yaml_node *node)
{
    worker->sql.query = load_text(loader, node, "option 'query'");
}

static void read_database(struct loader *loader, struct worker *worker,
                          const struct yaml_node *node)
{
    const char *url = load_text(loader, node, "option 'database'");

    if (!url)
        return;
    if (settings_database_url_is_good(url))
        worker->sql.database = url;
    else /* not shown: it may hold a password */
        complain(loader, node,
                 "option 'database' must begin with postgresql://, "
                 "postgres:// or sqlite:");
}

static void read_timeout(struct loader *loader, struct worker *worker,
                         const struct yaml_node *node)
{
    load_duration(loader, node, "option 'timeout'", 10 * USEC_PER_MSEC,
                  3600 * USEC_PER_SEC, &worker->request.timeout);
}

static void read_connect_timeout(struct loader *loader, struct worker *worker,
                                 const struct yaml_node *node)
{
    load_duration(loader, node, "option 'connect_timeout'", 10 * USEC_PER_MSEC,
                  300 * USEC_PER_SEC, &worker->request.connect_timeout);
}

static void read_hold(struct loader *loader, struct worker *worker,
                      const struct yaml_node *node)
{
    load_duration(loader, node, "option 'hold'", USEC_PER_MSEC, RETRY_AFTER_MAX,
                  &worker->request.hold);
}

static void read_body_max(struct loader *loader, struct worker *worker,
                          const struct yaml_node *node)
{
    load_bytes(loader, node, "option 'body_max'", 1024, 256LL << 20,
               &worker->request.body_bytes_max);
}

static void read_redirects(struct loader *loader, struct worker *worker,
                           const struct yaml_node *node)
{
    int64_t redirects;
    if (load_integer(loader, node, "option 'redirects'", 0, 20, &redirects))
        worker->request.redirects = (int)redirects;
}

static void read_adaptive(struct loader *loader, struct worker *worker,
                          const struct yaml_node *node)
{
    load_boolean(loader, node, "option 'adaptive'", &worker->request.adaptive);
}

static void read_robots(struct loader *loader, struct worker *worker,
                        const struct yaml_node *node)
{
    const char *text = load_text(loader, node, "option 'robots'");
    if (!text)
        return;
    if (strcmp(text, "obey") != 0 && strcmp(text, "ignore") != 0)
        complain(loader, node,
                 "option 'robots' is '%s'; obey or ignore is allowed",
                 shown(text).text);
    worker->request.robots = !strcmp(text, "obey");
}

static void read_deny_private(struct loader *loader, struct worker *worker,
                              const struct yaml_node *node)
{
    load_boolean(loader, node, "option 'deny_private'",
                 &worker->request.deny_private);
}

#define OF(class) (1u << (class))
#define OF_TABLE OF(CLASS_HTML_TABLE)
#define OF_LIST OF(CLASS_JSON_LIST)
#define OF_FETCHERS (OF(CLASS_HTTP_JSON) | OF(CLASS_HTTP_HTML))
#define OF_WEB (OF_TABLE | OF_LIST | OF_FETCHERS)
#define OF_STORE OF(CLASS_STORE)

static const struct option {
    const char *name;
    unsigned classes;
    unsigned required; /* of these classes */
    read_option *read;
} options_table[] = {
    {"adaptive", OF_WEB, 0, read_adaptive},
    {"body_max", OF_WEB, 0, read_body_max},
    {"column", OF_TABLE | OF(CLASS_FILE), OF_TABLE, read_column},
    {"columns", OF_STORE, OF_STORE, read_columns},
    {"connect_timeout", OF_WEB, 0, read_connect_timeout},
    {"database", OF(CLASS_SQL), 0, read_database},
    {"deny_private", OF_WEB, 0, read_deny_private},
    {"fields", OF_FETCHERS, OF_FETCHERS, read_fields},
    {"headers", OF_WEB, 0, read_headers},
    {"hold", OF_WEB, 0, read_hold},
    {"key", OF_LIST, 0, read_key},
    {"key_replace", OF_FETCHERS, 0, read_key_replace},
    {"list", OF_LIST, 0, read_list},
    {"max_in_flight", OF_WEB, 0, read_max_in_flight},
    {"path", OF(CLASS_FILE), 0, read_path},
    {"query", OF(CLASS_SQL), OF(CLASS_SQL), read_query},
    {"rate", OF_WEB, 0, read_rate},
    {"redirects", OF_WEB, 0, read_redirects},
    {"refusals", OF_WEB, 0, read_refusals},
    {"retry", OF_WEB, 0, read_retry},
    {"robots", OF_WEB, 0, read_robots},
    {"table", OF_TABLE | OF_STORE, OF_STORE, read_table},
    {"table_class", OF_TABLE, 0, read_table_class},
    {"table_xpath", OF_TABLE, 0, read_table_xpath},
    {"timeout", OF_WEB, 0, read_timeout},
    {"url", OF_FETCHERS, OF_FETCHERS, read_url},
    {"user_agent", OF_WEB, 0, read_user_agent},
};
#define N_OPTIONS (sizeof options_table / sizeof *options_table)

static void complain_option(struct loader *loader, const struct worker *worker,
                            const struct yaml_node *key)
{
    const char *allowed[N_OPTIONS];
    size_t n = 0;

    for (size_t i = 0; i < N_OPTIONS; i++)
        if (options_table[i].classes & OF(worker->class))
            allowed[n++] = options_table[i].name;
    const char *class = worker_class_name(worker->class);
    if (n)
        complain_unknown(loader, key, "option", class, key->text, allowed, n);
    else
        complain(loader, key, "%s takes no options", class);
}

static void parse_option(struct loader *loader, struct worker *worker,
                         const struct yaml_node *node)
{
    for (size_t i = 0; i < N_OPTIONS; i++)
        if (options_table[i].classes & OF(worker->class) &&
            !strcmp(options_table[i].name, node->key->text)) {
            options_table[i].read(loader, worker, node);
            return;
        }
    complain_option(loader, worker, node->key);
}

static void set_defaults(struct worker *worker)
{
    if (OF(worker->class) & OF_WEB)
        request_defaults(&worker->request,
                         worker_class_is_fetcher(worker->class));
    if (worker->class == CLASS_JSON_LIST)
        worker->list = (struct list_source){.list = "", .key = ""};
}

/* What no option says by itself. */
static void check_together(struct loader *loader, struct worker *worker,
                           const struct yaml_node *node)
{
    const struct table_source *table = &worker->table;

    if (worker->class == CLASS_HTML_TABLE &&
        !!table->id + !!table->class + !!table->xpath > 1)
        complain(loader, node,
                 "only one of table, table_class and "
                 "table_xpath can say which table it is");
    if (worker->class == CLASS_HTML_TABLE && table->column_number &&
        !table->id && !table->class && !table->xpath)
        complain(loader, node,
                 "a column by number needs one of table, "
                 "table_class and table_xpath");
    if (worker->request.adaptive && !(worker->request.rate > 0))
        complain(loader, node,
                 "adaptive needs a rate: the most that it may try");
    /* A Crawl-delay holds over all nodes, as a part of each one's share. */
    if (worker->request.robots && !(worker->request.rate > 0))
        worker->request.rate = PIPELINE_RATE_MAX;
    if (worker->class != CLASS_FILE)
        return;
    if (!worker->file.path && worker->n_input_values)
        worker->file.path = worker->input_values[0];
    else if (worker->file.path && worker->n_input_values)
        complain(loader, node,
                 "the file is named twice, in input_values and "
                 "by option 'path'");
    else if (!worker->file.path)
        complain(loader, node,
                 "file needs option 'path', or one "
                 "input value");
}

void parse_options(struct loader *loader, struct worker *worker,
                   const struct yaml_node *node,
                   const struct yaml_node *options)
{
    set_defaults(worker);
    if (options && !load_map(loader, options, "options", YAML_ITEMS_MAX))
        return;
    for (const struct yaml_node *n = options ? options->first : NULL; n;
         n = n->next)
        parse_option(loader, worker, n);
    for (size_t i = 0; i < N_OPTIONS; i++)
        if (options_table[i].required & OF(worker->class) &&
            !(options && yaml_get(options, options_table[i].name)))
            complain(loader, options ? options : node, "%s needs option '%s'",
                     worker_class_name(worker->class), options_table[i].name);
    check_together(loader, worker, options ? options : node);
}
