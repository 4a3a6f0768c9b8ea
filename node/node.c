/*
 * node.c: see node.h.
 *
 * Callbacks turn what happened into an event for the core, at once; effects
 * are carried out at the end of each turn, so that nothing is started, freed
 * or sent from inside a library's callback. A turn of the loop is: wait,
 * callbacks, effects.
 *
 * What belongs to one run (pipeline, extractors, transfers, store) is made at
 * the welcome, in run.c.
 */
#include "node.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/crash_point.h"
#include "base/log.h"
#include "base/process.h"
#include "core/node_core.h"
#include "links.h"
#include "loop/health.h"
#include "note.h"
#include "run.h"
#include "times.h"
#include "turn.h"
#include "wire/curve.h"

#define EXIT_COULD_NOT_FINISH 4
#define EXIT_START_ANEW 1 /* another process may do better */
#define HOST_NAME_BYTES 64
#define FORMER_MAX 8 /* runs whose last closings are not answered yet */

struct node {
    const struct node_options *options;
    struct event_base *base;
    struct links *links;
    struct event *tick;
    struct event *signals[2];
    struct node_core *core;
    struct run *run; /* NULL before the first welcome */
    struct run *former[FORMER_MAX];
    struct event *grace; /* what is left to hand back all, after a signal */
    struct timeval grace_time;
    struct arena message_arena;
    struct buffer outgoing;
    usec_t started;
    bool over;
    int exit_status;
};

/* ---- in: events for the core ---- */

static void tell_core(struct node *node, const struct node_event *event)
{
    struct error err = ERROR_NONE;
    if (node_core_event(node->core, clock_monotonic(), event, &err))
        log_warn(node->options->name, "%s; starting over", err.text);
}

static void carry_out_effects(struct node *node);

static void end(struct node *node, int status, const char *why)
{
    if (why[0])
        log_error(node->options->name, "%s", why);
    node->over = true;
    node->exit_status = status;
}

static void give_up(struct node *node, const char *why)
{
    end(node, EXIT_COULD_NOT_FINISH, why);
}

static void on_run_event(void *context, const struct node_event *event)
{
    tell_core(context, event);
}

static void on_closing_dropped(void *context, uint64_t closing)
{
    struct node *node = context;
    node_core_closing_done(node->core, closing);
}

static size_t on_asked(void *context, uint64_t fetch, struct slice *ret_keys,
                       unsigned *ret_nth)
{
    const struct node *node = context;
    return node_core_asked(node->core, fetch, ret_keys, ret_nth);
}

static void on_note(void *context, const char *note)
{
    struct node *node = context;
    log_warn(node->options->name, "%s", note);
}

static void on_stuck(void *context, bool again, const char *why)
{
    end(context, again ? EXIT_START_ANEW : EXIT_COULD_NOT_FINISH, why);
}

static void free_done_runs(struct node *node)
{
    for (size_t i = 0; i < FORMER_MAX; i++)
        if (node->former[i] && run_is_done(node->former[i]))
            run_free(&node->former[i]);
}

/* The closings that the former run's store has begun belong to the core until
 * they are answered: so that run lives on until then. */
static void replace_run(struct node *node, struct run *fresh)
{
    size_t i = 0;
    if (node->run) {
        free_done_runs(node);
        while (i < FORMER_MAX && node->former[i])
            i++;
        if (i == FORMER_MAX) {
            run_free(&fresh);
            give_up(node, "the database does not answer for the runs before");
            return;
        }
        run_retire(node->run);
        node->former[i] = node->run;
    }
    node->run = fresh;
    if (node->options->serve)
        log_info(node->options->name, "works on a run of the master at %s",
                 node->options->connect);
    /* The new store is connected, whatever the former one waited for. */
    tell_core(node, &(struct node_event){.type = NODE_EVENT_STORE});
}

/* A welcome brings the run, which must be ready before the core hears of it.
 * The core may ignore the welcome: then it goes on with the run it has. A
 * database that is away for a moment is no reason to end: not having heard of
 * the welcome, the core says hello again, and gets another. */
static void take_welcome(struct node *node, const struct message *message)
{
    const struct welcome *welcome = &message->welcome;
    struct error err = ERROR_NONE;
    struct run *fresh = NULL;
    const struct run_callbacks callbacks = {
        node, on_run_event, on_closing_dropped, on_asked, on_note, on_stuck};
    carry_out_effects(node); /* of the run before, while it is here */
    if (node->over)
        return;
    bool known = node->run && run_is(node->run, welcome);
    if ((!known &&
         run_new(node->base, welcome, node->options->settings,
                 node->options->launcher, &callbacks, &fresh, &err)) ||
        links_connect_tasks(node->links, welcome->task_endpoint, &err)) {
        run_free(&fresh);
        if (error_code_kind(err.code) == ERROR_RETRY)
            log_warn(node->options->name, "%s; saying hello again", err.text);
        else
            give_up(node, err.text);
        return;
    }
    struct node_event event = {.type = NODE_EVENT_MESSAGE, .message = message};
    event.pipeline = run_pipeline(fresh ? fresh : node->run);
    tell_core(node, &event);
    if (fresh && node_core_pipeline(node->core) == run_pipeline(fresh)) {
        replace_run(node, fresh);
    } else {
        run_free(&fresh);
    }
    CRASH_POINT("after_welcome");
}

static bool is_for_me(const struct node *node, const struct message *message)
{
    return !message->node[0] || !strcmp(message->node, node->options->name);
}

static void take_message(struct node *node, struct slice data, bool is_task)
{
    struct message message;
    struct error err = ERROR_NONE;
    arena_reset(&node->message_arena);
    if (message_decode(data, &node->message_arena, &message, &err)) {
        log_warn(node->options->name, "a message was dropped: %s", err.text);
        return;
    }
    bool task = message.type == MESSAGE_TASK || message.type == MESSAGE_DROP;
    if (!is_for_me(node, &message) || task != is_task)
        return;
    if (message.type == MESSAGE_WELCOME) {
        take_welcome(node, &message);
        return;
    }
    struct node_event event = {.type = NODE_EVENT_MESSAGE, .message = &message};
    tell_core(node, &event);
    if (message.type == MESSAGE_TASK)
        CRASH_POINT("after_task");
}

static void on_task(void *context, struct slice data)
{
    turn_enter();
    take_message(context, data, true);
}

static void on_control(void *context, struct slice data)
{
    turn_enter();
    take_message(context, data, false);
}

static void on_tick(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    turn_enter();
    tell_core(context, &(struct node_event){.type = NODE_EVENT_TICK});
}

static void on_signal(evutil_socket_t signal_number, short what, void *context)
{
    (void)what;
    turn_enter();
    struct node *node = context;
    log_debug(node->options->name, "signal %d: draining", (int)signal_number);
    if (!evtimer_pending(node->grace, NULL))
        evtimer_add(node->grace, &node->grace_time);
    tell_core(node, &(struct node_event){.type = NODE_EVENT_STOP});
}

/* What is not committed by now, the database answers too late for: the master
 * hands it out again. */
static void on_grace_over(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct node *node = context;
    log_warn(node->options->name,
             "ending before all was handed back: WINDROW_GRACE is over");
    node->over = true;
}

/* ---- out: effects of the core ---- */

static void add_process_counters(const struct node *node,
                                 struct heartbeat *beat)
{
    struct turns turns = turn_counts();
    beat->cpu = clock_process_cpu();
    beat->uptime = clock_monotonic() - node->started;
    beat->busy = turns.total;
    beat->worst_turn = turns.worst;
    beat->long_turns = turns.n_long;
    beat->memory_peak = process_memory_peak();
    beat->times = node_times();
    beat->bytes = node->run ? run_bytes(node->run) : 0;
}

static void send_message(struct node *node, struct message *message)
{
    if (message->type == MESSAGE_HEARTBEAT)
        add_process_counters(node, &message->heartbeat);
    else if (message->type == MESSAGE_HELLO)
        links_greet(node->links);
    else if (message->type == MESSAGE_BYE)
        CRASH_POINT("before_bye");
    struct error err = ERROR_NONE;
    buffer_clear(&node->outgoing);
    if (message_encode(message, &node->outgoing, &err))
        log_warn(node->options->name, "%s", err.text);
    else if (!links_report(node->links, buffer_slice(&node->outgoing)))
        log_debug(node->options->name, "a %s found no room",
                  message_type_name(message->type));
    if (message->type == MESSAGE_REPORT)
        CRASH_POINT("after_report");
    else if (message->type == MESSAGE_HEARTBEAT)
        CRASH_POINT("after_heartbeat");
}

static void carry_out(struct node *node, struct node_effect *effect)
{
    switch (effect->type) {
    case NODE_EFFECT_SEND:
        send_message(node, &effect->message);
        break;
    case NODE_EFFECT_START:
        run_start(node->run, effect);
        break;
    case NODE_EFFECT_CANCEL:
        run_cancel(node->run, effect->cancel);
        break;
    case NODE_EFFECT_CLOSE:
        run_close(node->run, effect);
        break;
    case NODE_EFFECT_FORGET:
        if (node->run)
            run_forget(node->run);
        break;
    case NODE_EFFECT_EXIT:
        end(node, effect->exit.status, effect->exit.why);
        break;
    }
}

static void carry_out_effects(struct node *node)
{
    struct node_effect effect;
    while (!node->over && node_core_effect(node->core, &effect))
        carry_out(node, &effect);
}

/* Before the loop waits: what it works on next may crash it. */
static void write_note(const struct node *node)
{
    int64_t batches[NOTE_BATCHES_MAX];
    if (node->options->note)
        note_begun(node->options->note, batches,
                   node_core_begun(node->core, batches, NOTE_BATCHES_MAX));
}

static void set_tick(struct node *node)
{
    usec_t wait = node_core_deadline(node->core) - clock_monotonic();
    if (wait < 0)
        wait = 0;
    struct timeval after = {wait / USEC_PER_SEC, wait % USEC_PER_SEC};
    evtimer_add(node->tick, &after);
}

/* ---- the node ---- */

/* How long a node that was told to stop may take. */
static int open_grace(struct node *node, struct error *err)
{
    usec_t grace;
    if (settings_get_integer(node->options->settings, "WINDROW_GRACE", &grace,
                             err))
        return (int)err->code;
    node->grace_time =
        (struct timeval){grace / USEC_PER_SEC, grace % USEC_PER_SEC};
    node->grace = evtimer_new(node->base, on_grace_over, node);
    if (!node->grace)
        return error_set(err, ERR_MEMORY, "no memory for an event loop");
    return 0;
}

static int open_loop(struct node *node, struct error *err)
{
    static const int numbers[] = {SIGTERM, SIGINT};
    struct event_config *config = event_config_new();
    if (config)
        event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
    node->base = config ? event_base_new_with_config(config) : NULL;
    if (config)
        event_config_free(config);
    node->tick = node->base ? evtimer_new(node->base, on_tick, node) : NULL;
    if (!node->tick)
        return error_set(err, ERR_MEMORY, "no memory for an event loop");
    for (int i = 0; i < 2; i++) {
        node->signals[i] =
            evsignal_new(node->base, numbers[i], on_signal, node);
        if (!node->signals[i] || evsignal_add(node->signals[i], NULL))
            return error_set(err, ERR_MEMORY, "no memory for an event loop");
    }
    return health_start(node->options->health, node->base, err);
}

/* A file is on one machine. */
static int check_database(const struct node_options *options, struct error *err)
{
    struct buffer url = BUFFER_EMPTY;
    int status = settings_database_url(options->settings, &url, err);
    if (!status && !strncmp(buffer_text(&url), "sqlite:", 7))
        status = error_set(err, ERR_SETTING,
                           "nodes of other machines need PostgreSQL, as the "
                           "master has it: set DATABASE_URL");
    buffer_free(&url);
    return status;
}

/* What no waiting mends is said before anything is waited for. */
static int check_options(const struct node_options *options, struct error *err)
{
    struct curve_keys keys;
    if (strncmp(options->connect, "tcp://", 6) != 0)
        return 0;
    int status = options->keys ? curve_read_node(options->keys,
                                                 options->key_name, &keys, err)
                               : 0;
    explicit_bzero(&keys, sizeof keys);
    return status ? status : check_database(options, err);
}

/* A database that is away just now is waited for, as by a store in mid-run:
 * otherwise a node that is started again meanwhile would end the run. Before
 * signals are caught, so that any of them ends the wait. */
static int find_ledger_id(const struct node_options *options,
                          char ret[LEDGER_ID_BYTES], struct error *err)
{
    const struct timespec pause = {.tv_nsec = 500000000};
    int64_t wait = 0;
    if (settings_get_integer(options->settings, "WINDROW_DATABASE_WAIT", &wait,
                             err))
        return (int)err->code;
    const usec_t until = clock_monotonic() + wait;
    for (bool told = false;; told = true) {
        if (!run_ledger_id(options->settings, ret, err))
            return 0;
        if (error_code_kind(err->code) != ERROR_RETRY ||
            clock_monotonic() > until)
            return (int)err->code;
        if (!told)
            log_warn(options->name, "the database is away, waiting for it: %s",
                     err->text);
        nanosleep(&pause, NULL);
        *err = ERROR_NONE;
    }
}

/* Larger than that of any former process of the same name: the wall clock in
 * microseconds, and the core counts on from there. */
static int open_core(struct node *node, const char *ledger_id,
                     struct error *err)
{
    char host[HOST_NAME_BYTES] = "";
    gethostname(host, sizeof host - 1);
    struct node_core_config config = {
        .name = node->options->name,
        .incarnation = clock_wall(),
        .wall = clock_wall(),
        .ledger_id = ledger_id,
        .program = WINDROW_VERSION,
        .host = host,
        .pid = getpid(),
        .core = node->options->core,
        .serve = node->options->serve,
    };
    if (node->options->note)
        config.n_crashed =
            note_crashed(node->options->note, &config.crashed_batches);
    if (config.n_crashed)
        log_warn(node->options->name,
                 "the process before crashed, with %zu batches begun: telling "
                 "the master",
                 config.n_crashed);
    if (getrandom(&config.seed, sizeof config.seed, 0) < 0)
        config.seed = (uint64_t)config.incarnation;
    node->core = node_core_new(&config, clock_monotonic());
    if (!node->core)
        return error_set(err, ERR_MEMORY, "no memory for a node");
    return 0;
}

static void close_node(struct node *node)
{
    run_free(&node->run);
    for (size_t i = 0; i < FORMER_MAX; i++)
        run_free(&node->former[i]);
    node_core_free(&node->core);
    links_free(&node->links);
    for (int i = 0; i < 2; i++)
        if (node->signals[i])
            event_free(node->signals[i]);
    if (node->tick)
        event_free(node->tick);
    if (node->grace)
        event_free(node->grace);
    health_stop(node->options->health);
    if (node->base)
        event_base_free(node->base);
    arena_free(&node->message_arena);
    buffer_free(&node->outgoing);
}

int node_run(const struct node_options *options)
{
    struct node node = {.options = options, .started = clock_monotonic()};
    const struct links_callbacks callbacks = {&node, on_control, on_task};
    struct error err = ERROR_NONE;
    char ledger_id[LEDGER_ID_BYTES];
    if (check_options(options, &err) ||
        find_ledger_id(options, ledger_id, &err) || open_loop(&node, &err) ||
        open_grace(&node, &err) || open_core(&node, ledger_id, &err) ||
        links_new(node.base, options, &callbacks, &node.links, &err)) {
        log_error(options->name, "%s", err.text);
        close_node(&node);
        return error_code_kind(err.code) == ERROR_USER ? 2
                                                       : EXIT_COULD_NOT_FINISH;
    }
    if (options->serve)
        log_info(options->name, "says hello to the master at %s",
                 options->connect);
    carry_out_effects(&node);
    while (!node.over) {
        set_tick(&node);
        event_base_loop(node.base, EVLOOP_ONCE);
        carry_out_effects(&node);
        free_done_runs(&node);
        write_note(&node);
        turn_leave();
    }
    close_node(&node);
    return node.exit_status;
}
