/*
 * closing.c: way_closing(). The run and its batches are written first; then
 * the loop keeps so many closings in the store as its connections take, as a
 * node's core does. A slot holds a closing and all that it points at.
 */
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>

#include "ledger/ledger.h"
#include "store.h"
#include "ways.h"

#define DATABASE_WAIT (5 * USEC_PER_SEC)
#define WORKER_FETCHER 1 /* their places in the pipeline below */
#define WORKER_STORE 2

static const char pipeline_text[] =
    "version: 1\n"
    "name: bench\n"
    "queues: [{name: symbols}, {name: prices}]\n"
    "workers:\n"
    "- {name: list, class: file, input_values: [none],\n"
    "   output_queues: [symbols]}\n"
    "- {name: quotes, class: http_json, input_queue: symbols,\n"
    "   output_queues: [prices], options: {url: 'http://x.test/{key}',\n"
    "   fields: {price: /price}}}\n"
    "- {name: store, class: store, input_queue: prices, instances: %zu,\n"
    "   options: {table: prices, columns: {symbol: key, price: price,\n"
    "   extracted_time: fetched_at}}}\n";

struct slot {
    struct closing closing;
    struct closing_rows rows;
    const struct record *pointers[WAY_BATCH_MAX];
    struct record records[WAY_BATCH_MAX];
    struct slice prices[WAY_BATCH_MAX]; /* the only field */
    char keys[WAY_BATCH_MAX][WAY_KEY_BYTES];
    char price_texts[WAY_BATCH_MAX][WAY_PRICE_BYTES];
};

struct closings {
    const struct way_plan *plan;
    struct pipeline *pipeline;
    struct ledger *ledger;
    struct event_base *base;
    struct store *store;
    struct slot *slots;
    int64_t run, *batches; /* as the ledger numbered them */
    size_t n_batches, n_submitted, n_closed;
    struct error *err;
};

static int load_pipeline(struct closings *c)
{
    char text[sizeof pipeline_text + 24];
    struct complaints complaints = {.n = 0};
    struct settings *settings = settings_new();
    if (!settings)
        return error_set(c->err, ERR_MEMORY, "no memory");
    snprintf(text, sizeof text, pipeline_text, c->plan->connections);
    int rc = pipeline_load(slice_of(text), "bench.yaml", settings, &complaints,
                           &c->pipeline, c->err);
    complaints_free(&complaints);
    settings_free(&settings);
    return rc;
}

static size_t rows_of_batch(const struct way_plan *plan, size_t number)
{
    size_t begun = number * plan->batch;
    return plan->rows - begun < plan->batch ? plan->rows - begun : plan->batch;
}

static int add_batch(struct closings *c, size_t number)
{
    struct slice keys[WAY_BATCH_MAX];
    char texts[WAY_BATCH_MAX][WAY_KEY_BYTES], price[WAY_PRICE_BYTES];
    size_t n = rows_of_batch(c->plan, number);
    for (size_t i = 0; i < n; i++) {
        way_row(number * c->plan->batch + i + 1, texts[i], price);
        keys[i] = slice_of(texts[i]);
    }
    struct closing_child root = {
        .worker = WORKER_FETCHER, .queue = -1, .keys = keys, .n_keys = n};
    return ledger_run_add_batch(c->ledger, c->run, &root, c->err);
}

static int write_run(struct closings *c)
{
    struct run_spec spec = {.pipeline_text = slice_of("version: 1\n"),
                            .pipeline_name = "bench",
                            .pipeline_path = "bench.yaml",
                            .settings_json = "{}",
                            .owner = "bench",
                            .lease = 10 * USEC_PER_SEC};
    int64_t epoch;
    int rc = ledger_run_begin(c->ledger, &spec, &c->run, &epoch, c->err);
    for (size_t i = 0; !rc && i < c->n_batches; i++)
        rc = add_batch(c, i);
    if (!rc)
        rc = ledger_run_commit(c->ledger, c->err);
    return rc;
}

/* Numbers go up in the order in which the batches were added. */
static int read_batches(struct closings *c)
{
    struct batch_row page[64];
    size_t n = 0, found = 0;
    int64_t after = 0;
    do {
        int rc =
            ledger_open_batches(c->ledger, c->run, after, 64, page, &n, c->err);
        if (rc)
            return rc;
        for (size_t i = 0; i < n; i++) {
            if (found < c->n_batches)
                c->batches[found++] = page[i].batch;
            after = page[i].batch;
            free(page[i].keys_json);
        }
    } while (n == 64);
    if (found != c->n_batches)
        return error_set(c->err, ERR_DATABASE, "of %zu batches %zu are there",
                         c->n_batches, found);
    return 0;
}

static void fill(struct closings *c, struct slot *slot, size_t number)
{
    size_t n = rows_of_batch(c->plan, number);
    for (size_t i = 0; i < n; i++) {
        way_row(number * c->plan->batch + i + 1, slot->keys[i],
                slot->price_texts[i]);
        slot->prices[i] = slice_of(slot->price_texts[i]);
        slot->records[i] = (struct record){.key = slice_of(slot->keys[i]),
                                           .fetched_at = clock_wall(),
                                           .fields = &slot->prices[i]};
        slot->pointers[i] = &slot->records[i];
    }
    slot->rows = (struct closing_rows){WORKER_STORE, slot->pointers, n};
    slot->closing = (struct closing){.run = c->run,
                                     .batch = c->batches[number],
                                     .worker = WORKER_FETCHER,
                                     .rows = &slot->rows,
                                     .n_rows = 1,
                                     .n_keys_done = n};
    snprintf(slot->closing.closer, sizeof slot->closing.closer, "bench/1/%zu",
             number);
}

/* The next batch goes through this slot; its number is the closing's id. */
static void submit(struct closings *c, size_t slot)
{
    if (c->n_submitted == c->n_batches)
        return;
    fill(c, &c->slots[slot], c->n_submitted);
    uint64_t id = (uint64_t)slot;
    if (store_submit(c->store, id, &c->slots[slot].closing, c->err))
        event_base_loopbreak(c->base);
    else
        c->n_submitted++;
}

static void on_closed(void *context, uint64_t id,
                      const struct close_result *result)
{
    struct closings *c = context;
    if (result->outcome != CLOSE_WON) {
        error_set(c->err, ERR_DATABASE, "a closing was not won: %s",
                  result->detail);
        event_base_loopbreak(c->base);
        return;
    }
    if (++c->n_closed == c->n_batches)
        event_base_loopbreak(c->base);
    else
        submit(c, (size_t)id);
}

static void on_dropped(void *context, uint64_t id)
{
    (void)context;
    (void)id;
}

static void on_waiting(void *context, bool waiting, const char *why)
{
    (void)context;
    if (waiting)
        fprintf(stderr, "windrow-bench-store: waiting: %s\n", why);
}

static void on_gave_up(void *context, const char *why)
{
    struct closings *c = context;
    error_set(c->err, ERR_DATABASE, "%s", why);
    event_base_loopbreak(c->base);
}

static int close_all(struct closings *c, usec_t *ret)
{
    const struct store_callbacks callbacks = {c, on_closed, on_dropped,
                                              on_waiting, on_gave_up};
    int rc = store_new(c->base, c->plan->url, c->pipeline, DATABASE_WAIT,
                       &callbacks, &c->store, c->err);
    if (rc)
        return rc;
    usec_t begun = clock_monotonic();
    size_t n_slots = c->plan->connections * STORE_PIPELINE_MAX;
    for (size_t i = 0; i < n_slots; i++)
        submit(c, i);
    event_base_loop(c->base, EVLOOP_NO_EXIT_ON_EMPTY);
    *ret = clock_monotonic() - begun;
    return (int)c->err->code;
}

static void release(struct closings *c)
{
    store_free(&c->store);
    ledger_close(&c->ledger);
    pipeline_free(&c->pipeline);
    if (c->base)
        event_base_free(c->base);
    free(c->batches);
    free(c->slots);
}

int way_closing(const struct way_plan *plan, usec_t *ret, struct error *err)
{
    struct closings c = {.plan = plan, .err = err};
    c.n_batches = (plan->rows + plan->batch - 1) / plan->batch;
    c.base = event_base_new();
    c.batches = calloc(c.n_batches, sizeof *c.batches);
    c.slots = calloc(plan->connections * STORE_PIPELINE_MAX, sizeof *c.slots);
    int rc = 0;
    if (!c.base || !c.batches || !c.slots)
        rc = error_set(err, ERR_MEMORY, "no memory");
    if (!rc)
        rc = load_pipeline(&c);
    if (!rc)
        rc = ledger_open(plan->url, &c.ledger, err);
    if (!rc)
        rc = ledger_use_pipeline(c.ledger, c.pipeline, err);
    if (!rc)
        rc = write_run(&c);
    if (!rc)
        rc = read_batches(&c);
    if (!rc)
        rc = close_all(&c, ret);
    release(&c);
    return rc;
}
