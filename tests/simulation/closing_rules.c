/*
 * closing_rules.c: one closing, checked in full as it wins.
 *
 * Every key of the batch goes exactly one way: on in a child of the same
 * worker, into a failure, or (done) into one row or one key of each output
 * queue. Nothing else is in the closing. Prices are those of their keys. So
 * rule 1 of DESIGN.md holds by induction over closings, and a core that
 * breaks it is caught in the act.
 */
#include <stdlib.h>

#include "ledger_actor.h"
#include "world.h"

enum way { WAY_NONE, WAY_ON, WAY_FAILED };

struct account {
    struct world *world;
    const struct ledger_batch *batch;
    const struct closing *closing;
    const struct worker *worker;
    enum way *ways; /* of each key of the batch */
    size_t n_done;
};

static int key_index(const struct account *account, const char *key)
{
    for (size_t i = 0; i < account->batch->n_keys; i++)
        if (account->batch->keys[i] == key)
            return (int)i;
    return -1;
}

static void go(struct account *account, struct slice text, enum way way)
{
    const char *key = world_name(account->world, text);
    int i = key_index(account, key);
    long long number = (long long)account->batch->number;
    if (i < 0 && account->worker->class == CLASS_SQL && way == WAY_ON)
        return; /* the next page: checked with the source's keys */
    if (i < 0)
        rule_broken(account->world,
                    "batch %lld closes with key %s, which is "
                    "not in it",
                    number, key);
    if (account->ways[i])
        rule_broken(account->world, "batch %lld: key %s goes two ways", number,
                    key);
    account->ways[i] = way;
}

static void check_child(const struct account *account,
                        const struct closing_child *child)
{
    struct world *world = account->world;
    const struct pipeline *pipeline = world->pipeline;
    if (child->worker < 0 || child->worker >= (int)pipeline->n_workers ||
        !child->n_keys || child->n_keys > TASK_KEYS_MAX || child->delay < 0)
        rule_broken(world, "a child of worker %d with %zu keys", child->worker,
                    child->n_keys);
    bool own = child->worker == account->worker->index;
    int queue = pipeline->workers[child->worker].input_queue;
    bool shared =
        queue >= 0 && !own && pipeline_queue_is_shared(pipeline, queue);
    if (child->queue != (shared ? queue : -1))
        rule_broken(world, "a child for queue %d says queue %d", queue,
                    child->queue);
    if (!own && child->kept)
        rule_broken(world, "a child for another worker is kept");
    if (!own && child->attempt)
        rule_broken(world, "new keys with %d tries spent", child->attempt);
    int attempts = account->worker->request.attempts;
    if (own && queue >= 0 &&
        (child->attempt < account->batch->attempt ||
         child->attempt >= attempts))
        rule_broken(world, "a child with %d tries spent of %d", child->attempt,
                    attempts);
}

static void check_failures(const struct account *account)
{
    const struct closing *closing = account->closing;
    for (size_t i = 0; i < closing->n_failures; i++) {
        const struct closing_failure *failure = &closing->failures[i];
        const char *key =
            ledger_actor_failed(account->world, account->batch, failure);
        int64_t queue = ledger_actor_queue(account->world, closing->worker);
        enum reason expected = web_expect(account->world, queue, key);
        if (failure->reason != expected)
            rule_broken(account->world,
                        "key %s fails as \"%s\", expected is \"%s\"", key,
                        reason_name(failure->reason), reason_name(expected));
        bool spent = reason_may_pass(failure->reason);
        if (spent && failure->attempts != account->worker->request.attempts)
            rule_broken(account->world, "key %s failed after %d of %d tries",
                        key, failure->attempts,
                        account->worker->request.attempts);
    }
}

/* The price, and that the record is of a key that is done. */
static void check_record(const struct account *account,
                         const struct record *record)
{
    const char *key = world_name(account->world, record->key);
    int i = key_index(account, key);
    int price = worker_field(account->worker, "price");
    char expected[32];
    web_price(key, expected);
    if (i < 0 || account->ways[i])
        rule_broken(account->world, "a row of key %s, which is not done", key);
    if (!slice_equal(record->fields[price], slice_of(expected)))
        rule_broken(account->world, "key %s has the price %.*s, not %s", key,
                    SLICE_ARGS(record->fields[price]), expected);
    usec_t wall = rules_wall(account->world);
    if (record->fetched_at > wall ||
        record->fetched_at < wall - account->world->now)
        rule_broken(account->world, "key %s was fetched at another time", key);
}

static int compare_names(const void *a, const void *b)
{
    const char *const *left = a, *const *right = b;
    return *left < *right ? -1 : *left > *right;
}

/* Both lists are sorted by address and compared: so nothing is missing, added
 * or double. */
static void check_same(const struct account *account, const char **expected,
                       size_t n_expected, const char **found, size_t n_found,
                       int queue)
{
    qsort(expected, n_expected, sizeof(*expected), compare_names);
    qsort(found, n_found, sizeof(*found), compare_names);
    bool same = n_expected == n_found;
    for (size_t i = 0; same && i < n_found; i++)
        same = expected[i] == found[i];
    if (!same)
        rule_broken(account->world,
                    "batch %lld gives %zu keys to queue %d, "
                    "not the %zu that it should",
                    (long long)account->batch->number, n_found, queue,
                    n_expected);
}

/* What the closing puts into `queue`, by name. */
static size_t found_in(const struct account *account, int queue,
                       const char **ret)
{
    const struct pipeline *pipeline = account->world->pipeline;
    const struct closing *closing = account->closing;
    size_t n = 0;
    for (size_t i = 0; i < closing->n_rows; i++) {
        const struct closing_rows *rows = &closing->rows[i];
        if (pipeline->workers[rows->sink_worker].input_queue == queue)
            for (size_t r = 0; r < rows->n_records; r++) {
                check_record(account, rows->records[r]);
                ret[n++] = world_name(account->world, rows->records[r]->key);
            }
    }
    for (size_t i = 0; i < closing->n_children; i++) {
        const struct closing_child *child = &closing->children[i];
        if (child->worker != closing->worker &&
            pipeline->workers[child->worker].input_queue == queue)
            for (size_t k = 0; k < child->n_keys; k++)
                ret[n++] = world_name(account->world, child->keys[k]);
    }
    return n;
}

/* What the done keys must put into an output queue. */
static size_t expected_in(const struct account *account, int queue,
                          const char **ret)
{
    struct world *world = account->world;
    const struct worker *worker = account->worker;
    bool sink =
        pipeline_consumer(world->pipeline, queue, 0)->class == CLASS_STORE;
    size_t n = 0;
    for (size_t i = 0; i < account->batch->n_keys; i++) {
        const char *key = account->batch->keys[i];
        struct web_page page;
        if (account->ways[i])
            continue;
        if (!worker_class_is_source(worker->class)) {
            ret[n++] = sink ? key : web_next_key(world, worker, key);
            continue;
        }
        CHECK(web_page(world, worker, key, (size_t)world->scenario->key_limit,
                       &page));
        for (int k = page.from; k < page.to; k++) {
            char text[16];
            snprintf(text, sizeof(text), "k%d", k);
            ret[n++] = world_name(world, slice_of(text));
        }
    }
    return n;
}

static size_t count_all(const struct closing *closing)
{
    size_t n = 0;
    for (size_t i = 0; i < closing->n_rows; i++)
        n += closing->rows[i].n_records;
    for (size_t i = 0; i < closing->n_children; i++)
        n += closing->children[i].n_keys;
    return n;
}

static void check_outputs(const struct account *account)
{
    const struct worker *worker = account->worker;
    size_t room =
        count_all(account->closing) +
        account->batch->n_keys * (1 + (size_t)account->world->scenario->keys);
    const char **found = world_alloc(room * sizeof(*found));
    const char **expected = world_alloc(room * sizeof(*expected));
    size_t n_outputs = 0;
    for (size_t i = 0; i < worker->n_output_queues; i++) {
        int queue = worker->output_queues[i];
        size_t n_found = found_in(account, queue, found);
        size_t n_expected = expected_in(account, queue, expected);
        check_same(account, expected, n_expected, found, n_found, queue);
        n_outputs += n_found;
    }
    for (size_t i = 0; i < account->closing->n_children; i++)
        if (account->closing->children[i].worker == worker->index)
            n_outputs += account->closing->children[i].n_keys;
    if (n_outputs != count_all(account->closing))
        rule_broken(account->world,
                    "batch %lld gives keys to a queue that "
                    "is not its worker's",
                    (long long)account->batch->number);
    free(found);
    free(expected);
}

/* What is remembered: of each done key whose site gives something to ask with,
 * what it said, once; of no other key. */
static void check_answers(const struct account *account)
{
    struct world *world = account->world;
    const struct closing *closing = account->closing;
    int64_t queue = ledger_actor_queue(world, closing->worker);
    int price = worker_field(account->worker, "price");
    for (size_t i = 0; i < account->batch->n_keys; i++) {
        const char *key = account->batch->keys[i];
        size_t found = 0;
        char digits[32];
        web_price(key, digits);
        for (size_t k = 0; k < closing->n_answers; k++) {
            const struct last_answer *answer = &closing->answers[k];
            size_t skip = strlen("http://h/");
            struct slice name = {answer->url.data + skip,
                                 answer->url.len - skip};
            if (!slice_equal(name, slice_of(key)))
                continue;
            found++;
            if (!slice_equal(answer->etag, slice_of(digits)) ||
                !slice_equal(answer->fields[price], answer->etag))
                rule_broken(world, "key %s is remembered wrongly", key);
        }
        bool wanted = !account->ways[i] &&
                      worker_class_is_fetcher(account->worker->class) &&
                      web_is_remembered(world, queue, key);
        if (found != wanted)
            rule_broken(world, "key %s is remembered %zu times, not %d", key,
                        found, wanted);
    }
}

void closing_rules_check(struct world *world, const struct ledger_batch *batch,
                         const struct closing *closing)
{
    struct account account = {
        .world = world,
        .batch = batch,
        .closing = closing,
        .worker = &world->pipeline->workers[batch->worker],
        .ways = world_alloc(batch->n_keys * sizeof(enum way))};
    if (closing->worker != batch->worker)
        rule_broken(world, "batch %lld is closed as worker %d's",
                    (long long)batch->number, closing->worker);
    for (size_t i = 0; i < closing->n_children; i++) {
        const struct closing_child *child = &closing->children[i];
        check_child(&account, child);
        if (child->worker == batch->worker)
            for (size_t k = 0; k < child->n_keys; k++)
                go(&account, child->keys[k], WAY_ON);
    }
    check_failures(&account);
    for (size_t i = 0; i < closing->n_failures; i++)
        go(&account,
           slice_of(ledger_actor_failed(world, batch, &closing->failures[i])),
           WAY_FAILED);
    check_outputs(&account);
    check_answers(&account);
    size_t ended = 0, stored = 0;
    for (size_t i = 0; i < batch->n_keys; i++) {
        ended += account.ways[i] != WAY_ON;
        stored += closing->n_rows && account.ways[i] == WAY_NONE;
    }
    if (worker_class_is_fetcher(account.worker->class) &&
        closing->n_keys_done != ended)
        rule_broken(world, "batch %lld says that %zu keys end, %zu do",
                    (long long)batch->number, closing->n_keys_done, ended);
    if (closing->n_keys_stored != stored)
        rule_broken(world, "batch %lld says that %zu keys are stored, %zu are",
                    (long long)batch->number, closing->n_keys_stored, stored);
    free(account.ways);
}
