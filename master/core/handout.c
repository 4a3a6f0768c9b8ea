/*
 * handout.c: which batch goes to which node.
 *
 * The batch that is due for longest goes to the node that holds the fewest
 * keys, as long as that node has credit. Credit is what keeps a node's
 * transfers busy with as much again waiting; and never more than its fair
 * share of what is open, so that a late node finds something to do.
 *
 * A batch that must run alone waits for a node that holds nothing, which then
 * gets nothing else until that batch is closed.
 *
 * At the start of a run the first node to come would take what is meant for
 * those that are still starting. So keys wait for the nodes that are expected,
 * though not for long; only lists, which make the keys, do not.
 *
 * Near the end, when nothing waits and a node is idle, the batch that was
 * held for longest goes to a second node as well.
 */
#include <stdlib.h>

#include "core/internal.h"

static struct batch *first_of(const struct heap *heap)
{
    struct heap_item *item = heap_first(heap);
    return item ? CONTAINER_OF(item, struct batch, order) : NULL;
}

static struct node *least_loaded(const struct master_core *core)
{
    struct heap_item *item = heap_first(&core->ready);
    return item ? CONTAINER_OF(item, struct node, order) : NULL;
}

static int nodes_in_run(const struct master_core *core)
{
    int n = core->n_alive > core->config.nodes_expected
                ? core->n_alive
                : core->config.nodes_expected;
    return n > 0 ? n : 1;
}

static bool has_credit(const struct master_core *core, const struct node *node,
                       const struct batch *batch)
{
    int64_t n_nodes = nodes_in_run(core);
    int64_t keys = node->n_keys + (int64_t)batch->n_keys;
    int64_t fair = (core->open_keys + n_nodes - 1) / n_nodes;
    if (node->n_batches == 0)
        return true;
    if (node->n_batches >= NODE_BATCHES_FULL ||
        (node->n_batches >= NODE_BATCHES_MIN && keys > core->key_credit))
        return false;
    return node->n_keys < fair; /* the last batch may go beyond it */
}

/* Where the budget of a worker is too small for more nodes, those that have a
 * part of it are the only choice. */
static struct node *choose(const struct master_core *core,
                           const struct batch *batch)
{
    struct node *node = least_loaded(core);
    if (!node)
        return NULL;
    struct budget *full = budgets_full(core, node, batch->worker);
    return full ? budgets_least_loaded(full) : node;
}

static bool give(struct master_core *core, struct batch *batch,
                 struct node *node, struct batch_row *row)
{
    struct task *task = outbox_task(core, node, row->keys_json);
    if (!task)
        return false;
    row->keys_json = NULL;
    task->batch = batch->number;
    task->worker = batch->worker;
    task->attempt = row->attempt;
    task->action = batches_action(batch);
    task->nodes = nodes_in_run(core);
    task->batch_keys = core->config.batch_keys;
    task->n_keys = row->n_keys;
    node->turn = ++core->turn;
    bool held = batches_hold(core, batch, node);
    CHECK(held);
    return true;
}

static bool give_pending(struct master_core *core, struct batch *batch,
                         struct node *node)
{
    struct batch_row row = {.attempt = batch->attempt,
                            .n_keys = batch->n_keys,
                            .keys_json = batch->keys_json};
    batch->keys_json = NULL;
    bool given = give(core, batch, node, &row);
    batch->keys_json = row.keys_json;
    return given;
}

static void give_alone(struct master_core *core)
{
    struct batch *batch;
    while ((batch = first_of(&core->alone)) && batch->due <= core->now) {
        struct node *node = choose(core, batch);
        if (!node || node->n_batches > 0 || !give_pending(core, batch, node))
            return;
        node->alone = batch->number;
        nodes_refresh(core, node);
    }
}

static bool waits_for_nodes(const struct master_core *core)
{
    return core->n_alive < core->config.nodes_expected &&
           core->now < core->started_at + MASTER_GATHER;
}

static bool is_fetcher(const struct master_core *core, size_t worker)
{
    return worker_class_is_fetcher(
        core->config.pipeline->workers[worker].class);
}

/* The one that is due for longest, of workers not in `blocked`. */
static struct batch *first_due(const struct master_core *core, uint64_t blocked)
{
    struct batch *first = NULL;
    for (size_t i = 0; i < core->config.pipeline->n_workers; i++) {
        struct batch *batch = first_of(&core->pending[i]);
        if (!batch || batch->due > core->now || (blocked >> i & 1))
            continue;
        if (!first || batch->due < first->due ||
            (batch->due == first->due && batch->number < first->number))
            first = batch;
    }
    return first;
}

static void give_due(struct master_core *core)
{
    _Static_assert(PIPELINE_WORKERS_MAX <= 64, "one bit for each worker");
    uint64_t blocked = 0;
    struct batch *batch;
    for (size_t i = 0; i < core->config.pipeline->n_workers; i++)
        if (waits_for_nodes(core) && is_fetcher(core, i))
            blocked |= (uint64_t)1 << i;
    while (heap_first(&core->ready) && (batch = first_due(core, blocked))) {
        struct node *node = choose(core, batch);
        if (!node || !has_credit(core, node, batch))
            blocked |= (uint64_t)1 << batch->worker;
        else if (!give_pending(core, batch, node))
            return;
    }
}

/* ---- second hand-outs ---- */

/* A node that may take it as the second, or NULL. */
static struct node *choose_second(const struct master_core *core,
                                  struct batch *batch)
{
    struct node *node = choose(core, batch);
    if (!node || node->n_batches > 0 || batches_holders(batch) != 1)
        return NULL;
    for (int i = 0; i < HOLDERS_MAX; i++)
        if (batch->holders[i].node && batch->holders[i].node->store_waiting)
            return NULL;
    return node;
}

static bool near_the_end(const struct master_core *core)
{
    return !core->sweeping && !core->sweep_wanted && core->n_looking == 0 &&
           !first_due(core, 0);
}

static void look_for_second(struct master_core *core)
{
    if (!near_the_end(core))
        return;
    size_t left = core->n_held; /* each is passed over once at most */
    while (left-- > 0 && core->held && (int64_t)core->n_second < core->n_idle &&
           core->held->held_at + core->config.speculate_after <= core->now) {
        struct batch *batch = core->held;
        if (choose_second(core, batch))
            batches_second(core, batch);
        else
            batches_second_end(core, batch, false);
    }
}

void handout_second(struct master_core *core, struct batch *batch,
                    struct batch_row *row)
{
    struct node *node = choose_second(core, batch);
    bool given = node && give(core, batch, node, row);
    batches_second_end(core, batch, given);
}

void handout_turn(struct master_core *core)
{
    give_alone(core);
    give_due(core);
    look_for_second(core);
}

usec_t handout_deadline(const struct master_core *core)
{
    usec_t when =
        waits_for_nodes(core) ? core->started_at + MASTER_GATHER : USEC_NEVER;
    struct batch *batch = first_of(&core->alone);
    if (batch)
        when = still_ahead(core, batch->due);
    for (size_t i = 0; i < core->config.pipeline->n_workers; i++) {
        batch = first_of(&core->pending[i]);
        if (batch)
            when = sooner(when, still_ahead(core, batch->due));
    }
    if (core->held && core->n_idle > 0)
        when =
            sooner(when, still_ahead(core, core->held->held_at +
                                               core->config.speculate_after));
    return when;
}
