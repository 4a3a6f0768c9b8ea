/*
 * run_retry.c: a new run over the keys that failed in an old one, by the
 * pipeline that is in the ledger. An old run is retried once: what fails again
 * is a failure of the new run, and retried there.
 */
#include <inttypes.h>
#include <stdio.h>

#include "find_run.h"
#include "plan_retry.h"
#include "run.h"

static int tell_retried(struct run *run, const struct run_row *row)
{
    struct context *context = &run->context;
    struct error err = ERROR_NONE;
    struct run_row retry;
    if (ledger_run_row(context->ledger, row->retried_by, &context->arena,
                       &retry, &err))
        return context_complain(context, &err);
    fprintf(stderr,
            "windrow: run %" PRId64 " was retried already, as run %" PRId64
            "\n",
            row->run, retry.run);
    if (retry.state == RUN_OPEN)
        run_print_hint(run, "go on with that", "resume", retry.run);
    else if (retry.failed)
        run_print_hint(run, "what failed again", "retry", retry.run);
    return EXIT_BAD_USAGE;
}

/* Whether it has ended, and nobody has retried it. */
static int check_ended(struct run *run, const struct run_row *row)
{
    if (row->state == RUN_OPEN && row->lease_left > 0) {
        fprintf(stderr,
                "windrow: run %" PRId64 " still goes on, worked on by %s: its "
                "failures can be retried when it has ended\n",
                row->run, row->owner);
        return EXIT_NOT_FINISHED;
    }
    if (row->state == RUN_OPEN) {
        fprintf(stderr,
                "windrow: run %" PRId64 " has not ended: finish it first\n",
                row->run);
        run_print_hint(run, "go on with", "resume", row->run);
        return EXIT_NOT_FINISHED;
    }
    return row->retried_by ? tell_retried(run, row) : 0;
}

static int count_failures(struct run *run, struct error *err)
{
    struct context *context = &run->context;
    if (ledger_open(buffer_text(&context->database_url), &run->failures, err))
        return (int)err->code;
    return plan_retry_count(context->pipeline, run->failures, run->retry_of,
                            &run->retry, err);
}

int run_retry(struct run *run, bool *ret_nothing)
{
    struct context *context = &run->context;
    struct error err = ERROR_NONE;
    struct run_row row;
    int status = context_open_ledger(context);
    if (status ||
        (status = find_run_row(context, context->options->argument, &row)) ||
        (status = check_ended(run, &row)))
        return status;
    if (!row.failed) {
        printf("run %" PRId64 ": nothing failed, so nothing is retried\n",
               row.run);
        *ret_nothing = true;
        return 0;
    }
    run->retry_of = row.run;
    run->key_limit = row.key_limit;
    if ((status = run_check_settings(run, &row)) ||
        (status = run_copy_pipeline(run, &row)))
        return status;
    if (ledger_use_pipeline(context->ledger, context->pipeline, &err) ||
        count_failures(run, &err))
        return context_complain(context, &err);
    return run_begin(run, NULL);
}
