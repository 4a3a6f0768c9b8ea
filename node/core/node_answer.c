/*
 * node_answer.c: what the end of a transfer means for its key.
 *
 * A record or keys end it. A failure does, unless it may pass and there are
 * tries left: then the key waits, here or, if that takes longer than the batch
 * has, in a child for later. A refusal holds the whole host back.
 *
 * What became of a request for several keys became of each of them; but where
 * that is a failure for good, it is tried which of them it was.
 */
#include "core/node_internal.h"

/* "N:KEY" is a key itself, and N has at most 19 digits. */
#define PAGE_KEY_MAX (KEY_BYTES_MAX - 20)

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

/* Whether it may be one of several keys that a request failed for. */
static bool may_be_for_one(enum reason reason)
{
    return !reason_may_pass(reason) && reason != REASON_TLS &&
           reason != REASON_PRIVATE && reason != REASON_ROBOTS;
}

/* What failed is the request, and perhaps for one of its keys: half of them
 * each go on without the others. */
static void split(struct node_core *core, struct landed *landed)
{
    for (size_t i = 0; i < landed->n; i++) {
        struct slot *slot = landed->slots[i];
        slot->company = (uint16_t)((landed->n_asked + 1) / 2);
        slot->attempts--;
        slot->redirect = (struct slice){0};
        slot->redirects = 0;
        node_slot_ready(core, slot);
    }
}

/* When those that are tried again are: at one time, so that they go together
 * again. */
static usec_t due_again(struct node_core *core, const struct landed *landed,
                        bool refused)
{
    const struct lane *lane = landed->lane;
    const struct request *request = &lane->crew->worker->request;
    int attempts = 0;
    for (size_t i = 0; i < landed->n; i++)
        if (landed->slots[i]->attempts > attempts)
            attempts = landed->slots[i]->attempts;
    usec_t due = core->now + backoff(core, request, attempts);
    if (refused && lane->hold_until > core->now)
        due = lane->hold_until + node_core_jitter(core, request->backoff);
    return due;
}

static void fail(struct node_core *core, struct slot *slot,
                 const struct fetched *fetched)
{
    node_slot_fail(core, slot, fetched->reason, fetched->http_status,
                   fetched->detail);
}

static void on_failed(struct node_core *core, struct landed *landed,
                      const struct fetched *fetched)
{
    const struct request *request = &landed->lane->crew->worker->request;
    bool may_pass = reason_may_pass(fetched->reason);
    bool refused = fetched->reason == REASON_REFUSED;
    if (refused)
        node_lane_refused(core, landed->lane, fetched->retry_after);
    if (!fetched->nth && landed->n_asked > 1 &&
        may_be_for_one(fetched->reason)) {
        split(core, landed);
        return;
    }
    usec_t due = may_pass ? due_again(core, landed, refused) : 0;
    for (size_t i = 0; i < landed->n; i++) {
        struct slot *slot = landed->slots[i];
        if (!may_pass || slot->attempts >= request->attempts)
            fail(core, slot, fetched);
        else
            delay(core, slot, due);
    }
}

static void follow(struct node_core *core, struct slot *slot, struct slice url)
{
    char *copy = arena_copy(&slot->batch->arena, url.data, url.len);
    if (!copy) {
        core->no_memory = true;
        return;
    }
    slot->redirects++;
    slot->redirect = (struct slice){copy, url.len};
    node_slot_ready(core, slot);
}

/* All keys of a request have followed as many. */
static void on_redirect(struct node_core *core, struct landed *landed,
                        const struct fetched *fetched)
{
    const struct request *request = &landed->lane->crew->worker->request;
    struct fetched failed = *fetched;
    failed.reason = REASON_REDIRECT;
    failed.detail = slice_of("the redirect's address is too long");
    if (landed->slots[0]->redirects >= request->redirects)
        failed.detail = slice_of("too many redirects");
    else if (fetched->url.len <= URL_BYTES_MAX)
        failed.reason = REASON_NONE;
    if (failed.reason)
        on_failed(core, landed, &failed);
    for (size_t i = 0; i < landed->n && !failed.reason; i++)
        follow(core, landed->slots[i], fetched->url);
}

/* Tries that went well */

/* Of an answer that came by a redirect the key's own URL says nothing. */
static bool is_remembered(const struct slot *slot,
                          const struct fetched *fetched, size_t n_fields)
{
    if (!fetched->answer || slot->redirects)
        return false;
    struct last_answer answer = *fetched->answer;
    answer.fields = fetched->fields;
    return answer_is_good(&answer, n_fields);
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
    struct arena *arena = &slot->batch->arena;
    const struct record record = {.key = slot->key,
                                  .fetched_at = fetched->wall,
                                  .fields = fetched->fields,
                                  .rows = fetched->rows};
    CHECK(fetched->rows || !crew->worker->n_sets);
    slot->record = node_copy_record(arena, crew->worker, &record);
    bool remembered =
        slot->record && is_remembered(slot, fetched, crew->worker->n_fields);
    if (remembered)
        slot->answer = node_copy_answer(arena, fetched->answer, slot->record);
    if (!slot->record || (remembered && !slot->answer)) {
        core->no_memory = true;
        return;
    }
    slot->batch->bytes += node_record_bytes(crew->worker, &record);
    node_slot_end(core, slot);
}

static void on_keys(struct node_core *core, struct slot *slot,
                    const struct fetched *fetched)
{
    const struct worker *worker = node_crew(core, slot->batch)->worker;
    size_t wanted = node_slot_keys_wanted(core, worker, slot->key);
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
    slot->found = node_copy_found(&slot->batch->arena, &found);
    if (!slot->found) {
        core->no_memory = true;
        return;
    }
    node_slot_end(core, slot);
}

void node_answer(struct node_core *core, const struct fetched *fetched)
{
    struct landed landed;
    node_flight_land(core, fetched->fetch, fetched->nth, &landed);
    if (!landed.n)
        return;
    core->wall_offset = fetched->wall - core->now;
    if (fetched->unasked) {
        core->fetches--;
        node_lane_unasked(core, &landed);
    }
    switch (fetched->outcome) {
    case FETCH_RECORD:
        CHECK(landed.n == 1);
        if (!fetched->unasked)
            landed.lane->refusals = 0;
        on_record(core, landed.slots[0], fetched);
        break;
    case FETCH_KEYS:
        landed.lane->refusals = 0;
        on_keys(core, landed.slots[0], fetched);
        break;
    case FETCH_FAILED:
        on_failed(core, &landed, fetched);
        break;
    case FETCH_REDIRECT:
        on_redirect(core, &landed, fetched);
        break;
    case FETCH_AGAIN:
        landed.lane->crawl_delay = fetched->crawl_delay;
        node_flight_back(core, &landed);
        break;
    }
}
