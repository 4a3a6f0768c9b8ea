/*
 * node_batch.c: the life of a batch, and its place in the lists.
 *
 * A batch that lives (UNBORN to CLOSING) is in core->batches; one with a
 * number can be found by it; RIPE ones are queued in core->ripe, CLOSING ones
 * are in core->closing. A DEAD one waits in core->dead until no effect points
 * at it, a KEPT one in core->kept until the store has let go of its closing.
 * Emptied batches are used again, with their slots and arena.
 */
#include "core/node_internal.h"

/* Lists */

static struct batch **bucket(struct node_core *core, int64_t number)
{
    return &core->buckets[(uint64_t)number % BATCH_BUCKETS];
}

struct batch *node_batch_find(struct node_core *core, int64_t number)
{
    struct batch *batch = *bucket(core, number);
    while (batch && batch->number != number)
        batch = batch->bucket_next;
    return batch;
}

void node_batch_set_number(struct node_core *core, struct batch *batch,
                           int64_t number)
{
    CHECK(number > 0 && batch->number == 0);
    struct batch **head = bucket(core, number);
    batch->number = number;
    batch->bucket_next = *head;
    *head = batch;
}

static void forget_number(struct node_core *core, struct batch *batch)
{
    if (!batch->number)
        return;
    struct batch **link = bucket(core, batch->number);
    while (*link != batch)
        link = &(*link)->bucket_next;
    *link = batch->bucket_next;
}

static void leave_lists(struct node_core *core, struct batch *batch)
{
    if (batch->state == BATCH_RIPE)
        DL_DELETE2(core->ripe, batch, queue_prev, queue_next);
    if (batch->state == BATCH_CLOSING) {
        DL_DELETE2(core->closing, batch, queue_prev, queue_next);
        core->n_closing--;
    }
}

/* Halves of refused data go first: so there are never more than a few of them
 * at a time. */
static void enter_ripe(struct node_core *core, struct batch *batch)
{
    node_timer_clear(&core->timers, &batch->timer);
    if (batch->half)
        DL_PREPEND2(core->ripe, batch, queue_prev, queue_next);
    else
        DL_APPEND2(core->ripe, batch, queue_prev, queue_next);
}

void node_batch_set_state(struct node_core *core, struct batch *batch,
                          enum batch_state state)
{
    static const unsigned moves[] = {
        [BATCH_UNBORN] = 0,
        [BATCH_WORKING] = 1 << BATCH_UNBORN,
        [BATCH_RIPE] = 1 << BATCH_WORKING,
        [BATCH_CLOSING] = 1 << BATCH_RIPE,
        [BATCH_DEAD] = 1 << BATCH_UNBORN | 1 << BATCH_WORKING |
                       1 << BATCH_RIPE | 1 << BATCH_CLOSING,
        [BATCH_KEPT] = 1 << BATCH_DEAD,
    };
    CHECK(moves[state] & 1u << batch->state);
    TRANSITION("work", batch->state, state);
    leave_lists(core, batch);
    batch->state = state;
    if (state == BATCH_RIPE)
        enter_ripe(core, batch);
    if (state == BATCH_CLOSING) {
        DL_APPEND2(core->closing, batch, queue_prev, queue_next);
        core->n_closing++;
    }
}

/* Memory */

static bool make_slots(struct batch *batch, size_t n, uint16_t company)
{
    if (n > batch->slots_capacity) {
        struct slot *slots = realloc(batch->slots, n * sizeof *slots);
        if (!slots)
            return false;
        batch->slots = slots;
        batch->slots_capacity = n;
    }
    for (size_t i = 0; i < n; i++)
        batch->slots[i] = (struct slot){
            .batch = batch, .company = company, .timer.kind = TIMER_SLOT};
    batch->n_slots = batch->n[SLOT_NEW] = n;
    return true;
}

void node_batch_free(struct batch *batch)
{
    arena_free(&batch->arena);
    free(batch->slots);
    free(batch);
}

void node_batch_recycle(struct node_core *core, struct batch *batch)
{
    if (core->n_spare == BATCHES_SPARE_MAX) {
        node_batch_free(batch);
        return;
    }
    struct batch empty = {.arena = batch->arena,
                          .slots = batch->slots,
                          .slots_capacity = batch->slots_capacity};
    arena_reset(&empty.arena);
    *batch = empty;
    LL_PREPEND(core->spare, batch);
    core->n_spare++;
}

void node_batch_reap(struct node_core *core)
{
    while (core->dead) {
        struct batch *batch = core->dead;
        DL_DELETE(core->dead, batch);
        node_batch_recycle(core, batch);
    }
}

static struct batch *take_spare(struct node_core *core)
{
    struct batch *batch = core->spare;
    if (!batch)
        return calloc(1, sizeof *batch);
    LL_DELETE(core->spare, batch);
    core->n_spare--;
    batch->next = NULL;
    return batch;
}

/* UNBORN and without a number. */
struct batch *node_batch_new(struct node_core *core, int worker, size_t n_slots)
{
    struct batch *batch = take_spare(core);
    int together = core->crews[worker].worker->request.keys_per_request;
    uint16_t company = together ? (uint16_t)together : 1;
    if (!batch || !make_slots(batch, n_slots, company)) {
        if (batch)
            node_batch_free(batch);
        core->no_memory = true;
        return NULL;
    }
    batch->worker = worker;
    batch->deadline = core->now + core->batch_time;
    batch->last_end = core->now;
    batch->timer.kind = TIMER_BATCH;
    DL_APPEND(core->batches, batch);
    core->n_batches++;
    return batch;
}

/* The end of a batch */

static void disown(struct batch *child)
{
    struct batch *parent = child->parent;
    for (size_t i = 0; parent && i < parent->n_unborn; i++)
        if (parent->unborn[i] == child)
            parent->unborn[i] = parent->unborn[--parent->n_unborn];
    child->parent = NULL;
}

static void bury(struct node_core *core, struct batch *batch, bool cancel)
{
    for (size_t i = 0; i < batch->n_slots; i++)
        node_slot_leave(core, &batch->slots[i], cancel);
    node_timer_clear(&core->timers, &batch->timer);
    forget_number(core, batch);
    bool read_by_store = batch->state == BATCH_CLOSING && batch->delivered;
    node_batch_set_state(core, batch, BATCH_DEAD);
    DL_DELETE(core->batches, batch);
    core->n_batches--;
    if (read_by_store) {
        node_batch_set_state(core, batch, BATCH_KEPT);
        DL_APPEND(core->kept, batch);
    } else {
        DL_APPEND(core->dead, batch);
    }
}

/* The batch and the children it would have had: their transfers stop. Not for
 * one whose closing the store has, unless its answer came. */
void node_batch_drop(struct node_core *core, struct batch *batch)
{
    while (batch->n_unborn)
        node_batch_drop(core, batch->unborn[0]);
    disown(batch);
    bury(core, batch, true);
}

/* FORGET says it all: no single transfer is cancelled. */
void node_batch_drop_all(struct node_core *core)
{
    bool purged = node_effect_purge(core);
    if (core->batches || purged)
        node_effect_add(core, NODE_EFFECT_FORGET);
    while (core->batches) {
        disown(core->batches);
        bury(core, core->batches, false);
    }
}

/* Whether it is time to close */

static bool is_ripe(const struct node_core *core, const struct batch *batch)
{
    const size_t *n = batch->n;
    if (n[SLOT_READY] + n[SLOT_DELAYED] + n[SLOT_FLYING] == 0)
        return true;
    if (core->now >= batch->deadline)
        return n[SLOT_DONE] + n[SLOT_LATER] > 0;
    if (batch->bytes >= BATCH_BYTES_RIPE) /* memory is bounded, and a closing */
        return true;
    return n[SLOT_DONE] && 2 * n[SLOT_DONE] >= batch->n_slots &&
           core->now - batch->last_end >= core->close_after;
}

/*
 * Closes the batch if it is time. Its timer runs to the end of its time or,
 * once half of its keys are done, to `close_after` from the last one's end. It
 * is not moved for each key that ends, only judged anew when it fires.
 */
void node_batch_judge(struct node_core *core, struct batch *batch)
{
    if (batch->state != BATCH_WORKING)
        return;
    if (is_ripe(core, batch)) {
        node_batch_set_state(core, batch, BATCH_RIPE);
        return;
    }
    if (batch->timer.index && (batch->timer.due < batch->deadline ||
                               2 * batch->n[SLOT_DONE] < batch->n_slots))
        return;
    usec_t due = batch->deadline;
    if (batch->n[SLOT_DONE] && 2 * batch->n[SLOT_DONE] >= batch->n_slots &&
        batch->last_end + core->close_after < due)
        due = batch->last_end + core->close_after;
    if (due > core->now && !node_timer_set(&core->timers, &batch->timer, due))
        core->no_memory = true;
}

/* Commits what is done, hands back the rest. */
void node_batch_drain(struct node_core *core, struct batch *batch)
{
    for (size_t i = 0; i < batch->n_slots; i++)
        if (node_slot_waits(&batch->slots[i]))
            node_slot_later(core, &batch->slots[i]);
    if (batch->state != BATCH_WORKING && batch->state != BATCH_RIPE)
        return;
    if (batch->n[SLOT_DONE] == 0 && batch->carried.n == 0) {
        node_close_report(core, batch->number, REPORT_RETURNED);
        node_batch_drop(core, batch);
    } else {
        node_batch_judge(core, batch);
    }
}

/* Tasks */

static bool copy_keys(struct batch *batch, const struct task *task)
{
    for (size_t i = 0; i < task->n_keys; i++) {
        struct slot *slot = &batch->slots[i];
        slot->key.data =
            arena_copy(&batch->arena, task->keys[i].data, task->keys[i].len);
        slot->key.len = task->keys[i].len;
        slot->attempts = task->attempt;
        if (!slot->key.data)
            return false;
    }
    return true;
}

/* Two halves for others; one where there is but one key. */
static void split(struct node_core *core, struct batch *batch)
{
    size_t n;
    struct slot **slots = node_build_pick(core, batch, 1 << SLOT_NEW, &n);
    size_t half = (n + 1) / 2;
    if (slots && node_build_part(core, batch, slots, half, false) && half < n)
        (void)!node_build_part(core, batch, slots + half, n - half, false);
}

static void begin(struct node_core *core, struct batch *batch,
                  enum task_action action)
{
    if (action == TASK_SPLIT)
        split(core, batch);
    for (size_t i = 0; i < batch->n_slots && !core->no_memory; i++) {
        if (action == TASK_WORK)
            node_slot_ready(core, &batch->slots[i]);
        else if (action == TASK_BLAME)
            node_slot_fail(core, &batch->slots[i], REASON_KILLED_NODE, 0,
                           slice_of(""));
    }
    if (core->no_memory)
        return;
    node_batch_set_state(core, batch, BATCH_WORKING);
    node_batch_judge(core, batch);
}

void node_batch_task(struct node_core *core, const struct task *task)
{
    if (node_batch_find(core, task->batch))
        return;
    if (core->state != NODE_WORKING || core->n_batches >= NODE_BATCHES_MAX ||
        task->worker < 0 || (size_t)task->worker >= core->n_crews ||
        !core->crews[task->worker].can_work) {
        node_close_report(core, task->batch, REPORT_RETURNED);
        return;
    }
    struct batch *batch = node_batch_new(core, task->worker, task->n_keys);
    if (!batch)
        return;
    node_batch_set_number(core, batch, task->batch);
    batch->attempt = task->attempt;
    batch->nodes = task->nodes;
    batch->batch_keys = task->batch_keys;
    if (copy_keys(batch, task))
        begin(core, batch, task->action);
    else
        core->no_memory = true;
}
