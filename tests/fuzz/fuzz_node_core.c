/*
 * Any bytes as the life of a node's core: master, web, store, clock and memory
 * do what they say, honestly or not.
 *
 * After each event all invariants must hold. Every effect must be well formed:
 * the master understands what is sent; a transfer has a number of its own and
 * a URL of http or https; what is cancelled was started; a closing can be read
 * until the store has let go of it; nothing follows an exit. LeakSanitizer
 * sees the rest.
 */
#include <stdio.h>
#include <stdlib.h>

#include "core/node_core.h"
#include "hostile.h"
#include "pipeline/template.h"

#define EVENTS_MAX 400 /* in one input */
#define FLIGHTS_MAX 8192
#define CLOSINGS_MAX 512
#define KEYS_MAX 40
#define NOW_MAX (300 * 24 * 3600 * USEC_PER_SEC) /* messages hold a year */

static const char text[] =
    "version: 1\n"
    "name: fuzz\n"
    "queues: [{name: a}, {name: b}, {name: c}, {name: d}, {name: e}]\n"
    "workers:\n"
    "- {name: list, class: html_table, input_values: ['http://l/t'],\n"
    "   output_queues: [a], options: {table: t, column: A}}\n"
    "- {name: query, class: sql, output_queues: [a, e],\n"
    "   options: {query: SELECT 1}}\n"
    "- {name: first, class: http_json, input_queue: a, output_queues: [b],\n"
    "   instances: 7, options: {url: 'http://h/{key}', rate: 20/s,\n"
    "   max_in_flight: 5, key_replace: {'^x(.*)$': '\\1'},\n"
    "   fields: {key: /k, price: {at: /p, required: false}}}}\n"
    "- {name: second, class: http_html, input_queue: b,\n"
    "   output_queues: [c, d], instances: 20,\n"
    "   options: {url: 'http://{key}.h/', fields: {price: //p},\n"
    "   retry: {attempts: 3, backoff: 100ms}}}\n"
    "- {name: store, class: store, input_queue: c,\n"
    "   options: {table: p, columns: {symbol: key, price: price}}}\n"
    "- {name: other, class: store, input_queue: d,\n"
    "   options: {table: q, columns: {price: price, at: fetched_at}}}\n"
    "- {name: several, class: http_json, input_queue: e, output_queues: [d],\n"
    "   instances: 5, options: {url: 'http://h/{keys}', keys_per_request: 9,\n"
    "   key_separator: z, for_key: {each: /r, key: /k},\n"
    "   fields: {price: /p}}}\n";

static struct pipeline *pipeline;

struct flight {
    uint64_t id;
    const struct worker *worker;
    size_t keys_max;
    size_t n_keys;
};

struct asked {
    uint64_t id;
    const struct closing *closing;
    int64_t batch;
    bool forgotten; /* its answer does not matter any more */
};

static struct fuzz {
    struct bytes bytes;
    struct node_core *core;
    struct arena arena; /* of one event */
    usec_t now;
    struct hostile_facts facts;
    int64_t beats, batches, children, shares;
    struct flight flights[FLIGHTS_MAX];
    size_t n_flights;
    struct asked asked[CLOSINGS_MAX];
    size_t n_asked;
    size_t fails_after; /* in the next event, this allocation fails */
    bool gone;
} f;

/* ---- effects ---- */

/* No batch is held twice. */
static void check_held(const struct heartbeat *heartbeat)
{
    CHECK(heartbeat->n_held <= NODE_BATCHES_MAX);
    for (size_t i = 0; i < heartbeat->n_held; i++)
        for (size_t k = 0; k < i; k++)
            CHECK(heartbeat->held[i].batch != heartbeat->held[k].batch);
}

static void on_send(const struct message *message)
{
    check_sent(message, &f.arena);
    CHECK(!strcmp(message->node, "n0"));
    CHECK(message->incarnation >= f.facts.incarnation);
    f.facts.incarnation = message->incarnation;
    if (message->type == MESSAGE_HELLO)
        f.beats = 0;
    if (message->type == MESSAGE_HEARTBEAT) {
        f.beats = message->heartbeat.number;
        check_held(&message->heartbeat);
    }
}

static void on_start(const struct node_effect *effect)
{
    const struct worker *worker = effect->start.worker;
    struct buffer host = BUFFER_EMPTY;
    CHECK(worker >= pipeline->workers &&
          worker < pipeline->workers + pipeline->n_workers);
    CHECK(worker->class != CLASS_STORE);
    CHECK(slice_equal(effect->start.key, effect->start.keys[0]));
    size_t most = (size_t)worker->request.keys_per_request;
    CHECK(effect->start.n_keys >= 1 &&
          effect->start.n_keys <= (most ? most : 1));
    for (size_t i = 0; i < effect->start.n_keys; i++)
        CHECK(effect->start.keys[i].len > 0);
    if (worker->class == CLASS_SQL)
        CHECK(effect->start.url.len == 0);
    else
        CHECK(url_host(effect->start.url, &host));
    CHECK(effect->start.url.len <= URL_BYTES_MAX);
    buffer_free(&host);
    for (size_t i = 0; i < f.n_flights; i++)
        CHECK(f.flights[i].id != effect->start.fetch);
    CHECK(f.n_flights < FLIGHTS_MAX);
    f.flights[f.n_flights++] =
        (struct flight){effect->start.fetch, worker, effect->start.keys_max,
                        effect->start.n_keys};
}

static void on_cancel(uint64_t id)
{
    for (size_t i = 0; i < f.n_flights; i++)
        if (f.flights[i].id == id) {
            f.flights[i] = f.flights[--f.n_flights];
            return;
        }
    CHECK(!"a transfer that was started is cancelled");
}

static volatile unsigned sum; /* so that nothing is left unread */

static void read_slice(struct slice slice)
{
    for (size_t i = 0; i < slice.len; i++)
        sum += (unsigned char)slice.data[i];
}

/* The store reads all of it. */
static void read_closing(const struct closing *closing)
{
    const struct worker *worker = &pipeline->workers[closing->worker];
    CHECK((size_t)closing->worker < pipeline->n_workers);
    CHECK(closing->batch > 0 && closing->closer[0]);
    for (size_t i = 0; i < closing->n_rows; i++) {
        const struct closing_rows *rows = &closing->rows[i];
        CHECK(pipeline->workers[rows->sink_worker].class == CLASS_STORE);
        for (size_t r = 0; r < rows->n_records; r++) {
            read_slice(rows->records[r]->key);
            for (size_t k = 0; k < worker->n_fields; k++)
                read_slice(rows->records[r]->fields[k]);
        }
    }
    for (size_t i = 0; i < closing->n_failures; i++) {
        const struct closing_failure *failure = &closing->failures[i];
        read_slice(failure->key);
        read_slice(failure->detail);
        CHECK(failure->reason > REASON_NONE && failure->reason < REASON_COUNT);
        CHECK(failure->detail.len <= CLOSING_DETAIL_BYTES_MAX);
    }
    for (size_t i = 0; i < closing->n_children; i++) {
        const struct closing_child *child = &closing->children[i];
        CHECK(child->n_keys > 0 && child->delay >= 0);
        CHECK((size_t)child->worker < pipeline->n_workers);
        for (size_t k = 0; k < child->n_keys; k++)
            read_slice(child->keys[k]);
    }
}

static void on_close(const struct node_effect *effect)
{
    read_closing(effect->close.closing);
    for (size_t i = 0; i < f.n_asked; i++) {
        CHECK(f.asked[i].id != effect->close.id);
        CHECK(f.asked[i].forgotten ||
              f.asked[i].batch != effect->close.closing->batch);
    }
    CHECK(f.n_asked < CLOSINGS_MAX);
    f.asked[f.n_asked++] =
        (struct asked){effect->close.id, effect->close.closing,
                       effect->close.closing->batch, false};
}

static void on_forget(void)
{
    f.n_flights = 0;
    for (size_t i = 0; i < f.n_asked; i++)
        f.asked[i].forgotten = true;
}

static void take_effects(void)
{
    struct node_effect effect;
    while (node_core_effect(f.core, &effect)) {
        CHECK(!f.gone);
        switch (effect.type) {
        case NODE_EFFECT_SEND:
            on_send(&effect.message);
            break;
        case NODE_EFFECT_START:
            on_start(&effect);
            break;
        case NODE_EFFECT_CANCEL:
            on_cancel(effect.cancel);
            break;
        case NODE_EFFECT_CLOSE:
            on_close(&effect);
            break;
        case NODE_EFFECT_FORGET:
            on_forget();
            break;
        case NODE_EFFECT_EXIT:
            f.gone = true;
            break;
        }
    }
}

static void give(struct node_event *event)
{
    struct error err = ERROR_NONE;
    memory_fails_after(f.fails_after);
    int status = node_core_event(f.core, f.now, event, &err);
    memory_fails_after(f.fails_after = 0);
    CHECK(status == ERR_NONE || status == ERR_MEMORY);
    take_effects();
    node_core_check(f.core);
    CHECK(node_core_deadline(f.core) != USEC_NEVER);
    CHECK(node_core_counts(f.core).flying == f.n_flights || f.gone);
}

/* ---- the master ---- */

static void give_message(struct message *message)
{
    struct message got;
    if (over_the_wire(message, &f.arena, &got))
        give(&(struct node_event){
            .type = NODE_EVENT_MESSAGE, .message = &got, .pipeline = pipeline});
}

static struct message to_me(enum message_type type)
{
    return (struct message){.type = type,
                            .epoch = f.facts.epoch,
                            .node = "n0",
                            .incarnation = f.facts.incarnation};
}

static void welcome(void)
{
    unsigned byte = take_byte(&f.bytes);
    f.facts.epoch += byte % 8 == 1;
    f.facts.run += byte % 16 == 2;
    struct message message = to_me(MESSAGE_WELCOME);
    message.welcome = (struct welcome){.run = f.facts.run,
                                       .ledger_id = "0123",
                                       .key_limit = byte & 64 ? 5 : 0,
                                       .heartbeat = USEC_PER_SEC,
                                       .lease = 3 * USEC_PER_SEC,
                                       .batch_time = take_time(&f.bytes),
                                       .close_after = take_time(&f.bytes),
                                       .database_wait = USEC_PER_SEC};
    give_message(&message);
}

/* A key that is right for the worker, or anything. */
static struct slice take_key(int worker)
{
    static const char letters[] = "ABCDEFGHxyz.";
    unsigned byte = take_byte(&f.bytes);
    if (byte > 240)
        return take_slice(&f.bytes, KEY_BYTES_MAX);
    if (worker == 0)
        return slice_of(byte & 1 ? "http://l/t" : "http://m/u");
    if (worker == 1)
        return slice_of(byte & 1 ? "0:" : "7:G");
    return (struct slice){letters + byte % 12,
                          1 + (byte % 12 < 9 ? byte % 3 : 0)};
}

static void task(void)
{
    static struct slice keys[TASK_KEYS_MAX];
    struct message message = to_me(MESSAGE_TASK);
    unsigned byte = take_byte(&f.bytes);
    int64_t batch =
        byte < 224 ? ++f.batches : 1 + take_byte(&f.bytes); /* once more */
    message.task =
        (struct task){.batch = batch,
                      .worker = (int)(byte % 8),
                      .attempt = byte & 128 ? 0 : 1,
                      .action = (enum task_action)(
                          byte % 16 < 14 ? TASK_WORK : TASK_SPLIT + byte % 2),
                      .nodes = 1 + (int)(byte % 3),
                      .batch_keys = (int)(byte % 5)};
    size_t n = 1 + take_below(&f.bytes, KEYS_MAX);
    for (size_t i = 0; i < n; i++)
        keys[i] = take_key(message.task.worker);
    message.task.keys = keys;
    message.task.n_keys = n;
    give_message(&message);
}

static void share(void)
{
    struct message message = to_me(MESSAGE_SHARE);
    unsigned byte = take_byte(&f.bytes);
    message.share = (struct share){.worker = 2 + (int)(byte & 1),
                                   .number = ++f.shares,
                                   .rate = (double)(byte >> 3),
                                   .in_flight = (int)(byte >> 2) % 8 - 1,
                                   .valid = take_time(&f.bytes),
                                   .beat = f.beats};
    give_message(&message);
}

static void to_all(void)
{
    unsigned byte = take_byte(&f.bytes);
    struct message message = {.type = MESSAGE_PING, .epoch = f.facts.epoch};
    if (byte >= 250) {
        message.type = MESSAGE_END;
        message.end = (struct end){.drain = byte & 1, .reason = "over"};
    } else if (byte >= 200) {
        message.type = MESSAGE_HOLD;
        message.hold =
            (struct hold){2 + (int)(byte & 1), "h:80", take_time(&f.bytes)};
    } else if (byte >= 160) {
        message = to_me(MESSAGE_DROP);
        message.drop.batch = 1 + take_byte(&f.bytes);
    }
    give_message(&message);
}

static void anything(void)
{
    struct message message;
    if (hostile_message(&f.bytes, &f.facts, &f.arena, &message))
        give(&(struct node_event){.type = NODE_EVENT_MESSAGE,
                                  .message = &message,
                                  .pipeline = pipeline});
}

/* ---- the web ---- */

static void found_keys(struct fetched *fetched, const struct flight *flight)
{
    struct slice *keys = arena_alloc(&f.arena, KEYS_MAX * sizeof *keys);
    size_t wanted = take_below(&f.bytes, KEYS_MAX), n = 0;
    CHECK(keys);
    if (flight->keys_max && wanted > flight->keys_max)
        wanted = flight->keys_max;
    for (size_t i = 0; i < wanted; i++) {
        struct slice key = take_key(2);
        bool fresh = key_is_valid(key);
        for (size_t k = 0; k < n; k++)
            fresh = fresh && !slice_equal(keys[k], key);
        if (fresh)
            keys[n++] = key;
    }
    fetched->outcome = FETCH_KEYS;
    fetched->keys = keys;
    fetched->n_keys = n;
    fetched->more =
        flight->worker->class == CLASS_SQL && n && take_below(&f.bytes, 2);
    if (n == 0 && flight->worker->class != CLASS_SQL) {
        fetched->outcome = FETCH_FAILED;
        fetched->reason = REASON_NO_KEYS;
    }
}

static void found_record(struct fetched *fetched, const struct flight *flight)
{
    struct slice *fields =
        arena_alloc(&f.arena, (flight->worker->n_fields + 1) * sizeof *fields);
    CHECK(fields);
    for (size_t i = 0; i < flight->worker->n_fields; i++)
        if (take_below(&f.bytes, 4))
            fields[i] = take_slice(&f.bytes, 600);
    fetched->outcome = FETCH_RECORD;
    fetched->fields = fields;
}

/* Of several keys: one, of which there is a record or a failure; or all (0), of
 * which there is no record. */
static unsigned which_key(const struct flight *flight, unsigned *outcome)
{
    unsigned nth = take_byte(&f.bytes) % (unsigned)(flight->n_keys + 2);
    if (nth == 0 && *outcome < 4)
        *outcome = 5;
    else if (nth && *outcome == 4)
        *outcome = 0;
    return nth;
}

static bool is_last_key(const struct flight *flight, unsigned nth)
{
    struct slice keys[PIPELINE_REQUEST_KEYS_MAX];
    unsigned left[PIPELINE_REQUEST_KEYS_MAX];
    size_t n = node_core_asked(f.core, flight->id, keys, left);
    return n == 1 && left[0] == nth;
}

static void transfer_ends(void)
{
    struct flight flight = {take_byte(&f.bytes), &pipeline->workers[3], 0, 1};
    struct fetched fetched = {.wall = f.now + take_time(&f.bytes),
                              .retry_after = -1};
    unsigned outcome = take_below(&f.bytes, 8);
    if (f.n_flights && outcome != 7) {
        size_t i = take_byte(&f.bytes) % f.n_flights;
        flight = f.flights[i];
        if (flight.n_keys > 1)
            fetched.nth = which_key(&flight, &outcome);
        if (!fetched.nth || is_last_key(&flight, fetched.nth))
            f.flights[i] = f.flights[--f.n_flights];
    } /* else one that was cancelled, or never was */
    fetched.fetch = flight.id;
    if (outcome < 4) {
        if (worker_class_is_source(flight.worker->class))
            found_keys(&fetched, &flight);
        else
            found_record(&fetched, &flight);
    } else if (outcome == 4 && flight.worker->class != CLASS_SQL) {
        fetched.outcome = FETCH_REDIRECT;
        fetched.url = take_slice(&f.bytes, 200);
        if (fetched.url.len < 3)
            fetched.url = slice_of("https://elsewhere/x");
    } else {
        fetched.outcome = FETCH_FAILED;
        fetched.reason =
            (enum reason)(1 + take_below(&f.bytes, REASON_COUNT - 1));
        fetched.http_status = (int)take_number(&f.bytes);
        fetched.detail = take_slice(&f.bytes, 250);
        if (take_below(&f.bytes, 2)) {
            usec_t after = take_time(&f.bytes);
            fetched.retry_after =
                after < RETRY_AFTER_MAX ? after : RETRY_AFTER_MAX;
        }
    }
    give(&(struct node_event){.type = NODE_EVENT_FETCHED, .fetched = fetched});
}

/* ---- the store ---- */

static void store_answers(void)
{
    if (f.n_asked == 0)
        return;
    size_t at = take_byte(&f.bytes) % f.n_asked;
    struct asked asked = f.asked[at];
    f.asked[at] = f.asked[--f.n_asked];
    read_closing(asked.closing);
    CHECK(asked.closing->batch == asked.batch);

    unsigned byte = take_byte(&f.bytes);
    if (asked.forgotten && byte & 1) {
        node_core_closing_done(f.core, asked.id);
        return;
    }
    struct node_event event = {.type = NODE_EVENT_CLOSED};
    struct close_result *result = &event.closed.result;
    int64_t *children = arena_alloc(&f.arena, (asked.closing->n_children + 1) *
                                                  sizeof *children);
    CHECK(children);
    event.closed.closing = asked.id;
    result->outcome = byte < 180   ? CLOSE_WON
                      : byte < 210 ? CLOSE_ALREADY
                      : byte < 212 ? CLOSE_UNKNOWN
                                   : CLOSE_REFUSED;
    for (size_t i = 0; i < asked.closing->n_children; i++)
        children[i] = asked.closing->children[i].queue >= 0 && byte % 4 == 0
                          ? 0
                          : ++f.children;
    if (result->outcome == CLOSE_WON)
        result->children = children;
    if (result->outcome == CLOSE_REFUSED) {
        struct slice why = take_slice(&f.bytes, CLOSING_DETAIL_BYTES_MAX - 1);
        if (why.len)
            memcpy(result->detail, why.data, why.len);
    }
    give(&event);
}

/* ---- the process and its clock ---- */

static void time_passes(void)
{
    unsigned byte = take_byte(&f.bytes);
    usec_t due = node_core_deadline(f.core);
    if (byte < 160) /* as asked for, or late */
        f.now = due + (byte & 1 ? take_time(&f.bytes) / 64 : 0);
    else if (byte < 250)
        f.now += take_time(&f.bytes);
    else /* back */
        f.now -= take_time(&f.bytes);
    if (f.now > NOW_MAX || f.now < 0)
        f.now = f.now < 0 ? 0 : NOW_MAX;
    give(&(struct node_event){.type = NODE_EVENT_TICK});
}

static void process(void)
{
    unsigned byte = take_byte(&f.bytes);
    if (byte >= 252)
        give(&(struct node_event){.type = NODE_EVENT_STORE_GAVE_UP});
    else if (byte >= 244)
        give(&(struct node_event){.type = NODE_EVENT_STOP});
    else if (byte >= 160)
        f.fails_after = 1 + take_below(&f.bytes, 32);
    else
        give(&(struct node_event){.type = NODE_EVENT_STORE,
                                  .store_waiting = byte & 1});
}

static void begin(void)
{
    static const int64_t crashed[] = {1, 2};
    unsigned byte = take_byte(&f.bytes);
    struct node_core_config config = {.name = "n0",
                                      .incarnation = 5,
                                      .seed = byte,
                                      .ledger_id = "0123",
                                      .program = "1",
                                      .host = "here",
                                      .pid = 1,
                                      .core = -1,
                                      .crashed_batches = crashed,
                                      .n_crashed = byte % 3,
                                      .serve = byte & 64,
                                      .wall = 1000 * USEC_PER_SEC};
    f.now = 10 * USEC_PER_SEC;
    f.facts = (struct hostile_facts){1, 5, 1, "0123"};
    f.children = 40; /* some of which may be handed out to us before */
    f.core = node_core_new(&config, f.now);
    CHECK(f.core);
    take_effects();
}

static void load(void)
{
    struct settings *settings = settings_new();
    struct complaints complaints = {0};
    struct error err = ERROR_NONE;
    CHECK(settings);
    if (pipeline_load(slice_of(text), "fuzz.yaml", settings, &complaints,
                      &pipeline, &err))
        printf("%s\n", complaints.n ? complaints.items[0].text : err.text);
    CHECK(pipeline);
    settings_free(&settings);
    complaints_free(&complaints);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const events[])(void) = {
        welcome,       task,          task,        transfer_ends, transfer_ends,
        transfer_ends, store_answers, time_passes, time_passes,   share,
        to_all,        anything,      process,     store_answers,
    };
    if (!pipeline)
        load();
    memset(&f, 0, sizeof f);
    f.bytes = (struct bytes){data, size};
    begin();
    for (int i = 0; i < EVENTS_MAX && f.bytes.left > 0; i++) {
        events[take_below(&f.bytes, sizeof events / sizeof *events)]();
        arena_reset(&f.arena);
    }
    node_core_free(&f.core);
    arena_free(&f.arena);
    return 0;
}
