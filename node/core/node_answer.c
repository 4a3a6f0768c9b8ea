/*
 * node_answer.c: what the end of a transfer means for its key.
 *
 * A record or keys end it. A failure does, unless it may pass and there are
 * tries left: then the key waits, here or, if that takes longer than the batch
 * has, in a child for later. A refusal holds the whole host back.
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
    const struct record record = {.key = slot->key,
                                  .fetched_at = fetched->wall,
                                  .fields = fetched->fields,
                                  .rows = fetched->rows};
    CHECK(fetched->rows || !crew->worker->n_sets);
    slot->record = node_copy_record(&slot->batch->arena, crew->worker, &record);
    if (!slot->record) {
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
    struct slot *slot = node_slot_find(core, fetched->fetch);
    if (!slot)
        return;
    struct lane *lane = slot->lane;
    core->wall_offset = fetched->wall - core->now;
    node_slot_land(core, slot);
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
    case FETCH_AGAIN:
        lane->crawl_delay = fetched->crawl_delay;
        node_slot_back(core, slot);
        break;
    }
}
