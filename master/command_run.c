/*
 * command_run.c: `windrow run`, `windrow resume` and `windrow retry`.
 *
 *   run:     settings, pipeline, database; the run and its root batches in the
 *            ledger (or, by its name, one that is there); then the cluster
 *   resume:  the run and its pipeline from the ledger, with a new epoch; then
 *            the cluster
 *   retry:   the same for a new run, over the keys that failed in that one
 *
 * All end alike: the run's state, the summary, the exit status (run.h).
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/crash_point.h"
#include "cluster.h"
#include "commands.h"
#include "cores.h"
#include "dashboard_process.h"
#include "every.h"
#include "run.h"

/* ---- before ---- */

/* auto: one a core, and fewer while they have little to do. */
static void set_scale(struct run *run, const struct options *options)
{
    run->n_nodes = run->nodes_least = options->scale;
    run->nodes_most = options->scale_most;
    if (options->scale != SCALE_AUTO)
        return;
    struct cores cores;
    cores_read(&cores);
    run->n_nodes = run->nodes_most = (int)cores.n_granted;
    run->nodes_least = 1;
}

static void name_owner(struct run *run)
{
    char host[64] = "";
    gethostname(host, sizeof host - 1);
    snprintf(run->owner, sizeof run->owner, "%s, process %d", host,
             (int)getpid());
}

static int read_times(struct run *run)
{
    struct error err = ERROR_NONE;
    const struct settings *settings = run->context.settings;
    if (settings_get_integer(settings, "WINDROW_MASTER_LEASE", &run->lease,
                             &err) ||
        settings_get_integer(settings, "WINDROW_DATABASE_WAIT",
                             &run->database_wait, &err) ||
        listen_read(run->context.options, settings, &run->listen, &err))
        return context_complain(&run->context, &err);
    return dashboard_process_check(&run->context);
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
        fprintf(stderr, "windrow: note: line %d: %s\n", pipeline->notes[i].line,
                pipeline->notes[i].text);
}

/* ---- the run ---- */

static struct progress_state progress_state(const struct run *run,
                                            const struct master_core *core,
                                            int64_t open_keys, int nodes_wanted)
{
    struct master_view view = master_core_view(core);
    struct node_view node;
    struct progress_state state = {
        .done = run->before.stored + view.stored,
        .failed = run->before.failed + view.failed,
        .before = run->before.stored + run->before.failed,
        .open = open_keys || view.stored || view.failed ? open_keys : -1,
        .nodes = view.nodes_alive,
        .nodes_wanted = nodes_wanted,
        .draining = view.draining,
    };
    for (size_t i = 0; master_core_node(core, i, &node); i++)
        state.waiting |= node.alive && node.store_waiting;
    return state;
}

static void on_progress(void *context, const struct master_core *core,
                        int64_t open_keys, int nodes_wanted)
{
    struct run *run = context;
    struct progress_state state =
        progress_state(run, core, open_keys, nodes_wanted);
    progress_show(run->progress, clock_monotonic(), &state);
}

static int work(struct run *run)
{
    struct context *context = &run->context;
    struct error err = ERROR_NONE;
    run->progress = progress_new(context->options->progress, run->started);
    if (!run->progress)
        error_set(&err, ERR_MEMORY, "no memory for the progress line");
    if (!run->progress || ledger_run_row(context->ledger, run->number,
                                         &context->arena, &run->before, &err))
        return context_complain(context, &err);
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
        .listen = run->listen,
        .n_nodes = run->n_nodes,
        .nodes_least = run->nodes_least,
        .nodes_most = run->nodes_most,
        .nodes_told = run->before.nodes_wanted,
        .stored_before = run->before.stored,
        .failed_before = run->before.failed,
        .batch_keys = context->options->batch,
        .env_files = context->env_files,
        .n_env_files = context->n_env_files,
        .log_json = context->options->log_format == LOG_FORMAT_JSON,
        .log_file = context->options->log_file,
        .on_progress = on_progress,
        .context = run,
    };
    if (cluster_run(&options, &run->result, &err))
        return context_complain(context, &err);
    return 0;
}

void run_free(struct run *run)
{
    dashboard_process_end(&run->dashboard);
    progress_free(&run->progress);
    free(run->result.nodes);
    ledger_close(&run->failures);
    context_free(&run->context);
}

static int go(struct run *run)
{
    run->started = clock_monotonic();
    CRASH_POINT("master_before_work");
    if (!run->ended)
        dashboard_process_start(&run->context, &run->dashboard);
    int status = run->ended ? 0 : work(run);
    return status ? status : run_finish(run);
}

/* The run that is to be worked on, which may be there already. */
int run_go(struct run *run)
{
    int status =
        run->context.options->name ? run_lead(run) : run_begin(run, NULL);
    return status ? status : go(run);
}

static void print_dry_run(const struct run *run)
{
    const struct pipeline *pipeline = run->context.pipeline;
    struct buffer url = BUFFER_EMPTY;
    settings_mask_url(buffer_text(&run->context.database_url), &url);
    printf("%s: %zu workers, %d nodes, into %s: all is well, nothing was "
           "started\n",
           pipeline->name, pipeline->n_workers, run->n_nodes,
           buffer_text(&url));
    buffer_free(&url);
}

int run_try(struct run *run)
{
    int status = run_begin(run, NULL);
    if (!status)
        print_dry_run(run);
    return status;
}

int run_init(struct run *run, const struct options *options)
{
    *run = (struct run){.key_limit = options->limit};
    set_scale(run, options);
    int status = context_settings(&run->context, options, options->argument);
    if (status)
        return status;
    name_owner(run);
    if (!(status = context_set_log(&run->context)) &&
        !(status = read_times(run)) &&
        !(status = context_find_pipeline(&run->context)))
        status = check_summary(run);
    return status;
}

int run_read_pipeline(struct run *run)
{
    int status = context_read_pipeline(&run->context);
    if (!status && !(status = context_load_pipeline(&run->context)))
        print_notes(run->context.pipeline);
    return status;
}

int command_run(const struct options *options)
{
    if (options->every)
        return every_run(options);
    struct run run;
    int status = run_init(&run, options);
    if (!status && !(status = run_read_pipeline(&run)) &&
        !(status = context_open_ledger(&run.context)))
        status = options->dry_run ? run_try(&run) : run_go(&run);
    run_free(&run);
    return status;
}

/* Of a run whose pipeline is in the ledger. */
static int run_in_ledger(const struct options *options, bool retry)
{
    struct run run = {0};
    bool nothing = false;
    set_scale(&run, options);
    int status = context_settings(&run.context, options, NULL);
    if (!status) {
        name_owner(&run);
        status = context_set_log(&run.context);
    }
    if (!status)
        status = read_times(&run);
    if (!status)
        status = retry ? run_retry(&run, &nothing) : run_take(&run);
    if (!status && !nothing)
        status = go(&run);
    run_free(&run);
    return status;
}

int command_resume(const struct options *options)
{
    return run_in_ledger(options, false);
}

int command_retry(const struct options *options)
{
    return run_in_ledger(options, true);
}
