/* preview_print.c: a plan for people: preview.h. */
#include <stdio.h>
#include <string.h>

#include "preview.h"
#include "trial.h"

#define WORKER_WIDTH 14
#define INDENT_BYTES_MAX 512

/* ---- the graph ---- */

static void print_branch(FILE *out, const json_t *node, const char *indent);

static void print_queue(FILE *out, const json_t *queue, const char *indent,
                        bool last)
{
    char deeper[INDENT_BYTES_MAX];
    const json_t *readers = json_object_get(queue, "readers"), *reader;
    size_t i;
    fprintf(out, "%s%s %s\n", indent, last ? "└─" : "├─",
            trial_text(queue, "queue"));
    json_array_foreach(readers, i, reader)
    {
        bool final = i + 1 == json_array_size(readers);
        const char *own = last ? "   " : "│  ";
        fprintf(out, "%s%s%s ", indent, own, final ? "└─" : "├─");
        snprintf(deeper, sizeof deeper, "%.400s%s%s", indent, own,
                 final ? "   " : "│  ");
        print_branch(out, reader, deeper);
    }
}

static void print_branch(FILE *out, const json_t *node, const char *indent)
{
    const json_t *queues = json_object_get(node, "queues"), *queue;
    size_t i;
    fprintf(out, "%s (%s: %s)%s\n", trial_text(node, "worker"),
            trial_text(node, "class"), trial_text(node, "does"),
            json_is_true(json_object_get(node, "again")) ? ", as above" : "");
    json_array_foreach(queues, i, queue)
    {
        print_queue(out, queue, indent, i + 1 == json_array_size(queues));
    }
}

/* ---- the parts ---- */

static void put_title(const struct output *output, const char *title)
{
    fprintf(output->file, "\n%s%s%s\n", output_on(output, STYLE_TITLE), title,
            output_off(output, STYLE_TITLE));
}

/* Of a source that was asked for its list, and gave no key. */
static void print_failure(FILE *out, const json_t *plan, const json_t *source)
{
    const json_t *failure = json_object_get(source, "failure");
    fputs("none came: ", out);
    if (json_is_object(failure)) {
        trial_put(out, trial_text(failure, "reason"));
        fputs(" (", out);
        trial_put(out, trial_text(failure, "means"));
        fputs("): ", out);
        trial_put(out, trial_text(failure, "detail"));
        fputs("; ", out);
    }
    fputs("more says: windrow try ", out);
    trial_put(out, trial_text(plan, "file"));
    fprintf(out, " --worker %s\n", trial_text(source, "worker"));
}

static void print_sources(const struct output *output, const json_t *plan)
{
    FILE *out = output->file;
    const json_t *one, *key;
    size_t i, k;
    put_title(output, "Keys");
    json_array_foreach(json_object_get(plan, "sources"), i, one)
    {
        const json_t *keys = json_object_get(one, "keys");
        fprintf(out, "  %-*s ", WORKER_WIDTH, trial_text(one, "worker"));
        if (!json_is_integer(keys)) {
            bool list = json_array_size(json_object_get(one, "asks")) > 0;
            bool asked = *trial_text(one, "known");
            if (asked)
                print_failure(out, plan, one);
            else
                fputs(list ? "not known before it is fetched (--fetch-lists)\n"
                           : "not known before the query is asked\n",
                      out);
            continue;
        }
        fprintf(out, "%lld (%s): ", json_integer_value(keys),
                trial_text(one, "known"));
        json_array_foreach(json_object_get(one, "first"), k, key)
        {
            fputs(k ? ", " : "", out);
            trial_put(out, json_string_value(key));
        }
        fputs(json_integer_value(keys) > PREVIEW_KEYS_SHOWN ? ", ...\n" : "\n",
              out);
    }
}

static void print_requests(const struct output *output, const json_t *plan)
{
    FILE *out = output->file;
    const json_t *one;
    size_t i;
    put_title(output, "First requests");
    json_array_foreach(json_object_get(plan, "requests"), i, one)
    {
        bool line = *trial_text(one, "line");
        fprintf(out, "  %-*s %s", WORKER_WIDTH, trial_text(one, "worker"),
                line ? "asks " : "GET ");
        trial_put(out, trial_text(one, line ? "line" : "url"));
        fputs(json_is_true(json_object_get(one, "more_keys")) ? "...\n" : "\n",
              out);
    }
}

static void print_hosts(const struct output *output, const json_t *plan)
{
    FILE *out = output->file;
    const json_t *one;
    size_t i;
    if (!json_array_size(json_object_get(plan, "hosts")))
        return; /* programs are asked, and no site */
    put_title(output, "Hosts, each over all nodes");
    json_array_foreach(json_object_get(plan, "hosts"), i, one)
    {
        const json_t *rate = json_object_get(one, "rate"),
                     *most = json_object_get(one, "max_in_flight");
        const char *host = trial_text(one, "host");
        fprintf(out, "  %-*s %s: ", WORKER_WIDTH, trial_text(one, "worker"),
                *host ? host : "each key's own host");
        if (json_is_real(rate))
            fprintf(out, "at most %g/s", json_real_value(rate));
        else
            fputs("any rate", out);
        if (json_is_integer(most))
            fprintf(out, ", %lld in flight", json_integer_value(most));
        else
            fputs(", any number in flight", out);
        fputs(json_is_true(json_object_get(one, "adaptive"))
                  ? ", adaptive: the rate is found"
                  : "",
              out);
        fputs(json_is_true(json_object_get(one, "robots"))
                  ? ", robots.txt is obeyed\n"
                  : "\n",
              out);
    }
}

static double seconds_of(const json_t *object, const char *name)
{
    return (double)json_integer_value(json_object_get(object, name)) / 1000;
}

static void print_retries(const struct output *output, const json_t *plan)
{
    FILE *out = output->file;
    const json_t *one;
    size_t i;
    put_title(output, "Retries");
    json_array_foreach(json_object_get(plan, "retries"), i, one)
    {
        fprintf(out, "  %-*s %lld tries of %g s at most, ", WORKER_WIDTH,
                trial_text(one, "worker"),
                json_integer_value(json_object_get(one, "attempts")),
                seconds_of(one, "timeout_ms"));
        fprintf(out, "waits of %g s, doubling up to %g s\n",
                seconds_of(one, "backoff_ms"),
                seconds_of(one, "backoff_max_ms"));
    }
}

static void print_tables(const struct output *output, const json_t *plan)
{
    FILE *out = output->file;
    const json_t *one, *column;
    size_t i, k;
    put_title(output, "Tables");
    fprintf(out, "  in %s\n", trial_text(plan, "database"));
    json_array_foreach(json_object_get(plan, "tables"), i, one)
    {
        fprintf(out, "  %-*s %s\n", WORKER_WIDTH, trial_text(one, "worker"),
                trial_text(one, "table"));
        json_array_foreach(json_object_get(one, "columns"), k, column)
        {
            fprintf(out, "    %-20s %-12s %-9s from %s\n",
                    trial_text(column, "name"), trial_text(column, "type"),
                    json_is_true(json_object_get(column, "needed")) ? "NOT NULL"
                                                                    : "",
                    trial_text(column, "from"));
        }
    }
}

/* ---- time ---- */

static void print_duration(FILE *out, double seconds)
{
    if (seconds < 10)
        fprintf(out, "%.2g s", seconds);
    else if (seconds < 120)
        fprintf(out, "%.0f s", seconds);
    else if (seconds < 7200)
        fprintf(out, "%.0f min", seconds / 60);
    else if (seconds < 172800)
        fprintf(out, "%.1f h", seconds / 3600);
    else
        fprintf(out, "%.1f days", seconds / 86400);
}

static void print_estimate(FILE *out, const json_t *one)
{
    const json_t *assumed = json_object_get(one, "assumed"), *text;
    size_t i;
    fprintf(out, "  %-*s ", WORKER_WIDTH, trial_text(one, "worker"));
    if (!json_is_real(json_object_get(one, "seconds"))) {
        fputs("not known, as its keys are not\n", out);
        return;
    }
    fputs("about ", out);
    print_duration(out, json_real_value(json_object_get(one, "seconds")));
    json_int_t keys = json_integer_value(json_object_get(one, "keys"));
    json_int_t requests = json_integer_value(json_object_get(one, "requests"));
    fprintf(out, ": %lld keys, ", keys);
    if (requests != keys)
        fprintf(out, "%lld requests, ", requests);
    fputs(trial_text(one, "limit"), out);
    json_array_foreach(assumed, i, text)
    {
        fprintf(out, "%s%s", i ? "; " : " (if ", json_string_value(text));
    }
    fputs(json_array_size(assumed) ? ")\n" : "\n", out);
}

static void print_time(const struct output *output, const json_t *plan)
{
    FILE *out = output->file;
    const json_t *past = json_object_get(plan, "past"), *one;
    size_t i;
    put_title(output, "Time, estimated");
    json_array_foreach(json_object_get(plan, "estimate"), i, one)
    {
        print_estimate(out, one);
    }
    if (*trial_text(plan, "past_unknown")) {
        fputs("  past runs are not known: ", out);
        trial_put(out, trial_text(plan, "past_unknown"));
        putc('\n', out);
    }
    if (!json_is_object(past))
        return;
    fprintf(out, "  run %lld took ",
            json_integer_value(json_object_get(past, "run")));
    print_duration(out, json_real_value(json_object_get(past, "seconds")));
    fprintf(out, " for %lld keys (%.3g keys/s)\n",
            json_integer_value(json_object_get(past, "keys")),
            json_real_value(json_object_get(past, "keys_per_second")));
}

void preview_print(const struct output *output, const json_t *plan)
{
    FILE *out = output->file;
    const json_t *node;
    size_t i;
    fprintf(out, "%s%s%s\n\n", output_on(output, STYLE_TITLE),
            trial_text(plan, "pipeline"), output_off(output, STYLE_TITLE));
    json_array_foreach(json_object_get(plan, "graph"), i, node)
    {
        print_branch(out, node, "");
    }
    print_sources(output, plan);
    print_requests(output, plan);
    print_hosts(output, plan);
    print_retries(output, plan);
    print_tables(output, plan);
    print_time(output, plan);
}
