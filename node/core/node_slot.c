/*
 * node_slot.c: the life of a key, from its lane to its end.
 *
 * A slot is in exactly one place: its lane's queue (READY), the heap of timers
 * (DELAYED), a flight (FLYING), or none. The batch counts its
 * slots by state; node_slot_set_state() is the only one that changes either.
 *
 * A try is the chain of transfers from the key's URL through its redirects;
 * it is counted at its first start, and a retry begins at the key's URL.
 */
#include "core/node_internal.h"

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
    TRANSITION("key", slot->state, state);
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

void node_slot_leave(struct node_core *core, struct slot *slot, bool cancel)
{
    if (slot->state == SLOT_DELAYED) {
        node_timer_clear(&core->timers, &slot->timer);
    } else if (!slot->lane) {
        return; /* in no place, or on its way when memory ran out */
    } else if (slot->state == SLOT_READY) {
        node_lane_remove(core, slot->lane, slot);
    } else if (slot->state == SLOT_FLYING) {
        node_flight_leave(core, slot, cancel);
    }
}

/* The end of a key */

void node_slot_end(struct node_core *core, struct slot *slot)
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
    slot->answer = NULL;
    slot->found = NULL;
    if (slot->state != SLOT_DONE)
        node_slot_end(core, slot);
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

size_t node_slot_keys_wanted(const struct node_core *core,
                             const struct worker *worker, struct slice key)
{
    if (core->key_limit <= 0 || worker_class_is_fetcher(worker->class))
        return 0;
    int64_t n = worker->class == CLASS_SQL ? node_slot_page(key) : 0;
    return n < core->key_limit ? (size_t)(core->key_limit - n) : 1;
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
    if (from->record) {
        struct record record = *from->record;
        record.key = to->key;
        to->record = node_copy_record(arena, worker, &record);
        to->batch->bytes += node_record_bytes(worker, &record);
    }
    if (from->answer && to->record)
        to->answer = node_copy_answer(arena, from->answer, to->record);
    if (from->found)
        to->found = node_copy_found(arena, from->found);
    if (from->failure)
        to->failure =
            node_copy_failure(arena, from->failure, failed_key(core, to));
    return (!from->record || to->record) && (!from->answer || to->answer) &&
           (!from->found || to->found) && (!from->failure || to->failure);
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
        to->nth = from->nth;
        DL_REPLACE_ELEM(core->flights[to->flight].slots, from, to);
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
    to->company = from->company;
    take_place(core, from, to);
    node_slot_set_state(to, from->state);
    node_slot_set_state(from, SLOT_MOVED);
}
