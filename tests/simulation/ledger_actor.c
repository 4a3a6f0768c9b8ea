/*
 * ledger_actor.c: see ledger_actor.h.
 *
 * A closing is taken whole or not at all, since this is one function: that is
 * the transaction. Items are the accounts: each is opened once, when a batch
 * with its key is born in its queue, and ended once, by rows or by a failure.
 */
#include "ledger_actor.h"

#include <stdlib.h>

#include "world.h"

int64_t ledger_actor_queue(const struct world *world, int worker)
{
    int queue = world->pipeline->workers[worker].input_queue;
    return queue >= 0 ? queue : -1 - worker;
}

struct ledger_item *ledger_actor_item(struct world *world, int64_t queue,
                                      const char *key)
{
    struct item_id id = {key, queue};
    struct ledger_item *item = NULL;
    HASH_FIND(hh, world->ledger.items, &id, sizeof(id), item);
    return item;
}

static void item_open(struct world *world, int64_t queue, const char *key)
{
    if (ledger_actor_item(world, queue, key))
        rule_broken(world, "key %s came into queue %d twice", key, (int)queue);
    struct ledger_item *item = world_alloc(sizeof(*item));
    item->id = (struct item_id){key, queue};
    HASH_ADD(hh, world->ledger.items, id, sizeof(item->id), item);
}

static void item_end(struct world *world, int64_t queue, const char *key,
                     enum reason reason)
{
    struct ledger_item *item = ledger_actor_item(world, queue, key);
    if (!item || item->state != ITEM_OPEN)
        rule_broken(world, "key %s of queue %d ended twice", key, (int)queue);
    item->state = reason ? ITEM_FAILED : ITEM_STORED;
    item->reason = reason;
    if (reason)
        world->outcome->failures++;
}

struct ledger_batch *ledger_actor_find(struct ledger_actor *ledger,
                                       int64_t number)
{
    int64_t index = number - LEDGER_ACTOR_FIRST_BATCH;
    if (index < 0 || index >= (int64_t)ledger->n_batches)
        return NULL;
    return &ledger->batches[index];
}

bool ledger_actor_is_away(const struct world *world)
{
    return world->now < world->ledger.away_until;
}

/* Makes the batch of `child`, whose keys are new to its queue unless they
 * come from `parent`; 0 where the queue has had them all. */
static int64_t batch_new(struct world *world, const struct closing_child *child,
                         int parent_worker)
{
    struct ledger_actor *ledger = &world->ledger;
    int64_t queue = ledger_actor_queue(world, child->worker);
    const char **keys = world_alloc(sizeof(*keys) * (child->n_keys + 1));
    size_t n = 0;
    for (size_t i = 0; i < child->n_keys; i++) {
        const char *key = world_name(world, child->keys[i]);
        struct ledger_item *item = ledger_actor_item(world, queue, key);
        if (child->queue >= 0 && item)
            continue;
        /* A source's next page is a new item of the same worker. */
        if (child->worker != parent_worker || !item)
            item_open(world, queue, key);
        keys[n++] = key;
    }
    if (!n) {
        free(keys);
        return 0;
    }
    if (ledger->n_batches == ledger->capacity) {
        ledger->capacity = ledger->capacity * 2 + 64;
        ledger->batches = realloc(ledger->batches,
                                  ledger->capacity * sizeof(*ledger->batches));
        CHECK(ledger->batches);
    }
    struct ledger_batch *batch = &ledger->batches[ledger->n_batches];
    *batch = (struct ledger_batch){.number = LEDGER_ACTOR_FIRST_BATCH +
                                             (int64_t)ledger->n_batches++,
                                   .run = world->run,
                                   .worker = child->worker,
                                   .attempt = child->attempt,
                                   .not_before = world->now + child->delay,
                                   .open = true,
                                   .keys = keys,
                                   .n_keys = n};
    ledger->n_open++;
    return batch->number;
}

static void root_batch(struct world *world, int worker,
                       const struct slice *keys, size_t n)
{
    int queue = world->pipeline->workers[worker].input_queue;
    bool shared =
        queue >= 0 && pipeline_queue_is_shared(world->pipeline, queue);
    struct closing_child child = {.worker = worker,
                                  .queue = shared ? queue : -1,
                                  .keys = keys,
                                  .n_keys = n};
    (void)batch_new(world, &child, -1);
}

static void root_values(struct world *world, const struct worker *worker)
{
    size_t most = (size_t)(world->scenario->batch_keys
                               ? world->scenario->batch_keys
                               : 1 + world->scenario->keys /
                                         (4 * world->scenario->nodes));
    struct slice *keys = world_alloc(sizeof(*keys) * worker->n_input_values);
    for (size_t i = 0; i < worker->n_input_values; i++)
        keys[i] = slice_of(worker->input_values[i]);
    for (size_t i = 0, n; i < worker->n_input_values; i += n) {
        n = worker->n_input_values - i < most ? worker->n_input_values - i
                                              : most;
        const struct worker *next =
            pipeline_consumer(world->pipeline, worker->output_queues[0], i);
        root_batch(world, next->index, keys + i, n);
    }
    free(keys);
}

void ledger_actor_begin(struct world *world)
{
    for (size_t i = 0; i < world->pipeline->n_workers; i++) {
        const struct worker *worker = &world->pipeline->workers[i];
        struct slice first_page = slice_of("0:");
        if (worker->class == CLASS_VALUES)
            root_values(world, worker);
        else if (worker->class == CLASS_SQL)
            root_batch(world, worker->index, &first_page, 1);
        else if (worker_class_is_source(worker->class))
            for (size_t v = 0; v < worker->n_input_values; v++) {
                struct slice key = slice_of(worker->input_values[v]);
                root_batch(world, worker->index, &key, 1);
            }
    }
}

static void store_rows(struct world *world, const struct closing *closing)
{
    for (size_t i = 0; i < closing->n_rows; i++) {
        const struct closing_rows *rows = &closing->rows[i];
        int queue = world->pipeline->workers[rows->sink_worker].input_queue;
        for (size_t r = 0; r < rows->n_records; r++) {
            const char *key = world_name(world, rows->records[r]->key);
            struct item_id id = {key, queue};
            struct ledger_row *row = NULL;
            HASH_FIND(hh, world->ledger.rows, &id, sizeof(id), row);
            if (row)
                rule_broken(world, "a second row of key %s", key);
            row = world_alloc(sizeof(*row));
            row->id = id;
            HASH_ADD(hh, world->ledger.rows, id, sizeof(row->id), row);
            world->outcome->stored++;
        }
    }
}

const char *ledger_actor_failed(struct world *world,
                                const struct ledger_batch *batch,
                                const struct closing_failure *failure)
{
    bool page = world->pipeline->workers[batch->worker].class == CLASS_SQL;
    if (page && slice_equal(failure->key, slice_of("query")))
        return batch->keys[0];
    return world_name(world, failure->key);
}

static bool is_refused(struct world *world, const struct closing *closing,
                       struct close_result *ret)
{
    for (size_t i = 0; i < closing->n_rows; i++)
        for (size_t r = 0; r < closing->rows[i].n_records; r++) {
            const char *key =
                world_name(world, closing->rows[i].records[r]->key);
            if (!web_data_refused(world, key))
                continue;
            ret->outcome = CLOSE_REFUSED;
            snprintf(ret->detail, sizeof(ret->detail), "22003: key %s", key);
            world->outcome->refused++;
            coverage_ledger("refused");
            coverage_cause(CAUSE_DATA);
            return true;
        }
    return false;
}

/* The keys of the batch that are in none of its worker's own children end
 * here. */
static void end_items(struct world *world, const struct ledger_batch *batch,
                      const struct closing *closing)
{
    int64_t queue = ledger_actor_queue(world, batch->worker);
    for (size_t i = 0; i < closing->n_failures; i++)
        item_end(world, queue,
                 ledger_actor_failed(world, batch, &closing->failures[i]),
                 closing->failures[i].reason);
    const char **later = world_alloc(sizeof(*later) * (batch->n_keys + 1));
    size_t n_later = 0;
    for (size_t c = 0; c < closing->n_children; c++)
        if (closing->children[c].worker == batch->worker)
            for (size_t k = 0; k < closing->children[c].n_keys; k++)
                if (n_later < batch->n_keys)
                    later[n_later++] =
                        world_name(world, closing->children[c].keys[k]);
    for (size_t i = 0; i < batch->n_keys; i++) {
        bool goes_on = false;
        for (size_t l = 0; l < n_later && !goes_on; l++)
            goes_on = later[l] == batch->keys[i];
        struct ledger_item *item =
            ledger_actor_item(world, queue, batch->keys[i]);
        if (!goes_on && item->state != ITEM_FAILED)
            item_end(world, queue, batch->keys[i], REASON_NONE);
    }
    free(later);
}

static void apply(struct world *world, size_t index,
                  const struct closing *closing, struct close_result *ret)
{
    struct ledger_actor *ledger = &world->ledger;
    struct ledger_batch *batch = &ledger->batches[index];
    closing_rules_check(world, batch, closing);
    batch->open = false;
    ledger->n_open--;
    while (ledger->first_open < ledger->n_batches &&
           !ledger->batches[ledger->first_open].open)
        ledger->first_open++;
    snprintf(batch->closer, sizeof(batch->closer), "%s", closing->closer);
    store_rows(world, closing);
    end_items(world, batch, closing);
    int64_t *numbers =
        world_alloc(sizeof(*numbers) * (closing->n_children + 1));
    for (size_t i = 0; i < closing->n_children; i++)
        numbers[i] = batch_new(world, &closing->children[i], closing->worker);
    batch = &ledger->batches[index]; /* batch_new() may move them */
    batch->children = numbers;
    batch->n_children = closing->n_children;
    ret->outcome = CLOSE_WON;
    world->outcome->closings++;
}

void ledger_actor_close(struct world *world, const struct closing *closing,
                        struct close_result *ret)
{
    CHECK(!ledger_actor_is_away(world));
    struct ledger_batch *batch =
        ledger_actor_find(&world->ledger, closing->batch);
    if (!batch || closing->run != batch->run)
        rule_broken(world, "a closing of batch %lld, which is not there",
                    (long long)closing->batch);
    bool open = batch->open || world->scenario->plant == PLANT_NO_CLOSING_RULE;
    bool same = !strcmp(batch->closer, closing->closer);
    if (same && batch->n_children != closing->n_children)
        rule_broken(world, "two closings are both called %s", closing->closer);
    if (!open && !same) {
        ret->outcome = CLOSE_ALREADY;
        coverage_ledger("already");
        world->outcome->already++;
        return;
    }
    if (open && is_refused(world, closing, ret))
        return;
    coverage_ledger(open ? "won" : "won before, told again");
    if (open)
        apply(world, (size_t)(batch - world->ledger.batches), closing, ret);
    ret->outcome = CLOSE_WON;
    batch = ledger_actor_find(&world->ledger, closing->batch);
    for (size_t i = 0; i < batch->n_children; i++)
        ret->children[i] = batch->children[i];
}

/*
 * What the master reads
 */

char *ledger_actor_keys_json(struct world *world, int64_t number)
{
    const struct ledger_batch *batch =
        ledger_actor_find(&world->ledger, number);
    struct buffer text = BUFFER_EMPTY;
    for (size_t i = 0; i < batch->n_keys; i++)
        buffer_printf(&text, "%s\"%s\"", i ? "," : "[", batch->keys[i]);
    buffer_append_char(&text, ']');
    CHECK(!text.failed);
    return text.data;
}

static struct batch_row row_of(const struct world *world,
                               const struct ledger_batch *batch)
{
    usec_t delay = batch->not_before - world->now;
    return (struct batch_row){.batch = batch->number,
                              .worker = batch->worker,
                              .attempt = batch->attempt,
                              .delay = delay > 0 ? delay : 0,
                              .n_keys = batch->n_keys};
}

size_t ledger_actor_open(struct world *world, int64_t run, int64_t after,
                         size_t limit, struct batch_row *ret)
{
    size_t n = 0;
    const struct ledger_actor *ledger = &world->ledger;
    for (size_t i = ledger->first_open; i < ledger->n_batches && n < limit; i++)
        if (ledger->batches[i].open && ledger->batches[i].run == run &&
            ledger->batches[i].number > after)
            ret[n++] = row_of(world, &ledger->batches[i]);
    return n;
}

void ledger_actor_look(struct world *world, int64_t number,
                       struct batch_look *ret)
{
    const struct ledger_batch *batch =
        ledger_actor_find(&world->ledger, number);
    *ret = (struct batch_look){.state = BATCH_UNKNOWN, .row.batch = number};
    if (!batch)
        return;
    ret->state = batch->open ? BATCH_OPEN : BATCH_CLOSED;
    if (batch->open)
        ret->row = row_of(world, batch);
}

static void free_accounts(struct ledger_actor *ledger)
{
    struct ledger_item *item, *next_item;
    HASH_ITER (hh, ledger->items, item, next_item) {
        HASH_DEL(ledger->items, item);
        free(item);
    }
    struct ledger_row *row, *next_row;
    HASH_ITER (hh, ledger->rows, row, next_row) {
        HASH_DEL(ledger->rows, row);
        free(row);
    }
}

void ledger_actor_next_run(struct world *world)
{
    free_accounts(&world->ledger);
    world->run++;
    world->runs_left--;
    ledger_actor_begin(world);
}

void ledger_actor_fini(struct ledger_actor *ledger)
{
    for (size_t i = 0; i < ledger->n_batches; i++) {
        free(ledger->batches[i].keys);
        free(ledger->batches[i].children);
    }
    free(ledger->batches);
    free_accounts(ledger);
}
