/*
 * node_session.c: the node and its master: from hello to bye.
 *
 *   GREETING -> WORKING    welcomed (again, or by a new master)
 *   WORKING --> GREETING   the loop stood still, memory ran out, or the run
 *                          ended and the node serves on: all is dropped, the
 *                          incarnation is new
 *   WORKING --> DRAINING   STOP, or an end with `drain`
 *   DRAINING -> GREETING   all is committed or handed back, and it serves on
 *   any ------> GONE       EXIT
 *
 * Silence of the master for `lease` makes the node say hello while it works
 * on: hello_at is set, the state stays WORKING. Only a welcome ends that, not
 * a ping, since the master may have counted the node as dead meanwhile.
 */
#include "core/node_internal.h"

#include <stdio.h>

#define HELLO_QUICK (100 * USEC_PER_MSEC) /* between the first hellos, ... */
#define HELLO_QUICK_MAX 10                /* for the first second */
#define HELLO_SLOW USEC_PER_SEC

static void set_state(struct node_core *core, enum node_state state)
{
    static const unsigned moves[] = {
        [NODE_GREETING] =
            1 << NODE_GREETING | 1 << NODE_WORKING | 1 << NODE_DRAINING,
        [NODE_WORKING] = 1 << NODE_GREETING | 1 << NODE_WORKING,
        [NODE_DRAINING] = 1 << NODE_WORKING,
        [NODE_GONE] =
            1 << NODE_GREETING | 1 << NODE_WORKING | 1 << NODE_DRAINING,
    };
    CHECK(moves[state] & 1u << core->state);
    CHECK(state == NODE_WORKING || state == NODE_DRAINING || !core->batches);
    TRANSITION("session", core->state, state);
    core->state = state;
}

/* Hello */

static void hello(struct node_core *core)
{
    struct message *message = node_effect_send(core, MESSAGE_HELLO);
    message->epoch = 0;
    message->hello = (struct hello){
        .version = PROTOCOL_VERSION,
        .program = core->program,
        .host = core->host,
        .pid = core->pid,
        .core = core->cpu_core,
        .ledger_id = core->ledger_id,
        .last_epoch = core->epoch,
        .crashed_batches = core->crashed,
        .n_crashed = core->n_crashed,
    };
    core->hellos++;
    usec_t pause = core->hellos < HELLO_QUICK_MAX ? HELLO_QUICK : HELLO_SLOW;
    core->hello_at = core->now + pause + node_core_jitter(core, pause / 10);
}

/* Says hello `pause` from now. */
void node_session_greet(struct node_core *core, usec_t pause)
{
    core->hellos = 0;
    if (pause > 0)
        core->hello_at = core->now + pause;
    else
        hello(core);
}

/* Drops everything and begins anew, under a new incarnation, so that nothing
 * that is still on its way to the old one is taken for ours. */
static void begin_anew(struct node_core *core, usec_t pause)
{
    node_batch_drop_all(core);
    core->incarnation++;
    core->beats = 0;
    set_state(core, NODE_GREETING);
    node_session_greet(core, pause);
}

static void heartbeat(struct node_core *core)
{
    size_t n_held = core->n_batches < HEARTBEAT_HELD_MAX ? core->n_batches
                                                         : HEARTBEAT_HELD_MAX;
    struct held_batch *held = node_effect_alloc(core, n_held * sizeof *held);
    struct share_ack *shares =
        node_effect_alloc(core, HEARTBEAT_SHARES_MAX * sizeof *shares);
    if (!held || !shares)
        return;
    size_t h = 0, s = 0;
    struct batch *batch;
    DL_FOREACH (core->batches, batch) {
        if (h < n_held && batch->state != BATCH_UNBORN)
            held[h++] = (struct held_batch){batch->number, batch->worker,
                                            batch->n_slots};
    }
    for (size_t i = 0; i < core->n_crews && s < HEARTBEAT_SHARES_MAX; i++)
        if (node_lane_obeys(&core->crews[i]))
            shares[s++] =
                (struct share_ack){(int)i, core->crews[i].share_number};
    core->beat_sent[++core->beats % BEATS_KEPT] = core->now;
    node_effect_send(core, MESSAGE_HEARTBEAT)->heartbeat = (struct heartbeat){
        .number = core->beats,
        .interval = core->now - core->heartbeat_last,
        .store_waiting = core->store_waiting,
        .held = held,
        .n_held = h,
        .shares = shares,
        .n_shares = s,
        .keys_done = core->keys_done,
        .keys_failed = core->keys_failed,
        .fetches = core->fetches,
        .retries = core->retries,
        .in_flight = core->n_flights,
    };
    core->heartbeat_last = core->now;
    core->heartbeat_at = core->now + core->heartbeat;
}

/* The end */

void node_session_exit(struct node_core *core, int status, const char *format,
                       ...)
{
    node_batch_drop_all(core);
    core->exit_status = status;
    va_list args;
    va_start(args, format);
    vsnprintf(core->exit_why, sizeof core->exit_why, format, args);
    va_end(args);
    set_state(core, NODE_GONE);
}

/* Nothing is held any more. */
static void leave(struct node_core *core)
{
    bool welcomed = core->state != NODE_GREETING;
    node_batch_drop_all(core);
    if (welcomed) {
        heartbeat(core); /* the last counters */
        node_effect_send(core, MESSAGE_BYE);
    }
    if (core->serve && !core->stopping)
        begin_anew(core, HELLO_SLOW);
    else
        node_session_exit(core, 0, "%s", "");
}

static void drain(struct node_core *core)
{
    set_state(core, NODE_DRAINING);
    core->hello_at = USEC_NEVER;
    struct batch *batch, *next;
    DL_FOREACH_SAFE (core->batches, batch, next) {
        node_batch_drain(core, batch);
    }
}

void node_session_stop(struct node_core *core)
{
    core->stopping = true;
    if (core->state == NODE_WORKING)
        drain(core);
    else if (core->state == NODE_GREETING)
        leave(core);
}

void node_session_drained(struct node_core *core)
{
    if (core->state == NODE_DRAINING && !core->batches)
        leave(core);
}

/* What can't be trusted any more is dropped. */
void node_session_restart(struct node_core *core)
{
    if (core->state == NODE_WORKING)
        begin_anew(core, 0);
    else if (core->state == NODE_DRAINING)
        leave(core);
}

/* After memory ran out: nothing in here may need more than EFFECTS_MIN. Effects
 * are lost, a CANCEL among them perhaps: so everything is forgotten. */
void node_session_recover(struct node_core *core)
{
    core->effects.head = core->effects.n = 0;
    node_effect_add(core, NODE_EFFECT_FORGET);
    if (core->state == NODE_GONE)
        return;
    bool greeting = core->state == NODE_GREETING;
    node_batch_drop_all(core);
    if (core->state == NODE_DRAINING)
        leave(core);
    else if (greeting)
        node_session_greet(core, 0);
    else
        begin_anew(core, 0);
}

/* Messages */

static void work(struct node_core *core, const struct node_event *event)
{
    const struct welcome *welcome = &event->message->welcome;
    bool same_run = core->run == welcome->run;
    node_batch_drop_all(core);
    core->run = welcome->run;
    core->epoch = event->message->epoch;
    core->key_limit = welcome->key_limit;
    core->heartbeat = welcome->heartbeat;
    core->lease = welcome->lease;
    core->batch_time = welcome->batch_time;
    core->close_after = welcome->close_after;
    core->database_wait = welcome->database_wait;
    core->n_crashed = 0; /* that was told */
    set_state(core, NODE_WORKING);
    if (!node_lane_open_crews(core, event->pipeline, same_run))
        return;
    core->pipeline = event->pipeline;
}

/* A repeated welcome is answered by a heartbeat, no more: what is held stays.
 * One of an older epoch is late; one of another run counts while asking. */
static void on_welcome(struct node_core *core, const struct node_event *event)
{
    const struct message *message = event->message;
    bool asking = core->hello_at != USEC_NEVER;
    bool same_run = message->welcome.run == core->run;
    if (core->state == NODE_DRAINING || !event->pipeline ||
        (!asking && !same_run) || (same_run && message->epoch < core->epoch))
        return;
    if (core->state == NODE_GREETING || !same_run ||
        message->epoch > core->epoch)
        work(core, event);
    core->hello_at = USEC_NEVER;
    core->heard_at = core->now;
    heartbeat(core);
}

static void on_end(struct node_core *core, const struct end *end)
{
    if (!end->drain)
        leave(core);
    else if (core->state == NODE_WORKING)
        drain(core);
}

static void on_message(struct node_core *core, const struct message *message,
                       bool to_me)
{
    core->heard_at = core->now;
    switch (message->type) {
    case MESSAGE_TASK:
        if (to_me)
            node_batch_task(core, &message->task);
        break;
    case MESSAGE_DROP: {
        struct batch *batch = node_batch_find(core, message->drop.batch);
        if (batch && batch->state != BATCH_CLOSING)
            node_batch_drop(core, batch);
        break;
    }
    case MESSAGE_SHARE:
        if (to_me)
            node_lane_share(core, &message->share);
        break;
    case MESSAGE_HOLD:
        node_lane_hold(core, &message->hold);
        break;
    case MESSAGE_END:
        on_end(core, &message->end);
        break;
    default: /* a ping; or not for nodes */
        break;
    }
}

void node_session_message(struct node_core *core,
                          const struct node_event *event)
{
    const struct message *message = event->message;
    bool to_me = !strcmp(message->node, core->name) &&
                 message->incarnation == core->incarnation;
    if (!to_me && message->node[0])
        return;
    if (message->type == MESSAGE_WELCOME) {
        if (to_me)
            on_welcome(core, event);
    } else if (message->type == MESSAGE_REFUSE) {
        if (to_me && core->hello_at != USEC_NEVER)
            node_session_exit(core, 4, "%s", message->refuse.reason);
    } else if (message->type == MESSAGE_END && core->state == NODE_GREETING) {
        /* It came too late for the run; an older master ends nothing. */
        if (to_me && !core->serve && message->epoch >= core->epoch)
            leave(core);
    } else if (core->state != NODE_GREETING && message->epoch == core->epoch) {
        on_message(core, message, to_me);
    }
}

void node_session_turn(struct node_core *core)
{
    if (core->state == NODE_WORKING && core->hello_at == USEC_NEVER &&
        core->now >= core->heard_at + core->lease)
        node_session_greet(core, 0);
    if (core->hello_at <= core->now)
        hello(core);
    if (core->state != NODE_GREETING && core->heartbeat_at <= core->now)
        heartbeat(core);
}
