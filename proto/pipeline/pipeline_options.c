/*
 * pipeline_options.c: a worker's `options`, by its class.
 *
 * One table says which class takes which option, its shape, who reads it, and
 * whether it must be there. A new option is a line, and a function where its
 * shape does not say it all.
 */
#include <stddef.h>

#include "pipeline/loader.h"
#include "pipeline/spell.h"

static const char *const robots_choices[] = {"ignore", "obey", NULL};
static const struct shape robots = SHAPE_OF_CHOICE(robots_choices);

static const char *const cache_choices[] = {"ignore", "revalidate", "obey",
                                            NULL};
static const struct shape cache = SHAPE_OF_CHOICE(cache_choices);

typedef void read_option(struct loader *loader, struct worker *worker,
                         const struct yaml_node *node);

static void read_table(struct loader *loader, struct worker *worker,
                       const struct yaml_node *node)
{
    const char *text = load_text(loader, node, "option 'table'");

    if (text) {
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
    }
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

static void read_list(struct loader *loader, struct worker *worker,
                      const struct yaml_node *node)
{
    worker->list.list = load_pointer(loader, node, "option 'list'");
}

static void read_key(struct loader *loader, struct worker *worker,
                     const struct yaml_node *node)
{
    worker->list.key = load_pointer(loader, node, "option 'key'");
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

static void read_robots(struct loader *loader, struct worker *worker,
                        const struct yaml_node *node)
{
    int place = 0;
    load_value(loader, node, "option 'robots'", &robots, &place);
    worker->request.robots = place == 1;
}

static void read_cache(struct loader *loader, struct worker *worker,
                       const struct yaml_node *node)
{
    int place = CACHE_IGNORE;
    load_value(loader, node, "option 'cache'", &cache, &place);
    worker->request.cache = (enum request_cache)place;
}

#define OF(class) (1u << (class))
#define OF_TABLE OF(CLASS_HTML_TABLE)
#define OF_LIST OF(CLASS_JSON_LIST)
#define OF_FETCHERS (OF(CLASS_HTTP_JSON) | OF(CLASS_HTTP_HTML))
#define OF_LISTS (OF_TABLE | OF_LIST)
#define OF_WEB (OF_LISTS | OF_FETCHERS)
#define OF_EXEC OF(CLASS_EXEC)
#define OF_JSON (OF(CLASS_HTTP_JSON) | OF_EXEC)
#define OF_STORE OF(CLASS_STORE)

#define TEXT SHAPE_OF_TEXT
#define POINTER SHAPE_OF_PATTERN(SHAPE_POINTER_PATTERN)
#define DURATION(least, most) SHAPE_OF_NUMBER(SHAPE_DURATION, least, most)
#define BYTES(least, most) SHAPE_OF_NUMBER(SHAPE_BYTES, least, most)
#define INTEGER(least, most) SHAPE_OF_NUMBER(SHAPE_INTEGER, least, most)
#define LIST(most, entry) SHAPE_OF_MANY(SHAPE_LIST, 0, most, entry)
#define MAP(from, to, of, names)                                               \
    {                                                                          \
        .kind = SHAPE_MAP, .least = (from), .most = (to), .entry = (of),       \
        .keys = (names)                                                        \
    }
#define FIELDS(of) MAP(1, PIPELINE_FIELDS_MAX, of, "^(?!fetched_at$)" NAMES)
#define COLUMNS MAP(1, PIPELINE_FIELDS_MAX, &shape_text, "^(?![Ii][Dd]$)" NAMES)
#define NAMES "[^\\u0000-,/:-@\\[-\\^`{-\\u007f]{1,63}$"
#define BOOLEAN                                                                \
    {                                                                          \
        .kind = SHAPE_BOOLEAN                                                  \
    }

static const struct shape any_text = {.kind = SHAPE_TEXT, .any_scalar = true};
static const struct shape unlimited = SHAPE_OF_PATTERN("^unlimited$");
/* A header that looks like a number is quoted. */
static const struct shape header = {.kind = SHAPE_TEXT, .least = 1};
#define IN_FLIGHT                                                              \
    {                                                                          \
        SHAPE_INTEGER, .least = 1, .most = PIPELINE_IN_FLIGHT_MAX,             \
                       .or = &unlimited                                        \
    }
#define COLUMN                                                                 \
    {                                                                          \
        SHAPE_INTEGER, .least = 1, .most = PIPELINE_COLUMN_NUMBER_MAX,         \
                       .or = &header                                           \
    }
#define KEY_AS_HOST "^[Hh][Tt][Tt][Pp][Ss]?://[{](key|symbol)[}]"
#define TOKEN "^[A-Za-z0-9!#$%&'*+.^_`|~-]+$" /* RFC 9110, 5.6.2 */
#define VARIABLE "^[A-Za-z_][A-Za-z0-9_]*$"
#define RATE_PATTERN "^([0-9]+\\.?[0-9]*|\\.[0-9]+)/[smh]$|^unlimited$"
/* name or schema.name */
#define TABLE_PATTERN                                                          \
    "^[^\\u0000-/:-@\\[-\\^`{-\\u007f]+(\\.[^\\u0000-/"                        \
    ":-@\\[-\\^`{-\\u007f]+)?$"
#define AT(place) offsetof(struct worker, place)

/* What the shape alone says is read into the worker at `at`; all else by
 * `read`. In the order of their names. */
static const struct option {
    struct member member;
    read_option *read;
    size_t at;
} options_table[] = {
    {{"adaptive", OF_WEB, 0, BOOLEAN, "false",
      "find the rate that the site bears; rate is the most that is tried"},
     .at = AT(request.adaptive)},
    {{"body_max", OF_FETCHERS, 0, BYTES(1024, 256LL << 20), "1MiB",
      "of an answer, unpacked"},
     .at = AT(request.body_bytes_max)},
    {{"body_max", OF_LISTS, 0, BYTES(1024, 256LL << 20), "8MiB",
      "of an answer, unpacked"},
     .at = AT(request.body_bytes_max)},
    {{"body_max", OF_EXEC, 0, BYTES(1024, 256LL << 20), "1MiB",
      "of a line that the program answers"},
     .at = AT(request.body_bytes_max)},
    {{"cache", OF_FETCHERS, 0, SHAPE_OF_CHOICE(cache_choices), "ignore",
      "of the answers of runs before: ask whether they have changed, or also "
      "obey how long they hold"},
     .read = read_cache},
    {{"column", OF_TABLE, OF_TABLE, COLUMN, NULL,
      "the column's header, or its number, from 1"},
     .read = read_column},
    {{"column", OF(CLASS_FILE), 0, TEXT, NULL,
      "the file is CSV with a header line; its column of this name"},
     .read = read_column},
    {{"columns", OF_STORE, OF_STORE, COLUMNS, NULL,
      "pairs of column and source: key, fetched_at, or a field"},
     .read = read_columns},
    {{"command", OF_EXEC, OF_EXEC,
      SHAPE_OF_MANY(SHAPE_LIST, 1, PROGRAM_ARGUMENTS_MAX, &shape_text), NULL,
      "the program and its arguments; no shell is between"},
     .read = read_command},
    {{"connect_timeout", OF_WEB, 0,
      DURATION(10 * USEC_PER_MSEC, 300 * USEC_PER_SEC), "5s",
      "until the connection stands"},
     .at = AT(request.connect_timeout)},
    {{"database", OF(CLASS_SQL), 0,
      SHAPE_OF_PATTERN("^(postgresql://|postgres://|sqlite:)"), NULL,
      "where the query is asked: postgresql://... or sqlite:FILE"},
     .read = read_database},
    {{"deny_private", OF_WEB, 0, BOOLEAN, "false",
      "refuse loopback, link-local and private addresses"},
     .at = AT(request.deny_private)},
    {{"env", OF_EXEC, 0, MAP(0, PROGRAM_VARIABLES_MAX, &any_text, VARIABLE),
      NULL, "variables of the program's environment, beside a few of ours"},
     .read = read_env},
    {{"fields", OF_JSON, 0, FIELDS(&json_field_shape), NULL,
      "what is taken out of each answer: JSON Pointers"},
     .read = read_fields},
    {{"fields", OF(CLASS_HTTP_HTML), OF(CLASS_HTTP_HTML),
      FIELDS(&html_field_shape), NULL,
      "what is taken out of each answer: XPaths"},
     .read = read_fields},
    {{"for_key", OF(CLASS_HTTP_JSON), 0, SHAPE_OF_MEMBERS(for_key_members),
      NULL, "with keys_per_request: where each key's part of the answer is"},
     .read = read_for_key},
    {{"headers", OF_WEB, 0, MAP(0, PIPELINE_HEADERS_MAX, &shape_text, TOKEN),
      NULL, "other headers that are sent"},
     .read = read_headers},
    {{"hold", OF_WEB, 0, DURATION(USEC_PER_MSEC, RETRY_AFTER_MAX), "5s",
      "first hold-back of a host that refuses without Retry-After"},
     .at = AT(request.hold)},
    {{"key", OF_LIST, 0, POINTER, "\"\"",
      "where the key is in each element; empty: the element itself"},
     .read = read_key},
    {{"key_replace", OF_FETCHERS, 0,
      MAP(0, PIPELINE_REPLACES_MAX, &any_text, NULL), NULL,
      "POSIX extended expressions, and what replaces a match in the URL"},
     .read = read_key_replace},
    {{"key_separator", OF(CLASS_HTTP_JSON), 0,
      SHAPE_OF_PATTERN(SHAPE_SEPARATOR_PATTERN), ",",
      "with keys_per_request: what stands between {keys}"},
     .read = read_separator},
    {{"keys_per_request", OF(CLASS_HTTP_JSON), 0,
      INTEGER(1, PIPELINE_REQUEST_KEYS_MAX), NULL,
      "how many keys one request asks for, as {keys} in its url"},
     .at = AT(request.keys_per_request)},
    {{"list", OF_LIST, 0, POINTER, "\"\"",
      "the array; empty: the document itself"},
     .read = read_list},
    {{"max_in_flight", OF_WEB, 0, IN_FLIGHT, "unlimited",
      "transfers in flight at each host, over all nodes"},
     .read = read_max_in_flight},
    {{"memory", OF_EXEC, 0, BYTES(16LL << 20, 1LL << 40), "1GiB",
      "that the program may allocate"},
     .at = AT(program.memory_bytes_max)},
    {{"path", OF(CLASS_FILE), 0, TEXT, NULL,
      "the file; a relative path begins at the pipeline's folder"},
     .at = AT(file.path)},
    {{"query", OF(CLASS_SQL), OF(CLASS_SQL), TEXT, NULL,
      "one SELECT; its first column is the key"},
     .at = AT(sql.query)},
    {{"rate", OF_WEB, 0, SHAPE_OF_PATTERN(RATE_PATTERN), "unlimited",
      "requests for each host, over all nodes: 20/s, 100/m, 1000/h, unlimited"},
     .read = read_rate},
    {{"redirects", OF_WEB, 0, INTEGER(0, 20), "3",
      "followed for one try, to http and https only"},
     .at = AT(request.redirects)},
    {{"refusals", OF_WEB, 0, LIST(PIPELINE_REFUSALS_MAX, &shape_text),
      "[\"Too Many Requests\"]",
      "texts in a short body that mean come back later, whatever the status"},
     .read = read_refusals},
    {{"require", OF_FETCHERS | OF_EXEC, 0,
      LIST(PIPELINE_REQUIRES_MAX, &shape_text), NULL,
      "conditions; a record that does not meet one is a failure"},
     .read = read_require},
    {{"retry", OF_WEB | OF_EXEC, 0, SHAPE_OF_MEMBERS(retry_members), NULL,
      "how often a key is tried, and the waits between"},
     .read = read_retry},
    {{"robots", OF_WEB, 0, SHAPE_OF_CHOICE(robots_choices), "ignore",
      "ask each host for its robots.txt first, and keep to it"},
     .read = read_robots},
    {{"rows", OF_JSON, 0,
      MAP(1, PIPELINE_ROW_SETS_MAX, &row_set_shape, "^" NAMES), NULL,
      "several rows out of each answer: arrays, or an array of objects"},
     .read = read_rows},
    {{"rows", OF_STORE, 0, TEXT, NULL,
      "a row for each element of these rows of the fetcher, not one a record"},
     .at = AT(sink.rows)},
    {{"table", OF_TABLE, 0, TEXT, NULL, "the table's id"}, NULL, AT(table.id)},
    {{"table", OF_STORE, OF_STORE, SHAPE_OF_PATTERN(TABLE_PATTERN), NULL,
      "the table that rows go to: name or schema.name"},
     .read = read_table},
    {{"table_class", OF_TABLE, 0, TEXT, NULL, "or one of the table's classes"},
     .at = AT(table.class)},
    {{"table_xpath", OF_TABLE, 0, TEXT, NULL, "or an XPath to the table"},
     .read = read_table_xpath},
    {{"timeout", OF_WEB, 0, DURATION(10 * USEC_PER_MSEC, 3600 * USEC_PER_SEC),
      "30s", "of one transfer, all in all"},
     .at = AT(request.timeout)},
    {{"timeout", OF_EXEC, 0, DURATION(10 * USEC_PER_MSEC, 3600 * USEC_PER_SEC),
      "30s", "of one answer; beyond it the program is started anew"},
     .at = AT(request.timeout)},
    {{"url", OF_FETCHERS, OF_FETCHERS,
      SHAPE_OF_PATTERN(SHAPE_URL_PATTERN
                       ".*[{](key|keys|symbol)[}]|" KEY_AS_HOST),
      NULL, "a template with {key}, or with {keys}"},
     .read = read_url},
    {{"user_agent", OF_WEB, 0, TEXT, "\"" REQUEST_USER_AGENT "\"",
      "the header User-Agent"},
     .read = read_user_agent},
};
#define N_OPTIONS (sizeof options_table / sizeof *options_table)

const struct member *shape_option(size_t i)
{
    return i < N_OPTIONS ? &options_table[i].member : NULL;
}

/* The classes that take it, as "a, b"; NULL: none does. */
static const char *classes_with(struct loader *loader, const char *name)
{
    unsigned classes = 0;
    const char *ret = NULL;

    for (size_t i = 0; i < N_OPTIONS; i++)
        if (!strcmp(options_table[i].member.name, name))
            classes |= options_table[i].member.classes;
    for (unsigned class = 0; class <= CLASS_STORE; class ++)
        if (classes & OF(class)) {
            const char *one = worker_class_name((enum worker_class) class);
            ret = ret ? load_printf(loader, "%s, %s", ret, one) : one;
        }
    return ret;
}

static void complain_option(struct loader *loader, const struct worker *worker,
                            const struct yaml_node *key)
{
    const char *allowed[N_OPTIONS];
    size_t n = 0;

    for (size_t i = 0; i < N_OPTIONS; i++)
        if (options_table[i].member.classes & OF(worker->class))
            allowed[n++] = options_table[i].member.name;
    const char *class = worker_class_name(worker->class);
    const char *near = spell_nearest(key->text, allowed, n);
    const char *others = near ? NULL : classes_with(loader, key->text);
    if (!n)
        complain(loader, key, "%s takes no options", class);
    else if (others)
        complain(loader, key, "option '%s' is for %s, not for %s", key->text,
                 others, class);
    else
        complain_unknown_near(loader, key, "option", class, key->text, allowed,
                              n, near);
}

static void read_plain(struct loader *loader, struct worker *worker,
                       const struct option *option,
                       const struct yaml_node *node)
{
    const char *what = load_printf(loader, "option '%s'", option->member.name);

    if (what)
        load_value(loader, node, what, &option->member.shape,
                   (char *)worker + option->at);
}

static void parse_option(struct loader *loader, struct worker *worker,
                         const struct yaml_node *node)
{
    for (size_t i = 0; i < N_OPTIONS; i++) {
        const struct option *option = &options_table[i];
        if (option->member.classes & OF(worker->class) &&
            !strcmp(option->member.name, node->key->text)) {
            if (option->read)
                option->read(loader, worker, node);
            else
                read_plain(loader, worker, option, node);
            return;
        }
    }
    complain_option(loader, worker, node->key);
}

static void set_defaults(struct worker *worker)
{
    if (OF(worker->class) & OF_WEB)
        request_defaults(&worker->request,
                         worker_class_is_fetcher(worker->class));
    if (worker->class == CLASS_EXEC)
        exec_defaults(worker);
    if (worker->class == CLASS_JSON_LIST)
        worker->list = (struct list_source){.list = "", .key = ""};
}

/* A file's name from one of two places. */
static void check_file(struct loader *loader, struct worker *worker,
                       const struct yaml_node *node)
{
    const struct yaml_node *path = yaml_get(node, "path");

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
    if (worker->file.path && strstr(worker->file.path, "://"))
        complain(loader, path ? path : node,
                 "a file is on this machine, and '%.200s' is not: a list on "
                 "the web is read by html_table or json_list",
                 worker->file.path);
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
    if (OF(worker->class) & OF_JSON && !yaml_get(node, "fields") &&
        !yaml_get(node, "rows"))
        complain(loader, node, "%s needs option 'fields', or 'rows'",
                 worker_class_name(worker->class));
    if (worker->request.adaptive && !(worker->request.rate > 0))
        complain(loader, node,
                 "adaptive needs a rate: the most that it may try");
    if (worker_class_is_fetcher(worker->class))
        check_several(loader, worker, node);
    if (worker->request.cache != CACHE_IGNORE &&
        (worker->n_sets || worker->request.keys_per_request))
        complain(loader, yaml_get(node, "cache")->key,
                 worker->n_sets ? "cache remembers fields, not rows: leave one "
                                  "of the two out"
                                : "cache remembers what a URL answered for one "
                                  "key: leave keys_per_request out, or cache");
    /* A Crawl-delay holds over all nodes, as a part of each one's share. */
    if (worker->request.robots && !(worker->request.rate > 0))
        worker->request.rate = PIPELINE_RATE_MAX;
    if (worker->class == CLASS_FILE)
        check_file(loader, worker, node);
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
        if (options_table[i].member.required & OF(worker->class) &&
            !(options && yaml_get(options, options_table[i].member.name)))
            complain(loader, options ? options : node, "%s needs option '%s'",
                     worker_class_name(worker->class),
                     options_table[i].member.name);
    check_together(loader, worker, options ? options : node);
    parse_values(loader, worker);
}
