/*
 * node_core.c: events in, deadline out; making and ending a core.
 *
 * An event is worked on in one turn of named steps: what the event says, what
 * was due meanwhile, what may start, what may close. If memory ran out
 * anywhere on the way, all is dropped at the end.
 */
#include "core/node_internal.h"

#include <stdio.h>

#define GONE_TICK USEC_PER_SEC

uint64_t node_core_random(struct node_core *core)
{
    /* xorshift64*: Vigna, "An experimental exploration of Marsaglia's
     * xorshift generators, scrambled", 2016. */
    core->random ^= core->random >> 12;
    core->random ^= core->random << 25;
    core->random ^= core->random >> 27;
    return core->random * UINT64_C(2685821657736338717);
}

usec_t node_core_jitter(struct node_core *core, usec_t span)
{
    if (span <= 0)
        return 0;
    return (usec_t)(node_core_random(core) % ((uint64_t)span + 1));
}

/* Making and ending */

static void copy_text(char *to, size_t bytes, const char *from)
{
    snprintf(to, bytes, "%s", from ? from : "");
}

static void copy_config(struct node_core *core,
                        const struct node_core_config *config)
{
    copy_text(core->name, sizeof core->name, config->name);
    copy_text(core->ledger_id, sizeof core->ledger_id, config->ledger_id);
    copy_text(core->program, sizeof core->program, config->program);
    copy_text(core->host, sizeof core->host, config->host);
    core->pid = config->pid;
    core->cpu_core = config->core;
    core->incarnation = config->incarnation;
    core->serve = config->serve;
    core->random = config->seed ^ UINT64_C(0x9e3779b97f4a7c15);
    if (!core->random)
        core->random = 1;
    size_t max = sizeof core->crashed / sizeof *core->crashed;
    core->n_crashed = config->n_crashed < max ? config->n_crashed : max;
    for (size_t i = 0; i < core->n_crashed; i++)
        core->crashed[i] = config->crashed_batches[i];
}

struct node_core *node_core_new(const struct node_core_config *config,
                                usec_t now)
{
    struct node_core *core = calloc(1, sizeof *core);
    if (!core)
        return NULL;
    copy_config(core, config);
    core->now = core->heartbeat_last = now;
    core->wall_offset = config->wall - now;
    node_session_greet(core, 0);
    if (core->no_memory)
        node_core_free(&core);
    return core;
}

static void free_list(struct batch *list)
{
    while (list) {
        struct batch *next = list->next;
        node_batch_free(list);
        list = next;
    }
}

void node_core_free(struct node_core **core)
{
    struct node_core *c = *core;
    if (!c)
        return;
    free_list(c->batches);
    free_list(c->dead);
    free_list(c->kept);
    free_list(c->spare);
    node_lane_free_crews(c);
    free(c->flights);
    free(c->timers.heap);
    free(c->effects.items);
    arena_free(&c->scratch);
    buffer_free(&c->url);
    free(c);
    *core = NULL;
}

/* Time */

static usec_t earlier(usec_t a, usec_t b)
{
    return a < b ? a : b;
}

usec_t node_core_deadline(const struct node_core *core)
{
    usec_t due = core->now + GONE_TICK;
    if (core->state == NODE_GREETING)
        due = core->hello_at;
    if (core->state == NODE_WORKING || core->state == NODE_DRAINING) {
        due = earlier(core->heartbeat_at, core->hello_at);
        if (core->state == NODE_WORKING && core->hello_at == USEC_NEVER)
            due = earlier(due, core->heard_at + core->lease);
        if (core->timers.n)
            due = earlier(due, core->timers.heap[0]->due);
    }
    return due > core->now ? due : core->now + 1;
}

#define container(pointer, type, member)                                       \
    ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

static void run_timers(struct node_core *core)
{
    while (core->timers.n && core->timers.heap[0]->due <= core->now) {
        struct node_timer *timer = core->timers.heap[0];
        node_timer_clear(&core->timers, timer);
        switch (timer->kind) {
        case TIMER_SLOT:
            node_slot_ready(core, container(timer, struct slot, timer));
            break;
        case TIMER_LANE:
            node_lane_due(core, container(timer, struct lane, timer));
            break;
        case TIMER_BATCH:
            node_batch_judge(core, container(timer, struct batch, timer));
            break;
        }
    }
}

/* The loop did not run for so long that others take the node for dead: there
 * is a tick at least for each heartbeat, and a lease has several of them. */
static bool stood_still(const struct node_core *core, usec_t now)
{
    return core->state != NODE_GREETING && now - core->now > core->lease;
}

/* A turn */

static void take(struct node_core *core, const struct node_event *event)
{
    switch (event->type) {
    case NODE_EVENT_TICK:
        break;
    case NODE_EVENT_MESSAGE:
        node_session_message(core, event);
        break;
    case NODE_EVENT_FETCHED:
        node_answer(core, &event->fetched);
        break;
    case NODE_EVENT_CLOSED:
        node_close_result(core, event->closed.closing, &event->closed.result);
        break;
    case NODE_EVENT_STORE:
        core->store_waiting = event->store_waiting;
        break;
    case NODE_EVENT_STOP:
        node_session_stop(core);
        break;
    case NODE_EVENT_STORE_GAVE_UP:
        node_session_exit(core, 4, "%s",
                          "nothing more can be stored, for the reason above; "
                          "what is not stored stays open");
        break;
    }
}

static void turn(struct node_core *core, const struct node_event *event)
{
    take(core, event);
    if (core->state == NODE_GONE || core->no_memory)
        return;
    run_timers(core);
    node_session_turn(core);
    node_lane_run(core);
    node_close_run(core);
    node_session_drained(core);
}

int node_core_event(struct node_core *core, usec_t now,
                    const struct node_event *event, struct error *err)
{
    if (core->state == NODE_GONE) {
        if (event->type == NODE_EVENT_CLOSED)
            node_close_let_go(core, event->closed.closing);
        return 0;
    }
    if (core->effects.head == core->effects.n) {
        core->effects.head = core->effects.n = 0;
        node_batch_reap(core);
        arena_reset(&core->scratch);
    }
    bool slept = stood_still(core, now);
    if (now > core->now)
        core->now = now;
    if (slept)
        node_session_restart(core);
    if (core->state != NODE_GONE)
        turn(core, event);
    if (!core->no_memory)
        return 0;
    node_session_recover(core);
    core->no_memory = false;
    return error_set(err, ERR_MEMORY,
                     "the node's core: all it held is dropped");
}

void node_core_closing_done(struct node_core *core, uint64_t closing)
{
    node_close_let_go(core, closing);
}

const struct pipeline *node_core_pipeline(const struct node_core *core)
{
    return core->pipeline;
}

size_t node_core_begun(const struct node_core *core, int64_t *ret, size_t max)
{
    const struct batch *batch;
    size_t n = 0;
    DL_FOREACH (core->batches, batch) {
        if (n < max && batch->number > 0 &&
            batch->n[SLOT_FLYING] + batch->n[SLOT_DONE] > 0)
            ret[n++] = batch->number;
    }
    return n;
}

struct node_core_counts node_core_counts(const struct node_core *core)
{
    struct node_core_counts counts = {.flying = core->n_flights,
                                      .closings = core->n_closing};
    const struct batch *batch;
    DL_FOREACH (core->batches, batch) {
        counts.batches += batch->state != BATCH_UNBORN;
        counts.keys += batch->n_slots - batch->n[SLOT_MOVED];
        counts.waiting += batch->n[SLOT_READY] + batch->n[SLOT_DELAYED];
    }
    return counts;
}
