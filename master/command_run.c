/*
 * command_run.c: `windrow run` and `windrow resume`.
 *
 *   run:     settings, pipeline, database; the run and its root batches in the
 *            ledger; then the cluster
 *   resume:  the run and its pipeline from the ledger, with a new epoch; then
 *            the cluster
 *
 * Both end alike: the run's state, the summary, the exit status.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/crash_point.h"
#include "cluster.h"
#include "commands.h"
#include "context.h"
#include "cores.h"
#include "plan.h"
#include "progress.h"
#include "run_settings.h"
#include "summary.h"

#define OWNER_BYTES 96
#define TAKE_PAUSE (200 * USEC_PER_MSEC)
#define SUMMARY_TRIES 6
#define SUMMARY_PAUSE (500 * USEC_PER_MSEC)

struct run {
    struct context context;
    int64_t number, epoch;
    bool resumed;
    int64_t key_limit;
    int n_nodes;
    usec_t lease;
    char owner[OWNER_BYTES];
    struct run_row before; /* the counts at this master's start */
    struct progress *progress;
    usec_t started;
    struct cluster_result result;
};

/* ---- before ---- */

static int scale(const struct options *options)
{
    if (options->scale != SCALE_AUTO)
        return options->scale;
    struct cores cores;
    cores_read(&cores);
    return (int)cores.n_granted;
}

static void name_owner(struct run *run)
{
    char host[64] = "";
    gethostname(host, sizeof host - 1);
    snprintf(run->owner, sizeof run->owner, "%s, process %d", host,
             (int)getpid());
}

static int read_lease(struct run *run)
{
    struct error err = ERROR_NONE;
    if (settings_get_integer(run->context.settings, "WINDROW_MASTER_LEASE",
                             &run->lease, &err))
        return context_complain(&run->context, &err);
    return 0;
}

/* A summary that can't be written is better told before the run. */
static int check_summary(const struct run *run)
{
    const char *path = run->context.options->summary;
    FILE *file = path ? fopen(path, "ae") : NULL;
    if (path && !file) {
        fprintf(stderr, "windrow: the summary can't be written to %s: %s\n",
                path, strerror(errno));
        return EXIT_BAD_USAGE;
    }
    if (file)
        fclose(file);
    return 0;
}

static void print_notes(const struct pipeline *pipeline)
{
    for (size_t i = 0; i < pipeline->n_notes; i++)
        fprintf(stderr, "windrow: note: %s\n", pipeline->notes[i]);
}

/* ---- a new run ---- */

static int write_run(struct run *run, const char *settings, struct error *err)
{
    const struct context *context = &run->context;
    const struct run_spec spec = {
        .pipeline_text = buffer_slice(&context->pipeline_text),
        .pipeline_name = context->pipeline->name,
        .pipeline_path = context->pipeline_path,
        .settings_json = settings,
        .owner = run->owner,
        .lease = run->lease,
        .key_limit = run->key_limit,
    };
    const struct plan_options plan = {
        .pipeline = context->pipeline,
        .n_nodes = run->n_nodes,
        .batch_keys = context->options->batch,
        .key_limit = run->key_limit,
    };
    if (ledger_run_begin(context->ledger, &spec, &run->number, &run->epoch,
                         err))
        return (int)err->code;
    CRASH_POINT("master_after_run_row");
    if (plan_write(&plan, context->ledger, run->number, err)) {
        ledger_run_rollback(context->ledger);
        return (int)err->code;
    }
    CRASH_POINT("master_after_root_batches");
    if (!context->options->dry_run)
        return ledger_run_commit(context->ledger, err);
    ledger_run_rollback(context->ledger);
    return 0;
}

static int begin_run(struct run *run)
{
    struct error err = ERROR_NONE;
    char *settings = run_settings(run->context.settings,
                                  buffer_slice(&run->context.pipeline_text));
    int status = settings ? write_run(run, settings, &err)
                          : error_set(&err, ERR_MEMORY, "no memory for a run");
    free(settings);
    return status ? context_complain(&run->context, &err) : 0;
}

/* ---- a run that is taken up again ---- */

static int parse_run(struct context *context, int64_t *ret)
{
    char *end;
    long long number = strtoll(context->options->argument, &end, 10);
    if (*context->options->argument && !*end && number > 0) {
        *ret = number;
        return 0;
    }
    fprintf(stderr,
            "windrow: \"%s\" is no run: `windrow runs` lists their numbers\n",
            context->options->argument);
    return EXIT_BAD_USAGE;
}

static int check_settings(struct run *run, const struct run_row *row)
{
    char *now = run_settings(run->context.settings, row->pipeline_text);
    bool same = now && !strcmp(now, row->settings_json);
    if (!same && !run->context.options->force)
        fprintf(stderr,
                "windrow: the settings are not those that run %" PRId64
                " began with:\n  then: %s\n  now:  %s\n"
                "Set them as then, or say --force.\n",
                row->run, row->settings_json, now ? now : "?");
    free(now);
    return same || run->context.options->force ? 0 : EXIT_BAD_USAGE;
}

static int copy_pipeline(struct run *run, const struct run_row *row)
{
    struct context *context = &run->context;
    context->pipeline_path = row->pipeline_path;
    if (buffer_append_slice(&context->pipeline_text, row->pipeline_text))
        return context_load_pipeline(context);
    struct error err = ERROR_NONE;
    error_set(&err, ERR_MEMORY, "no memory for the pipeline");
    return context_complain(context, &err);
}

/* A master that was killed leaves a lease that must run out first. One that
 * lives renews it, and keeps the run. */
static int take_when_free(struct run *run, struct run_row *row)
{
    struct context *context = &run->context;
    const struct timespec pause = {.tv_nsec = TAKE_PAUSE * 1000};
    for (usec_t left = 0;; left = row->lease_left) {
        struct error err = ERROR_NONE;
        if (!ledger_run_take(context->ledger, run->number, run->owner,
                             run->lease, &context->arena, row, &err))
            return 0;
        struct error look = ERROR_NONE;
        if (err.code != ERR_CONFLICT ||
            ledger_run_row(context->ledger, run->number, &context->arena, row,
                           &look) ||
            row->state != RUN_OPEN || (left && row->lease_left > left)) {
            int status = context_complain(context, &err);
            bool others = err.code == ERR_CONFLICT && row->state == RUN_OPEN;
            return others ? EXIT_NOT_FINISHED : status;
        }
        if (!left)
            log_info("master",
                     "run %" PRId64 " is %s's for another %.1f s, "
                     "unless that renews it: waiting",
                     row->run, row->owner, (double)row->lease_left / 1e6);
        nanosleep(&pause, NULL);
    }
}

/* Looks before it takes, so that a wrong setting does not cost the lease. */
static int take_run(struct run *run)
{
    struct context *context = &run->context;
    struct error err = ERROR_NONE;
    int status = parse_run(context, &run->number);
    if (status || (status = context_open_ledger(context)))
        return status;
    struct run_row row;
    if (ledger_run_row(context->ledger, run->number, &context->arena, &row,
                       &err))
        return context_complain(context, &err);
    if ((status = check_settings(run, &row)) ||
        (status = copy_pipeline(run, &row)))
        return status;
    if (ledger_use_pipeline(context->ledger, context->pipeline, &err))
        return context_complain(context, &err);
    if ((status = take_when_free(run, &row)))
        return status;
    CRASH_POINT("master_after_take");
    run->epoch = row.epoch;
    run->resumed = true;
    run->key_limit = row.key_limit;
    return 0;
}

/* ---- the run ---- */

static struct progress_state progress_state(const struct run *run,
                                            const struct master_core *core,
                                            int64_t open_keys)
{
    struct master_view view = master_core_view(core);
    struct node_view node;
    struct progress_state state = {
        .done = run->before.stored + view.stored,
        .failed = run->before.failed + view.failed,
        .before = run->before.stored + run->before.failed,
        .open = open_keys || view.stored || view.failed ? open_keys : -1,
        .nodes = view.nodes_alive,
        .nodes_wanted = run->n_nodes,
        .draining = view.draining,
    };
    for (size_t i = 0; master_core_node(core, i, &node); i++)
        state.waiting |= node.alive && node.store_waiting;
    return state;
}

static void on_progress(void *context, const struct master_core *core,
                        int64_t open_keys)
{
    struct run *run = context;
    struct progress_state state = progress_state(run, core, open_keys);
    progress_show(run->progress, clock_monotonic(), &state);
}

static int work(struct run *run)
{
    struct context *context = &run->context;
    struct error err = ERROR_NONE;
    const struct cluster_options options = {
        .pipeline = context->pipeline,
        .pipeline_text = buffer_slice(&context->pipeline_text),
        .pipeline_path = context->pipeline_path,
        .settings = context->settings,
        .ledger = context->ledger,
        .run = run->number,
        .epoch = run->epoch,
        .resumed = run->resumed,
        .key_limit = run->key_limit,
        .n_nodes = run->n_nodes,
        .batch_keys = context->options->batch,
        .env_files = context->env_files,
        .n_env_files = context->n_env_files,
        .log_json = context->options->log_format == LOG_FORMAT_JSON,
        .on_progress = on_progress,
        .context = run,
    };
    run->started = clock_monotonic();
    run->progress = progress_new(context->options->progress, run->started);
    if (!run->progress)
        error_set(&err, ERR_MEMORY, "no memory for the progress line");
    else if (!ledger_run_row(context->ledger, run->number, &context->arena,
                             &run->before, &err) &&
             !cluster_run(&options, &run->result, &err)) {
        return 0;
    }
    return context_complain(context, &err);
}

/* ---- after ---- */

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
    if ((*left)-- > 0)
        fprintf(stderr, "windrow: %s %.*s: %s: %.*s\n", row->worker,
                SLICE_ARGS(row->key), reason_text(row->reason),
                SLICE_ARGS(row->detail));
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

static void print_hint(const struct run *run, const char *words,
                       const char *command)
{
    fprintf(stderr, "windrow: %s: windrow %s %" PRId64, words, command,
            run->number);
    print_store(run, stderr);
    fputc('\n', stderr);
}

static void print_resumable(const struct run *run)
{
    print_hint(run, "nothing is lost; go on with", "resume");
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
        if (ledger_failures(run->context.ledger, run->number, print_failure,
                            &left, &err))
            context_complain(&run->context, &err);
    }
    if (summary->run.state == RUN_OPEN)
        print_resumable(run);
    if (summary->run.failed)
        print_hint(run, "what failed, and why", "failures");
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
static int read_summary(struct run *run, struct summary *summary)
{
    const struct timespec pause = {.tv_nsec = SUMMARY_PAUSE * 1000};
    for (int tries = 1;; tries++) {
        struct error err = ERROR_NONE;
        if (!summary_read(run->context.ledger, run->number, &run->context.arena,
                          summary, &err))
            return 0;
        if (error_code_kind(err.code) != ERROR_RETRY || tries == SUMMARY_TRIES)
            return context_complain(&run->context, &err);
        nanosleep(&pause, NULL);
    }
}

static int finish(struct run *run)
{
    struct context *context = &run->context;
    struct error err = ERROR_NONE;
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
    progress_end(run->progress, now, &state);
    CRASH_POINT("master_before_end");
    int64_t epoch = DEFENCE_OFF("epoch") ? summary.run.epoch : run->epoch;
    if (ledger_run_end(context->ledger, run->number, epoch, summary.run.state,
                       &err)) {
        context_complain(context, &err);
        summary.exit_status = EXIT_NOT_FINISHED;
    }
    CRASH_POINT("master_after_end");
    return print_summary(run, &summary);
}

static void run_free(struct run *run)
{
    progress_free(&run->progress);
    free(run->result.nodes);
    context_free(&run->context);
}

static void set_log(const struct run *run)
{
    const char *level =
        settings_get(run->context.settings, "WINDROW_LOG_LEVEL");
    int least = level ? log_level_parse(level) : -1;
    log_configure(least < 0 ? LOG_LEVEL_INFO : (enum log_level)least,
                  run->context.options->log_format);
}

static int go(struct run *run)
{
    CRASH_POINT("master_before_work");
    int status = work(run);
    return status ? status : finish(run);
}

static int print_dry_run(const struct run *run)
{
    const struct pipeline *pipeline = run->context.pipeline;
    struct buffer url = BUFFER_EMPTY;
    settings_mask_url(buffer_text(&run->context.database_url), &url);
    printf("%s: %zu workers, %d nodes, into %s: all is well, nothing was "
           "started\n",
           pipeline->name, pipeline->n_workers, run->n_nodes,
           buffer_text(&url));
    buffer_free(&url);
    return 0;
}

int command_run(const struct options *options)
{
    struct run run = {.n_nodes = scale(options), .key_limit = options->limit};
    struct context *context = &run.context;
    int status = context_settings(context, options, options->argument);
    if (!status) {
        set_log(&run);
        name_owner(&run);
        status = read_lease(&run);
    }
    if (!status && !(status = context_find_pipeline(context)) &&
        !(status = context_read_pipeline(context)) &&
        !(status = context_load_pipeline(context))) {
        print_notes(context->pipeline);
        if (!(status = check_summary(&run)) &&
            !(status = context_open_ledger(context)) &&
            !(status = begin_run(&run)))
            status = options->dry_run ? print_dry_run(&run) : go(&run);
    }
    run_free(&run);
    return status;
}

int command_resume(const struct options *options)
{
    struct run run = {.n_nodes = scale(options)};
    int status = context_settings(&run.context, options, NULL);
    if (!status) {
        set_log(&run);
        name_owner(&run);
        status = read_lease(&run);
    }
    if (!status && !(status = take_run(&run)))
        status = go(&run);
    run_free(&run);
    return status;
}
