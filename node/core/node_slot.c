/*
 * node_slot.c: the life of a key, from its lane to its end.
 *
 * A slot is in exactly one place: its lane's queue (READY), the heap of timers
 * (DELAYED), the table of flights (FLYING), or none. The batch counts its
 * slots by state; node_slot_set_state() is the only one that changes either.
 *
 * A try is the chain of transfers from the key's URL through its redirects;
 * it is counted at its first start, and a retry begins at the key's URL.
 */
#include "core/node_internal.h"

/* "N:KEY" is a key itself, and N has at most 19 digits. */
#define PAGE_KEY_MAX (KEY_BYTES_MAX - 20)
#define REDIRECT_REFUSED "the redirect leads to no http or https address"

/* By the states from which one may come; see the diagram. */
static const unsigned moves[SLOT_STATE_COUNT] = {
    [SLOT_READY] = 1 << SLOT_NEW | 1 << SLOT_DELAYED | 1 << SLOT_FLYING,
    [SLOT_DELAYED] = 1 << SLOT_NEW | 1 << SLOT_FLYING,
    [SLOT_FLYING] = 1 << SLOT_NEW | 1 << SLOT_READY,
    [SLOT_LATER] = 1 << SLOT_READY | 1 << SLOT_DELAYED | 1 << SLOT_FLYING,
    [SLOT_DONE] =
        1 << SLOT_NEW | 1 << SLOT_READY | 1 << SLOT_DELAYED | 1 << SLOT_FLYING,
    [SLOT_MOVED] = 1 << SLOT_NEW | 1 << SLOT_READY | 1 << SLOT_DELAYED |
                   1 << SLOT_FLYING | 1 << SLOT_LATER | 1 << SLOT_DONE,
};

void node_slot_set_state(struct slot *slot, enum slot_state state)
{
    struct batch *batch = slot->batch;
    CHECK(moves[state] & 1u << slot->state);
    CHECK(batch->n[slot->state] > 0);
    batch->n[slot->state]--;
    batch->n[state]++;
    slot->state = state;
}

bool node_slot_waits(const struct slot *slot)
{
    return slot->state == SLOT_READY || slot->state == SLOT_DELAYED ||
           slot->state == SLOT_FLYING;
}

int node_slot_tries(const struct slot *slot)
{
    bool under_way = slot->state == SLOT_FLYING || slot->redirect.data;
    return slot->attempts - (under_way ? 1 : 0);
}

/* "N:KEY": N. */
int64_t node_slot_page(struct slice key)
{
    int64_t n = 0;
    for (size_t i = 0;
         i < key.len && i < 18 && key.data[i] >= '0' && key.data[i] <= '9'; i++)
        n = 10 * n + (key.data[i] - '0');
    return n;
}

/* Flights */

static bool take_off(struct node_core *core, struct slot *slot)
{
    if (!core->free_flight) {
        uint32_t capacity =
            core->flights_capacity ? 2 * core->flights_capacity : 64;
        struct flight *flights =
            realloc(core->flights, capacity * sizeof *flights);
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
    }
    slot->flight = core->free_flight - 1;
    struct flight *flight = &core->flights[slot->flight];
    core->free_flight = flight->next_free;
    flight->slot = slot;
    flight->generation++;
    core->n_flights++;
    return true;
}

static void land(struct node_core *core, struct slot *slot)
{
    struct flight *flight = &core->flights[slot->flight];
    CHECK(flight->slot == slot);
    flight->slot = NULL;
    flight->next_free = core->free_flight;
    core->free_flight = slot->flight + 1;
    core->n_flights--;
    node_lane_landed(core, slot->lane);
    slot->lane = NULL;
}

static uint64_t fetch_id(const struct node_core *core, const struct slot *slot)
{
    uint64_t generation = core->flights[slot->flight].generation;
    return generation << 32 | slot->flight;
}

static struct slot *find_flight(const struct node_core *core, uint64_t fetch)
{
    uint32_t index = (uint32_t)fetch;
    if (index >= core->flights_capacity ||
        core->flights[index].generation != fetch >> 32)
        return NULL;
    return core->flights[index].slot;
}

void node_slot_leave(struct node_core *core, struct slot *slot, bool cancel)
{
    if (slot->state == SLOT_DELAYED) {
        node_timer_clear(&core->timers, &slot->timer);
    } else if (!slot->lane) {
        return; /* in no place, or on its way when memory ran out */
    } else if (slot->state == SLOT_READY) {
        node_lane_remove(core, slot->lane, slot);
    } else if (slot->state == SLOT_FLYING) {
        if (cancel)
            node_effect_add(core, NODE_EFFECT_CANCEL)->cancel =
                fetch_id(core, slot);
        land(core, slot);
    }
}

/* The end of a key */

static void end(struct node_core *core, struct slot *slot)
{
    node_slot_set_state(slot, SLOT_DONE);
    slot->batch->last_end = core->now;
    node_batch_judge(core, slot->batch);
}

/* Cut to what the ledger takes, and not inside a character. */
static struct slice cut(struct slice detail)
{
    if (detail.len <= CLOSING_DETAIL_BYTES_MAX)
        return detail;
    detail.len = CLOSING_DETAIL_BYTES_MAX;
    while (detail.len && (detail.data[detail.len] & 0xc0) == 0x80)
        detail.len--;
    return detail;
}

/* The key that a failure is recorded under: sources have URLs as keys, which
 * is what people want to see; a query's page does not name it. */
static struct slice failed_key(const struct node_core *core,
                               const struct slot *slot)
{
    enum worker_class class = core->crews[slot->batch->worker].worker->class;
    return class == CLASS_SQL ? slice_of("query") : slot->key;
}

void node_slot_fail(struct node_core *core, struct slot *slot,
                    enum reason reason, int http_status, struct slice detail)
{
    struct arena *arena = &slot->batch->arena;
    struct closing_failure *failure = arena_alloc(arena, sizeof *failure);
    detail = cut(detail);
    char *text = detail.len ? arena_copy(arena, detail.data, detail.len) : NULL;
    if (!failure || (detail.len && !text)) {
        core->no_memory = true;
        return;
    }
    *failure = (struct closing_failure){
        .key = failed_key(core, slot),
        .reason = reason,
        .http_status = http_status,
        .attempts = slot->attempts,
        .failed_at = node_core_wall(core),
        .detail = {text, detail.len},
    };
    slot->failure = failure;
    slot->record = NULL;
    slot->found = NULL;
    if (slot->state != SLOT_DONE)
        end(core, slot);
}

/* Towards a start */

/* The lane of the slot's next transfer; NULL where it has ended the slot. */
static struct lane *find_lane(struct node_core *core, struct slot *slot)
{
    struct crew *crew = node_crew(core, slot->batch);
    if (crew->fixed && !slot->redirect.data)
        return crew->fixed;
    struct slice url = slot->redirect.data ? slot->redirect : slot->key;
    struct buffer *host = &core->url;
    buffer_clear(host);
    if (!slot->redirect.data && worker_class_is_fetcher(crew->worker->class)) {
        if (!request_url(&crew->worker->request, slot->key, host))
            goto bad;
        url = (struct slice){arena_copy(&core->scratch, host->data, host->len),
                             host->len};
        if (!url.data) {
            core->no_memory = true;
            return NULL;
        }
        buffer_clear(host);
    }
    if (url_host(url, host))
        return node_lane_get(core, crew, buffer_slice(host));
bad:
    if (host->failed)
        core->no_memory = true;
    else if (slot->redirect.data)
        node_slot_fail(core, slot, REASON_REDIRECT, 0,
                       slice_of(REDIRECT_REFUSED));
    else
        node_slot_fail(core, slot, REASON_BAD_KEY, 0, slot->key);
    return NULL;
}

void node_slot_ready(struct node_core *core, struct slot *slot)
{
    struct lane *lane = find_lane(core, slot);
    if (!lane)
        return;
    node_slot_set_state(slot, SLOT_READY);
    node_lane_add(lane, slot);
}

/* The URL to ask, in the memory of effects; NULL data: it can't be made. */
static struct slice make_url(struct node_core *core, const struct slot *slot,
                             const struct worker *worker)
{
    struct slice url = slot->redirect.data ? slot->redirect : slot->key;
    if (worker->class == CLASS_SQL)
        return slice_of("");
    if (!slot->redirect.data && worker_class_is_fetcher(worker->class)) {
        buffer_clear(&core->url);
        if (!request_url(&worker->request, slot->key, &core->url)) {
            core->no_memory |= core->url.failed;
            return (struct slice){0};
        }
        url = buffer_slice(&core->url);
    }
    char *copy = arena_copy(&core->scratch, url.data, url.len);
    core->no_memory |= copy == NULL;
    return (struct slice){copy, url.len};
}

static size_t keys_wanted(const struct node_core *core,
                          const struct worker *worker, struct slice key)
{
    if (core->key_limit <= 0 || worker_class_is_fetcher(worker->class))
        return 0;
    int64_t n = worker->class == CLASS_SQL ? node_slot_page(key) : 0;
    return n < core->key_limit ? (size_t)(core->key_limit - n) : 1;
}

/* The slot has left its lane's queue. False where nothing was started. */
bool node_slot_start(struct node_core *core, struct slot *slot)
{
    const struct worker *worker = node_crew(core, slot->batch)->worker;
    struct slice url = make_url(core, slot, worker);
    if (!url.data || !take_off(core, slot)) {
        slot->lane = NULL;
        if (!core->no_memory)
            node_slot_fail(core, slot, REASON_BAD_KEY, 0, slot->key);
        return false;
    }
    node_slot_set_state(slot, SLOT_FLYING);
    if (!slot->redirect.data && slot->attempts++ > 0)
        core->retries++;
    core->fetches++;
    struct node_effect *effect = node_effect_add(core, NODE_EFFECT_START);
    effect->start.fetch = fetch_id(core, slot);
    effect->start.worker = worker;
    effect->start.key = slot->key;
    effect->start.url = url;
    effect->start.keys_max = keys_wanted(core, worker, slot->key);
    return true;
}

/* Tries that failed */

static void delay(struct node_core *core, struct slot *slot, usec_t due)
{
    slot->redirect = (struct slice){0};
    slot->redirects = 0;
    if (due > slot->batch->deadline) {
        slot->timer.due = due;
        node_slot_set_state(slot, SLOT_LATER);
        node_batch_judge(core, slot->batch);
        return;
    }
    node_slot_set_state(slot, SLOT_DELAYED);
    if (!node_timer_set(&core->timers, &slot->timer, due))
        core->no_memory = true;
}

/* Twice as long after each try, between a half and one and a half of it. */
static usec_t backoff(struct node_core *core, const struct request *request,
                      int attempts)
{
    usec_t length = request->backoff;
    for (int i = 1; i < attempts && length < request->backoff_max; i++)
        length *= 2;
    if (length > request->backoff_max)
        length = request->backoff_max;
    return length / 2 + node_core_jitter(core, length);
}

static void on_failed(struct node_core *core, struct slot *slot,
                      struct lane *lane, const struct fetched *fetched)
{
    const struct request *request =
        &node_crew(core, slot->batch)->worker->request;
    bool refused = fetched->reason == REASON_REFUSED;
    if (refused)
        node_lane_refused(core, lane, fetched->retry_after);
    if (!reason_may_pass(fetched->reason) ||
        slot->attempts >= request->attempts) {
        node_slot_fail(core, slot, fetched->reason, fetched->http_status,
                       fetched->detail);
        return;
    }
    usec_t due = core->now + backoff(core, request, slot->attempts);
    if (refused && lane->hold_until > core->now)
        due = lane->hold_until + node_core_jitter(core, request->backoff);
    delay(core, slot, due);
}

static void on_redirect(struct node_core *core, struct slot *slot,
                        const struct fetched *fetched)
{
    const struct request *request =
        &node_crew(core, slot->batch)->worker->request;
    if (slot->redirects >= request->redirects ||
        fetched->url.len > URL_BYTES_MAX) {
        node_slot_fail(core, slot, REASON_REDIRECT, fetched->http_status,
                       slice_of(slot->redirects >= request->redirects
                                    ? "too many redirects"
                                    : "the redirect's address is too long"));
        return;
    }
    slot->redirects++;
    char *url =
        arena_copy(&slot->batch->arena, fetched->url.data, fetched->url.len);
    if (!url) {
        core->no_memory = true;
        return;
    }
    slot->redirect = (struct slice){url, fetched->url.len};
    node_slot_ready(core, slot);
}

/* Tries that went well */

static const struct record *copy_record(struct arena *arena, struct slice key,
                                        usec_t wall, const struct slice *fields,
                                        size_t n)
{
    size_t bytes = sizeof(struct record) + n * sizeof(struct slice);
    for (size_t i = 0; i < n; i++)
        bytes += fields[i].len;
    struct record *record = arena_alloc(arena, bytes);
    if (!record)
        return NULL;
    struct slice *copies = (struct slice *)(record + 1);
    char *text = (char *)(copies + n);
    for (size_t i = 0; i < n; i++) {
        if (!fields[i].data)
            continue; /* NULL stays NULL */
        copies[i] = (struct slice){text, fields[i].len};
        memcpy(text, fields[i].data, fields[i].len);
        text += fields[i].len;
    }
    *record = (struct record){key, wall, copies};
    return record;
}

static const struct found *copy_found(struct arena *arena,
                                      const struct found *from)
{
    size_t bytes = sizeof *from + from->n * sizeof(struct slice);
    for (size_t i = 0; i < from->n; i++)
        bytes += from->keys[i].len;
    struct found *found = arena_alloc(arena, bytes);
    if (!found)
        return NULL;
    struct slice *keys = (struct slice *)(found + 1);
    char *text = (char *)(keys + from->n);
    for (size_t i = 0; i < from->n; i++) {
        keys[i] = (struct slice){text, from->keys[i].len};
        memcpy(text, from->keys[i].data, from->keys[i].len);
        text += from->keys[i].len;
    }
    *found = *from;
    found->keys = keys;
    return found;
}

static void on_record(struct node_core *core, struct slot *slot,
                      const struct fetched *fetched)
{
    const struct crew *crew = node_crew(core, slot->batch);
    if (crew->key_field >= 0 &&
        !key_is_valid(fetched->fields[crew->key_field])) {
        node_slot_fail(core, slot, REASON_BAD_KEY, fetched->http_status,
                       slice_of("the field \"key\" makes no key"));
        return;
    }
    slot->record = copy_record(&slot->batch->arena, slot->key, fetched->wall,
                               fetched->fields, crew->worker->n_fields);
    if (!slot->record) {
        core->no_memory = true;
        return;
    }
    end(core, slot);
}

static void on_keys(struct node_core *core, struct slot *slot,
                    const struct fetched *fetched)
{
    const struct worker *worker = node_crew(core, slot->batch)->worker;
    size_t wanted = keys_wanted(core, worker, slot->key);
    bool enough = wanted && fetched->n_keys >= wanted;
    struct found found = {
        .keys = fetched->keys,
        .n = enough ? wanted : fetched->n_keys,
        .more = fetched->more && !enough && fetched->n_keys,
    };
    if (found.more && found.keys[found.n - 1].len > PAGE_KEY_MAX) {
        node_slot_fail(core, slot, REASON_BAD_KEY, 0,
                       slice_of("a key is too long to read on after it"));
        return;
    }
    slot->found = copy_found(&slot->batch->arena, &found);
    if (!slot->found) {
        core->no_memory = true;
        return;
    }
    end(core, slot);
}

void node_slot_fetched(struct node_core *core, const struct fetched *fetched)
{
    struct slot *slot = find_flight(core, fetched->fetch);
    if (!slot)
        return;
    struct lane *lane = slot->lane;
    core->wall_offset = fetched->wall - core->now;
    land(core, slot);
    switch (fetched->outcome) {
    case FETCH_RECORD:
        lane->refusals = 0;
        on_record(core, slot, fetched);
        break;
    case FETCH_KEYS:
        lane->refusals = 0;
        on_keys(core, slot, fetched);
        break;
    case FETCH_FAILED:
        on_failed(core, slot, lane, fetched);
        break;
    case FETCH_REDIRECT:
        on_redirect(core, slot, fetched);
        break;
    }
}

/* Moving */

/* Draining: not here any more. */
void node_slot_later(struct node_core *core, struct slot *slot)
{
    int tries = node_slot_tries(slot);
    usec_t due = slot->state == SLOT_DELAYED ? slot->timer.due : core->now;
    node_slot_leave(core, slot, true);
    slot->attempts = tries;
    slot->redirect = (struct slice){0};
    slot->timer.due = due;
    node_slot_set_state(slot, SLOT_LATER);
}

static struct closing_failure *copy_failure(struct arena *arena,
                                            const struct closing_failure *from,
                                            struct slice key)
{
    struct closing_failure *failure = arena_alloc(arena, sizeof *failure);
    char *text = arena_copy(arena, from->detail.data, from->detail.len);
    if (!failure || !text)
        return NULL;
    *failure = *from;
    failure->key = key;
    failure->detail.data = text;
    return failure;
}

/* Everything the slot points at, into the other batch's arena. */
static bool copy_texts(const struct node_core *core, struct slot *to,
                       const struct slot *from)
{
    struct arena *arena = &to->batch->arena;
    const struct worker *worker = core->crews[to->batch->worker].worker;
    to->key.data = arena_copy(arena, from->key.data, from->key.len);
    to->key.len = from->key.len;
    if (!to->key.data)
        return false;
    if (from->redirect.data) {
        to->redirect.data =
            arena_copy(arena, from->redirect.data, from->redirect.len);
        to->redirect.len = from->redirect.len;
        if (!to->redirect.data)
            return false;
    }
    if (from->record)
        to->record = copy_record(arena, to->key, from->record->fetched_at,
                                 from->record->fields, worker->n_fields);
    if (from->found)
        to->found = copy_found(arena, from->found);
    if (from->failure)
        to->failure = copy_failure(arena, from->failure, failed_key(core, to));
    return (!from->record || to->record) && (!from->found || to->found) &&
           (!from->failure || to->failure);
}

/* Takes over the place of `from`: in its lane, the heap, or the flights. */
static void take_place(struct node_core *core, struct slot *from,
                       struct slot *to)
{
    struct lane *lane = from->lane;
    if (from->state == SLOT_READY) {
        DL_REPLACE_ELEM(lane->slots, from, to);
        to->lane = lane;
    } else if (from->state == SLOT_DELAYED) {
        node_timer_move(&core->timers, &from->timer, &to->timer);
    } else if (from->state == SLOT_FLYING) {
        to->flight = from->flight;
        core->flights[to->flight].slot = to;
        to->lane = lane;
    }
    from->lane = NULL;
}

void node_slot_move(struct node_core *core, struct slot *from, struct slot *to)
{
    CHECK(to->state == SLOT_NEW && from->state != SLOT_MOVED);
    if (!copy_texts(core, to, from)) {
        core->no_memory = true;
        return;
    }
    to->redirects = from->redirects;
    to->attempts = from->attempts;
    take_place(core, from, to);
    node_slot_set_state(to, from->state);
    node_slot_set_state(from, SLOT_MOVED);
}
