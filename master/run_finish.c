/* run_finish.c: how a run went: its state into the ledger, the summary, what
 * to do next, the exit status. */
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "advice.h"
#include "base/crash_point.h"
#include "run.h"
#include "run_text.h"
#include "summary.h"

#define FINISH_TRIES 6
#define FINISH_PAUSE (500 * USEC_PER_MSEC)

static enum run_state state_of(const struct run_row *row)
{
    if (row->open_batches)
        return RUN_OPEN;
    if (row->keys_done == 0 && row->stored == 0)
        return RUN_NO_KEYS;
    return row->failed ? RUN_FAILED_KEYS : RUN_DONE;
}

static int exit_status_of(const struct cluster_result *result,
                          enum run_state state)
{
    if (result->end == CLUSTER_PAUSED)
        return EXIT_INTERRUPTED;
    if (result->end == CLUSTER_GAVE_UP)
        return EXIT_NOT_FINISHED;
    switch (state) {
    case RUN_DONE:
        return EXIT_ALL_STORED;
    case RUN_FAILED_KEYS:
        return EXIT_SOME_FAILED;
    case RUN_NO_KEYS:
    case RUN_OPEN:
        return EXIT_NOT_FINISHED;
    }
    return EXIT_NOT_FINISHED;
}

static void print_failure(void *context, const struct failure_row *row)
{
    int *left = context;
    bool said = run_text_is_said(row->reason, row->detail);
    if ((*left)-- > 0)
        fprintf(stderr, "windrow: %s %.*s: %s%s%.*s\n", row->worker,
                SLICE_ARGS(row->key), said ? "" : reason_text(row->reason),
                said ? "" : ": ", SLICE_ARGS(row->detail));
}

/* How to name this database to another command, without its password. */
static void print_store(const struct run *run, FILE *out)
{
    struct buffer url = BUFFER_EMPTY;
    if (run->context.options->store) {
        settings_mask_url(run->context.options->store, &url);
        fprintf(out, " --store '%s'", buffer_text(&url));
    }
    buffer_free(&url);
}

void run_print_hint(const struct run *run, const char *words,
                    const char *command, int64_t number)
{
    fprintf(stderr, "windrow: %s: windrow %s %" PRId64, words, command, number);
    print_store(run, stderr);
    fputc('\n', stderr);
}

static void print_hint(const struct run *run, const char *words,
                       const char *command)
{
    run_print_hint(run, words, command, run->number);
}

static void print_resumable(const struct run *run)
{
    print_hint(run, "nothing is lost; go on with", "resume");
}

/* What failed, once more; or what shows why that would not help. */
static void print_advice(struct run *run, const struct summary *summary)
{
    const struct context *context = &run->context;
    const struct run_row *row = &summary->run;
    struct buffer look = BUFFER_EMPTY;
    struct error err = ERROR_NONE;
    if (advice_is_retry(row, summary->reasons, summary->n_reasons)) {
        print_hint(run, "to try that once more, by the same pipeline", "retry");
        return;
    }
    if (advice_look(context->ledger, row, context->pipeline, &look, &err))
        context_complain(context, &err);
    else
        fprintf(stderr,
                "windrow: the same pipeline would find the same again; what "
                "there is: %s\n",
                buffer_text(&look));
    buffer_free(&look);
}

/* What went wrong, and what to do. */
static void explain(struct run *run, const struct summary *summary)
{
    struct error err = ERROR_NONE;
    int left = 5;
    if (summary->why[0])
        fprintf(stderr, "windrow: run %" PRId64 " could not go on: %s\n",
                run->number, summary->why);
    if (summary->run.state == RUN_NO_KEYS) {
        fprintf(stderr, "windrow: the sources gave no keys\n");
        if (ledger_failures(run->context.ledger, run->number, NULL,
                            print_failure, &left, &err))
            context_complain(&run->context, &err);
    }
    if (summary->run.state == RUN_OPEN)
        print_resumable(run);
    if (summary->run.failed)
        print_hint(run, "what failed, and why", "failures");
    if (summary->run.state == RUN_NO_KEYS ||
        summary->run.state == RUN_FAILED_KEYS)
        print_advice(run, summary);
}

static int print_summary(struct run *run, struct summary *summary)
{
    const struct options *options = run->context.options;
    struct error err = ERROR_NONE;
    if (options->json) {
        if (summary_write_to(summary, stdout, &err))
            context_complain(&run->context, &err);
    } else {
        summary_print(summary, stdout);
    }
    fflush(stdout);
    explain(run, summary);
    if (options->summary && summary_write(summary, options->summary, &err)) {
        context_complain(&run->context, &err);
        return EXIT_NOT_FINISHED;
    }
    return summary->exit_status;
}

/* A database that has just come back deserves more than one try: the first
 * call after that only finds the old connection dead. */
static bool try_again(const struct error *err, int tries)
{
    const struct timespec pause = {.tv_nsec = FINISH_PAUSE * 1000};
    if (error_code_kind(err->code) != ERROR_RETRY || tries == FINISH_TRIES)
        return false;
    nanosleep(&pause, NULL);
    return true;
}

static int read_summary(struct run *run, struct summary *summary)
{
    struct error err;
    int tries = 0;
    do {
        err = ERROR_NONE;
        if (!summary_read(run->context.ledger, run->number, &run->context.arena,
                          summary, &err))
            return 0;
    } while (try_again(&err, ++tries));
    return context_complain(&run->context, &err);
}

/* Ended twice is ended: the answer to the first time may have been lost. */
static int end_in_ledger(struct run *run, int64_t epoch, enum run_state state)
{
    struct error err;
    int tries = 0;
    do {
        err = ERROR_NONE;
        if (!ledger_run_end(run->context.ledger, run->number, epoch, state,
                            &err))
            return 0;
    } while (try_again(&err, ++tries));
    return context_complain(&run->context, &err);
}

int run_finish(struct run *run)
{
    usec_t now = clock_monotonic();
    struct summary summary = {
        .seconds = (double)(now - run->started) / 1e6,
        .keys_before = run->before.stored + run->before.failed,
        .why = run->result.why,
        .nodes = run->result.nodes,
        .n_nodes = run->result.n_nodes,
    };
    if (read_summary(run, &summary)) {
        if (summary.why[0])
            fprintf(stderr, "windrow: run %" PRId64 " could not go on: %s\n",
                    run->number, summary.why);
        print_resumable(run);
        return EXIT_NOT_FINISHED;
    }
    summary.run.state = state_of(&summary.run);
    summary.exit_status = exit_status_of(&run->result, summary.run.state);
    const struct progress_state state = {
        .done = summary.run.stored,
        .failed = summary.run.failed,
        .before = run->before.stored + run->before.failed,
        .open = summary.run.open_keys,
        .nodes = (int)run->result.n_nodes,
        .nodes_wanted = run->n_nodes,
    };
    if (run->progress)
        progress_end(run->progress, now, &state);
    CRASH_POINT("master_before_end");
    int64_t epoch = DEFENCE_OFF("epoch") ? summary.run.epoch : run->epoch;
    if (!run->ended && end_in_ledger(run, epoch, summary.run.state))
        summary.exit_status = EXIT_NOT_FINISHED;
    CRASH_POINT("master_after_end");
    return print_summary(run, &summary);
}
