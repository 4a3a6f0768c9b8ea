/*
 * nodes.c: who is there.
 *
 * A node is its name; an incarnation of it is one life. What an incarnation
 * held is taken back when it ends, in whatever way, and a message that bears
 * another incarnation, or another epoch, is dropped. A silent node is not
 * forgotten: perhaps only the network was parted, and its next heartbeat or
 * hello brings it back with what it holds.
 *
 * Of one that is gone any hello is taken, one with a lower incarnation too:
 * incarnations come from the wall clock, which may have been set back. A late
 * one of a dead process costs a socket for a lease, since no heartbeat follows.
 *
 * Nodes that were welcomed are in `listening`, the one not heard for longest
 * first, so that finding the silent ones costs nothing while there are none.
 * If the master itself stood still, nobody is silent until a lease after.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/internal.h"

#define NODES_ROOM_MIN 16

struct node *nodes_find(const struct master_core *core, const char *name)
{
    struct node *node = NULL;
    HASH_FIND_STR(core->by_name, name, node);
    return node;
}

bool nodes_here(const struct node *node)
{
    return node->state == NODE_WELCOMED || node->state == NODE_ALIVE;
}

bool nodes_before(const struct node *a, const struct node *b)
{
    return a->n_keys != b->n_keys ? a->n_keys < b->n_keys : a->turn < b->turn;
}

static bool least_held(const struct heap_item *a, const struct heap_item *b)
{
    return nodes_before(CONTAINER_OF(a, struct node, order),
                        CONTAINER_OF(b, struct node, order));
}

void nodes_refresh(struct master_core *core, struct node *node)
{
    bool ready = node->state == NODE_ALIVE && !node->store_waiting &&
                 !node->full && node->alone == 0;
    bool idle = ready && node->n_batches == 0;
    core->n_idle += (int)idle - (int)node->idle;
    node->idle = idle;
    if (ready && node->order.at)
        heap_moved(&core->ready, &node->order);
    else if (ready)
        heap_push(&core->ready, &node->order);
    else if (node->order.at)
        heap_remove(&core->ready, &node->order);
    budgets_refresh(core, node);
}

static bool may_become(enum node_state from, enum node_state to)
{
    switch (to) {
    case NODE_WELCOMED:
        return from == NODE_SILENT || from == NODE_LEFT;
    case NODE_ALIVE:
        return from == NODE_WELCOMED;
    case NODE_SILENT:
        return from == NODE_WELCOMED || from == NODE_ALIVE;
    case NODE_LEFT:
    case NODE_REFUSED:
        return from != NODE_REFUSED;
    }
    return false;
}

static void node_set_state(struct master_core *core, struct node *node,
                           enum node_state state)
{
    CHECK(may_become(node->state, state));
    if (nodes_here(node)) {
        DL_DELETE(core->listening, node);
        node->prev = node->next = NULL;
    }
    core->n_alive -= node->state == NODE_ALIVE;
    TRANSITION("node", node->state, state);
    node->state = state;
    core->n_alive += node->state == NODE_ALIVE;
    if (nodes_here(node))
        DL_APPEND(core->listening, node);
    nodes_refresh(core, node);
}

static void heard(struct master_core *core, struct node *node)
{
    node->heard = core->now;
    DL_DELETE(core->listening, node);
    DL_APPEND(core->listening, node);
}

/* ---- the end of an incarnation ---- */

/* `gone`: nothing of it runs any more, so that its shares are void at once. */
static void node_end(struct master_core *core, struct node *node,
                     enum node_state state, bool gone)
{
    bool was_here = nodes_here(node);
    node_set_state(core, node, state);
    if (was_here) {
        struct master_effect *effect =
            outbox_add(core, MASTER_EFFECT_CLOSE_NODE);
        if (effect)
            memcpy(effect->node, node->name, sizeof(effect->node));
    }
    while (node->holders)
        batches_take_back(core, node->holders->batch, node);
    budgets_leave(core, node, gone);
}

static usec_t silent_at(const struct master_core *core, const struct node *node)
{
    usec_t since = node->heard > core->awake_at ? node->heard : core->awake_at;
    return since + core->config.lease;
}

void nodes_turn(struct master_core *core)
{
    while (core->listening && silent_at(core, core->listening) <= core->now)
        node_end(core, core->listening, NODE_SILENT, false);
    if (core->n_alive > 0)
        core->alive_at = core->now;
}

usec_t nodes_deadline(const struct master_core *core)
{
    return core->listening ? silent_at(core, core->listening) : USEC_NEVER;
}

void nodes_exited(struct master_core *core, const char *name, bool crashed)
{
    struct node *node = nodes_find(core, name);
    struct holder *holder;
    if (!node || node->state == NODE_REFUSED)
        return;
    if (crashed && nodes_here(node) && core->config.trust_crash) {
        DL_FOREACH (node->holders, holder)
            batches_suspect(core, holder->batch, node);
        node->crash_told = true;
    }
    node_end(core, node, NODE_LEFT, true);
}

static void say_refuse(struct master_core *core, const char *name,
                       int64_t incarnation, const char *reason)
{
    char *text = strdup(reason);
    struct message *message =
        text ? outbox_send(core, MESSAGE_REFUSE, NULL) : NULL;
    if (!message) {
        core->memory_out = true;
        free(text);
        return;
    }
    outbox_own(core, text);
    memcpy(message->node, name, sizeof(message->node));
    message->incarnation = incarnation;
    message->refuse.reason = text;
}

void nodes_refuse(struct master_core *core, struct node *node,
                  const char *reason)
{
    say_refuse(core, node->name, node->incarnation, reason);
    node_end(core, node, NODE_REFUSED, true);
}

/* ---- hello ---- */

/* Why the node can't be welcomed; false where it can. */
static bool is_unfit(const struct master_core *core, const struct hello *hello,
                     const struct node *node, char reason[ERROR_TEXT_BYTES])
{
    if (hello->version != PROTOCOL_VERSION)
        snprintf(reason, ERROR_TEXT_BYTES,
                 "the node speaks version %d of the protocol, the master %d",
                 hello->version, PROTOCOL_VERSION);
    else if (strcmp(hello->ledger_id, core->ledger_id) != 0)
        snprintf(reason, ERROR_TEXT_BYTES,
                 "the node writes to the database with ledger %.64s, the run "
                 "is in %.64s: is its DATABASE_URL right?",
                 hello->ledger_id, core->ledger_id);
    else if (node && node->state == NODE_REFUSED)
        snprintf(reason, ERROR_TEXT_BYTES,
                 "%s met a batch that is not in its database; its name is "
                 "refused for the rest of the run",
                 node->name);
    else if (!node && core->n_nodes == MASTER_NODES_MAX)
        snprintf(reason, ERROR_TEXT_BYTES,
                 "the run has had %d nodes, and can't have more",
                 MASTER_NODES_MAX);
    else
        return false;
    return true;
}

static bool has_room(struct master_core *core)
{
    size_t n = core->n_nodes;
    if (n == 0 || (n >= NODES_ROOM_MIN && (n & (n - 1)) == 0)) {
        size_t room = n ? n * 2 : NODES_ROOM_MIN;
        struct node **nodes =
            realloc(core->nodes, room * sizeof(struct node *));
        if (!nodes)
            return false;
        core->nodes = nodes;
    }
    return heap_reserve(&core->ready, n + 1) && budgets_reserve(core, n + 1);
}

static struct node *node_new(struct master_core *core, const char *name)
{
    if (!has_room(core))
        goto out_of_memory;
    struct node *node = calloc(1, sizeof(*node));
    if (!node)
        goto out_of_memory;
    snprintf(node->name, sizeof(node->name), "%s", name);
    node->state = NODE_LEFT;
    node->users =
        calloc(core->n_budgets ? core->n_budgets : 1, sizeof(*node->users));
    if (!node->users)
        goto err_after_node;
    for (size_t i = 0; i < core->n_budgets; i++)
        node->users[i].node = node;
    HASH_ADD_STR(core->by_name, name, node);
    if (!node->hh.tbl)
        goto err_after_node;
    core->nodes[core->n_nodes++] = node;
    return node;

err_after_node:
    free(node->users);
    free(node);
out_of_memory:
    core->memory_out = true;
    return NULL;
}

/* The batches that killed the incarnation before, as this one tells. */
static void suspect_crashed(struct master_core *core, const struct node *node,
                            const struct hello *hello)
{
    if (!core->config.trust_crash || node->crash_told)
        return;
    for (size_t i = 0; i < hello->n_crashed; i++) {
        int64_t number = hello->crashed_batches[i];
        struct batch *batch = batches_find(core, number);
        if (!batch && number > 0) {
            batch = batches_add(core, number, 0, 0);
            if (batch)
                batches_look(core, batch);
        }
        if (batch)
            batches_suspect(core, batch, node);
    }
}

static void adopt(struct master_core *core, struct node *node,
                  const struct message *message)
{
    suspect_crashed(core, node, &message->hello);
    node->incarnation = message->incarnation;
    node->beat = 0;
    node->alone = 0;
    node->crash_told = node->full = node->store_waiting = false;
    budgets_leave(core, node, true);
}

static void say_welcome(struct master_core *core, const struct node *node)
{
    struct message *message = outbox_send(core, MESSAGE_WELCOME, node);
    if (!message)
        return;
    message->welcome.run = core->config.run;
    message->welcome.ledger_id = core->ledger_id;
    message->welcome.heartbeat = core->config.heartbeat;
    message->welcome.lease = core->config.lease;
}

/* WELCOMED, with a socket of its own; false where memory is out. */
static bool node_open(struct master_core *core, struct node *node)
{
    if (!outbox_reserve(core, &core->control, 2))
        return false;
    struct master_effect *effect = outbox_add(core, MASTER_EFFECT_OPEN_NODE);
    CHECK(effect);
    memcpy(effect->node, node->name, sizeof(effect->node));
    say_welcome(core, node);
    node->alone = 0;
    node->turn = ++core->turn;
    node_set_state(core, node, NODE_WELCOMED);
    return true;
}

static void take_hello(struct master_core *core, const struct message *message)
{
    const struct hello *hello = &message->hello;
    struct node *node = nodes_find(core, message->node);
    char reason[ERROR_TEXT_BYTES];
    if (core->phase != PHASE_RUNNING ||
        (node && message->incarnation < node->incarnation && nodes_here(node)))
        return;
    bool newer = !node || message->incarnation != node->incarnation;
    if (node && newer && node->state != NODE_REFUSED)
        node_end(core, node, NODE_LEFT, true);
    if (is_unfit(core, hello, node, reason)) {
        say_refuse(core, message->node, message->incarnation, reason);
        return;
    }
    if (!node && !(node = node_new(core, message->node)))
        return;
    if (newer)
        adopt(core, node, message);
    snprintf(node->host, sizeof(node->host), "%s", hello->host);
    node->pid = hello->pid;
    node->core = hello->core;
    if (nodes_here(node))
        say_welcome(core, node);
    else if (!node_open(core, node))
        return;
    heard(core, node);
}

/* ---- heartbeat ---- */

/* What the node holds, it holds: children that it kept, and batches that were
 * taken back while it could not be heard. */
static void take_named(struct master_core *core, struct node *node,
                       const struct held_batch *held)
{
    if (held->batch <= 0 || held->worker < 0 ||
        (size_t)held->worker >= core->config.pipeline->n_workers)
        return;
    struct batch *batch =
        batches_meet(core, held->batch, held->worker, held->n_keys);
    if (!batch || !batches_hold(core, batch, node))
        return;
    struct holder *holder = batches_holder(batch, node);
    holder->beat = node->beat;
    holder->unnamed = 0;
}

/* What it does not hold, it lost, or closed without our hearing of it. A task
 * may still be under way to it. Perhaps it never heard of the socket that the
 * task went into: so it is welcomed once more. */
static void take_unnamed(struct master_core *core, struct node *node)
{
    struct holder *holder, *next;
    bool lost = false;
    DL_FOREACH_SAFE (node->holders, holder, next) {
        if (holder->beat == node->beat ||
            holder->since + 2 * core->config.heartbeat > core->now)
            continue;
        if (++holder->unnamed >= 2) {
            batches_take_back(core, holder->batch, node);
            lost = true;
        }
    }
    if (lost)
        say_welcome(core, node);
}

static void take_heartbeat(struct master_core *core, struct node *node,
                           const struct heartbeat *heartbeat)
{
    if (node->state == NODE_SILENT && core->phase == PHASE_RUNNING) {
        if (!node_open(core, node))
            return;
        heard(core, node);
    } else if (node->state == NODE_WELCOMED) {
        node_set_state(core, node, NODE_ALIVE);
        holds_tell(core, node);
    }
    if (!nodes_here(node))
        return;
    node->beat++;
    node->full = false;
    node->store_waiting = heartbeat->store_waiting;
    node->last = *heartbeat;
    node->last.held = NULL;
    node->last.shares = NULL;
    node->last.times = NULL;
    node->last.n_held = node->last.n_shares = 0;
    nodes_refresh(core, node);
    for (size_t i = 0; i < heartbeat->n_shares; i++)
        budgets_acked(core, node, &heartbeat->shares[i]);
    if (core->phase != PHASE_RUNNING)
        return;
    for (size_t i = 0; i < heartbeat->n_held; i++)
        take_named(core, node, &heartbeat->held[i]);
    if (heartbeat->n_held < HEARTBEAT_HELD_MAX)
        take_unnamed(core, node);
}

void nodes_message(struct master_core *core, const struct message *message)
{
    if (message->type == MESSAGE_HELLO) {
        take_hello(core, message);
        return;
    }
    struct node *node = nodes_find(core, message->node);
    if (!node || node->state == NODE_REFUSED ||
        message->epoch != core->config.epoch ||
        message->incarnation != node->incarnation)
        return;
    if (nodes_here(node))
        heard(core, node);
    if (message->type == MESSAGE_HEARTBEAT)
        take_heartbeat(core, node, &message->heartbeat);
    else if (message->type == MESSAGE_REPORT)
        reports_take(core, node, &message->report);
    else if (message->type == MESSAGE_HOLD)
        holds_take(core, &message->hold);
    else if (message->type == MESSAGE_BYE)
        node_end(core, node, NODE_LEFT, true);
}

void nodes_init(struct master_core *core)
{
    core->ready.before = least_held;
}

void nodes_fini(struct master_core *core)
{
    struct node *node, *next;
    HASH_ITER (hh, core->by_name, node, next) {
        HASH_DEL(core->by_name, node);
        free(node->users);
        free(node);
    }
    free(core->nodes);
    heap_free(&core->ready);
}
