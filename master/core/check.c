/*
 * check.c: every invariant of the master's core, for tests and the
 * simulation.
 */
#include "core/internal.h"

static void check_holders(const struct batch *batch)
{
    for (int i = 0; i < HOLDERS_MAX; i++) {
        const struct holder *place = &batch->holders[i];
        if (!place->node)
            continue;
        CHECK(place->batch == batch && nodes_here(place->node));
        for (int j = 0; j < i; j++)
            CHECK(batch->holders[j].node != place->node);
    }
}

static void check_batch(const struct batch *batch)
{
    int n_holders = batches_holders(batch);
    CHECK(batch->number > 0);
    CHECK((n_holders > 0) == (batch->state == KNOWN_HELD));
    CHECK((batch->keys_json != NULL) == (batch->state == KNOWN_PENDING));
    CHECK((batch->order.at > 0) == (batch->state == KNOWN_PENDING));
    CHECK((batch->look_prev != NULL) == (batch->look == LOOK_WANTED));
    if (batch->state == KNOWN_LOOKING)
        CHECK(batch->look != LOOK_NONE);
    if (batch->prev || batch->second)
        CHECK(batch->state == KNOWN_HELD);
    CHECK(!(batch->prev && batch->second));
    check_holders(batch);
}

static void check_batches(const struct master_core *core)
{
    size_t n[KNOWN_LOOKING + 1] = {0}, n_second = 0, n_asked = 0;
    int64_t keys = 0;
    const struct batch *batch, *next;
    HASH_ITER (hh, core->known, batch, next) {
        check_batch(batch);
        n[batch->state]++;
        n_second += batch->second;
        n_asked += batch->look == LOOK_ASKED;
        keys += (int64_t)batch->n_keys;
    }
    CHECK(n[KNOWN_NEW] == 0 && core->n_new == 0);
    CHECK(n[KNOWN_PENDING] == core->n_pending);
    CHECK(n[KNOWN_HELD] == core->n_held);
    CHECK(n[KNOWN_LOOKING] == core->n_looking);
    CHECK(n_second == core->n_second);
    CHECK(keys == core->open_keys);
    CHECK(n_asked <= core->n_asked);
    CHECK(n_asked == 0 || core->asking == ASKING_LOOK);
    CHECK(core->n_pending <=
          MASTER_WINDOW_MIN + MASTER_WINDOW_PER_NODE * core->n_nodes);
    size_t n_queued = core->alone.n;
    heap_check(&core->alone);
    for (size_t i = 0; i < core->config.pipeline->n_workers; i++) {
        heap_check(&core->pending[i]);
        n_queued += core->pending[i].n;
    }
    CHECK(n_queued == core->n_pending);
}

static void check_node(const struct node *node)
{
    int n_batches = 0;
    int64_t n_keys = 0;
    const struct holder *holder;
    DL_FOREACH (node->holders, holder) {
        CHECK(holder->node == node);
        n_batches++;
        n_keys += (int64_t)holder->batch->n_keys;
    }
    CHECK(n_batches == node->n_batches && n_keys == node->n_keys);
    CHECK(nodes_here(node) || n_batches == 0);
    CHECK((node->prev != NULL) == nodes_here(node));
    CHECK(!node->idle || (node->order.at && n_batches == 0));
    if (node->order.at)
        CHECK(node->state == NODE_ALIVE && !node->store_waiting);
}

static void check_nodes(const struct master_core *core)
{
    int n_alive = 0, n_idle = 0;
    for (size_t i = 0; i < core->n_nodes; i++) {
        check_node(core->nodes[i]);
        n_alive += core->nodes[i]->state == NODE_ALIVE;
        n_idle += core->nodes[i]->idle;
    }
    CHECK(n_alive == core->n_alive && n_idle == core->n_idle);
    CHECK(HASH_COUNT(core->by_name) == core->n_nodes);
    heap_check(&core->ready);
}

void master_core_check(const struct master_core *core)
{
    check_batches(core);
    check_nodes(core);
    budgets_check(core);
}
