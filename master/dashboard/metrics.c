/* metrics.c: see metrics.h. Each metric once, with a line for each run: so the
 * loop over the runs is inside. */
#include "metrics.h"

#include <stdio.h>
#include <string.h>

#include "base/histogram.h"
#include "wire/message.h"

struct writer {
    const struct masters *masters;
    struct buffer *out;
};

static void head(struct writer *to, const char *name, const char *type,
                 const char *help)
{
    buffer_printf(to->out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name,
                  type);
}

/* Backslash, quote and line feed are escaped; all else stands for itself. */
static void put_label(struct buffer *out, const char *name, const char *value)
{
    buffer_printf(out, "%s=\"", name);
    for (const char *c = value; *c; c++) {
        if (*c == '\n')
            buffer_append_text(out, "\\n");
        else if (*c == '\\' || *c == '"')
            buffer_printf(out, "\\%c", *c);
        else
            buffer_append_char(out, *c);
    }
    buffer_append_char(out, '"');
}

static const char *text(const json_t *object, const char *name)
{
    const char *value = json_string_value(json_object_get(object, name));
    return value ? value : "";
}

/* The next run that is told of, from index `*at`. */
static bool next_run(const struct writer *to, size_t *at, struct master *ret)
{
    while (masters_get(to->masters, (*at)++, ret))
        if (!ret->gone)
            return true;
    return false;
}

/* One of each run: a number of its status. */
struct plain {
    const char *metric, *type, *help, *field;
};

static void put_plain(struct writer *to, const struct plain *plain)
{
    struct master master;
    head(to, plain->metric, plain->type, plain->help);
    for (size_t i = 0; next_run(to, &i, &master);)
        buffer_printf(to->out, "%s{run=\"%lld\"} %lld\n", plain->metric,
                      (long long)master.run,
                      (long long)json_integer_value(
                          json_object_get(master.status, plain->field)));
}

static void put_up(struct writer *to)
{
    struct master master;
    head(to, "windrow_master_up", "gauge",
         "Whether the run's master was heard within three seconds.");
    for (size_t i = 0; next_run(to, &i, &master);)
        buffer_printf(to->out, "windrow_master_up{run=\"%lld\"} %d\n",
                      (long long)master.run, !master.silent);
}

/* One of each item of a list of the status: of each worker, or node. */
struct listed {
    const char *metric, *type, *help;
    const char *list, *label; /* "nodes", "node" */
    const char *inside;       /* "counters"; NULL: in the item itself */
    const char *field;
    double unit;
};

static void put_listed(struct writer *to, const struct listed *listed)
{
    struct master master;
    head(to, listed->metric, listed->type, listed->help);
    for (size_t i = 0; next_run(to, &i, &master);) {
        const json_t *list = json_object_get(master.status, listed->list);
        for (size_t k = 0; k < json_array_size(list); k++) {
            const json_t *item = json_array_get(list, k);
            const json_t *from =
                listed->inside ? json_object_get(item, listed->inside) : item;
            buffer_printf(to->out, "%s{run=\"%lld\",", listed->metric,
                          (long long)master.run);
            put_label(to->out, listed->label, text(item, "name"));
            buffer_printf(
                to->out, "} %.12g\n",
                json_number_value(json_object_get(from, listed->field)) *
                    listed->unit);
        }
    }
}

static void put_histogram(struct writer *to, const char *metric,
                          const char *field, const char *help)
{
    struct master master;
    head(to, metric, "histogram", help);
    for (size_t i = 0; next_run(to, &i, &master);) {
        const json_t *array =
            json_object_get(json_object_get(master.status, "times"), field);
        long long run = (long long)master.run, count = 0;
        for (size_t k = 0; k < HISTOGRAM_BUCKETS; k++) {
            count += json_integer_value(json_array_get(array, k + 1));
            char bound[32] = "+Inf";
            if (k < HISTOGRAM_BOUNDS)
                snprintf(bound, sizeof bound, "%g",
                         (double)histogram_bounds[k] / 1e6);
            buffer_printf(to->out, "%s_bucket{run=\"%lld\",le=\"%s\"} %lld\n",
                          metric, run, bound, count);
        }
        buffer_printf(to->out,
                      "%s_sum{run=\"%lld\"} %.12g\n"
                      "%s_count{run=\"%lld\"} %lld\n",
                      metric, run,
                      json_number_value(json_array_get(array, 0)) / 1e6, metric,
                      run, count);
    }
}

static void put_holds(struct writer *to)
{
    static const char name[] = "windrow_host_hold_seconds";
    struct master master;
    head(to, name, "gauge",
         "How long a host that refused is left alone from now on.");
    for (size_t i = 0; next_run(to, &i, &master);) {
        const json_t *list = json_object_get(master.status, "holds");
        for (size_t k = 0; k < json_array_size(list); k++) {
            const json_t *item = json_array_get(list, k);
            buffer_printf(to->out, "%s{run=\"%lld\",", name,
                          (long long)master.run);
            put_label(to->out, "worker", text(item, "worker"));
            buffer_append_char(to->out, ',');
            put_label(to->out, "host", text(item, "host"));
            buffer_printf(to->out, "} %.6g\n",
                          json_number_value(json_object_get(item, "left")) /
                              1e6);
        }
    }
}

static void put_runs(struct writer *to)
{
    static const struct plain plain[] = {
        {"windrow_keys_stored_total", "counter",
         "Keys of the run whose rows are stored.", "stored"},
        {"windrow_keys_failed_total", "counter",
         "Keys of the run that are recorded as failures.", "failed"},
        {"windrow_keys_open", "gauge",
         "Keys known and not ended; -1 while the list is being read.", "open"},
        {"windrow_nodes_alive", "gauge", "Nodes that take part.",
         "nodes_alive"},
        {"windrow_nodes_wanted", "gauge", "Local nodes that are wanted.",
         "nodes_wanted"},
    };
    put_up(to);
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
        put_plain(to, &plain[i]);
}

#define OF_WORKER "workers", "worker", NULL
#define OF_NODE "nodes", "node"

static void put_workers(struct writer *to)
{
    static const struct listed listed[] = {
        {"windrow_worker_keys_stored_total", "counter",
         "Keys of the worker stored since this master began.", OF_WORKER,
         "stored", 1},
        {"windrow_worker_keys_failed_total", "counter",
         "Keys of the worker failed since this master began.", OF_WORKER,
         "failed", 1},
        {"windrow_worker_keys_held", "gauge",
         "Keys of the worker that nodes work on.", OF_WORKER, "held_keys", 1},
        {"windrow_worker_rate_limit", "gauge",
         "Requests a second to each host at this moment; 0: unlimited.",
         OF_WORKER, "rate", 1},
    };
    for (size_t i = 0; i < sizeof listed / sizeof *listed; i++)
        put_listed(to, &listed[i]);
}

static void put_nodes(struct writer *to)
{
    static const struct listed listed[] = {
        {"windrow_node_keys_held", "gauge", "Keys that a node works on.",
         OF_NODE, NULL, "held_keys", 1},
#define X(name, kind, metric, unit, help)                                      \
    {metric, #kind, help, OF_NODE, "counters", #name, unit},
        HEARTBEAT_COUNTERS(X)
#undef X
    };
    for (size_t i = 0; i < sizeof listed / sizeof *listed; i++)
        put_listed(to, &listed[i]);
#define X(name, metric, help) put_histogram(to, metric, #name, help);
    HEARTBEAT_TIMES(X)
#undef X
}

void metrics_write(const struct masters *masters, const struct metrics_own *own,
                   struct buffer *ret)
{
    struct writer to = {masters, ret};
    head(&to, "windrow_ledger_up", "gauge",
         "Whether the database answered the dashboard's last question.");
    buffer_printf(ret, "windrow_ledger_up %d\n", own->ledger_up);
    head(&to, "windrow_dashboard_connections", "gauge", "Open connections.");
    buffer_printf(ret, "windrow_dashboard_connections %zu\n", own->connections);
    head(&to, "windrow_dashboard_pages", "gauge", "Pages that are open.");
    buffer_printf(ret, "windrow_dashboard_pages %zu\n", own->pages);
    head(&to, "windrow_dashboard_requests_total", "counter", "Requests.");
    buffer_printf(ret, "windrow_dashboard_requests_total %lld\n",
                  (long long)own->requests);
    put_runs(&to);
    put_workers(&to);
    put_holds(&to);
    put_nodes(&to);
}
