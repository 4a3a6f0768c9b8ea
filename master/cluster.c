/*
 * cluster.c: see cluster.h.
 *
 * Callbacks turn what happened into an event for the core, at once; effects
 * are carried out at the end of each turn of the loop. The ledger's calls are
 * made by a thread (ledger_calls.c).
 */
#include "cluster.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <uthash.h>

#include "base/crash_point.h"
#include "base/log.h"
#include "ledger/run_settings.h"
#include "ledger_calls.h"
#include "loop/health.h"
#include "processes.h"
#include "scaling.h"
#include "sockets.h"
#include "status.h"
#include "stop_signals.h"
#include "wire/message.h"

#define PROGRESS_INTERVAL (250 * USEC_PER_MSEC)
/* For nodes to end by themselves, and where the run is not done. */
#define END_PATIENCE USEC_PER_SEC
#define STOP_PATIENCE (200 * USEC_PER_MSEC)
#define END_LOOK_INTERVAL (50 * USEC_PER_MSEC)
#define WHO "master"
#define NO_LEASE (24 * 3600 * USEC_PER_SEC) /* as good as none, for a test */

struct cluster {
    const struct cluster_options *options;
    struct event_base *base;
    struct sockets *sockets;
    struct master_core *core;
    struct ledger_calls *calls;
    struct processes *processes;
    struct scaling scaling;
    char *settings; /* for the welcome */
    int nodes_told;
    struct event *tick, *progress;
    struct stop_signals signals;
    struct health *health;
    struct arena message_arena;
    usec_t lease, batch_time, close_after, database_wait, node_lease, heartbeat;
    int64_t open_and_ended; /* keys, as the ledger last said */
    struct status *status;
    bool over;
    struct cluster_result *result;
};

static const char *const end_names[] = {[CLUSTER_FINISHED] = "finished",
                                        [CLUSTER_PAUSED] = "paused",
                                        [CLUSTER_GAVE_UP] = "gave_up"};

/* ---- in: events for the core ---- */

static void tell_core(struct cluster *cluster, const struct master_event *event)
{
    struct error err = ERROR_NONE;
    if (master_core_event(cluster->core, clock_monotonic(), event, &err))
        log_warn(WHO, "%s", err.text);
}

static void send_message(struct cluster *cluster, struct message *message);

/* Of messages: the ledger's epochs are each run's own, and a node that serves
 * run after run must not take another run's master for the one it had. */
static int64_t message_epoch(const struct cluster *cluster)
{
    const struct cluster_options *options = cluster->options;
    return options->run * MESSAGE_EPOCHS_OF_A_RUN + options->epoch;
}

/* The run is over, and this node comes late. */
static void send_away(struct cluster *cluster, const struct message *hello)
{
    struct message message = {.type = MESSAGE_END,
                              .epoch = message_epoch(cluster),
                              .incarnation = hello->incarnation};
    memcpy(message.node, hello->node, sizeof message.node);
    message.end.reason = "the run is over";
    send_message(cluster, &message);
}

/* A node's last words, after the core has finished: for the summary. */
static void take_last_words(struct cluster *cluster,
                            const struct message *message)
{
    if (message->type == MESSAGE_HELLO)
        send_away(cluster, message);
    for (size_t i = 0; i < cluster->result->n_nodes; i++) {
        struct node_view *view = &cluster->result->nodes[i];
        if (strcmp(view->name, message->node))
            continue;
        if (message->type == MESSAGE_BYE || message->type == MESSAGE_HELLO)
            view->alive = false;
        if (message->type != MESSAGE_HEARTBEAT)
            continue;
        view->last = message->heartbeat;
        view->last.held = NULL;
        view->last.shares = NULL;
        view->last.times = NULL;
    }
}

static void on_report(void *context, struct slice data)
{
    struct cluster *cluster = context;
    struct message message;
    struct error err = ERROR_NONE;
    arena_reset(&cluster->message_arena);
    int status = message_decode(data, &cluster->message_arena, &message, &err);
    if (status && status != ERR_VERSION) {
        sockets_blame(cluster->sockets, err.text);
        return;
    }
    struct master_event event = {.type = MASTER_EVENT_MESSAGE,
                                 .message = &message};
    if (cluster->over)
        take_last_words(cluster, &message);
    else
        tell_core(cluster, &event);
    if (message.type == MESSAGE_HEARTBEAT)
        status_take_times(cluster->status, &message);
    if (message.type == MESSAGE_REPORT &&
        message.report.outcome == REPORT_CLOSED)
        processes_worked(cluster->processes, message.node);
    if (message.type == MESSAGE_REPORT)
        CRASH_POINT("master_after_report");
    else if (message.type == MESSAGE_HELLO)
        CRASH_POINT("master_after_hello");
}

static void on_tick(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct cluster *cluster = context;
    if (!cluster->over)
        tell_core(cluster, &(struct master_event){.type = MASTER_EVENT_TICK});
}

static void scale_to(struct cluster *cluster, int n)
{
    struct error err = ERROR_NONE;
    log_info(WHO, "%d local nodes instead of %d", n,
             processes_wanted(cluster->processes));
    if (n > PROCESSES_MAX)
        n = PROCESSES_MAX;
    if (processes_scale(cluster->processes, n, &err))
        log_warn(WHO, "%s", err.text);
    tell_core(cluster,
              &(struct master_event){.type = MASTER_EVENT_EXPECT, .expect = n});
}

static void follow_work(struct cluster *cluster)
{
    int n = processes_wanted(cluster->processes);
    int wanted =
        scaling_look(&cluster->scaling, cluster->core, n, clock_monotonic());
    if (wanted != n)
        scale_to(cluster, wanted);
}

static void tell_status(struct cluster *cluster, int64_t open)
{
    bool draining = master_core_view(cluster->core).draining;
    const struct status_moment moment = {
        .state = cluster->over ? end_names[cluster->result->end]
                 : draining    ? "pausing"
                               : "running",
        .over = cluster->over,
        .open_keys = open,
        .nodes_wanted = processes_wanted(cluster->processes)};
    struct slice text = status_tell(cluster->status, cluster->core, &moment);
    if (text.len)
        sockets_publish(cluster->sockets, text);
}

static void show_progress(struct cluster *cluster)
{
    struct master_view view = master_core_view(cluster->core);
    int64_t open = cluster->open_and_ended - view.stored - view.failed;
    if (open < view.open_keys)
        open = view.open_keys;
    tell_status(cluster, open);
    cluster->options->on_progress(cluster->options->context, cluster->core,
                                  open, processes_wanted(cluster->processes));
}

static void on_progress(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct cluster *cluster = context;
    if (cluster->over)
        return;
    show_progress(cluster);
    if (!master_core_view(cluster->core).draining)
        follow_work(cluster);
}

static void on_signal(evutil_socket_t number, short what, void *context)
{
    (void)what;
    struct cluster *cluster = context;
    log_info(WHO, "signal %d: pausing the run; once more to stop at once",
             (int)number);
    cluster->result->signalled = true;
    if (cluster->over)
        return;
    processes_let_end(cluster->processes);
    tell_core(cluster, &(struct master_event){.type = MASTER_EVENT_STOP});
}

static void on_process_exit(void *context, const char *name, bool crashed,
                            bool restarting, const char *why)
{
    struct cluster *cluster = context;
    if (restarting)
        log_warn(WHO, "%s; it is started again", why);
    else
        log_debug(WHO, "%s", why);
    struct master_event event = {.type = MASTER_EVENT_NODE_EXITED,
                                 .exited = {.node = name, .crashed = crashed}};
    if (!cluster->over)
        tell_core(cluster, &event);
    CRASH_POINT("master_after_node_exit");
}

static void end_with(struct cluster *cluster, enum cluster_end end,
                     const char *why)
{
    if (cluster->over)
        return;
    if (*why)
        log_debug(WHO, "giving up: %s", why);
    cluster->over = true;
    cluster->result->end = end;
    snprintf(cluster->result->why, sizeof cluster->result->why, "%s", why);
}

/* One node's complaint about its settings or the database is everyone's. */
static void on_process_hopeless(void *context, const char *why)
{
    struct cluster *cluster = context;
    end_with(cluster, CLUSTER_GAVE_UP, why);
}

static void on_ledger_event(void *context, const struct master_event *event)
{
    tell_core(context, event);
}

/* People may have said how many local nodes there should be (windrow scale).
 */
static void on_renewed(void *context, int64_t open_keys, int nodes_told)
{
    struct cluster *cluster = context;
    struct master_view view = master_core_view(cluster->core);
    cluster->open_and_ended = open_keys + view.stored + view.failed;
    if (cluster->over || !nodes_told || nodes_told == cluster->nodes_told)
        return;
    cluster->nodes_told = nodes_told;
    cluster->scaling.least = cluster->scaling.most = nodes_told;
    scale_to(cluster, nodes_told);
    CRASH_POINT("master_after_scale");
}

static void on_ledger_trouble(void *context, const char *why, bool final)
{
    struct cluster *cluster = context;
    if (final)
        end_with(cluster, CLUSTER_GAVE_UP, why);
    else
        log_warn(WHO, "%s; trying again", why);
}

/* ---- out: effects of the core ---- */

static void open_peer(struct cluster *cluster, const char *name)
{
    struct error err = ERROR_NONE;
    if (sockets_open_peer(cluster->sockets, name, &err))
        log_error(WHO, "%s: %s", name, err.text);
}

/* A node whose socket could not be had before (no port was free) may get it
 * now: it goes on saying hello. */
static bool fill_welcome(struct cluster *cluster, struct message *message)
{
    const struct cluster_options *options = cluster->options;
    if (!sockets_task_endpoint(cluster->sockets, message->node))
        open_peer(cluster, message->node);
    const char *endpoint =
        sockets_task_endpoint(cluster->sockets, message->node);
    if (!endpoint)
        return false;
    message->welcome = (struct welcome){
        .run = options->run,
        .ledger_id = ledger_id(options->ledger),
        .task_endpoint = endpoint,
        .pipeline = options->pipeline_text,
        .pipeline_path = options->pipeline_path,
        .settings = cluster->settings,
        .key_limit = options->key_limit,
        .heartbeat = cluster->heartbeat,
        .lease = cluster->node_lease,
        .batch_time = cluster->batch_time,
        .close_after = cluster->close_after,
        .database_wait = cluster->database_wait,
    };
    return true;
}

/* A master that could not renew its lease for long may have a successor soon,
 * which shares out the same budgets. The nodes' shares run out by themselves.
 */
static bool may_share(const struct cluster *cluster)
{
    return clock_monotonic() <
           ledger_calls_renewed_at(cluster->calls) + cluster->lease / 2;
}

static void send_message(struct cluster *cluster, struct message *message)
{
    if (message->type == MESSAGE_SHARE && !may_share(cluster))
        return;
    bool task = message->type == MESSAGE_TASK || message->type == MESSAGE_DROP;
    if (task)
        CRASH_POINT("master_before_task");
    if (message->type == MESSAGE_WELCOME && !fill_welcome(cluster, message))
        return;
    sockets_send(cluster->sockets, message);
    if (task)
        CRASH_POINT("master_after_task");
    else if (message->type == MESSAGE_WELCOME)
        CRASH_POINT("master_after_welcome");
}

static void carry_out(struct cluster *cluster, struct master_effect *effect)
{
    switch (effect->type) {
    case MASTER_EFFECT_SEND:
        send_message(cluster, &effect->message);
        break;
    case MASTER_EFFECT_OPEN_NODE:
        open_peer(cluster, effect->node);
        break;
    case MASTER_EFFECT_CLOSE_NODE:
        sockets_close_peer(cluster->sockets, effect->node);
        break;
    case MASTER_EFFECT_LOAD:
        ledger_calls_load(cluster->calls, effect->load.after,
                          effect->load.limit);
        break;
    case MASTER_EFFECT_LOOK:
        ledger_calls_look(cluster->calls, effect->look.batches, effect->look.n);
        break;
    case MASTER_EFFECT_FINISH:
        end_with(cluster, effect->paused ? CLUSTER_PAUSED : CLUSTER_FINISHED,
                 "");
        break;
    case MASTER_EFFECT_GIVE_UP:
        end_with(cluster, CLUSTER_GAVE_UP, effect->why);
        break;
    }
}

static void carry_out_effects(struct cluster *cluster)
{
    struct master_effect effect;
    while (master_core_effect(cluster->core, &effect))
        carry_out(cluster, &effect);
}

static void set_tick(struct cluster *cluster)
{
    usec_t wait = master_core_deadline(cluster->core) - clock_monotonic();
    if (wait < 0)
        wait = 0;
    struct timeval after = {wait / USEC_PER_SEC, wait % USEC_PER_SEC};
    evtimer_add(cluster->tick, &after);
}

/* ---- the cluster ---- */

static int read_times(struct cluster *cluster, struct error *err)
{
    const struct settings *settings = cluster->options->settings;
    return settings_get_integer(settings, "WINDROW_MASTER_LEASE",
                                &cluster->lease, err) ||
           settings_get_integer(settings, "WINDROW_BATCH_TIME",
                                &cluster->batch_time, err) ||
           settings_get_integer(settings, "WINDROW_CLOSE_AFTER",
                                &cluster->close_after, err) ||
           settings_get_integer(settings, "WINDROW_DATABASE_WAIT",
                                &cluster->database_wait, err) ||
           settings_get_integer(settings, "WINDROW_HEARTBEAT",
                                &cluster->heartbeat, err) ||
           settings_get_integer(settings, "WINDROW_LEASE", &cluster->node_lease,
                                err);
}

static int open_loop(struct cluster *cluster, struct error *err)
{
    const struct timeval interval = {0, PROGRESS_INTERVAL};
    cluster->base = event_base_new();
    if (!cluster->base)
        return error_set(err, ERR_MEMORY, "no memory for an event loop");
    cluster->tick = evtimer_new(cluster->base, on_tick, cluster);
    cluster->progress =
        event_new(cluster->base, -1, EV_PERSIST, on_progress, cluster);
    if (stop_signals_init(&cluster->signals, cluster->base, on_signal, cluster,
                          err))
        return (int)err->code;
    if (!cluster->tick || !cluster->progress ||
        event_add(cluster->progress, &interval))
        return error_set(err, ERR_MEMORY, "no memory for an event loop");
    const char *path =
        settings_get(cluster->options->settings, "WINDROW_HEALTH_FILE");
    return health_open(path, &cluster->health, err) ||
           health_start(cluster->health, cluster->base, err);
}

/* Whether nodes may still act on shares of the run's former master. It sent
 * none in the last part of its lease (may_share()), which has run out; a share
 * lives for two of the nodes' leases at most. */
static bool may_have_shares(const struct cluster *cluster)
{
    return cluster->lease - cluster->lease / 2 < 2 * cluster->node_lease;
}

static int open_core(struct cluster *cluster, struct error *err)
{
    const struct cluster_options *options = cluster->options;
    usec_t node_wait;
    if (settings_get_integer(options->settings, "WINDROW_NODE_WAIT", &node_wait,
                             err))
        return (int)err->code;
    struct master_core_config config = {
        .pipeline = options->pipeline,
        .ledger_id = ledger_id(options->ledger),
        .run = options->run,
        .epoch = message_epoch(cluster),
        .resumed = options->resumed && may_have_shares(cluster),
        .nodes_expected = options->n_nodes,
        .batch_keys = options->batch_keys,
        .heartbeat = cluster->heartbeat,
        .lease = DEFENCE_OFF("lease") ? NO_LEASE : cluster->node_lease,
        .node_wait = node_wait,
        .speculate_after =
            DEFENCE_OFF("second_handout") ? NO_LEASE : 3 * USEC_PER_SEC,
        .drain_time = 800 * USEC_PER_MSEC,
        .trust_crash = !DEFENCE_OFF("suspicion"),
    };
    cluster->core = master_core_new(&config, clock_monotonic());
    const struct ledger_callbacks callbacks = {cluster, on_ledger_event,
                                               on_renewed, on_ledger_trouble};
    cluster->calls = ledger_calls_new(
        cluster->base, options->ledger, options->run, options->epoch,
        cluster->lease, cluster->database_wait, &callbacks);
    const struct status_run run = {
        .pipeline = options->pipeline,
        .ledger_id = ledger_id(options->ledger),
        .run = options->run,
        .epoch = options->epoch,
        .stored_before = options->stored_before,
        .failed_before = options->failed_before,
    };
    cluster->status = status_new(&run);
    if (!cluster->core || !cluster->calls || !cluster->status)
        return error_set(err, ERR_MEMORY, "no memory for the master");
    return 0;
}

static int start_nodes(struct cluster *cluster, struct error *err)
{
    const struct cluster_options *options = cluster->options;
    const struct processes_options wanted = {
        .n_nodes = options->n_nodes,
        .connect = sockets_place(cluster->sockets),
        .keys = options->listen.keys,
        .env_files = options->env_files,
        .n_env_files = options->n_env_files,
        .allow_exec = pipeline_has_programs(options->pipeline),
        .log_json = options->log_json,
        .log_pipe = options->log_file,
    };
    const struct processes_callbacks callbacks = {cluster, on_process_exit,
                                                  on_process_hopeless};
    return processes_new(cluster->base, &wanted, &callbacks,
                         &cluster->processes, err);
}

/* Those that said no bye yet. */
static bool nodes_are_left(const struct cluster *cluster)
{
    if (processes_running(cluster->processes) > 0)
        return true;
    for (size_t i = 0; i < cluster->result->n_nodes; i++)
        if (cluster->result->nodes[i].alive)
            return true;
    return false;
}

/* Nodes say their last, and end. */
static void let_nodes_end(struct cluster *cluster)
{
    usec_t patience =
        cluster->result->end == CLUSTER_FINISHED ? END_PATIENCE : STOP_PATIENCE;
    usec_t until = clock_monotonic() + patience +
                   pipeline_end_time(cluster->options->pipeline);
    const struct timeval moment = {0, END_LOOK_INTERVAL};
    processes_ask_to_end(cluster->processes);
    while (nodes_are_left(cluster) && clock_monotonic() < until) {
        evtimer_add(cluster->tick, &moment);
        event_base_loop(cluster->base, EVLOOP_ONCE);
    }
}

static void close_cluster(struct cluster *cluster)
{
    cluster->over = true;
    processes_free(&cluster->processes);
    sockets_free(&cluster->sockets);
    ledger_calls_free(&cluster->calls);
    master_core_free(&cluster->core);
    if (cluster->tick)
        event_free(cluster->tick);
    if (cluster->progress)
        event_free(cluster->progress);
    stop_signals_fini(&cluster->signals); /* of the loop only health is left */
    health_free(&cluster->health);
    if (cluster->base)
        event_base_free(cluster->base);
    arena_free(&cluster->message_arena);
    status_free(&cluster->status);
    free(cluster->settings);
}

static void keep_views(struct cluster *cluster)
{
    struct node_view view;
    size_t n = 0;
    while (master_core_node(cluster->core, n, &view))
        n++;
    struct node_view *views = calloc(n ? n : 1, sizeof *views);
    for (size_t i = 0; views && i < n; i++)
        master_core_node(cluster->core, i, &views[i]);
    cluster->result->nodes = views;
    cluster->result->n_nodes = views ? n : 0;
}

int cluster_run(const struct cluster_options *options,
                struct cluster_result *ret, struct error *err)
{
    struct cluster cluster = {.options = options,
                              .result = ret,
                              .nodes_told = options->nodes_told,
                              .scaling = {.least = options->nodes_least,
                                          .most = options->nodes_most}};
    *ret = (struct cluster_result){.end = CLUSTER_GAVE_UP};
    cluster.settings =
        run_settings_public(options->settings, options->pipeline_text);
    int status = read_times(&cluster, err) || open_loop(&cluster, err) ||
                 sockets_new(cluster.base, &options->listen, on_report,
                             &cluster, &cluster.sockets, err) ||
                 open_core(&cluster, err) || start_nodes(&cluster, err);
    if (!status) {
        carry_out_effects(&cluster);
        while (!cluster.over) {
            set_tick(&cluster);
            event_base_loop(cluster.base, EVLOOP_ONCE);
            carry_out_effects(&cluster);
        }
        CRASH_POINT("master_before_nodes_end");
        show_progress(&cluster);
        keep_views(&cluster);
        let_nodes_end(&cluster);
    }
    close_cluster(&cluster);
    return (int)err->code;
}
