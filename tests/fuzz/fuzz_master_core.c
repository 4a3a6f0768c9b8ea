/*
 * Any bytes as the life of a master's core: eight nodes, honest or not, a
 * ledger, a clock and memory that runs out.
 *
 * The ledger is played truthfully, since the core believes it. Against it one
 * rule is held, whatever the nodes say: a run that is finished has no open
 * batch. Besides, after each event all invariants must hold, and every effect
 * must be well formed: nodes understand what is sent; a node's socket is open
 * when something is to go there; the ledger is asked one thing at a time;
 * tasks come last; nothing follows the end. LeakSanitizer sees the rest.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "core/master_core.h"
#include "hostile.h"

#define EVENTS_MAX 400 /* in one input */
#define NODES 8
#define BATCHES_MAX 1024
#define HELD_MAX 64 /* of one node, by its own account */
#define WORKERS 4
#define NOW_MAX (300 * 24 * 3600 * USEC_PER_SEC) /* messages hold a year */
#define LEDGER_ID "0123"

struct batch {
    int worker;
    size_t n_keys;
    usec_t delay;
    bool open;
};

struct node {
    int64_t incarnation; /* it says so */
    bool socket;         /* the master has one for it */
    int64_t held[HELD_MAX];
    size_t n_held;
    int64_t beats;
    int64_t share[WORKERS];
};

enum asked { NOTHING, LOAD, LOOK };

static struct fuzz {
    struct bytes bytes;
    struct master_core *core;
    struct worker workers[WORKERS];
    struct pipeline pipeline;
    struct arena arena; /* of one event */
    usec_t now;
    size_t fails_after; /* in the next event, this allocation fails */
    struct node nodes[NODES];
    struct batch ledger[BATCHES_MAX]; /* number 1 is at 0 */
    size_t n_batches;
    enum asked asked;
    struct master_effect question;
    bool over;
} f;

/* ---- effects ---- */

static struct node *find_node(const char *name)
{
    if (name[0] != 'n' || name[1] < '0' || name[1] > '7' || name[2])
        return NULL;
    return &f.nodes[name[1] - '0'];
}

static void on_message(const struct message *message)
{
    struct node *node = find_node(message->node);
    check_sent(message, &f.arena);
    CHECK(message->epoch == 3);
    if (!node)
        return;
    if (message->type == MESSAGE_TASK || message->type == MESSAGE_DROP ||
        message->type == MESSAGE_WELCOME)
        CHECK(node->socket);
    if (message->type == MESSAGE_TASK && node->n_held < HELD_MAX)
        node->held[node->n_held++] = message->task.batch;
    if (message->type == MESSAGE_SHARE)
        node->share[message->share.worker] = message->share.number;
}

static void set_socket(const char *name, bool open)
{
    struct node *node = find_node(name);
    if (!node)
        return;
    CHECK(open || node->socket);
    node->socket = open;
    if (!open)
        node->n_held = 0;
}

static void ask(const struct master_effect *effect, enum asked what)
{
    CHECK(f.asked == NOTHING);
    f.asked = what;
    f.question = *effect;
    if (what == LOAD)
        CHECK(effect->load.limit > 0 && effect->load.limit <= MASTER_PAGE);
    else
        CHECK(effect->look.n > 0 && effect->look.n <= MASTER_LOOK_MAX);
}

static void end_of_run(const struct master_effect *effect)
{
    f.over = true;
    if (effect->type == MASTER_EFFECT_GIVE_UP || effect->paused)
        return;
    for (size_t i = 0; i < f.n_batches; i++)
        CHECK(!f.ledger[i].open);
}

static void take_effect(const struct master_effect *effect)
{
    switch (effect->type) {
    case MASTER_EFFECT_SEND:
        on_message(&effect->message);
        break;
    case MASTER_EFFECT_OPEN_NODE:
        set_socket(effect->node, true);
        break;
    case MASTER_EFFECT_CLOSE_NODE:
        set_socket(effect->node, false);
        break;
    case MASTER_EFFECT_LOAD:
        ask(effect, LOAD);
        break;
    case MASTER_EFFECT_LOOK:
        ask(effect, LOOK);
        break;
    case MASTER_EFFECT_FINISH:
    case MASTER_EFFECT_GIVE_UP:
        end_of_run(effect);
        break;
    }
}

static void take_effects(void)
{
    struct master_effect effect;
    bool tasks = false;
    while (master_core_effect(f.core, &effect)) {
        bool task = effect.type == MASTER_EFFECT_SEND &&
                    effect.message.type == MESSAGE_TASK;
        CHECK(!f.over && (task || !tasks));
        tasks = task;
        take_effect(&effect);
    }
}

static void look_at_all(void)
{
    struct master_view view = master_core_view(f.core);
    struct node_view node;
    CHECK(view.nodes_alive >= 0 && view.held_batches >= 0);
    for (size_t i = 0; master_core_node(f.core, i, &node); i++)
        CHECK(node.held_batches >= 0 && node.held_keys >= 0);
}

static void give(const struct master_event *event)
{
    struct error err = ERROR_NONE;
    memory_fails_after(f.fails_after);
    int status = master_core_event(f.core, f.now, event, &err);
    memory_fails_after(f.fails_after = 0);
    CHECK(status == ERR_NONE || status == ERR_MEMORY);
    master_core_check(f.core);
    take_effects();
    master_core_check(f.core);
    CHECK(f.over == (master_core_deadline(f.core) == USEC_NEVER));
    look_at_all();
}

/* ---- nodes ---- */

static void give_message(const struct message *message)
{
    struct message got;
    if (over_the_wire(message, &f.arena, &got))
        give(&(struct master_event){.type = MASTER_EVENT_MESSAGE,
                                    .message = &got});
}

static struct node *take_node(struct message *ret, enum message_type type)
{
    unsigned i = take_below(&f.bytes, NODES);
    *ret = (struct message){.type = type,
                            .epoch = type == MESSAGE_HELLO ? 0 : 3,
                            .node = {'n', (char)('0' + i)},
                            .incarnation = f.nodes[i].incarnation};
    return &f.nodes[i];
}

static void hello(void)
{
    struct message message;
    struct node *node = take_node(&message, MESSAGE_HELLO);
    unsigned byte = take_byte(&f.bytes);
    int64_t crashed = 1 + byte / 4;
    if (byte & 1 || node->incarnation == 0) { /* a new process */
        node->incarnation++;
        node->n_held = 0;
        node->beats = 0;
    }
    message.incarnation = node->incarnation;
    message.hello = (struct hello){.version = PROTOCOL_VERSION,
                                   .program = "1",
                                   .host = "h",
                                   .core = -1,
                                   .ledger_id = LEDGER_ID,
                                   .crashed_batches = &crashed,
                                   .n_crashed = byte & 2 ? 1 : 0};
    give_message(&message);
}

static void beat(void)
{
    struct message message;
    struct node *node = take_node(&message, MESSAGE_HEARTBEAT);
    struct held_batch held[HELD_MAX];
    struct share_ack acks[WORKERS];
    for (size_t i = 0; i < node->n_held; i++)
        held[i] = (struct held_batch){node->held[i], 1, 2};
    for (int i = 0; i < WORKERS; i++)
        acks[i] = (struct share_ack){i, node->share[i]};
    message.heartbeat =
        (struct heartbeat){.number = ++node->beats,
                           .interval = USEC_PER_SEC,
                           .store_waiting = take_below(&f.bytes, 16) == 9,
                           .held = held,
                           .n_held = node->n_held,
                           .shares = acks,
                           .n_shares = WORKERS,
                           .fetches = node->beats * 3};
    give_message(&message);
}

static int64_t add_batch(int worker, unsigned byte)
{
    if (f.n_batches == BATCHES_MAX)
        return 0;
    f.ledger[f.n_batches++] =
        (struct batch){.worker = worker,
                       .n_keys = 1 + byte % 5,
                       .delay = byte & 32 ? take_time(&f.bytes) : 0,
                       .open = true};
    return (int64_t)f.n_batches;
}

/* Closes a batch in the ledger, with children, and reports it, or is lost. */
static void close_batch(void)
{
    struct report_child children[3];
    struct message message;
    struct node *node = take_node(&message, MESSAGE_REPORT);
    unsigned byte = take_byte(&f.bytes);
    if (node->n_held == 0)
        return;
    size_t at = byte % node->n_held;
    int64_t number = node->held[at];
    struct batch *batch = &f.ledger[number - 1];
    node->held[at] = node->held[--node->n_held];

    message.report = (struct report){
        .batch = number, .outcome = REPORT_ALREADY, .children = children};
    if (batch->open) {
        batch->open = false;
        message.report.outcome = REPORT_CLOSED;
        message.report.stored = (int64_t)batch->n_keys;
        for (unsigned n = byte % 8 < 3 ? byte % 8 : 0; n > 0; n--) {
            bool kept = byte & 64 && node->n_held < HELD_MAX;
            int64_t child = add_batch(1 + (int)(byte & 1), byte);
            if (!child)
                break;
            children[message.report.n_children++] =
                (struct report_child){child, f.ledger[child - 1].worker,
                                      f.ledger[child - 1].n_keys, kept};
            if (kept)
                node->held[node->n_held++] = child;
        }
    }
    message.report.children_more = byte == 200;
    if (byte < 224)
        give_message(&message);
}

static void hand_back(void)
{
    struct message message;
    struct node *node = take_node(&message, MESSAGE_REPORT);
    if (node->n_held == 0)
        return;
    message.report = (struct report){.batch = node->held[--node->n_held],
                                     .outcome = REPORT_RETURNED};
    give_message(&message);
}

static void anything(void)
{
    struct hostile_facts facts = {3, 0, 7, LEDGER_ID};
    struct message message;
    facts.incarnation = f.nodes[take_below(&f.bytes, NODES)].incarnation;
    if (hostile_message(&f.bytes, &facts, &f.arena, &message))
        give(&(struct master_event){.type = MASTER_EVENT_MESSAGE,
                                    .message = &message});
}

static void exits(void)
{
    char name[NODE_NAME_BYTES];
    take_node_name(&f.bytes, name);
    struct node *node = find_node(name);
    if (node)
        node->n_held = 0;
    give(&(struct master_event){
        .type = MASTER_EVENT_NODE_EXITED,
        .exited = {.node = name, .crashed = take_below(&f.bytes, 2)}});
}

/* ---- the ledger ---- */

static struct batch_row row_of(int64_t number)
{
    const struct batch *batch = &f.ledger[number - 1];
    struct buffer keys = BUFFER_EMPTY;
    for (size_t i = 0; i < batch->n_keys; i++)
        CHECK(buffer_printf(&keys, "%s\"K%" PRId64 ".%zu\"", i ? "," : "[",
                            number, i));
    CHECK(buffer_append_text(&keys, "]"));
    return (struct batch_row){.batch = number,
                              .worker = batch->worker,
                              .delay = batch->delay,
                              .n_keys = batch->n_keys,
                              .keys_json = keys.data};
}

static void answer_load(void)
{
    static struct batch_row rows[MASTER_PAGE];
    const struct master_effect question = f.question;
    struct master_event event = {.type = MASTER_EVENT_PAGE};
    int64_t number = question.load.after;
    size_t n = 0;
    while (n < question.load.limit && (size_t)number < f.n_batches)
        if (f.ledger[number++].open)
            rows[n++] = row_of(number);
    event.page.after = question.load.after;
    event.page.rows = rows;
    event.page.n = n;
    event.page.last = n < question.load.limit;
    give(&event);
}

static void answer_look(void)
{
    static struct batch_look looks[MASTER_LOOK_MAX];
    struct master_event event = {.type = MASTER_EVENT_LOOKED};
    for (size_t i = 0; i < f.question.look.n; i++) {
        int64_t number = f.question.look.batches[i];
        CHECK(number > 0);
        looks[i] = (struct batch_look){.state = BATCH_UNKNOWN,
                                       .row = {.batch = number}};
        if ((uint64_t)number > f.n_batches)
            continue;
        looks[i].state = BATCH_CLOSED;
        if (!f.ledger[number - 1].open)
            continue;
        looks[i].state = BATCH_OPEN;
        looks[i].row = row_of(number);
    }
    event.looked.looks = looks;
    event.looked.n = f.question.look.n;
    give(&event);
}

static void ledger_answers(void)
{
    enum asked asked = f.asked;
    if (asked == NOTHING)
        return;
    f.asked = NOTHING;
    if (take_below(&f.bytes, 16) == 15)
        give(&(struct master_event){.type = MASTER_EVENT_LEDGER_AWAY});
    else if (asked == LOAD)
        answer_load();
    else
        answer_look();
}

/* ---- the process and its clock ---- */

static void time_passes(void)
{
    unsigned byte = take_byte(&f.bytes);
    usec_t due = master_core_deadline(f.core);
    if (byte < 160)
        f.now = due + (byte & 1 ? take_time(&f.bytes) / 64 : 0);
    else
        f.now += take_time(&f.bytes);
    f.now = f.now < NOW_MAX ? f.now : NOW_MAX;
    give(&(struct master_event){.type = MASTER_EVENT_TICK});
}

static void process(void)
{
    unsigned byte = take_byte(&f.bytes);
    if (byte >= 254)
        give(&(struct master_event){.type = MASTER_EVENT_LEASE_LOST});
    else if (byte >= 246)
        give(&(struct master_event){.type = MASTER_EVENT_STOP});
    else if (byte >= 200)
        give(&(struct master_event){.type = MASTER_EVENT_EXPECT,
                                    .expect = (int)take_byte(&f.bytes)});
    else
        f.fails_after = 1 + byte % 32;
}

static void begin(void)
{
    unsigned byte = take_byte(&f.bytes);
    f.workers[0] = (struct worker){.index = 0, .class = CLASS_HTML_TABLE};
    f.workers[1] =
        (struct worker){.index = 1, .class = CLASS_HTTP_JSON, .instances = 64};
    f.workers[2] =
        (struct worker){.index = 2, .class = CLASS_HTTP_JSON, .instances = 2};
    f.workers[3] = (struct worker){.index = 3, .class = CLASS_STORE};
    f.workers[1].request.rate = byte & 1 ? 20 : 0;
    f.workers[1].request.max_in_flight = byte & 2 ? 10 : 0;
    f.workers[2].request.rate = byte & 4 ? 0.01 : 0;
    f.pipeline = (struct pipeline){.workers = f.workers, .n_workers = WORKERS};
    const struct master_core_config config = {
        .pipeline = &f.pipeline,
        .ledger_id = LEDGER_ID,
        .run = 7,
        .epoch = 3,
        .resumed = byte & 8,
        .nodes_expected = byte & 16 ? 2 : 0,
        .batch_keys = byte & 32 ? 2 : 0,
        .heartbeat = USEC_PER_SEC,
        .lease = 3 * USEC_PER_SEC,
        .node_wait = 60 * USEC_PER_SEC,
        .speculate_after = 3 * USEC_PER_SEC,
        .drain_time = 10 * USEC_PER_SEC,
        .trust_crash = !(byte & 64),
    };
    for (unsigned n = take_byte(&f.bytes); n > 0; n--)
        add_batch(1 + (int)(n % 2), 0);
    f.now = 1000 * USEC_PER_SEC;
    f.core = master_core_new(&config, f.now);
    CHECK(f.core);
    give(&(struct master_event){.type = MASTER_EVENT_TICK});
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const events[])(void) = {
        hello,       hello,          beat,           beat,        close_batch,
        close_batch, ledger_answers, ledger_answers, time_passes, time_passes,
        hand_back,   anything,       exits,          process,     close_batch,
    };
    memset(&f, 0, sizeof f);
    f.bytes = (struct bytes){data, size};
    begin();
    for (int i = 0; i < EVENTS_MAX && f.bytes.left > 0 && !f.over; i++) {
        events[take_below(&f.bytes, sizeof events / sizeof *events)]();
        arena_reset(&f.arena);
    }
    master_core_free(&f.core);
    arena_free(&f.arena);
    return 0;
}
