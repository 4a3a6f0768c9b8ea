/*
 * command_look.c: commands that only look: runs, failures, settings.
 */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "commands.h"
#include "context.h"
#include "loop/health.h"

#define RUNS_SHOWN_MAX 1000

/* ---- healthy ---- */

int command_healthy(const struct options *options)
{
    struct error err = ERROR_NONE;
    if (!health_check(options->argument, &err))
        return 0;
    fprintf(stderr, "windrow: %s\n", err.text);
    return 1;
}

/* ---- runs ---- */

static void format_time(usec_t wall, char text[CLOCK_TEXT_BYTES])
{
    if (wall)
        clock_format(wall, text);
    else
        text[0] = '\0';
}

static void print_runs(const struct run_row *rows, size_t n)
{
    printf("%6s  %-12s %9s %7s %7s  %-19s  %s\n", "run", "state", "stored",
           "failed", "open", "started (UTC)", "pipeline");
    for (size_t i = 0; i < n; i++) {
        char started[CLOCK_TEXT_BYTES];
        clock_format(rows[i].started_at, started);
        printf(
            "%6" PRId64 "  %-12s %9" PRId64 " %7" PRId64 " %7" PRId64
            "  %.19s  %s%s\n",
            rows[i].run, run_state_name(rows[i].state), rows[i].stored,
            rows[i].failed, rows[i].open_keys, started, rows[i].pipeline_name,
            rows[i].lease_left > 0 && rows[i].state == RUN_OPEN ? " (running)"
                                                                : "");
    }
}

static json_t *run_object(const struct run_row *row)
{
    char started[CLOCK_TEXT_BYTES], ended[CLOCK_TEXT_BYTES];
    format_time(row->started_at, started);
    format_time(row->ended_at, ended);
    return json_pack(
        "{s:I, s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:s, s:s, s:b, s:s, "
        "s:I}",
        "id", (json_int_t)row->run, "name", row->name, "state",
        run_state_name(row->state), "pipeline", row->pipeline_name, "path",
        row->pipeline_path, "stored", (json_int_t)row->stored, "failed",
        (json_int_t)row->failed, "keys_done", (json_int_t)row->keys_done,
        "open", (json_int_t)row->open_keys, "started", started, "ended", ended,
        "running", row->lease_left > 0 && row->state == RUN_OPEN, "owner",
        row->owner, "epoch", (json_int_t)row->epoch);
}

static int print_json(json_t *value)
{
    int status = value && json_dumpf(value, stdout, JSON_INDENT(2)) == 0 &&
                         putchar('\n') != EOF
                     ? 0
                     : EXIT_NOT_FINISHED;
    json_decref(value);
    return status;
}

static int print_runs_json(const struct run_row *rows, size_t n)
{
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(list, run_object(&rows[i]));
    return print_json(list);
}

int command_runs(const struct options *options)
{
    struct context context;
    struct error err = ERROR_NONE;
    struct run_row *rows;
    size_t n;
    int status = context_settings(&context, options, NULL);
    if (!status && !(status = context_open_ledger(&context))) {
        if (ledger_runs(context.ledger, RUNS_SHOWN_MAX, &context.arena, &rows,
                        &n, &err))
            status = context_complain(&context, &err);
        else if (options->json)
            status = print_runs_json(rows, n);
        else
            print_runs(rows, n);
    }
    context_free(&context);
    return status;
}

/* ---- failures ---- */

static void print_failure(void *context, const struct failure_row *row)
{
    (void)context;
    char when[CLOCK_TEXT_BYTES];
    clock_format(row->failed_at, when);
    /* A key may be a long URL: it stands behind the columns. */
    printf("%-16s %6d %8d  %.19s  %s: %.*s: %.*s\n", reason_name(row->reason),
           row->http_status, row->attempts, when, row->worker,
           SLICE_ARGS(row->key), SLICE_ARGS(row->detail));
}

static void print_failure_json(void *context, const struct failure_row *row)
{
    (void)context;
    char when[CLOCK_TEXT_BYTES];
    clock_format(row->failed_at, when);
    json_t *object =
        json_pack("{s:s%, s:s, s:s, s:i, s:i, s:s, s:s%}", "key", row->key.data,
                  row->key.len, "reason", reason_name(row->reason), "worker",
                  row->worker, "http_status", row->http_status, "attempts",
                  row->attempts, "time", when, "detail",
                  row->detail.len ? row->detail.data : "", row->detail.len);
    if (object && json_dumpf(object, stdout, JSON_COMPACT) == 0)
        putchar('\n');
    json_decref(object);
}

static int list_failures(struct context *context, int64_t run)
{
    struct error err = ERROR_NONE;
    struct run_row row;
    bool json = context->options->json;
    if (ledger_run_row(context->ledger, run, &context->arena, &row, &err))
        return context_complain(context, &err);
    if (!json)
        printf("%-16s %6s %8s  %-19s  %s\n", "reason", "status", "attempts",
               "time (UTC)", "worker: key: detail");
    if (ledger_failures(context->ledger, run,
                        json ? print_failure_json : print_failure, NULL, &err))
        return context_complain(context, &err);
    return 0;
}

int command_failures(const struct options *options)
{
    char *end;
    long long run = strtoll(options->argument, &end, 10);
    if (!*options->argument || *end || run <= 0) {
        fprintf(stderr,
                "windrow: \"%s\" is no run: `windrow runs` lists their "
                "numbers\n",
                options->argument);
        return EXIT_BAD_USAGE;
    }
    struct context context;
    int status = context_settings(&context, options, NULL);
    if (!status && !(status = context_open_ledger(&context)))
        status = list_failures(&context, run);
    context_free(&context);
    return status;
}

/* ---- settings ---- */

int command_settings(const struct options *options)
{
    const char *form = options->argument ? options->argument : "help";
    if (!strcmp(form, "help"))
        settings_print(stdout, SETTINGS_HELP);
    else if (!strcmp(form, "sample"))
        settings_print(stdout, SETTINGS_SAMPLE);
    else if (!strcmp(form, "markdown"))
        settings_print(stdout, SETTINGS_MARKDOWN);
    else {
        fprintf(stderr,
                "windrow settings: help, sample or markdown, not "
                "\"%s\"\n",
                form);
        return EXIT_BAD_USAGE;
    }
    return 0;
}
