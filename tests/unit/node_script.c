/* node_script.c: see node_script.h. */
#include "node_script.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define NAME "node-1"
#define FLIGHTS_MAX 4096
#define CLOSINGS_MAX 256
#define KEYS_MAX 4096

struct script script;

/* Fixed memory, so that the sweep over failing allocations meets the core's
 * alone. */
static struct pipeline *pipeline;
static char lines[256 * 1024];
static size_t lines_len;
static struct {
    char key[KEY_BYTES_MAX + 1];
    uint64_t fetch;
    unsigned nth; /* of several; 0: it is one alone */
} flights[FLIGHTS_MAX];
static size_t n_flights;
static struct {
    uint64_t id;
    int64_t batch;
    const struct closing *closing;
} closings[CLOSINGS_MAX];
static size_t n_closings;

/* ---- what happened ---- */

static void say(const char *format, ...) PRINTF_LIKE(1, 2);
static void say(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n =
        vsnprintf(lines + lines_len, sizeof lines - lines_len, format, args);
    va_end(args);
    assert_true(n >= 0 && (size_t)n < sizeof lines - lines_len);
    lines_len += (size_t)n;
}

const char *transcript(void)
{
    return lines;
}

void forget_transcript(void)
{
    lines[lines_len = 0] = '\0';
}

void expect(const char *expected)
{
    assert_string_equal(lines, expected);
    forget_transcript();
}

static const char *worker_name(int worker)
{
    return pipeline->workers[worker].name;
}

static void say_rows(const struct closing *closing)
{
    for (size_t i = 0; i < closing->n_rows; i++) {
        const struct closing_rows *rows = &closing->rows[i];
        say(" %s", worker_name(rows->sink_worker));
        for (size_t r = 0; r < rows->n_records; r++) {
            struct slice field = rows->records[r]->fields[0];
            if (field.len > 30)
                field.len = 30; /* enough to be known by */
            if (!field.data)
                field = slice_of("NULL");
            say(" %.*s=%.*s", SLICE_ARGS(rows->records[r]->key),
                SLICE_ARGS(field));
        }
        say(";");
    }
}

static void say_failures(const struct closing *closing)
{
    for (size_t i = 0; i < closing->n_failures; i++) {
        const struct closing_failure *failure = &closing->failures[i];
        say(" failed %.*s %s %d", SLICE_ARGS(failure->key),
            reason_name(failure->reason), failure->attempts);
        if (script.verbose)
            say(" (%zu bytes: %.*s)", failure->detail.len,
                SLICE_ARGS(failure->detail));
        say(";");
    }
}

static void say_children(const struct closing *closing)
{
    for (size_t i = 0; i < closing->n_children; i++) {
        const struct closing_child *child = &closing->children[i];
        say(" %s %s", child->kept ? "kept" : "child",
            worker_name(child->worker));
        if (child->attempt)
            say(" a%d", child->attempt);
        if (child->queue >= 0)
            say(" unique");
        if (child->delay)
            say(" later");
        say(" [");
        for (size_t k = 0; k < child->n_keys; k++)
            say("%s%.*s", k ? " " : "", SLICE_ARGS(child->keys[k]));
        say("];");
    }
}

static void say_answers(const struct closing *closing)
{
    for (size_t i = 0; i < closing->n_answers; i++)
        say(" remember %.*s=%.*s;", SLICE_ARGS(closing->answers[i].url),
            SLICE_ARGS(closing->answers[i].etag));
}

static void say_closing(const struct closing *closing)
{
    say("close %" PRId64 ":", closing->batch);
    say_rows(closing);
    say_failures(closing);
    say_children(closing);
    say_answers(closing);
    say(" done %zu\n", closing->n_keys_done);
}

static void say_report(const struct report *report)
{
    static const char *const outcomes[] = {
        [REPORT_CLOSED] = "closed",
        [REPORT_ALREADY] = "already",
        [REPORT_UNKNOWN] = "unknown",
        [REPORT_RETURNED] = "returned",
    };
    say("report %" PRId64 " %s", report->batch, outcomes[report->outcome]);
    if (report->outcome == REPORT_CLOSED)
        say(" %" PRId64 " %" PRId64, report->stored, report->failed);
    for (size_t i = 0; i < report->n_children; i++)
        say(" %" PRId64 "%s", report->children[i].batch,
            report->children[i].kept ? "+" : "");
    say("%s\n", report->children_more ? " ..." : "");
}

static void say_heartbeat(const struct heartbeat *heartbeat)
{
    script.heartbeat = *heartbeat;
    if (!script.verbose)
        return;
    say("heartbeat");
    for (size_t i = 0; i < heartbeat->n_held; i++)
        say(" %" PRId64, heartbeat->held[i].batch);
    for (size_t i = 0; i < heartbeat->n_shares; i++)
        say(" share %" PRId64, heartbeat->shares[i].number);
    say("%s\n", heartbeat->store_waiting ? " waiting" : "");
}

static void say_hello(const struct message *message)
{
    bool again = message->incarnation == script.incarnation;
    script.incarnation = message->incarnation;
    if (again && !script.verbose)
        return;
    say("hello %" PRId64, message->incarnation);
    if (message->hello.last_epoch)
        say(" last %" PRId64, message->hello.last_epoch);
    for (size_t i = 0; i < message->hello.n_crashed; i++)
        say(" crashed %" PRId64, message->hello.crashed_batches[i]);
    say("\n");
}

static void say_message(const struct message *message)
{
    assert_string_equal(message->node, NAME);
    switch (message->type) {
    case MESSAGE_HELLO:
        say_hello(message);
        break;
    case MESSAGE_HEARTBEAT:
        say_heartbeat(&message->heartbeat);
        break;
    case MESSAGE_REPORT:
        say_report(&message->report);
        break;
    case MESSAGE_HOLD:
        say("hold %s %" PRId64 " ms\n", message->hold.host,
            message->hold.length / MS);
        break;
    default:
        say("%s\n", message_type_name(message->type));
    }
}

static void note_flight(const struct node_effect *effect, size_t i)
{
    assert_true(n_flights < FLIGHTS_MAX);
    snprintf(flights[n_flights].key, sizeof flights[0].key, "%.*s",
             SLICE_ARGS(effect->start.keys[i]));
    flights[n_flights].nth = effect->start.n_keys > 1 ? (unsigned)i + 1 : 0;
    flights[n_flights++].fetch = effect->start.fetch;
}

static void start(const struct node_effect *effect)
{
    assert_true(slice_equal(effect->start.key, effect->start.keys[0]));
    say("start");
    for (size_t i = 0; i < effect->start.n_keys; i++) {
        note_flight(effect, i);
        say(" %.*s", SLICE_ARGS(effect->start.keys[i]));
    }
    if (!slice_equal(effect->start.key, effect->start.url))
        say(" %.*s", SLICE_ARGS(effect->start.url));
    if (effect->start.keys_max)
        say(" max %zu", effect->start.keys_max);
    say("\n");
}

static void write_down(const struct node_effect *effect)
{
    switch (effect->type) {
    case NODE_EFFECT_SEND:
        say_message(&effect->message);
        break;
    case NODE_EFFECT_START:
        start(effect);
        break;
    case NODE_EFFECT_CANCEL:
        for (size_t i = 0; i < n_flights; i++)
            if (flights[i].fetch == effect->cancel && flights[i].nth < 2)
                say("cancel %s\n", flights[i].key);
        break;
    case NODE_EFFECT_CLOSE:
        assert_true(n_closings < CLOSINGS_MAX);
        closings[n_closings].id = effect->close.id;
        closings[n_closings].closing = effect->close.closing;
        closings[n_closings++].batch = effect->close.closing->batch;
        say_closing(effect->close.closing);
        break;
    case NODE_EFFECT_FORGET:
        say("forget\n");
        break;
    case NODE_EFFECT_EXIT:
        script.gone = true;
        say("exit %d %s\n", effect->exit.status, effect->exit.why);
        break;
    }
}

static void take_effects(void)
{
    struct node_effect effect;
    while (node_core_effect(script.core, &effect))
        write_down(&effect);
    node_core_check(script.core);
}

static void give(const struct node_event *event)
{
    struct error err = ERROR_NONE;
    if (!script.core)
        return;
    if (node_core_event(script.core, script.now, event, &err)) {
        assert_int_equal(err.code, ERR_MEMORY);
        script.memory_failed = true;
    }
    assert_true(node_core_deadline(script.core) > script.now);
    take_effects();
}

/* ---- beginning and end ---- */

void script_begin(const char *text)
{
    struct settings *settings = settings_new();
    struct complaints complaints = {0};
    struct error err = ERROR_NONE;
    assert_non_null(settings);
    if (pipeline_load(slice_of(text), "test.yaml", settings, &complaints,
                      &pipeline, &err))
        fail_msg("%s", complaints.n ? complaints.items[0].text : err.text);
    complaints_free(&complaints);
    settings_free(&settings);
    script = (struct script){
        .options = {.batch_time = 60 * SECOND,
                    .close_after = 2 * SECOND,
                    .run = 1,
                    .epoch = 1},
    };
    script_new();
}

void script_new(void)
{
    struct node_core_config config = {
        .name = NAME,
        .incarnation = 5,
        .seed = 1,
        .ledger_id = "0123",
        .program = "1",
        .host = "here",
        .pid = 1,
        .core = -1,
        .crashed_batches = &script.options.crashed,
        .n_crashed = script.options.crashed != 0,
        .serve = script.options.serve,
        .wall = 1000 * SECOND,
    };
    node_core_free(&script.core);
    forget_transcript();
    n_flights = n_closings = 0;
    script.now = 10 * SECOND;
    script.incarnation = 0;
    script.gone = script.memory_failed = false;
    script.core = node_core_new(&config, script.now);
    if (script.core)
        take_effects();
}

void script_end(void)
{
    node_core_free(&script.core);
    pipeline_free(&pipeline);
}

/* ---- the master ---- */

void master_says(struct message *message)
{
    if (message->epoch == 0)
        message->epoch = script.options.epoch;
    if (message->incarnation == 0) {
        memcpy(message->node, NAME, sizeof NAME);
        message->incarnation = script.incarnation;
    }
    give(&(struct node_event){
        .type = NODE_EVENT_MESSAGE, .message = message, .pipeline = pipeline});
}

static void to_all(struct message *message)
{
    message->epoch = script.options.epoch;
    give(&(struct node_event){.type = NODE_EVENT_MESSAGE, .message = message});
}

void welcome(void)
{
    struct message message = {.type = MESSAGE_WELCOME};
    message.welcome = (struct welcome){
        .run = script.options.run,
        .key_limit = script.options.key_limit,
        .heartbeat = SECOND,
        .lease = 3 * SECOND,
        .batch_time = script.options.batch_time,
        .close_after = script.options.close_after,
        .database_wait = 600 * SECOND,
    };
    master_says(&message);
    if (!script.verbose && script.incarnation == 5 &&
        !strncmp(lines, "hello 5\n", 8) && lines_len == 8)
        forget_transcript();
}

void ping(void)
{
    to_all(&(struct message){.type = MESSAGE_PING});
}

static size_t split_keys(const char *keys, struct slice *ret)
{
    size_t n = 0;
    while (*keys) {
        size_t len = strcspn(keys, " ");
        assert_true(n < KEYS_MAX);
        ret[n++] = (struct slice){keys, len};
        keys += len + (keys[len] == ' ');
    }
    return n;
}

void task_with(const struct task *task, const char *keys)
{
    static struct slice slices[KEYS_MAX];
    struct message message = {.type = MESSAGE_TASK, .task = *task};
    message.task.keys = slices;
    message.task.n_keys = split_keys(keys, slices);
    master_says(&message);
}

void task(int64_t batch, int worker, const char *keys)
{
    task_with(&(struct task){.batch = batch, .worker = worker, .nodes = 1},
              keys);
}

void share(int worker, double rate, int in_flight, usec_t valid)
{
    static int64_t number;
    struct message message = {.type = MESSAGE_SHARE};
    message.share = (struct share){
        worker, ++number, rate, in_flight, valid, script.heartbeat.number};
    master_says(&message);
}

void drop(int64_t batch)
{
    master_says(&(struct message){.type = MESSAGE_DROP, .drop = {batch}});
}

void hold(int worker, const char *host, usec_t length)
{
    to_all(&(struct message){.type = MESSAGE_HOLD,
                             .hold = {worker, host, length}});
}

void end_of_run(bool drain)
{
    to_all(&(struct message){.type = MESSAGE_END, .end = {drain, "over"}});
}

/* ---- the web ---- */

static void fetched(const char *key, struct fetched fetched)
{
    for (size_t i = n_flights; i > 0; i--)
        if (!strcmp(flights[i - 1].key, key)) {
            fetched.fetch = flights[i - 1].fetch;
            if (fetched.nth)
                fetched.nth = flights[i - 1].nth;
            break;
        }
    if (!script.memory_failed)
        assert_true(fetched.fetch != 0);
    fetched.wall = script.now + 1000 * SECOND;
    give(&(struct node_event){.type = NODE_EVENT_FETCHED, .fetched = fetched});
}

void dated(const char *key, const char *price)
{
    struct slice fields[] = {slice_of(price), {0}};
    struct last_answer answer = {.url = slice_of(key), .etag = slice_of(price)};
    fetched(key, (struct fetched){.outcome = FETCH_RECORD,
                                  .fields = fields,
                                  .answer = &answer});
}

void unasked(const char *key, const char *price)
{
    struct slice fields[] = {slice_of(price), {0}};
    fetched(key, (struct fetched){.outcome = FETCH_RECORD,
                                  .fields = fields,
                                  .unasked = true});
}

void record(const char *key, const char *price)
{
    struct slice fields[] = {slice_of(price), {0}};
    fetched(key, (struct fetched){
                     .nth = 1, .outcome = FETCH_RECORD, .fields = fields});
}

void failed(const char *key, enum reason reason)
{
    fetched(key, (struct fetched){.outcome = FETCH_FAILED,
                                  .reason = reason,
                                  .retry_after = -1,
                                  .detail = slice_of("so it is")});
}

void part_failed(const char *key, enum reason reason)
{
    fetched(key, (struct fetched){.nth = 1,
                                  .outcome = FETCH_FAILED,
                                  .reason = reason,
                                  .retry_after = -1});
}

void refused(const char *key, usec_t retry_after)
{
    fetched(key, (struct fetched){.outcome = FETCH_FAILED,
                                  .reason = REASON_REFUSED,
                                  .http_status = 429,
                                  .retry_after = retry_after});
}

void redirected(const char *key, const char *url)
{
    fetched(key,
            (struct fetched){.outcome = FETCH_REDIRECT, .url = slice_of(url)});
}

void sent_back(const char *key, usec_t crawl_delay)
{
    fetched(key, (struct fetched){.outcome = FETCH_AGAIN,
                                  .retry_after = -1,
                                  .crawl_delay = crawl_delay});
}

void found(const char *key, const char *keys, bool more)
{
    static struct slice slices[KEYS_MAX];
    size_t n = split_keys(keys, slices);
    fetched(key, (struct fetched){.outcome = FETCH_KEYS,
                                  .keys = slices,
                                  .n_keys = n,
                                  .more = more});
}

/* ---- the store ---- */

/* Takes the closing of the batch from the list of open ones; 0: none. */
static uint64_t take_closing(int64_t batch)
{
    for (size_t i = 0; i < n_closings; i++) {
        uint64_t id = closings[i].id;
        if (closings[i].batch != batch)
            continue;
        assert_int_equal(closings[i].closing->batch, batch); /* it lives */
        closings[i] = closings[--n_closings];
        return id;
    }
    if (!script.memory_failed)
        fail_msg("no closing of batch %" PRId64, batch);
    return 0;
}

void let_go(int64_t batch)
{
    node_core_closing_done(script.core, take_closing(batch));
}

void answered(int64_t batch, enum close_outcome outcome, const char *detail)
{
    static int64_t children[KEYS_MAX];
    struct node_event event = {.type = NODE_EVENT_CLOSED};
    for (size_t i = 0; i < KEYS_MAX; i++)
        children[i] = 100 * batch + (int64_t)i;
    event.closed.result.outcome = outcome;
    event.closed.result.children = children;
    snprintf(event.closed.result.detail, sizeof event.closed.result.detail,
             "%s", detail);
    event.closed.closing = take_closing(batch);
    give(&event);
}

void won(int64_t batch)
{
    answered(batch, CLOSE_WON, "");
}

/* ---- the process and its clock ---- */

void happens(enum node_event_type type)
{
    give(&(struct node_event){.type = type});
}

void store_waits(bool waits)
{
    give(
        &(struct node_event){.type = NODE_EVENT_STORE, .store_waiting = waits});
}

usec_t pass_until_effect(usec_t length)
{
    usec_t begin = script.now, end = script.now + length;
    size_t before = lines_len;
    while (script.now < end && lines_len == before && script.core) {
        usec_t next = node_core_deadline(script.core);
        usec_t pings = (script.now / SECOND + 1) * SECOND;
        if (pings < next)
            next = pings;
        script.now = next < end ? next : end;
        if (script.now == pings && !script.silent)
            ping();
        happens(NODE_EVENT_TICK);
    }
    return script.now - begin;
}

void pass(usec_t length)
{
    usec_t end = script.now + length;
    while (script.now < end && script.core)
        pass_until_effect(end - script.now);
}

void stand_still(usec_t length)
{
    script.now += length;
    happens(NODE_EVENT_TICK);
}
