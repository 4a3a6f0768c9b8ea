/*
 * node_flight.c: requests: which keys go together, and when one is over.
 *
 * A flight is one request. To its lane, the budget and the shell it is one
 * thing, whether it asks for one key or, by keys_per_request, for several. Its
 * keys may be of several batches; each leaves it by itself, when its end is
 * told or its batch is dropped, and the last one ends it.
 *
 * Keys go together that wait side by side in a lane, so for one host, that ask
 * for the same after a redirect, and that may have the same company: less of it
 * after each request that failed for good (node_answer.c).
 */
#include "core/node_internal.h"

static bool make_room(struct node_core *core)
{
    if (core->free_flight)
        return true;
    uint32_t capacity =
        core->flights_capacity ? 2 * core->flights_capacity : 64;
    struct flight *flights = realloc(core->flights, capacity * sizeof *flights);
    if (!flights) {
        core->no_memory = true;
        return false;
    }
    for (uint32_t i = capacity; i > core->flights_capacity; i--) {
        flights[i - 1] = (struct flight){.next_free = core->free_flight};
        core->free_flight = i;
    }
    core->flights = flights;
    core->flights_capacity = capacity;
    return true;
}

static uint64_t fetch_id(const struct node_core *core, uint32_t index)
{
    return (uint64_t)core->flights[index].generation << 32 | index;
}

/* The flight of a START; NULL: it is over. */
static struct flight *find(const struct node_core *core, uint64_t fetch)
{
    uint32_t index = (uint32_t)fetch;
    if (index >= core->flights_capacity ||
        core->flights[index].generation != fetch >> 32)
        return NULL;
    return &core->flights[index];
}

/* Beginning */

static bool go_together(const struct slot *a, const struct slot *b)
{
    return a->company == b->company &&
           (a->redirect.data
                ? b->redirect.data && slice_equal(a->redirect, b->redirect)
                : !b->redirect.data);
}

/* What may fly together, from the front of the lane's queue. */
static size_t pick(const struct lane *lane, struct slot **ret)
{
    struct slot *first = lane->slots;
    size_t n = 0;
    for (struct slot *slot = first;
         slot && n < first->company && go_together(first, slot);
         slot = slot->next)
        ret[n++] = slot;
    return n;
}

/* The URL to ask for the first of these keys, in the memory of effects, and for
 * how many of them; NULL data: it can't be made. */
static struct slice make_url(struct node_core *core,
                             const struct worker *worker, struct slice redirect,
                             const struct slice *keys, size_t *n)
{
    struct slice url = redirect.data ? redirect : keys[0];
    if (!worker_class_asks_web(worker->class))
        return slice_of("");
    if (!redirect.data && worker_class_is_fetcher(worker->class)) {
        buffer_clear(&core->url);
        size_t asked = request_url_of(&worker->request, keys, *n, &core->url);
        CHECK(asked <= *n);
        *n = asked;
        if (!asked) {
            core->no_memory |= core->url.failed;
            return (struct slice){0};
        }
        url = buffer_slice(&core->url);
    }
    char *copy = arena_copy(&core->scratch, url.data, url.len);
    core->no_memory |= copy == NULL;
    return (struct slice){copy, url.len};
}

static void take_off(struct node_core *core, struct lane *lane,
                     struct slot **slots, size_t n)
{
    uint32_t index = core->free_flight - 1;
    struct flight *flight = &core->flights[index];
    core->free_flight = flight->next_free;
    flight->generation++;
    flight->n_asked = n;
    flight->again = false;
    core->n_flights++;
    for (size_t i = 0; i < n; i++) {
        struct slot *slot = slots[i];
        node_lane_remove(core, lane, slot);
        node_slot_set_state(slot, SLOT_FLYING);
        if (!slot->redirect.data && slot->attempts++ > 0)
            flight->again = true;
        slot->lane = lane;
        slot->flight = index;
        slot->nth = (uint16_t)(i + 1);
        DL_APPEND(flight->slots, slot);
    }
    core->retries += flight->again;
    core->fetches++;
}

struct flight *node_flight_start(struct node_core *core, struct lane *lane)
{
    const struct worker *worker = lane->crew->worker;
    struct slot *slots[PIPELINE_REQUEST_KEYS_MAX], *first = lane->slots;
    size_t n = pick(lane, slots);
    struct slice *keys = node_effect_alloc(core, n * sizeof *keys);
    if (!keys)
        return NULL;
    for (size_t i = 0; i < n; i++)
        keys[i] = slots[i]->key;
    struct slice url = make_url(core, worker, first->redirect, keys, &n);
    if (!url.data || !make_room(core)) {
        node_lane_remove(core, lane, first);
        if (!core->no_memory)
            node_slot_fail(core, first, REASON_BAD_KEY, 0, first->key);
        return NULL;
    }
    take_off(core, lane, slots, n);
    struct node_effect *effect = node_effect_add(core, NODE_EFFECT_START);
    effect->start.fetch = fetch_id(core, first->flight);
    effect->start.worker = worker;
    effect->start.key = first->key;
    effect->start.keys = keys;
    effect->start.n_keys = n;
    effect->start.url = url;
    effect->start.keys_max = node_slot_keys_wanted(core, worker, first->key);
    effect->start.crawl_delay = lane->crawl_delay;
    effect->start.redirected = first->redirect.data != NULL;
    return &core->flights[first->flight];
}

/* Ending */

/* Whether that was the last one. */
static bool leave(struct node_core *core, struct slot *slot)
{
    struct lane *lane = slot->lane;
    struct flight *flight = &core->flights[slot->flight];
    DL_DELETE(flight->slots, slot);
    slot->lane = NULL;
    if (flight->slots)
        return false;
    flight->next_free = core->free_flight;
    core->free_flight = slot->flight + 1;
    core->n_flights--;
    node_lane_landed(core, lane);
    return true;
}

void node_flight_leave(struct node_core *core, struct slot *slot, bool cancel)
{
    uint64_t fetch = fetch_id(core, slot->flight);
    if (leave(core, slot) && cancel)
        node_effect_add(core, NODE_EFFECT_CANCEL)->cancel = fetch;
}

void node_flight_land(struct node_core *core, uint64_t fetch, unsigned nth,
                      struct landed *ret)
{
    const struct flight *flight = find(core, fetch);
    ret->n = 0;
    if (!flight || !flight->slots)
        return;
    ret->lane = flight->slots->lane;
    ret->n_asked = flight->n_asked;
    ret->again = flight->again;
    memcpy(ret->spent, flight->spent, sizeof ret->spent);
    struct slot *slot, *next;
    DL_FOREACH_SAFE (flight->slots, slot, next) {
        if (nth && slot->nth != nth)
            continue;
        ret->slots[ret->n++] = slot;
        leave(core, slot);
    }
}

void node_flight_back(struct node_core *core, struct landed *landed)
{
    core->fetches--;
    core->retries -= landed->again;
    for (size_t i = 0; i < landed->n; i++) {
        struct slot *slot = landed->slots[i];
        if (!slot->redirect.data)
            slot->attempts--;
        node_slot_ready(core, slot);
    }
}

size_t node_core_asked(const struct node_core *core, uint64_t fetch,
                       struct slice *ret_keys, unsigned *ret_nth)
{
    const struct flight *flight = find(core, fetch);
    size_t n = 0;
    const struct slot *slot;
    DL_FOREACH (flight ? flight->slots : NULL, slot) {
        ret_keys[n] = slot->key;
        ret_nth[n++] = slot->nth;
    }
    return n;
}
