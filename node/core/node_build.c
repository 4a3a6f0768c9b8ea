/*
 * node_build.c: from what became of the keys to a closing.
 *
 * Two kinds of children. Those that are there in any case (batch->carried):
 * kept ones with the keys that still wait or fly, ones for the ledger with
 * keys that come later, halves. And those that follow from what is done: keys
 * that a source found, keys for the next fetcher, a query's next page. When
 * the database refuses the data the latter are made anew, the former stay.
 *
 * All of it lives in the batch's arena.
 */
#include "core/node_internal.h"

#include <stdio.h>

/* What is done, in the form of the queues it goes into. */
struct output {
    const struct record **records;
    size_t n_records;
    const struct slice *keys;
    size_t n_keys;
};

static void *alloc(struct node_core *core, struct batch *batch, size_t bytes)
{
    void *data = arena_alloc(&batch->arena, bytes);
    if (!data)
        core->no_memory = true;
    return data;
}

static struct closing_child *add_child(struct node_core *core,
                                       struct batch *batch,
                                       struct children *children)
{
    if (children->n == children->capacity) {
        size_t capacity = children->capacity ? 2 * children->capacity : 8;
        struct closing_child *items =
            alloc(core, batch, capacity * sizeof *items);
        if (!items)
            return NULL;
        if (children->n)
            memcpy(items, children->items, children->n * sizeof *items);
        children->items = items;
        children->capacity = capacity;
    }
    return &children->items[children->n++];
}

struct slot **node_build_pick(struct node_core *core, struct batch *batch,
                              unsigned states, size_t *ret_n)
{
    size_t n = 0;
    struct slot **slots = alloc(core, batch, batch->n_slots * sizeof *slots);
    for (size_t i = 0; slots && i < batch->n_slots; i++)
        if (states & 1u << batch->slots[i].state)
            slots[n++] = &batch->slots[i];
    *ret_n = n;
    return slots;
}

/* Children in any case */

static bool keep(struct node_core *core, struct batch *batch,
                 struct slot **slots, size_t n)
{
    struct batch *child = node_batch_new(core, batch->worker, n);
    if (!child)
        return false;
    CHECK(batch->n_unborn < UNBORN_MAX);
    batch->unborn[batch->n_unborn++] = child;
    child->parent = batch;
    child->child_index = batch->carried.n - 1;
    child->attempt = batch->carried.items[child->child_index].attempt;
    child->nodes = batch->nodes;
    child->batch_keys = batch->batch_keys;
    for (size_t i = 0; i < n && !core->no_memory; i++)
        node_slot_move(core, slots[i], &child->slots[i]);
    child->half = child->n[SLOT_DONE] == n;
    return !core->no_memory;
}

bool node_build_part(struct node_core *core, struct batch *batch,
                     struct slot **slots, size_t n, bool kept)
{
    struct slice *keys = alloc(core, batch, n * sizeof *keys);
    struct closing_child *child =
        keys ? add_child(core, batch, &batch->carried) : NULL;
    if (!child)
        return false;
    *child = (struct closing_child){.worker = batch->worker,
                                    .queue = -1,
                                    .attempt = INT32_MAX,
                                    .kept = kept,
                                    .keys = keys,
                                    .n_keys = n};
    for (size_t i = 0; i < n; i++) {
        struct slot *slot = slots[i];
        int tries =
            slot->state == SLOT_DONE ? batch->attempt : node_slot_tries(slot);
        keys[i] = slot->key;
        if (tries < child->attempt)
            child->attempt = tries;
        if (slot->state == SLOT_LATER &&
            slot->timer.due - core->now > child->delay)
            child->delay = slot->timer.due - core->now;
    }
    if (kept)
        return keep(core, batch, slots, n);
    for (size_t i = 0; i < n; i++)
        node_slot_set_state(slots[i], SLOT_MOVED);
    return true;
}

/* One child for each number of tries; the latest of its keys says when. */
static bool build_later(struct node_core *core, struct batch *batch)
{
    while (batch->n[SLOT_LATER]) {
        size_t n, same = 0;
        struct slot **slots = node_build_pick(core, batch, 1 << SLOT_LATER, &n);
        for (size_t i = 0; slots && i < n; i++)
            if (slots[i]->attempts == slots[0]->attempts)
                slots[same++] = slots[i];
        if (!slots || !node_build_part(core, batch, slots, same, false))
            return false;
    }
    return true;
}

bool node_build_rest(struct node_core *core, struct batch *batch)
{
    size_t n;
    struct slot **slots = node_build_pick(
        core, batch, 1 << SLOT_READY | 1 << SLOT_DELAYED | 1 << SLOT_FLYING,
        &n);
    if (!slots || (n && !node_build_part(core, batch, slots, n, true)))
        return false;
    return build_later(core, batch);
}

/* What is done */

static bool build_failures(struct node_core *core, struct batch *batch)
{
    struct closing *closing = &batch->closing;
    struct closing_failure *failures =
        alloc(core, batch, batch->n[SLOT_DONE] * sizeof *failures);
    for (size_t i = 0; failures && i < batch->n_slots; i++)
        if (batch->slots[i].state == SLOT_DONE && batch->slots[i].failure)
            failures[closing->n_failures++] = *batch->slots[i].failure;
    closing->failures = failures;
    return failures != NULL;
}

static bool build_answers(struct node_core *core, struct batch *batch)
{
    struct closing *closing = &batch->closing;
    size_t most = 0;
    for (size_t i = 0; i < batch->n_slots; i++)
        most += batch->slots[i].answer != NULL;
    if (!most)
        return true;
    struct last_answer *answers = alloc(core, batch, most * sizeof *answers);
    for (size_t i = 0; answers && i < batch->n_slots; i++)
        if (batch->slots[i].state == SLOT_DONE && batch->slots[i].answer)
            answers[closing->n_answers++] = *batch->slots[i].answer;
    closing->answers = answers;
    return answers != NULL;
}

/* The records of a fetcher, and the keys in them for the next one. */
static bool output_of_records(struct node_core *core, struct batch *batch,
                              struct output *ret)
{
    const struct crew *crew = node_crew(core, batch);
    size_t room = batch->n[SLOT_DONE];
    const struct record **records = alloc(core, batch, room * sizeof *records);
    struct slice *keys = alloc(core, batch, room * sizeof *keys);
    if (!records || !keys)
        return false;
    size_t n = 0;
    for (size_t i = 0; i < batch->n_slots; i++) {
        const struct slot *slot = &batch->slots[i];
        if (slot->state != SLOT_DONE || slot->failure)
            continue;
        records[n] = slot->record;
        keys[n++] = crew->key_field < 0 ? slot->key
                                        : slot->record->fields[crew->key_field];
    }
    *ret = (struct output){records, n, keys, n};
    return true;
}

static size_t count_found(const struct node_core *core,
                          const struct batch *batch)
{
    size_t n = 0;
    for (size_t i = 0; i < batch->n_slots; i++)
        if (batch->slots[i].state == SLOT_DONE && batch->slots[i].found)
            n += batch->slots[i].found->n;
    if (core->key_limit > 0 && n > (size_t)core->key_limit &&
        core->crews[batch->worker].worker->class != CLASS_SQL)
        n = (size_t)core->key_limit;
    return n;
}

/* The keys that a source found. No store follows a source (pipeline.h), so
 * there are no records. */
static bool output_of_found(struct node_core *core, struct batch *batch,
                            struct output *ret)
{
    size_t room = count_found(core, batch), n = 0;
    struct slice *keys = alloc(core, batch, room * sizeof *keys);
    if (!keys)
        return false;
    for (size_t i = 0; i < batch->n_slots; i++) {
        const struct slot *slot = &batch->slots[i];
        if (slot->state != SLOT_DONE || !slot->found)
            continue;
        for (size_t k = 0; k < slot->found->n && n < room; k++)
            keys[n++] = slot->found->keys[k];
    }
    *ret = (struct output){.keys = keys, .n_keys = n};
    return true;
}

/* Where it goes */

static bool add_rows(struct node_core *core, struct batch *batch, int queue,
                     const struct output *output, struct closing_rows *rows)
{
    const struct queue *q = &core->pipeline->queues[queue];
    struct closing *closing = &batch->closing;
    for (size_t c = 0; c < q->n_consumers; c++) {
        const struct record **records =
            alloc(core, batch, output->n_records * sizeof *records);
        if (!records)
            return false;
        size_t n = 0;
        for (size_t i = 0; i < output->n_records; i++)
            if (pipeline_consumer(core->pipeline, queue, i)->index ==
                q->consumers[c])
                records[n++] = output->records[i];
        if (n)
            rows[closing->n_rows++] =
                (struct closing_rows){q->consumers[c], records, n};
    }
    return true;
}

/* Large enough to be worth a transaction, small enough that each node gets
 * several. */
static size_t chunk_size(const struct batch *batch, const struct worker *reader,
                         size_t n_keys)
{
    size_t nodes = batch->nodes > 0 ? (size_t)batch->nodes : 1;
    size_t size = (size_t)batch->batch_keys;
    if (batch->batch_keys > 0)
        return size < TASK_KEYS_MAX ? size : TASK_KEYS_MAX;
    return worker_batch_keys(reader, n_keys / (4 * nodes), TASK_KEYS_MAX);
}

static bool add_keys(struct node_core *core, struct batch *batch, int queue,
                     const struct output *output, struct children *children)
{
    size_t size = chunk_size(batch, pipeline_consumer(core->pipeline, queue, 0),
                             output->n_keys);
    /* Two pages of one batch may hold the same key. */
    bool shared =
        batch->n_slots > 1 || pipeline_queue_is_shared(core->pipeline, queue);
    for (size_t i = 0; i < output->n_keys; i += size) {
        struct closing_child *child = add_child(core, batch, children);
        if (!child)
            return false;
        size_t left = output->n_keys - i;
        *child = (struct closing_child){
            .worker = pipeline_consumer(core->pipeline, queue, i / size)->index,
            .queue = shared ? queue : -1,
            .keys = output->keys + i,
            .n_keys = left < size ? left : size};
    }
    return true;
}

/* "N:KEY": the page after KEY, N keys so far. */
static bool add_page(struct node_core *core, struct batch *batch,
                     const struct slot *slot, struct children *children)
{
    const struct found *found = slot->found;
    struct slice last = found->keys[found->n - 1];
    char number[24];
    int len = snprintf(number, sizeof number, "%" PRId64 ":",
                       node_slot_page(slot->key) + (int64_t)found->n);
    size_t bytes = (size_t)len + last.len;
    struct slice *key = alloc(core, batch, sizeof *key + bytes);
    struct closing_child *child = key ? add_child(core, batch, children) : NULL;
    if (!child)
        return false;
    char *text = (char *)(key + 1);
    memcpy(text, number, (size_t)len);
    memcpy(text + len, last.data, last.len);
    *key = (struct slice){text, bytes};
    *child = (struct closing_child){
        .worker = batch->worker, .queue = -1, .keys = key, .n_keys = 1};
    return true;
}

static bool add_pages(struct node_core *core, struct batch *batch,
                      struct children *children)
{
    for (size_t i = 0; i < batch->n_slots; i++) {
        const struct slot *slot = &batch->slots[i];
        if (slot->state == SLOT_DONE && slot->found && slot->found->more &&
            !add_page(core, batch, slot, children))
            return false;
    }
    return true;
}

static bool add_outputs(struct node_core *core, struct batch *batch,
                        struct children *children)
{
    const struct worker *worker = node_crew(core, batch)->worker;
    bool fetcher = worker_class_is_fetcher(worker->class);
    struct output output;
    size_t sinks = 0;
    for (size_t i = 0; i < worker->n_output_queues; i++)
        sinks += core->pipeline->queues[worker->output_queues[i]].n_consumers;
    struct closing_rows *rows = alloc(core, batch, sinks * sizeof *rows);
    if (!rows || !(fetcher ? output_of_records(core, batch, &output)
                           : output_of_found(core, batch, &output)))
        return false;
    batch->closing.rows = rows;
    for (size_t i = 0; i < worker->n_output_queues; i++) {
        int queue = worker->output_queues[i];
        enum worker_class class =
            pipeline_consumer(core->pipeline, queue, 0)->class;
        if (!(class == CLASS_STORE
                  ? add_rows(core, batch, queue, &output, rows)
                  : add_keys(core, batch, queue, &output, children)))
            return false;
    }
    batch->stored =
        node_crew(core, batch)->feeds_store ? (int64_t)output.n_records : 0;
    return add_pages(core, batch, children);
}

/* 63 bytes of name, 16 and at most 13 digits, and two strokes fit. */
static void name_closer(const struct node_core *core, struct closing *closing,
                        uint64_t number)
{
    int n = snprintf(closing->closer, sizeof closing->closer,
                     "%.63s/%" PRIx64 "/%" PRIx64, core->name,
                     (uint64_t)core->incarnation, number);
    CHECK(n > 0 && (size_t)n < sizeof closing->closer);
}

bool node_build_closing(struct node_core *core, struct batch *batch)
{
    const struct worker *worker = node_crew(core, batch)->worker;
    struct closing *closing = &batch->closing;
    struct children children = {0};
    batch->closing_id = ++core->closings;
    batch->delivered = false;
    *closing = (struct closing){
        .run = core->run, .batch = batch->number, .worker = batch->worker};
    name_closer(core, closing, batch->closing_id);
    for (size_t i = 0; i < batch->carried.n; i++) {
        struct closing_child *child = add_child(core, batch, &children);
        if (!child)
            return false;
        *child = batch->carried.items[i];
    }
    if (!build_failures(core, batch) || !build_answers(core, batch) ||
        !add_outputs(core, batch, &children))
        return false;
    closing->children = children.items;
    closing->n_children = children.n;
    closing->n_keys_done = worker_class_is_fetcher(worker->class)
                               ? batch->n[SLOT_DONE]
                               : closing->n_failures;
    closing->n_keys_stored = (size_t)batch->stored;
    return true;
}
