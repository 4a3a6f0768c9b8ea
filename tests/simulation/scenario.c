/*
 * scenario.c: see scenario.h.
 *
 * Everything is drawn in one fixed order, whatever the narrowing, so that a
 * narrowed scenario differs from the full one only in what was left out.
 */
#include "scenario.h"

#include <inttypes.h>

#include "pipeline/pipeline.h"
#include "random.h"
#include "rare.h"

enum {
    SHAPE_PLAIN,     /* html_table, fetcher, store */
    SHAPE_TWO_LISTS, /* two sources that share keys, one queue */
    SHAPE_CHAIN,     /* fetcher after fetcher */
    SHAPE_RIVALS,    /* two fetchers read one queue */
    SHAPE_TWO_SINKS, /* a record goes to two stores */
    SHAPE_VALUES,    /* the keys stand in the file */
    SHAPE_SQL,       /* a source that comes in pages */
    SHAPE_INPUTS,    /* one source with two pages */
    SHAPE_FORK,      /* a record is stored and its key fetched again */
    SHAPE_TWO_STORES /* two stores share one queue */,
    SHAPE_COUNT
};

static const char *const shape_names[SHAPE_COUNT] = {
    "plain",  "two lists", "chain",      "rivals", "two sinks",
    "values", "sql",       "two inputs", "fork",   "two stores"};

const char *fault_type_name(enum fault_type type)
{
    static const char *const names[FAULT_TYPE_COUNT] = {
        "kill",     "crash",      "pause",       "slow",        "leave",
        "join",     "cut-losing", "cut-late",    "master-kill", "master-pause",
        "takeover", "stop",       "ledger-away", "sleep",       "wrong-db"};
    return names[type];
}

const char *noise_type_name(enum noise_type type)
{
    static const char *const names[NOISE_TYPE_COUNT] = {
        "loss",          "duplicate",     "reorder",       "delay",
        "cut-short",     "stranger",      "memory",        "lost-answer",
        "ledger-hiccup", "web-permanent", "web-transient", "web-redirect",
        "web-slow",      "poison",        "data",          "source"};
    return names[type];
}

static void draw_pipeline(struct rng *rng, struct scenario *s)
{
    s->shape = (int)random_range(rng, 0, SHAPE_COUNT - 1);
    s->nodes = (int)random_range(rng, 1, SCENARIO_NODES_DRAWN);
    int most = random_permille(rng, 300) ? SCENARIO_KEYS_DRAWN : 60;
    s->keys = (int)random_range(rng, 1, most);
    double least_rate = (double)most / 60;
    bool rated = random_permille(rng, 300);
    double rate = least_rate + (double)random_range(rng, 0, 400) / 10;
    s->rate = rated ? rate : 0;
    bool bounded = random_permille(rng, 300);
    int in_flight = (int)random_range(rng, 1, 20);
    s->in_flight = bounded ? in_flight : 0;
    s->attempts = (int)random_range(rng, 1, 5);
    s->instances = (int)random_range(rng, 1, 64);
    bool sized = random_permille(rng, 600);
    int most_keys = random_permille(rng, 500) ? 60 : 2;
    int batch_keys = (int)random_range(rng, 1, most_keys);
    s->batch_keys = sized ? batch_keys : 0;
    bool limited = random_permille(rng, 100);
    int limit = (int)random_range(rng, 1, 20);
    s->key_limit = limited && s->shape == SHAPE_PLAIN ? limit : 0;
    s->new_keys = random_permille(rng, 500);
    s->many_hosts = random_permille(rng, 150);
    s->local = random_permille(rng, 500);
    s->serve = random_permille(rng, 500) && !s->local;
    int runs = (int)random_range(rng, 1, SCENARIO_RUNS_MAX);
    s->runs = s->serve ? runs : 1;
}

/* Rates that adapt, and sites whose robots.txt asks for a pause. */
static void draw_manners(struct rng *rng, struct scenario *s)
{
    bool adaptive = random_permille(rng, 400);
    bool robots = random_permille(rng, 400);
    usec_t most = random_range(rng, 20, 400) * USEC_PER_MSEC;
    s->adaptive = adaptive && s->rate > 0;
    s->crawl_delay = robots && s->rate > 0 ? most : 0;
}

/* Requests for several keys, which are asked of one host. */
static void draw_together(struct rng *rng, struct scenario *s)
{
    bool together = random_permille(rng, 350);
    int most = random_permille(rng, 500) ? 20 : 4;
    int keys = (int)random_range(rng, 1, most);
    s->together = together && !s->many_hosts ? keys : 0;
}

static void draw_times(struct rng *rng, struct scenario *s)
{
    s->timeout = random_range(rng, 1, 20) * USEC_PER_SEC;
    s->backoff = random_range(rng, 10, 1000) * USEC_PER_MSEC;
    s->hold = random_range(rng, 100, 3000) * USEC_PER_MSEC;
    s->heartbeat = USEC_PER_SEC;
    s->lease = 3 * USEC_PER_SEC;
    s->batch_time = random_range(rng, 3, 60) * USEC_PER_SEC;
    s->close_after = random_range(rng, 200, 5000) * USEC_PER_MSEC;
    s->speculate_after = random_range(rng, 500, 6000) * USEC_PER_MSEC;
    usec_t slowest = random_permille(rng, 300) ? 4000 : 800;
    s->latency_max = random_range(rng, 5, slowest) * USEC_PER_MSEC;
    bool impatient = random_permille(rng, 100);
    usec_t wait = random_range(rng, 2, 10) * USEC_PER_SEC;
    s->database_wait = impatient ? wait : 600 * USEC_PER_SEC;
}

/* A third of the seeds have no noise at all; the rest have each kind with
 * even odds. */
static void draw_noise(struct rng *rng, struct scenario *s)
{
    static const int most[NOISE_TYPE_COUNT] = {[NOISE_LOSS] = 300,
                                               [NOISE_DUPLICATE] = 300,
                                               [NOISE_REORDER] = 1000,
                                               [NOISE_DELAY] = 1000,
                                               [NOISE_LOST_ANSWER] = 300,
                                               [NOISE_LEDGER_HICCUP] = 300,
                                               [NOISE_CUT_SHORT] = 100,
                                               [NOISE_STRANGER] = 500,
                                               [NOISE_MEMORY] = 5,
                                               [NOISE_WEB_PERMANENT] = 300,
                                               [NOISE_WEB_TRANSIENT] = 600,
                                               [NOISE_WEB_REDIRECT] = 300,
                                               [NOISE_WEB_SLOW] = 200,
                                               [NOISE_POISON] = 2,
                                               [NOISE_DATA] = 5,
                                               [NOISE_SOURCE] = 500};
    bool calm = random_permille(rng, 330);
    for (int i = 0; i < NOISE_TYPE_COUNT; i++) {
        int odds = i == NOISE_POISON ? 200 : 500;
        bool on = random_permille(rng, odds);
        int level = (int)random_range(rng, 1, most[i]);
        s->noise[i] = on && !calm ? level : 0;
    }
}

/* Half of the seeds with faults have a theme: most of theirs are of two kinds,
 * so that each is seen close upon itself and the other. */
static void draw_faults(struct rng *rng, struct scenario *s)
{
    bool calm = random_permille(rng, 150);
    size_t n = (size_t)random_range(rng, 0, SCENARIO_FAULTS_MAX);
    usec_t span_max = random_permille(rng, 700) ? 12 : 60;
    usec_t span = random_range(rng, 2, span_max) * USEC_PER_SEC;
    bool themed = random_permille(rng, 500);
    enum fault_type themes[2];
    for (int i = 0; i < 2; i++)
        themes[i] = (enum fault_type)random_range(rng, 0, FAULT_TYPE_COUNT - 1);
    for (size_t i = 0; i < n; i++) {
        struct fault *fault = &s->faults[i];
        fault->type =
            (enum fault_type)random_range(rng, 0, FAULT_TYPE_COUNT - 1);
        if (random_permille(rng, 700) && themed)
            fault->type = themes[i % 2];
        fault->at = random_range(rng, 0, span);
        usec_t most = (random_permille(rng, 500) ? 2 : 20) * USEC_PER_SEC;
        fault->length = random_range(rng, 50 * USEC_PER_MSEC, most);
        fault->node = (int)random_range(rng, 0, SCENARIO_NODES_MAX - 1);
    }
    s->n_faults = calm ? 0 : n;
}

/* Two crashes can't make a key look like poison, three could; and a key that
 * is poison makes one itself. The second one follows soon, when what the first
 * one left behind runs alone. */
static void bound_crashes(struct scenario *s)
{
    int left = s->noise[NOISE_POISON] ? 1 : 2;
    usec_t first = USEC_NEVER;
    for (size_t i = 0; i < s->n_faults; i++) {
        struct fault *fault = &s->faults[i];
        if (fault->type != FAULT_CRASH)
            continue;
        if (left-- <= 0)
            fault->type = FAULT_KILL;
        else if (first != USEC_NEVER)
            fault->at = first + fault->at % (4 * USEC_PER_SEC);
        else
            first = fault->at;
    }
}

static void simplify(struct scenario *s, enum frill frill)
{
    switch (frill) {
    case FRILL_SHAPE:
        s->shape = SHAPE_PLAIN;
        break;
    case FRILL_BUDGET:
        s->rate = 0;
        s->in_flight = 0;
        s->adaptive = false;
        s->crawl_delay = 0;
        break;
    case FRILL_INSTANCES:
        s->instances = s->instances < 4 ? s->instances : 4;
        break;
    case FRILL_LIMIT:
        s->key_limit = 0;
        break;
    case FRILL_NEW_KEYS:
        s->new_keys = false;
        break;
    case FRILL_HOSTS:
        s->many_hosts = false;
        break;
    case FRILL_RUNS:
        s->runs = 1;
        break;
    case FRILL_SERVE:
        s->serve = false;
        s->runs = 1;
        break;
    case FRILL_LATENCY:
        if (s->latency_max > 50 * USEC_PER_MSEC)
            s->latency_max = 50 * USEC_PER_MSEC;
        break;
    case FRILL_SHORT_TIME:
        s->batch_time = 60 * USEC_PER_SEC;
        break;
    case FRILL_ADAPTIVE:
        s->adaptive = false;
        break;
    case FRILL_CRAWL_DELAY:
        s->crawl_delay = 0;
        break;
    case FRILL_TOGETHER:
        s->together = 0;
        break;
    case FRILL_COUNT:
        break;
    }
}

static void narrow(struct scenario *s, const struct narrowing *narrowing)
{
    if (narrowing->nodes > 0)
        s->nodes = narrowing->nodes;
    if (narrowing->keys > 0)
        s->keys = narrowing->keys;
    if (s->shape == SHAPE_VALUES && s->keys > PIPELINE_INPUT_VALUES_MAX)
        s->shape = SHAPE_PLAIN; /* a file does not hold so many */
    for (int i = 0; i < NOISE_TYPE_COUNT; i++)
        if (narrowing->without >> (NARROWING_NOISE_BIT + i) & 1)
            s->noise[i] = 0;
    for (size_t i = 0; i < s->n_faults; i++)
        if (narrowing->without >> i & 1)
            s->faults[i].at = USEC_NEVER;
    for (int i = 0; i < FRILL_COUNT; i++)
        if (narrowing->without >> (NARROWING_FRILL_BIT + i) & 1)
            simplify(s, (enum frill)i);
}

void scenario_make(uint64_t seed, const struct narrowing *narrowing,
                   enum plant plant, struct scenario *ret)
{
    *ret = (struct scenario){.seed = seed, .plant = plant};
    struct rng rng = random_stream(seed, 0);
    draw_pipeline(&rng, ret);
    draw_times(&rng, ret);
    draw_noise(&rng, ret);
    draw_faults(&rng, ret);
    /* A delay must stay below the lease, on which the shares' safety rests
     * (PROTOCOL.md, share). */
    ret->net_delay_max = random_range(&rng, 1, 200) * USEC_PER_MSEC;
    rare_draw(&rng, ret);
    if (ret->latency_max > ret->timeout / 2)
        ret->latency_max = ret->timeout / 2; /* a later one is a time-out */
    bound_crashes(ret);
    rng = random_stream(seed, 5);
    draw_manners(&rng, ret);
    rng = random_stream(seed, 6);
    draw_together(&rng, ret);
    narrow(ret, narrowing);
}

uint64_t scenario_size(const struct scenario *s)
{
    return 1 + (uint64_t)s->keys * (uint64_t)s->nodes /
                   (SCENARIO_KEYS_DRAWN * SCENARIO_NODES_DRAWN + 1);
}

void scenario_print(const struct scenario *s, FILE *out)
{
    fprintf(out,
            "seed %" PRIu64 ": %s, %d run%s, %d %s nodes%s, %d keys, rate %g, "
            "in flight %d, attempts %d, instances %d, batch %d, limit %d\n",
            s->seed, shape_names[s->shape], s->runs, s->runs > 1 ? "s" : "",
            s->nodes, s->local ? "local" : "remote",
            s->serve ? " that serve" : "", s->keys, s->rate, s->in_flight,
            s->attempts, s->instances, s->batch_keys, s->key_limit);
    if (s->adaptive || s->crawl_delay)
        fprintf(out, "  %s rate, crawl delays up to %g s\n",
                s->adaptive ? "adaptive" : "fixed",
                (double)s->crawl_delay / 1e6);
    if (s->together)
        fprintf(out, "  %d keys per request\n", s->together);
    fprintf(out,
            "  timeout %g s, batch time %g s, close after %g s, speculate "
            "after %g s\n  noise:",
            (double)s->timeout / 1e6, (double)s->batch_time / 1e6,
            (double)s->close_after / 1e6, (double)s->speculate_after / 1e6);
    for (int i = 0; i < NOISE_TYPE_COUNT; i++)
        if (s->noise[i])
            fprintf(out, " %s %d", noise_type_name((enum noise_type)i),
                    s->noise[i]);
    fprintf(out, "\n  faults:");
    for (size_t i = 0; i < s->n_faults; i++) {
        const struct fault *fault = &s->faults[i];
        if (fault->at != USEC_NEVER)
            fprintf(out, " [%zu %s n%d at %.3f for %.3f]", i,
                    fault_type_name(fault->type), fault->node % s->nodes,
                    (double)fault->at / 1e6, (double)fault->length / 1e6);
    }
    fprintf(out, "\n");
}

/*
 * The pipeline's text
 */

static void put_source(struct buffer *out, const char *name, const char *class,
                       const char *inputs, const char *queue)
{
    buffer_printf(out, "  - {name: %s, class: %s, ", name, class);
    if (inputs)
        buffer_printf(out, "input_values: [%s], ", inputs);
    buffer_printf(out, "output_queues: [%s]", queue);
    if (!strcmp(class, "html_table"))
        buffer_append_text(out, ", options: {column: Symbol}");
    else if (!strcmp(class, "sql"))
        buffer_append_text(out, ", options: {query: 'select k from t'}");
    buffer_append_text(out, "}\n");
}

static void put_fetcher(const struct scenario *s, struct buffer *out,
                        const char *name, const char *from, const char *to,
                        bool new_keys)
{
    buffer_printf(out,
                  "  - name: %s\n    class: http_json\n    input_queue: %s\n"
                  "    output_queues: [%s]\n    instances: %d\n    options:\n",
                  name, from, to, s->instances);
    buffer_printf(out, "      url: 'http://%s/%s/{%s}'\n",
                  s->many_hosts ? "{key}.example" : "quotes.example", name,
                  s->together ? "keys" : "key");
    if (s->together)
        buffer_printf(out,
                      "      keys_per_request: %d\n"
                      "      for_key: {each: /parts, key: /of}\n",
                      s->together);
    buffer_printf(out, "      fields: {price: /p%s}\n",
                  new_keys ? ", key: {at: /k, type: text}" : "");
    buffer_printf(out,
                  "      retry: {attempts: %d, backoff: %dms, "
                  "backoff_max: 4s}\n      timeout: %ds\n",
                  s->attempts, (int)(s->backoff / USEC_PER_MSEC),
                  (int)(s->timeout / USEC_PER_SEC));
    buffer_printf(out, "      hold: %dms\n", (int)(s->hold / USEC_PER_MSEC));
    if (s->rate > 0)
        buffer_printf(out, "      rate: %.1f/s\n", s->rate);
    if (s->adaptive)
        buffer_append_text(out, "      adaptive: true\n");
    if (s->crawl_delay)
        buffer_append_text(out, "      robots: obey\n");
    if (s->in_flight > 0)
        buffer_printf(out, "      max_in_flight: %d\n", s->in_flight);
}

static void put_store(struct buffer *out, const char *name, const char *from)
{
    buffer_printf(out,
                  "  - {name: %s, class: store, input_queue: %s, options: "
                  "{table: %s, columns: {symbol: key, price: price, "
                  "extracted_time: fetched_at}}}\n",
                  name, from, name);
}

static void put_sources(const struct scenario *s, struct buffer *out)
{
    static const char one[] = "'http://lists.example/a'";
    static const char two[] =
        "'http://lists.example/a', 'http://lists.example/b'";
    switch (s->shape) {
    case SHAPE_TWO_LISTS:
        put_source(out, "table", "html_table", one, "q");
        put_source(out, "list", "json_list", "'http://lists.example/b'", "q");
        break;
    case SHAPE_VALUES:
        buffer_append_text(out, "  - {name: values, class: values, "
                                "output_queues: [q], input_values: [");
        for (int i = 0; i < s->keys; i++)
            buffer_printf(out, "%sk%d", i ? ", " : "", i);
        buffer_append_text(out, "]}\n");
        break;
    case SHAPE_SQL:
        put_source(out, "table", "sql", NULL, "q");
        break;
    case SHAPE_INPUTS:
        put_source(out, "table", "html_table", two, "q");
        break;
    default:
        put_source(out, "table", "html_table", one, "q");
    }
}

void scenario_yaml(const struct scenario *s, struct buffer *ret)
{
    bool second_queue = s->shape == SHAPE_CHAIN || s->shape == SHAPE_FORK;
    bool second_sink = s->shape == SHAPE_TWO_SINKS || s->shape == SHAPE_FORK;
    buffer_append_text(ret, "version: 1\nname: simulated\nqueues:\n"
                            "  - {name: q}\n  - {name: p}\n");
    if (second_queue)
        buffer_append_text(ret, "  - {name: q2}\n");
    if (second_sink)
        buffer_append_text(ret, "  - {name: p2}\n");
    buffer_append_text(ret, "workers:\n");
    put_sources(s, ret);
    switch (s->shape) {
    case SHAPE_CHAIN:
        put_fetcher(s, ret, "first", "q", "q2", s->new_keys);
        put_fetcher(s, ret, "second", "q2", "p", false);
        break;
    case SHAPE_FORK:
        put_fetcher(s, ret, "first", "q", "p, q2", s->new_keys);
        put_fetcher(s, ret, "second", "q2", "p2", false);
        break;
    case SHAPE_RIVALS:
        put_fetcher(s, ret, "left", "q", "p", false);
        put_fetcher(s, ret, "right", "q", "p", false);
        break;
    default:
        put_fetcher(s, ret, "only", "q", second_sink ? "p, p2" : "p", false);
    }
    put_store(ret, "prices", "p");
    if (second_sink)
        put_store(ret, "prices2", "p2");
    if (s->shape == SHAPE_TWO_STORES)
        put_store(ret, "prices3", "p");
}
