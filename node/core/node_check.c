/* node_check.c: all invariants of the core, in one place. */
#include "core/node_internal.h"

static void check_slot(const struct node_core *core, const struct batch *batch,
                       const struct slot *slot)
{
    const struct crew *crew = &core->crews[batch->worker];
    bool in_lane = slot->state == SLOT_READY || slot->state == SLOT_FLYING;
    CHECK(slot->batch == batch);
    CHECK(slot->key.data);
    CHECK(in_lane == (slot->lane != NULL));
    CHECK((slot->state == SLOT_DELAYED) == (slot->timer.index != 0));
    if (in_lane)
        CHECK(slot->lane->crew == crew);
    if (slot->state == SLOT_FLYING)
        CHECK(slot->flight < core->flights_capacity);
    CHECK(slot->company > 0);
    if (slot->state == SLOT_DONE)
        CHECK(!!slot->record + !!slot->found + !!slot->failure == 1);
    CHECK(slot->state != SLOT_MOVED || batch->state == BATCH_CLOSING ||
          batch->carried.n);
}

static void check_family(const struct batch *batch)
{
    CHECK((batch->state == BATCH_UNBORN) == (batch->parent != NULL));
    CHECK((batch->state == BATCH_UNBORN) == (batch->number == 0));
    CHECK(batch->n_unborn == 0 || batch->state == BATCH_CLOSING);
    for (size_t i = 0; i < batch->n_unborn; i++) {
        const struct batch *child = batch->unborn[i];
        const struct closing *closing = &batch->closing;
        CHECK(child->parent == batch && child->state == BATCH_UNBORN);
        CHECK(child->child_index < closing->n_children);
        CHECK(closing->children[child->child_index].kept);
        CHECK(closing->children[child->child_index].n_keys == child->n_slots);
    }
}

static void check_batch(const struct node_core *core, const struct batch *batch)
{
    size_t n[SLOT_STATE_COUNT] = {0};
    for (size_t i = 0; i < batch->n_slots; i++) {
        n[batch->slots[i].state]++;
        check_slot(core, batch, &batch->slots[i]);
    }
    CHECK(!memcmp(n, batch->n, sizeof n));
    CHECK(n[SLOT_NEW] == 0);
    bool waits = n[SLOT_READY] + n[SLOT_DELAYED] + n[SLOT_FLYING] > 0;
    CHECK(!waits || batch->state != BATCH_CLOSING);
    CHECK(waits || batch->state != BATCH_WORKING);
    CHECK(batch->timer.index == 0 || batch->state == BATCH_WORKING);
    check_family(batch);
}

static void check_lane(const struct node_core *core, const struct lane *lane)
{
    size_t n = 0;
    const struct slot *slot;
    DL_FOREACH (lane->slots, slot) {
        CHECK(slot->lane == lane && slot->state == SLOT_READY);
        n++;
    }
    CHECK(n == lane->n_ready);
    CHECK((n == 0) == (lane->state == LANE_IDLE));
    CHECK((lane->state == LANE_TIMED) == (lane->timer.index != 0));
    CHECK(lane->state != LANE_TIMED || lane->timer.due > core->now);
}

static void check_crew(const struct node_core *core, const struct crew *crew)
{
    size_t n = 0, in_flight = 0, in_ring = 0, ready = 0;
    const struct lane *lane;
    DL_FOREACH (crew->lanes, lane) {
        CHECK(lane->crew == crew);
        check_lane(core, lane);
        in_flight += lane->in_flight;
        ready += lane->state == LANE_READY;
        n++;
    }
    DL_FOREACH2(crew->ring, lane, ring_next)
    {
        CHECK(lane->state == LANE_READY);
        in_ring++;
    }
    CHECK(n == crew->n_lanes && n <= NODE_LANES_MAX + 1);
    CHECK(ready == in_ring);
    CHECK(in_flight == crew->in_flight);
    CHECK(in_flight == 0 || in_flight <= (size_t)crew->worker->instances);
}

static size_t check_flight(const struct node_core *core, uint32_t index)
{
    const struct flight *flight = &core->flights[index];
    const struct slot *slot, *first = flight->slots;
    size_t n = 0;
    unsigned nth = 0;
    DL_FOREACH (flight->slots, slot) {
        CHECK(slot->state == SLOT_FLYING && slot->flight == index);
        CHECK(slot->lane == first->lane && slot->nth > nth);
        nth = slot->nth;
        n++;
    }
    CHECK(n == 0 || nth <= flight->n_asked);
    return n;
}

/* Returns how many keys are under way. */
static size_t check_flights(const struct node_core *core)
{
    uint32_t n = 0, n_free = 0;
    size_t keys = 0;
    for (uint32_t i = 0; i < core->flights_capacity; i++) {
        keys += check_flight(core, i);
        n += core->flights[i].slots != NULL;
    }
    for (uint32_t i = core->free_flight; i; i = core->flights[i - 1].next_free)
        n_free++;
    CHECK(n == core->n_flights);
    CHECK(n + n_free == core->flights_capacity);
    return keys;
}

static void check_lists(const struct node_core *core)
{
    size_t n = 0, flying = 0, closing = 0;
    const struct batch *batch;
    DL_FOREACH (core->batches, batch) {
        check_batch(core, batch);
        flying += batch->n[SLOT_FLYING];
        n++;
    }
    DL_FOREACH2(core->closing, batch, queue_next)
    {
        CHECK(batch->state == BATCH_CLOSING);
        closing++;
    }
    DL_FOREACH2(core->ripe, batch, queue_next)
    {
        CHECK(batch->state == BATCH_RIPE);
    }
    CHECK(n == core->n_batches);
    CHECK(flying == check_flights(core));
    CHECK(closing == core->n_closing && closing <= NODE_CLOSINGS_MAX);
    CHECK(!core->ripe || closing == NODE_CLOSINGS_MAX);
}

void node_core_check(const struct node_core *core)
{
    CHECK(!core->no_memory);
    check_lists(core);
    node_timer_check(&core->timers);
    for (size_t i = 0; i < core->n_crews; i++)
        check_crew(core, &core->crews[i]);
    CHECK(core->n_batches == 0 || core->state == NODE_WORKING ||
          core->state == NODE_DRAINING);
    CHECK(core->state != NODE_GREETING || core->hello_at != USEC_NEVER);
    CHECK(core->n_spare <= BATCHES_SPARE_MAX);
    CHECK(node_core_deadline(core) > core->now);
}
