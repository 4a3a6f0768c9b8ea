/*
 * master_dialogue.c: see master_dialogue.h.
 */
#include "master_dialogue.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NODES 320
#define ROWS 600
#define WORKERS 4
#define LEDGER "0123456789abcdef"

struct actor {
    char name[NODE_NAME_BYTES];
    int64_t incarnation;
    bool muted;
    struct held_batch held[HEARTBEAT_HELD_MAX];
    size_t n_held;
    struct share share; /* of worker 1, the last one */
    int64_t beats;
};

static struct {
    struct worker workers[WORKERS];
    struct pipeline pipeline;
    struct master_core *core;
    usec_t now, beat_at;
    struct actor nodes[NODES];
    size_t n_nodes;
    struct buffer lines;
    int64_t asked_after;
} d;

struct master_core *the_core(void)
{
    return d.core;
}

usec_t now(void)
{
    return d.now;
}

static struct actor *actor(const char *name)
{
    for (size_t i = 0; i < d.n_nodes; i++)
        if (strcmp(d.nodes[i].name, name) == 0)
            return &d.nodes[i];
    assert_true(d.n_nodes < NODES);
    struct actor *node = &d.nodes[d.n_nodes++];
    memset(node, 0, sizeof(*node));
    snprintf(node->name, sizeof(node->name), "%s", name);
    return node;
}

/* ---- effects as text ---- */

#define LINE(...)                                                              \
    assert_true(buffer_printf(&d.lines, __VA_ARGS__) &&                        \
                buffer_append_char(&d.lines, '\n'))

static void show_task(const struct message *message)
{
    static const char *const actions[] = {"work", "split", "blame"};
    const struct task *task = &message->task;
    struct actor *node = actor(message->node);
    LINE("TASK %s %" PRId64 " %s", message->node, task->batch,
         actions[task->action]);
    assert_non_null(task->keys_json);
    if (node->muted)
        return;
    assert_true(node->n_held < HEARTBEAT_HELD_MAX);
    node->held[node->n_held++] = (struct held_batch){
        .batch = task->batch, .worker = task->worker, .n_keys = task->n_keys};
}

static void show_share(const struct message *message)
{
    const struct share *share = &message->share;
    struct actor *node = actor(message->node);
    bool same = node->share.rate == share->rate &&
                node->share.in_flight == share->in_flight &&
                node->share.number > 0;
    assert_true(share->number > node->share.number);
    assert_int_equal(share->beat, node->beats);
    assert_int_equal(share->valid, SECONDS(3));
    if (!same && share->in_flight < 0)
        LINE("SHARE %s @%d none", message->node, share->worker);
    else if (!same)
        LINE("SHARE %s @%d %g/s %d", message->node, share->worker, share->rate,
             share->in_flight);
    if (!node->muted)
        node->share = *share;
}

static void show_message(const struct message *message)
{
    const char *node = message->node[0] ? message->node : "*";
    switch (message->type) {
    case MESSAGE_WELCOME:
        LINE("WELCOME %s/%" PRId64, node, message->incarnation);
        assert_string_equal(message->welcome.ledger_id, LEDGER);
        break;
    case MESSAGE_REFUSE:
        LINE("REFUSE %s/%" PRId64 ": %s", node, message->incarnation,
             message->refuse.reason);
        break;
    case MESSAGE_TASK:
        show_task(message);
        break;
    case MESSAGE_DROP:
        LINE("DROP %s %" PRId64, node, message->drop.batch);
        lose(node, message->drop.batch);
        break;
    case MESSAGE_SHARE:
        show_share(message);
        break;
    case MESSAGE_HOLD:
        LINE("HOLD %s @%d %s %" PRId64 " ms", node, message->hold.worker,
             message->hold.host, message->hold.length / USEC_PER_MSEC);
        break;
    case MESSAGE_END:
        LINE("END %s", message->end.drain ? "drain" : "done");
        break;
    case MESSAGE_PING:
        break;
    default:
        fail_msg("the master sent a %s", message_type_name(message->type));
    }
}

static void show_look(const struct master_effect *effect)
{
    char text[4096] = "LOOK";
    for (size_t i = 0; i < effect->look.n; i++) {
        size_t len = strlen(text);
        snprintf(text + len, sizeof(text) - len, " %" PRId64,
                 effect->look.batches[i]);
    }
    LINE("%s", text);
}

static void show(const struct master_effect *effect)
{
    switch (effect->type) {
    case MASTER_EFFECT_SEND:
        show_message(&effect->message);
        break;
    case MASTER_EFFECT_OPEN_NODE:
        LINE("OPEN %s", effect->node);
        break;
    case MASTER_EFFECT_CLOSE_NODE:
        LINE("CLOSE %s", effect->node);
        break;
    case MASTER_EFFECT_LOAD:
        LINE("LOAD %" PRId64, effect->load.after);
        assert_in_range(effect->load.limit, 1, MASTER_PAGE);
        d.asked_after = effect->load.after;
        break;
    case MASTER_EFFECT_LOOK:
        show_look(effect);
        break;
    case MASTER_EFFECT_FINISH:
        LINE("%s", effect->paused ? "PAUSED" : "FINISHED");
        break;
    case MASTER_EFFECT_GIVE_UP:
        LINE("GIVE UP: %s", effect->why);
        break;
    }
}

static void happen(const struct master_event *event)
{
    struct error err = ERROR_NONE;
    struct master_effect effect;
    assert_int_equal(master_core_event(d.core, d.now, event, &err), 0);
    master_core_check(d.core);
    while (master_core_effect(d.core, &effect))
        show(&effect);
    assert_true(master_core_deadline(d.core) > d.now);
}

/* ---- the master ---- */

void begin_on(struct terms terms)
{
    end();
    d.workers[0] = (struct worker){.index = 0, .class = CLASS_HTML_TABLE};
    const enum worker_class json = CLASS_HTTP_JSON;
    d.workers[1] = (struct worker){.index = 1, .class = json, .instances = 64};
    d.workers[2] = (struct worker){.index = 2, .class = json, .instances = 8};
    d.workers[3] = (struct worker){.index = 3, .class = CLASS_STORE};
    d.workers[1].request.rate = terms.rate;
    d.workers[1].request.adaptive = terms.adaptive;
    d.workers[1].request.max_in_flight = terms.max_in_flight;
    d.workers[1].request.keys_per_request = terms.keys_per_request;
    d.pipeline = (struct pipeline){.workers = d.workers, .n_workers = WORKERS};
    const struct master_core_config config = {
        .pipeline = &d.pipeline,
        .ledger_id = LEDGER,
        .run = 7,
        .epoch = 3,
        .resumed = terms.resumed,
        .nodes_expected = terms.expected,
        .heartbeat = SECONDS(1),
        .lease = SECONDS(3),
        .node_wait = SECONDS(60),
        .speculate_after = SECONDS(3),
        .drain_time = SECONDS(10),
        .trust_crash = !terms.no_trust,
    };
    d.now = d.beat_at = SECONDS(1000);
    d.core = master_core_new(&config, d.now);
    assert_non_null(d.core);
    tick();
    expect("LOAD 0");
}

void end(void)
{
    master_core_free(&d.core);
    buffer_free(&d.lines);
    d.n_nodes = 0;
}

int end_test(void **state)
{
    (void)state;
    end();
    return 0;
}

/* ---- nodes ---- */

void say(const struct message *message)
{
    happen(&(struct master_event){.type = MASTER_EVENT_MESSAGE,
                                  .message = message});
}

static struct message from(const struct actor *node, enum message_type type)
{
    struct message message = {
        .type = type, .epoch = 3, .incarnation = node->incarnation};
    memcpy(message.node, node->name, sizeof(message.node));
    return message;
}

static struct message hello_from(struct actor *node, int64_t incarnation)
{
    if (incarnation > node->incarnation) {
        node->n_held = 0;
        node->share = (struct share){0};
        node->incarnation = incarnation;
    }
    node->muted = false;
    struct message message = from(node, MESSAGE_HELLO);
    message.epoch = 0;
    message.incarnation = incarnation;
    message.hello = (struct hello){.version = PROTOCOL_VERSION,
                                   .program = "test",
                                   .host = "here",
                                   .pid = 42,
                                   .core = 1,
                                   .ledger_id = LEDGER};
    return message;
}

void hello(const char *node, int64_t incarnation)
{
    struct message message = hello_from(actor(node), incarnation);
    say(&message);
}

void hello_crashed(const char *node, int64_t incarnation, int64_t batch)
{
    struct message message = hello_from(actor(node), incarnation);
    message.hello.crashed_batches = &batch;
    message.hello.n_crashed = 1;
    say(&message);
}

void hello_of(const char *node, int version, const char *ledger_id)
{
    struct message message = hello_from(actor(node), 1);
    message.hello.version = version;
    message.hello.ledger_id = ledger_id;
    say(&message);
}

static void beat_with(struct actor *node, const struct held_batch *held,
                      size_t n_held, bool waiting)
{
    const struct share_ack ack = {.worker = 1, .number = node->share.number};
    struct message message = from(node, MESSAGE_HEARTBEAT);
    message.heartbeat = (struct heartbeat){.number = ++node->beats,
                                           .interval = SECONDS(1),
                                           .store_waiting = waiting,
                                           .held = held,
                                           .n_held = n_held,
                                           .shares = &ack,
                                           .n_shares = ack.number > 0,
                                           .fetches = 5};
    node->muted = false;
    say(&message);
}

void beat(const char *name)
{
    struct actor *node = actor(name);
    beat_with(node, node->held, node->n_held, false);
}

void beat_waiting(const char *name)
{
    struct actor *node = actor(name);
    beat_with(node, node->held, node->n_held, true);
}

void lose(const char *name, int64_t batch)
{
    struct actor *node = actor(name);
    size_t kept = 0;
    for (size_t i = 0; i < node->n_held; i++)
        if (node->held[i].batch != batch)
            node->held[kept++] = node->held[i];
    node->n_held = kept;
}

void mute(const char *node)
{
    actor(node)->muted = true;
}

void arrive(const char *node)
{
    hello(node, 1);
    beat(node);
    ignore();
}

/* ---- batches as text ---- */

struct written {
    int64_t batch;
    size_t n_keys;
    int worker;
    usec_t delay;
    enum batch_state state;
    bool kept;
};

/* The next one of `*text`, or false. */
static bool read_batch(const char **text, struct written *ret)
{
    char *at;
    *ret = (struct written){.n_keys = 2, .worker = 1};
    ret->batch = strtoll(*text, &at, 10);
    if (at == *text)
        return false;
    for (;; at++) {
        if (*at == '*')
            ret->n_keys = strtoull(at + 1, &at, 10);
        if (*at == '@')
            ret->worker = (int)strtol(at + 1, &at, 10);
        if (*at == '+')
            ret->delay = strtoll(at + 1, &at, 10) * USEC_PER_MSEC;
        if (*at == '!')
            ret->state = BATCH_CLOSED;
        else if (*at == '?')
            ret->state = BATCH_UNKNOWN;
        else if (*at == 'k')
            ret->kept = true;
        else
            break;
    }
    *text = at;
    return true;
}

const char *series(int first, int n, const char *more)
{
    static char text[16384];
    size_t len = 0;
    for (int i = first; i < first + n; i++) {
        len +=
            (size_t)snprintf(text + len, sizeof(text) - len, "%d%s ", i, more);
        assert_true(len < sizeof(text));
    }
    return text;
}

void beat_naming(const char *name, const char *batches)
{
    struct actor *node = actor(name);
    struct written batch;
    node->n_held = 0;
    while (read_batch(&batches, &batch))
        node->held[node->n_held++] =
            (struct held_batch){.batch = batch.batch,
                                .worker = batch.worker,
                                .n_keys = batch.n_keys};
    beat(name);
}

void closed(const char *name, int64_t number, const char *children)
{
    struct report_child list[REPORT_CHILDREN_MAX];
    struct actor *node = actor(name);
    struct message message = from(node, MESSAGE_REPORT);
    struct written batch;
    size_t n = 0;
    lose(name, number);
    while (read_batch(&children, &batch)) {
        assert_true(n < REPORT_CHILDREN_MAX);
        list[n++] = (struct report_child){.batch = batch.batch,
                                          .worker = batch.worker,
                                          .n_keys = batch.n_keys,
                                          .kept = batch.kept};
        if (batch.kept)
            node->held[node->n_held++] =
                (struct held_batch){.batch = batch.batch,
                                    .worker = batch.worker,
                                    .n_keys = batch.n_keys};
    }
    message.report = (struct report){.batch = number,
                                     .outcome = REPORT_CLOSED,
                                     .stored = 2,
                                     .failed = 1,
                                     .children = list,
                                     .n_children = n};
    say(&message);
}

void closed_many(const char *name, int64_t number)
{
    struct message message = from(actor(name), MESSAGE_REPORT);
    lose(name, number);
    message.report = (struct report){
        .batch = number, .outcome = REPORT_CLOSED, .children_more = true};
    say(&message);
}

void report(const char *name, int64_t number, enum report_outcome outcome)
{
    struct message message = from(actor(name), MESSAGE_REPORT);
    lose(name, number);
    message.report = (struct report){.batch = number, .outcome = outcome};
    say(&message);
}

void hold(const char *name, const char *host, usec_t length)
{
    struct message message = from(actor(name), MESSAGE_HOLD);
    message.hold = (struct hold){.worker = 1, .host = host, .length = length};
    say(&message);
}

void bye(const char *name)
{
    struct message message = from(actor(name), MESSAGE_BYE);
    actor(name)->n_held = 0;
    actor(name)->muted = true;
    say(&message);
}

/* ---- the shell ---- */

void event_of(enum master_event_type type)
{
    happen(&(struct master_event){.type = type});
}

void tick(void)
{
    event_of(MASTER_EVENT_TICK);
}

void away(void)
{
    event_of(MASTER_EVENT_LEDGER_AWAY);
}

void expect_nodes(int n)
{
    happen(&(struct master_event){.type = MASTER_EVENT_EXPECT, .expect = n});
}

void exited(const char *name, bool crashed)
{
    actor(name)->n_held = 0;
    actor(name)->muted = true;
    happen(
        &(struct master_event){.type = MASTER_EVENT_NODE_EXITED,
                               .exited = {.node = name, .crashed = crashed}});
}

static struct batch_row row_of(const struct written *batch)
{
    struct batch_row row = {.batch = batch->batch};
    if (batch->state != BATCH_OPEN)
        return row;
    row.worker = batch->worker;
    row.delay = batch->delay;
    row.n_keys = batch->n_keys;
    row.keys_json = strdup("[\"A\",\"B\"]");
    assert_non_null(row.keys_json);
    return row;
}

static void page_of(const char *batches, bool last)
{
    static struct batch_row rows[ROWS];
    struct written batch;
    size_t n = 0;
    while (read_batch(&batches, &batch))
        rows[n++] = row_of(&batch);
    happen(&(struct master_event){
        .type = MASTER_EVENT_PAGE,
        .page = {.after = d.asked_after, .rows = rows, .n = n, .last = last}});
}

void page(const char *batches)
{
    page_of(batches, false);
}

void last_page(const char *batches)
{
    page_of(batches, true);
}

void looked(const char *batches)
{
    static struct batch_look looks[ROWS];
    struct written batch;
    size_t n = 0;
    while (read_batch(&batches, &batch))
        looks[n++] =
            (struct batch_look){.state = batch.state, .row = row_of(&batch)};
    happen(&(struct master_event){.type = MASTER_EVENT_LOOKED,
                                  .looked = {.looks = looks, .n = n}});
}

/* ---- time ---- */

static void go_on(usec_t until, bool beating)
{
    while (d.now < until) {
        usec_t next = master_core_deadline(d.core);
        if (beating && d.beat_at < next)
            next = d.beat_at > d.now ? d.beat_at : d.now + 1;
        d.now = next < until ? next : until;
        if (beating && d.now >= d.beat_at) {
            for (size_t i = 0; i < d.n_nodes; i++)
                if (!d.nodes[i].muted && d.nodes[i].incarnation > 0)
                    beat(d.nodes[i].name);
            d.beat_at = d.now + SECONDS(1);
        }
        tick();
    }
}

void pass(usec_t time)
{
    go_on(d.now + time, false);
}

void live(usec_t time)
{
    go_on(d.now + time, true);
}

/* ---- what was said ---- */

void ignore(void)
{
    buffer_clear(&d.lines);
}

void expect_lines(const char **lines, const char *file, int at)
{
    struct buffer wanted = BUFFER_EMPTY;
    for (; *lines; lines++)
        assert_true(buffer_printf(&wanted, "%s\n", *lines));
    const char *text = buffer_text(&d.lines);
    if (strcmp(text, buffer_text(&wanted)) != 0)
        print_error("%s:%d: expected\n%sbut the master said\n%s", file, at,
                    buffer_text(&wanted), text);
    bool equal = strcmp(text, buffer_text(&wanted)) == 0;
    buffer_free(&wanted);
    _assert_true(equal, "as expected", file, at);
    ignore();
}

static int count_lines(const char *wanted, bool whole)
{
    int n = 0;
    size_t len = strlen(wanted);
    const char *text = buffer_text(&d.lines);
    while (*text) {
        n += strncmp(text, wanted, len) == 0 && (!whole || text[len] == '\n');
        text = strchr(text, '\n') + 1;
    }
    return n;
}

void expect_some(const char **lines, const char *file, int at)
{
    for (; *lines; lines++) {
        if (count_lines(*lines, true) > 0)
            continue;
        print_error("%s:%d: expected %s, but the master said\n%s", file, at,
                    *lines, buffer_text(&d.lines));
        _fail(file, at);
    }
    ignore();
}

int count(const char *beginning)
{
    return count_lines(beginning, false);
}
