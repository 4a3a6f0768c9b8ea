/*
 * batches.c: what is known of open batches, and who holds them.
 *
 * A cache of the ledger, nothing more: whatever is not known here is found by
 * the next sweep. The states and their moves are in internal.h. Keys are in
 * memory only while a batch is PENDING, so the window bounds them.
 */
#include <stdlib.h>
#include <string.h>

#include "core/internal.h"

struct batch *batches_find(const struct master_core *core, int64_t number)
{
    struct batch *batch = NULL;
    HASH_FIND(hh, core->known, &number, sizeof(number), batch);
    return batch;
}

struct batch *batches_add(struct master_core *core, int64_t number, int worker,
                          size_t n_keys)
{
    struct batch *batch = calloc(1, sizeof(*batch));
    if (!batch)
        goto out_of_memory;
    batch->number = number;
    batch->worker = worker;
    batch->n_keys = n_keys < TASK_KEYS_MAX ? n_keys : TASK_KEYS_MAX;
    HASH_ADD(hh, core->known, number, sizeof(batch->number), batch);
    if (!batch->hh.tbl)
        goto err_after_batch;
    core->open_keys += (int64_t)batch->n_keys;
    core->n_new++;
    return batch;

err_after_batch:
    free(batch);
out_of_memory:
    core->memory_out = true;
    return NULL;
}

struct batch *batches_meet(struct master_core *core, int64_t number, int worker,
                           size_t n_keys)
{
    struct batch *batch = batches_find(core, number);
    if (!batch)
        return batches_add(core, number, worker, n_keys);
    if (batch->n_keys == 0 && batch->state == KNOWN_LOOKING) {
        batch->worker = worker;
        batch->n_keys = n_keys < TASK_KEYS_MAX ? n_keys : TASK_KEYS_MAX;
        core->open_keys += (int64_t)batch->n_keys;
    }
    return batch;
}

/* ---- the lists that a state means ---- */

static void held_list_add(struct master_core *core, struct batch *batch)
{
    batch->held_at = core->now;
    if (!batch->prev && !batch->second_given && !batch->crashed &&
        !batch->alone)
        DL_APPEND(core->held, batch);
}

static void held_list_remove(struct master_core *core, struct batch *batch)
{
    if (batch->prev)
        DL_DELETE(core->held, batch);
    batch->prev = batch->next = NULL;
}

void batches_look_set(struct master_core *core, struct batch *batch,
                      enum look_state state)
{
    if (batch->look == state)
        return;
    TRANSITION("look", batch->look, state);
    if (batch->look == LOOK_WANTED)
        DL_DELETE2(core->looks, batch, look_prev, look_next);
    batch->look_prev = batch->look_next = NULL;
    batch->look = state;
    if (state == LOOK_WANTED)
        DL_APPEND2(core->looks, batch, look_prev, look_next);
}

void batches_look_want(struct master_core *core, struct batch *batch)
{
    if (batch->look == LOOK_NONE)
        batches_look_set(core, batch, LOOK_WANTED);
}

void batches_look_end(struct master_core *core, struct batch *batch)
{
    batches_look_set(core, batch, LOOK_NONE);
}

static void second_end(struct master_core *core, struct batch *batch)
{
    if (!batch->second)
        return;
    TRANSITION("second", true, false);
    core->n_second--;
    batch->second = false;
}

static size_t *count_of(struct master_core *core, enum known_state state)
{
    switch (state) {
    case KNOWN_PENDING:
        return &core->n_pending;
    case KNOWN_HELD:
        return &core->n_held;
    case KNOWN_LOOKING:
        return &core->n_looking;
    case KNOWN_NEW:
        break;
    }
    return &core->n_new;
}

static bool may_become(enum known_state from, enum known_state to)
{
    switch (to) {
    case KNOWN_NEW: /* on its way out */
        return true;
    case KNOWN_PENDING:
        return from == KNOWN_NEW || from == KNOWN_LOOKING;
    case KNOWN_HELD:
        return from != KNOWN_HELD;
    case KNOWN_LOOKING:
        return from == KNOWN_NEW || from == KNOWN_HELD;
    }
    return false;
}

static void batch_set_state(struct master_core *core, struct batch *batch,
                            enum known_state state)
{
    CHECK(may_become(batch->state, state));
    if (batch->state == KNOWN_PENDING) {
        heap_remove(batch->queue, &batch->order);
        free(batch->keys_json);
        batch->keys_json = NULL;
    } else if (batch->state == KNOWN_HELD) {
        held_list_remove(core, batch);
        second_end(core, batch);
    }
    --*count_of(core, batch->state);
    TRANSITION("batch", batch->state, state);
    batch->state = state;
    ++*count_of(core, batch->state);
    if (state == KNOWN_PENDING) {
        heap_push(batch->queue, &batch->order);
    } else if (state == KNOWN_HELD) {
        held_list_add(core, batch);
        if (batch->look == LOOK_WANTED)
            batches_look_end(core, batch);
    } else if (state == KNOWN_LOOKING) {
        batches_look_want(core, batch);
    }
}

void batches_look(struct master_core *core, struct batch *batch)
{
    batch_set_state(core, batch, KNOWN_LOOKING);
}

/* ---- suspicion ---- */

enum task_action batches_action(const struct batch *batch)
{
    if (batch->n_keys > 1)
        return batch->crashed ? TASK_SPLIT : TASK_WORK;
    return batch->kills >= KILLS_MAX ? TASK_BLAME : TASK_WORK;
}

/* Only work on its keys can kill a node. */
static bool runs_alone(const struct batch *batch)
{
    return (batch->crashed || batch->alone) &&
           batches_action(batch) == TASK_WORK;
}

static struct heap *queue_of(struct master_core *core,
                             const struct batch *batch)
{
    return runs_alone(batch) ? &core->alone : &core->pending[batch->worker];
}

void batches_suspect(struct master_core *core, struct batch *batch,
                     const struct node *node)
{
    batch->crashed = true;
    if (node->alone == batch->number && batch->n_keys == 1)
        batch->kills++;
    held_list_remove(core, batch);
    struct heap *queue = queue_of(core, batch);
    if (batch->state != KNOWN_PENDING || queue == batch->queue)
        return;
    if (!heap_reserve(queue, queue->n + 1)) {
        core->memory_out = true;
        return;
    }
    heap_remove(batch->queue, &batch->order);
    batch->queue = queue;
    heap_push(batch->queue, &batch->order);
}

/* ---- keys ---- */

/* What was taken back keeps its place before all that came later, or it would
 * wait for the rest of a long list. Only once: what ends one node after another
 * must not be all that they do. */
static usec_t due_of(const struct master_core *core, const struct batch *batch,
                     const struct batch_row *row)
{
    if (row->delay > 0)
        return core->now + row->delay;
    return batch->taken_back == 1 ? batch->due : core->now;
}

bool batches_fill(struct master_core *core, struct batch *batch,
                  struct batch_row *row)
{
    core->open_keys += (int64_t)row->n_keys - (int64_t)batch->n_keys;
    batch->worker = row->worker;
    batch->attempt = row->attempt;
    batch->n_keys = row->n_keys;
    batch->due = due_of(core, batch, row);
    batch->queue = queue_of(core, batch);
    if (!heap_reserve(batch->queue, batch->queue->n + 1)) {
        core->memory_out = true;
        free(row->keys_json);
        row->keys_json = NULL;
        return false;
    }
    batch_set_state(core, batch, KNOWN_PENDING);
    batch->keys_json = row->keys_json;
    row->keys_json = NULL;
    return true;
}

/* ---- holders ---- */

struct holder *batches_holder(struct batch *batch, const struct node *node)
{
    for (int i = 0; i < HOLDERS_MAX; i++)
        if (batch->holders[i].node == node)
            return &batch->holders[i];
    return NULL;
}

int batches_holders(const struct batch *batch)
{
    int n = 0;
    for (int i = 0; i < HOLDERS_MAX; i++)
        n += batch->holders[i].node != NULL;
    return n;
}

bool batches_hold(struct master_core *core, struct batch *batch,
                  struct node *node)
{
    if (batches_holder(batch, node))
        return true;
    struct holder *place = batches_holder(batch, NULL);
    if (!place)
        return false;
    if (batch->state != KNOWN_HELD)
        batch_set_state(core, batch, KNOWN_HELD);
    else
        held_list_remove(core, batch);
    *place = (struct holder){.node = node, .batch = batch, .since = core->now};
    DL_APPEND(node->holders, place);
    node->n_batches++;
    node->n_keys += (int64_t)batch->n_keys;
    budgets_held(core, node, batch->worker, 1);
    nodes_refresh(core, node);
    return true;
}

void batches_release(struct master_core *core, struct batch *batch,
                     struct node *node)
{
    struct holder *place = batches_holder(batch, node);
    CHECK(place);
    DL_DELETE(node->holders, place);
    *place = (struct holder){0};
    node->n_batches--;
    node->n_keys -= (int64_t)batch->n_keys;
    /* That a node which ended ran it alone is wanted still: its next
     * incarnation may tell that the batch was what killed it. */
    if (node->alone == batch->number && nodes_here(node))
        node->alone = 0;
    budgets_held(core, node, batch->worker, -1);
    nodes_refresh(core, node);
}

void batches_take_back(struct master_core *core, struct batch *batch,
                       struct node *node)
{
    batches_release(core, batch, node);
    if (batches_holders(batch) > 0)
        return;
    batch->taken_back++;
    if (core->phase == PHASE_RUNNING)
        batches_look(core, batch);
    else
        batches_forget(core, batch);
}

void batches_second(struct master_core *core, struct batch *batch)
{
    CHECK(batch->state == KNOWN_HELD && !batch->second);
    held_list_remove(core, batch);
    TRANSITION("second", false, true);
    batch->second = true;
    core->n_second++;
    batches_look_want(core, batch);
}

void batches_second_end(struct master_core *core, struct batch *batch,
                        bool never_again)
{
    second_end(core, batch);
    held_list_remove(core, batch);
    batch->second_given |= never_again;
    held_list_add(core, batch);
}

/* ---- the end ---- */

void batches_forget(struct master_core *core, struct batch *batch)
{
    for (int i = 0; i < HOLDERS_MAX; i++)
        if (batch->holders[i].node)
            batches_release(core, batch, batch->holders[i].node);
    batch_set_state(core, batch, KNOWN_NEW);
    batches_look_end(core, batch);
    core->n_new--;
    core->open_keys -= (int64_t)batch->n_keys;
    HASH_DEL(core->known, batch);
    free(batch);
}

void batches_closed(struct master_core *core, struct batch *batch,
                    const struct node *closer)
{
    for (int i = 0; i < HOLDERS_MAX; i++) {
        const struct node *node = batch->holders[i].node;
        if (!node || node == closer)
            continue;
        struct message *message = outbox_send(core, MESSAGE_DROP, node);
        if (message)
            message->drop.batch = batch->number;
    }
    batches_forget(core, batch);
}

/* ---- all of them ---- */

static bool earliest(const struct heap_item *a, const struct heap_item *b)
{
    const struct batch *first = CONTAINER_OF(a, struct batch, order);
    const struct batch *second = CONTAINER_OF(b, struct batch, order);
    if (first->due != second->due)
        return first->due < second->due;
    return first->number < second->number;
}

bool batches_init(struct master_core *core)
{
    size_t n = core->config.pipeline->n_workers;
    core->pending = calloc(n, sizeof(*core->pending));
    if (!core->pending)
        return false;
    for (size_t i = 0; i < n; i++)
        core->pending[i].before = earliest;
    core->alone.before = earliest;
    return true;
}

/* Gives up what waits; what nodes hold is still heard of. */
void batches_forget_unheld(struct master_core *core)
{
    struct batch *batch, *next;
    HASH_ITER (hh, core->known, batch, next)
        if (batch->state != KNOWN_HELD)
            batches_forget(core, batch);
}

void batches_fini(struct master_core *core)
{
    struct batch *batch, *next;
    HASH_ITER (hh, core->known, batch, next)
        batches_forget(core, batch);
    for (size_t i = 0; core->pending && i < core->config.pipeline->n_workers;
         i++)
        heap_free(&core->pending[i]);
    free(core->pending);
    heap_free(&core->alone);
}
