/*
 * run_take.c: a run that is in the ledger already gets this master.
 *
 * A master that was killed leaves a lease that must run out first; one that
 * lives renews it, and keeps the run. `windrow resume` then gives up; a run
 * that is led by its name (--name) is waited for, as a stand-by.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/crash_point.h"
#include "find_run.h"
#include "ledger/run_settings.h"
#include "run.h"

#define WHO "master"
#define LOOK_PAUSE (250 * USEC_PER_MSEC)

static void tell_settings(const struct run_row *row, const char *now)
{
    struct buffer lines = BUFFER_EMPTY;
    run_settings_compare(row->settings_json, now, &lines);
    fprintf(stderr,
            "windrow: the settings are not those that run %" PRId64
            " began with:\n%sSet them as then, or say --force.\n",
            row->run, buffer_text(&lines));
    buffer_free(&lines);
}

int run_check_settings(const struct run *run, const struct run_row *row)
{
    char *now = run_settings(run->context.settings, row->pipeline_text);
    bool same = now && !strcmp(now, row->settings_json);
    if (!same && !run->context.options->force)
        tell_settings(row, now ? now : row->settings_json);
    free(now);
    return same || run->context.options->force ? 0 : EXIT_BAD_USAGE;
}

int run_copy_pipeline(struct run *run, const struct run_row *row)
{
    struct context *context = &run->context;
    context->pipeline_path = row->pipeline_path;
    if (buffer_append_slice(&context->pipeline_text, row->pipeline_text))
        return context_load_pipeline(context);
    struct error err = ERROR_NONE;
    error_set(&err, ERR_MEMORY, "no memory for the pipeline");
    return context_complain(context, &err);
}

static void tell_waiting(const struct run_row *row, bool stand_by)
{
    if (stand_by)
        log_info(WHO, "run %" PRId64 ", %s, is led by %s: standing by",
                 row->run, row->name, row->owner);
    else
        log_info(WHO,
                 "run %" PRId64 " is %s's for another %.1f s, "
                 "unless that renews it: waiting",
                 row->run, row->owner, (double)row->lease_left / 1e6);
}

/* Tries once. 0: it is ours, or *ret_again: not yet; otherwise why never. */
static int try_to_take(struct run *run, struct run_row *row, usec_t left,
                       bool stand_by, bool *ret_again, struct error *err)
{
    struct context *context = &run->context;
    struct error look = ERROR_NONE;
    CRASH_POINT("master_before_take");
    int rc = ledger_run_take(context->ledger, run->number, run->owner,
                             run->lease, &context->arena, row, err);
    if (rc != ERR_CONFLICT)
        return rc;
    if (ledger_run_row(context->ledger, run->number, &context->arena, row,
                       &look)) {
        *err = look;
        return (int)err->code;
    }
    run->ended = row->state != RUN_OPEN;
    bool renewed = left && row->lease_left > left;
    if (run->ended ? !stand_by : renewed && !stand_by)
        return rc;
    *err = ERROR_NONE;
    *ret_again = !run->ended;
    return 0;
}

/* Waits until the run is ours, or, standing by, until it has ended; a database
 * that is away meanwhile is waited for as long as a run would. */
static int take_when_free(struct run *run, struct run_row *row, bool stand_by)
{
    const struct timespec pause = {.tv_nsec = LOOK_PAUSE * 1000};
    usec_t left = 0, away_since = 0;
    for (bool again = true; again; nanosleep(&pause, NULL)) {
        struct error err = ERROR_NONE;
        again = false;
        if (!try_to_take(run, row, left, stand_by, &again, &err)) {
            if (!again)
                return 0;
            if (!left)
                tell_waiting(row, stand_by);
            left = row->lease_left ? row->lease_left : 1;
            away_since = 0;
            continue;
        }
        if (!away_since)
            away_since = clock_monotonic();
        again = stand_by && error_code_kind(err.code) == ERROR_RETRY &&
                clock_monotonic() - away_since < run->database_wait;
        if (!again) {
            bool others = err.code == ERR_CONFLICT && row->state == RUN_OPEN;
            int status = context_complain(&run->context, &err);
            return others ? EXIT_NOT_FINISHED : status;
        }
    }
    return 0;
}

static void taken(struct run *run, const struct run_row *row)
{
    CRASH_POINT("master_after_take");
    run->epoch = row->epoch;
    run->resumed = true;
    run->key_limit = row->key_limit;
}

/* In words, with what can be done instead. */
static int tell_ended(const struct run *run, const struct run_row *row)
{
    fprintf(stderr,
            "windrow: run %" PRId64 " has ended already: %" PRId64
            " stored, %" PRId64 " failed\n",
            row->run, row->stored, row->failed);
    if (row->retried_by)
        run_print_hint(run, "what failed was retried", "show", row->retried_by);
    else if (row->failed)
        run_print_hint(run, "its failures are tried again by", "retry",
                       row->run);
    return EXIT_BAD_USAGE;
}

/* Looks before it takes, so that a wrong setting does not cost the lease. */
int run_take(struct run *run)
{
    struct context *context = &run->context;
    struct error err = ERROR_NONE;
    struct run_row row;
    int status = context_open_ledger(context);
    if (status ||
        (status = find_run_row(context, context->options->argument, &row)))
        return status;
    run->number = row.run;
    if (row.state != RUN_OPEN)
        return tell_ended(run, &row);
    if ((status = run_check_settings(run, &row)) ||
        (status = run_copy_pipeline(run, &row)))
        return status;
    if (ledger_use_pipeline(context->ledger, context->pipeline, &err))
        return context_complain(context, &err);
    if ((status = take_when_free(run, &row, false)))
        return status;
    taken(run, &row);
    return 0;
}

/* Of a named run only the same pipeline may be gone on with. */
static int check_pipeline(const struct run *run, const struct run_row *row)
{
    if (slice_equal(buffer_slice(&run->context.pipeline_text),
                    row->pipeline_text))
        return 0;
    fprintf(stderr,
            "windrow: run %" PRId64 ", %s, began with another text of the "
            "pipeline. Give this one another --name, or finish that run: "
            "windrow resume %" PRId64 "\n",
            row->run, row->name, row->run);
    return EXIT_BAD_USAGE;
}

static int take_named(struct run *run)
{
    struct context *context = &run->context;
    struct error err = ERROR_NONE;
    struct run_row row;
    if (ledger_run_row(context->ledger, run->number, &context->arena, &row,
                       &err))
        return context_complain(context, &err);
    int status = check_pipeline(run, &row);
    if (status || (status = run_check_settings(run, &row)) ||
        (status = take_when_free(run, &row, true)))
        return status;
    if (!run->ended) {
        taken(run, &row);
        return 0;
    }
    run->before = row; /* nothing is added to it */
    log_info(WHO, "run %" PRId64 ", %s, has ended: %s", row.run, row.name,
             run_state_name(row.state));
    return 0;
}

int run_lead(struct run *run)
{
    struct context *context = &run->context;
    for (bool name_taken = true; name_taken;) {
        struct error err = ERROR_NONE;
        if (!ledger_run_named(context->ledger, context->options->name,
                              &run->number, &err))
            return take_named(run);
        if (err.code != ERR_NOT_FOUND)
            return context_complain(context, &err);
        int status = run_begin(run, &name_taken);
        if (status)
            return status;
    }
    return 0;
}
