/* command_failures.c: `windrow failures RUN`: the keys that failed, and why. */
#include <inttypes.h>

#include "commands.h"
#include "find_run.h"
#include "output.h"
#include "pipeline/spell.h"
#include "run_text.h"
#include "table.h"

/* One more failure than asked for is read: it says that there are more. */
struct listing {
    struct output out;
    struct table *table; /* NULL: as JSON */
    int64_t limit;       /* 0: none */
    int64_t n;
    int64_t last; /* the number of the last one shown */
    bool more;
};

static void add_row(struct table *table, const struct failure_row *row)
{
    char when[CLOCK_TEXT_BYTES];
    run_text_time(row->failed_at, when);
    table_cell_styled(table, STYLE_BAD, slice_of(reason_name(row->reason)));
    table_cell_int(table, row->http_status);
    table_cell_int(table, row->attempts);
    table_cell(table, slice_of(when));
    table_cell(table, slice_of(row->worker));
    table_cell(table, row->key);
    table_cell(table, row->detail);
}

static json_t *failure_json(const struct failure_row *row)
{
    char when[CLOCK_TEXT_BYTES];
    clock_format(row->failed_at, when);
    return json_pack("{s:I, s:s%, s:s, s:s, s:i, s:i, s:s, s:s%}", "failure",
                     (json_int_t)row->failure, "key", row->key.data,
                     row->key.len, "reason", reason_name(row->reason), "worker",
                     row->worker, "http_status", row->http_status, "attempts",
                     row->attempts, "time", when, "detail",
                     row->detail.len ? row->detail.data : "", row->detail.len);
}

static void on_failure(void *context, const struct failure_row *row)
{
    struct listing *listing = context;
    if (listing->limit && listing->n == listing->limit) {
        listing->more = true;
        return;
    }
    listing->n++;
    listing->last = row->failure;
    if (listing->table)
        add_row(listing->table, row);
    else
        output_json_line(&listing->out, failure_json(row));
}

/* --reason; REASON_NONE where there is none. Complains. */
static int read_reason(const struct options *options, enum reason *ret)
{
    const char *names[REASON_COUNT];
    *ret = REASON_NONE;
    if (!options->reason || (*ret = reason_parse(options->reason)))
        return 0;
    for (int i = 1; i < REASON_COUNT; i++)
        names[i - 1] = reason_name((enum reason)i);
    const char *near = spell_nearest(options->reason, names, REASON_COUNT - 1);
    fprintf(stderr, "windrow: no reason \"%s\"%s%s%s\n", options->reason,
            near ? "; did you mean " : "; the reasons are:", near ? near : "",
            near ? "?" : "");
    for (size_t i = 0; !near && i < REASON_COUNT - 1; i++)
        fprintf(stderr, "  %s\n", names[i]);
    return EXIT_BAD_USAGE;
}

/* Whether the run's pipeline has the worker of --worker. What can't be read
 * here is not asked. */
static int check_worker(struct context *context, const struct run_row *run)
{
    const char *names[PIPELINE_WORKERS_MAX], *name = context->options->worker;
    struct error unused = ERROR_NONE, err = ERROR_NONE;
    if (!name || pipeline_load_to_look(run->pipeline_text, context->settings,
                                       &context->pipeline, &unused))
        return 0;
    const struct pipeline *pipeline = context->pipeline;
    for (size_t i = 0; i < pipeline->n_workers; i++) {
        names[i] = pipeline->workers[i].name;
        if (!strcmp(names[i], name))
            return 0;
    }
    struct buffer all = BUFFER_EMPTY;
    const char *near = spell_nearest(name, names, pipeline->n_workers);
    for (size_t i = 0; i < pipeline->n_workers; i++)
        buffer_printf(&all, "%s%s", i ? ", " : "", names[i]);
    error_set(&err, ERR_USAGE,
              "there is no worker %s in run %" PRId64 "'s pipeline%s%s%s (%s)",
              name, run->run, near ? "; did you mean " : "", near ? near : "",
              near ? "?" : "", buffer_text(&all));
    buffer_free(&all);
    return context_complain(context, &err);
}

/* No titles alone: in words. */
static void tell_none(const struct run_row *run)
{
    fprintf(stderr, "windrow: run %" PRId64 ": %s%s\n", run->run,
            run->failed ? "none of its failures is like that"
                        : "nothing failed",
            run->state == RUN_OPEN ? ", so far" : "");
}

static int list(struct context *context, const struct run_row *run,
                enum reason reason)
{
    static const struct table_title titles[] = {
        {"reason", false},     {"status", true},  {"attempts", true},
        {"time (UTC)", false}, {"worker", false}, {"key", false},
        {"detail", false}};
    const struct options *options = context->options;
    struct error err = ERROR_NONE;
    struct listing listing = {.limit = options->limit};
    const struct failure_filter filter = {
        .reason = reason,
        .worker = options->worker,
        .after = options->after,
        .limit = options->limit ? options->limit + 1 : 0,
    };
    output_begin(options, &listing.out);
    if (!options->json)
        listing.table =
            table_new(&listing.out, titles, sizeof titles / sizeof *titles);
    int failed = ledger_failures(context->ledger, run->run, &filter, on_failure,
                                 &listing, &err);
    bool none = listing.table && !listing.n && !failed;
    if (none)
        table_free(&listing.table);
    table_end(&listing.table);
    int status = output_end(&listing.out, 0);
    if (failed)
        return context_complain(context, &err);
    if (listing.more)
        fprintf(stderr,
                "windrow: there are more; go on with --after %" PRId64 "\n",
                listing.last);
    if (none && !status)
        tell_none(run);
    return status;
}

int command_failures(const struct options *options)
{
    struct context context;
    enum reason reason;
    struct run_row run;
    int status = context_settings(&context, options, NULL);
    if (!status && !(status = read_reason(options, &reason)) &&
        !(status = context_open_ledger(&context)) &&
        !(status = find_run_row(&context, options->argument, &run)) &&
        !(status = check_worker(&context, &run)))
        status = list(&context, &run, reason);
    context_free(&context);
    return status;
}
