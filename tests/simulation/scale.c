/*
 * scale.c: see scale.h.
 *
 * Batches are numbers: the ledger's page makes the text of their keys and
 * forgets it. A node works on what it was given one batch after another, and
 * reports each; its heartbeat names what it holds. Messages are encoded and
 * decoded as on a wire, and that is measured apart.
 */
#include "scale.h"

#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buffer.h"
#include "core/master_core.h"

#define HELD_MAX 80 /* by one node; the core gives 64 at most */
#define KEY_TEXT "\"key-%012" PRId64 "\""
#define KEY_TEXT_BYTES 18
#define LEDGER_LATENCY (5 * USEC_PER_MSEC)
#define WIRE_EVERY 16 /* one message in so many goes over the wire */

struct scale_node {
    char name[NODE_NAME_BYTES];
    struct held_batch held[HELD_MAX];
    size_t n_held;
    int64_t beats, share_number;
    bool busy;
};

struct due {
    usec_t at;
    enum { DUE_BEAT, DUE_DONE, DUE_LEDGER, DUE_TICK } what;
    int node;
};

struct measure {
    const char *what;
    int64_t n;
    usec_t spent; /* nanoseconds */
};

struct run {
    const struct scale *scale;
    struct settings *settings;
    struct pipeline *pipeline;
    struct master_core *core;
    usec_t now;
    struct due *heap;
    size_t n_due, room;
    struct scale_node *nodes;
    int64_t n_batches, next_batch;
    bool *closed;
    int64_t done;
    struct master_effect asked; /* LOAD or LOOK */
    int64_t looked[MASTER_LOOK_MAX];
    usec_t tick_at;
    bool finished;
    size_t bytes_empty, bytes_joined, bytes_most, bytes_peak;
    int64_t batches_most;
    struct measure core_all, beats, reports, pages, ticks, encoded, decoded;
};

/*
 * Time
 */

static void due_push(struct run *run, struct due due)
{
    if (run->n_due == run->room) {
        run->room = run->room * 2 + 1024;
        run->heap = realloc(run->heap, run->room * sizeof(*run->heap));
        CHECK(run->heap);
    }
    size_t i = run->n_due++;
    for (; i && due.at < run->heap[(i - 1) / 2].at; i = (i - 1) / 2)
        run->heap[i] = run->heap[(i - 1) / 2];
    run->heap[i] = due;
}

static struct due due_pop(struct run *run)
{
    struct due first = run->heap[0], last = run->heap[--run->n_due];
    size_t i = 0;
    for (size_t child; (child = 2 * i + 1) < run->n_due; i = child) {
        if (child + 1 < run->n_due &&
            run->heap[child + 1].at < run->heap[child].at)
            child++;
        if (run->heap[child].at >= last.at)
            break;
        run->heap[i] = run->heap[child];
    }
    if (run->n_due)
        run->heap[i] = last;
    return first;
}

static int64_t nanoseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void add(struct measure *measure, int64_t spent)
{
    measure->n++;
    measure->spent += spent;
}

/*
 * The core's effects
 */

/* One in WIRE_EVERY, since it takes longer than the core. */
static void send_over_wire(struct run *run, const struct message *message)
{
    struct buffer text = BUFFER_EMPTY;
    struct arena arena = ARENA_EMPTY;
    struct error err = ERROR_NONE;
    struct message decoded;
    int64_t began = nanoseconds();
    CHECK(!message_encode(message, &text, &err));
    int64_t middle = nanoseconds();
    CHECK(!message_decode(buffer_slice(&text), &arena, &decoded, &err));
    add(&run->encoded, middle - began);
    add(&run->decoded, nanoseconds() - middle);
    arena_free(&arena);
    buffer_free(&text);
}

static usec_t batch_length(const struct run *run, size_t n_keys)
{
    return (usec_t)(run->scale->key_seconds * (double)n_keys * 1e6);
}

static struct scale_node *node_named(struct run *run, const char *name)
{
    return &run->nodes[strtol(name + 1, NULL, 10)];
}

static void take_task(struct run *run, const struct message *message)
{
    struct scale_node *node = node_named(run, message->node);
    CHECK(node->n_held < HELD_MAX);
    node->held[node->n_held++] = (struct held_batch){
        message->task.batch, message->task.worker, message->task.n_keys};
    if (!node->busy)
        due_push(run, (struct due){run->now +
                                       batch_length(run, message->task.n_keys),
                                   DUE_DONE, (int)(node - run->nodes)});
    node->busy = true;
}

static void take_send(struct run *run, const struct message *message)
{
    if (message->type == MESSAGE_TASK)
        take_task(run, message);
    else if (message->type == MESSAGE_SHARE)
        node_named(run, message->node)->share_number = message->share.number;
    else if (message->type == MESSAGE_END)
        run->finished = true;
}

static void take_effects(struct run *run)
{
    struct master_effect effect;
    for (;;) {
        int64_t began = nanoseconds();
        bool more = master_core_effect(run->core, &effect);
        run->core_all.spent += nanoseconds() - began;
        if (!more)
            break;
        if (effect.type == MASTER_EFFECT_SEND) {
            take_send(run, &effect.message);
            if (effect.message.type == MESSAGE_TASK &&
                run->core_all.n % WIRE_EVERY == 0)
                send_over_wire(run, &effect.message);
        } else if (effect.type == MASTER_EFFECT_LOAD ||
                   effect.type == MASTER_EFFECT_LOOK) {
            run->asked = effect;
            if (effect.type == MASTER_EFFECT_LOOK)
                memcpy(run->looked, effect.look.batches,
                       effect.look.n * sizeof(run->looked[0]));
            due_push(run,
                     (struct due){run->now + LEDGER_LATENCY, DUE_LEDGER, 0});
        } else if (effect.type == MASTER_EFFECT_GIVE_UP) {
            fprintf(stderr, "the master gives up: %s\n", effect.why);
            exit(1);
        }
    }
}

static void feed(struct run *run, const struct master_event *event,
                 struct measure *measure)
{
    struct error err = ERROR_NONE;
    int64_t began = nanoseconds();
    CHECK(!master_core_event(run->core, run->now, event, &err));
    usec_t deadline = master_core_deadline(run->core);
    int64_t spent = nanoseconds() - began;
    add(&run->core_all, spent);
    add(measure, spent);
    take_effects(run);
    if (deadline < run->tick_at) {
        run->tick_at = deadline;
        due_push(run, (struct due){deadline, DUE_TICK, 0});
    }
}

/*
 * The ledger
 */

static int64_t keys_of(const struct run *run, int64_t batch)
{
    int64_t before = (batch - 1) * run->scale->batch_keys;
    int64_t left = run->scale->keys - before;
    return left < run->scale->batch_keys ? left : run->scale->batch_keys;
}

static struct batch_row row_of(const struct run *run, int64_t batch)
{
    int64_t n = keys_of(run, batch), first = (batch - 1) * n;
    char *text = malloc((size_t)n * (KEY_TEXT_BYTES + 1) + 3), *at = text;
    CHECK(text);
    *at++ = '[';
    for (int64_t i = 0; i < n; i++)
        at += sprintf(at, "%s" KEY_TEXT, i ? "," : "", first + i);
    memcpy(at, "]", 2);
    return (struct batch_row){
        .batch = batch, .worker = 1, .n_keys = (size_t)n, .keys_json = text};
}

static void answer_page(struct run *run)
{
    static struct batch_row rows[MASTER_PAGE];
    size_t n = 0;
    int64_t batch = run->asked.load.after + 1;
    while (run->next_batch <= run->n_batches && run->closed[run->next_batch])
        run->next_batch++;
    if (batch < run->next_batch)
        batch = run->next_batch;
    for (; batch <= run->n_batches && n < run->asked.load.limit; batch++)
        if (!run->closed[batch])
            rows[n++] = row_of(run, batch);
    feed(run,
         &(struct master_event){.type = MASTER_EVENT_PAGE,
                                .page = {run->asked.load.after, rows, n,
                                         n < run->asked.load.limit}},
         &run->pages);
}

static void answer_look(struct run *run)
{
    static struct batch_look looks[MASTER_LOOK_MAX];
    size_t n = run->asked.look.n;
    for (size_t i = 0; i < n; i++) {
        int64_t batch = run->looked[i];
        looks[i] = (struct batch_look){.state = BATCH_CLOSED};
        if (!run->closed[batch]) {
            looks[i].row = row_of(run, batch);
            looks[i].state = BATCH_OPEN;
        }
        looks[i].row.batch = batch;
    }
    feed(run,
         &(struct master_event){.type = MASTER_EVENT_LOOKED,
                                .looked = {looks, n}},
         &run->pages);
}

/*
 * Nodes
 */

static struct message message_of(const struct scale_node *node,
                                 enum message_type type)
{
    struct message message = {.type = type, .epoch = 1, .incarnation = 1};
    memcpy(message.node, node->name, sizeof(message.node));
    return message;
}

static void say(struct run *run, const struct message *message,
                struct measure *measure)
{
    if (measure->n % WIRE_EVERY == 0)
        send_over_wire(run, message);
    feed(run,
         &(struct master_event){.type = MASTER_EVENT_MESSAGE,
                                .message = message},
         measure);
}

static void beat(struct run *run, struct scale_node *node)
{
    struct share_ack ack = {1, node->share_number};
    struct message message = message_of(node, MESSAGE_HEARTBEAT);
    message.heartbeat.number = ++node->beats;
    message.heartbeat.interval = USEC_PER_SEC;
    message.heartbeat.held = node->held;
    message.heartbeat.n_held = node->n_held;
    message.heartbeat.shares = &ack;
    message.heartbeat.n_shares = node->share_number > 0;
    say(run, &message, &run->beats);
}

static void end_batch(struct run *run, struct scale_node *node)
{
    struct held_batch batch = node->held[0];
    memmove(node->held, node->held + 1, --node->n_held * sizeof(node->held[0]));
    node->busy = node->n_held > 0;
    if (node->busy)
        due_push(run, (struct due){run->now +
                                       batch_length(run, node->held[0].n_keys),
                                   DUE_DONE, (int)(node - run->nodes)});
    struct message message = message_of(node, MESSAGE_REPORT);
    message.report.batch = batch.batch;
    message.report.outcome =
        run->closed[batch.batch] ? REPORT_ALREADY : REPORT_CLOSED;
    message.report.stored = (int64_t)batch.n_keys;
    run->done += run->closed[batch.batch] ? 0 : (int64_t)batch.n_keys;
    run->closed[batch.batch] = true;
    say(run, &message, &run->reports);
}

static void join_all(struct run *run)
{
    struct measure hellos = {0};
    run->bytes_empty = mallinfo2().uordblks;
    for (int i = 0; i < run->scale->nodes; i++) {
        struct scale_node *node = &run->nodes[i];
        snprintf(node->name, sizeof(node->name), "n%d", i);
        struct message message = message_of(node, MESSAGE_HELLO);
        message.epoch = 0;
        message.hello = (struct hello){.version = PROTOCOL_VERSION,
                                       .program = "0.1.0",
                                       .host = "machine",
                                       .pid = 1,
                                       .core = -1,
                                       .ledger_id = "ledger"};
        say(run, &message, &hellos);
        due_push(run, (struct due){run->now + (i % 1000) * USEC_PER_MSEC,
                                   DUE_BEAT, i});
    }
    run->bytes_joined = mallinfo2().uordblks;
    printf("hello                %9.2f us each, %zu bytes a node\n",
           (double)hellos.spent / 1e3 / (double)hellos.n,
           (run->bytes_joined - run->bytes_empty) / (size_t)run->scale->nodes);
}

/*
 * The whole
 */

static void load_pipeline(struct run *run)
{
    struct complaints complaints = {0};
    struct error err = ERROR_NONE;
    struct buffer text = BUFFER_EMPTY;
    buffer_append_text(
        &text,
        "version: 1\nname: large\nqueues: [{name: q}, {name: p}]\nworkers:\n"
        "  - {name: list, class: html_table, input_values: "
        "['http://a.example'],"
        " output_queues: [q], options: {column: Symbol}}\n"
        "  - {name: fetch, class: http_json, input_queue: q, output_queues: "
        "[p],"
        " instances: 64, options: {url: 'http://b.example/{key}',"
        " fields: {price: /p}");
    if (run->scale->rate > 0)
        buffer_printf(&text, ", rate: %.1f/s", run->scale->rate);
    if (run->scale->in_flight > 0)
        buffer_printf(&text, ", max_in_flight: %d", run->scale->in_flight);
    buffer_append_text(&text, "}}\n  - {name: store, class: store, "
                              "input_queue: p, options: {table: t, "
                              "columns: {k: key, price: price}}}\n");
    run->settings = settings_new();
    CHECK(run->settings && !text.failed);
    if (pipeline_load(buffer_slice(&text), "large.yaml", run->settings,
                      &complaints, &run->pipeline, &err)) {
        fprintf(stderr, "%s: %s\n", err.text, complaints.items[0].text);
        exit(1);
    }
    complaints_free(&complaints);
    buffer_free(&text);
}

static void watch_memory(struct run *run)
{
    struct master_view view = master_core_view(run->core);
    size_t bytes = mallinfo2().uordblks;
    if (bytes > run->bytes_peak)
        run->bytes_peak = bytes;
    int64_t batches = view.pending_batches + view.held_batches;
    if (batches <= run->batches_most)
        return;
    run->batches_most = batches;
    run->bytes_most = bytes;
}

static void step(struct run *run)
{
    struct due due = due_pop(run);
    struct scale_node *node = &run->nodes[due.node];
    run->now = due.at;
    if (due.what == DUE_BEAT) {
        beat(run, node);
        due_push(run,
                 (struct due){run->now + USEC_PER_SEC, DUE_BEAT, due.node});
    } else if (due.what == DUE_DONE) {
        end_batch(run, node);
    } else if (due.what == DUE_LEDGER) {
        if (run->asked.type == MASTER_EFFECT_LOAD)
            answer_page(run);
        else
            answer_look(run);
    } else if (due.at == run->tick_at) {
        run->tick_at = USEC_NEVER;
        feed(run, &(struct master_event){.type = MASTER_EVENT_TICK},
             &run->ticks);
        watch_memory(run);
    }
}

static void print_measure(const char *what, const struct measure *measure)
{
    if (measure->n)
        printf("%-20s %9.2f us each, %" PRId64 "\n", what,
               (double)measure->spent / 1e3 / (double)measure->n, measure->n);
}

static void print_result(const struct run *run)
{
    int64_t window =
        MASTER_WINDOW_MIN + (int64_t)MASTER_WINDOW_PER_NODE * run->scale->nodes;
    double seconds = (double)run->core_all.spent / 1e9;
    print_measure("heartbeat", &run->beats);
    print_measure("report", &run->reports);
    print_measure("page or look", &run->pages);
    print_measure("tick", &run->ticks);
    print_measure("encode (sampled)", &run->encoded);
    print_measure("decode (sampled)", &run->decoded);
    printf("core, all events     %9.2f us a batch, %.0f messages a second of "
           "its CPU\n",
           seconds * 1e6 / (double)run->n_batches,
           (double)run->core_all.n / seconds);
    printf("memory               %9zu bytes a batch at hand (%" PRId64
           " of them, at most %" PRId64 " with keys)\n",
           run->bytes_most > run->bytes_joined
               ? (run->bytes_most - run->bytes_joined) /
                     (size_t)(run->batches_most ? run->batches_most : 1)
               : 0,
           run->batches_most, window);
    printf("peak                 %9zu bytes a node, keys waiting included\n",
           (run->bytes_peak - run->bytes_empty) / (size_t)run->scale->nodes);
    printf("in all: %.1f s of the core for %.0f s of the run: %.1f %% of a "
           "processor\n",
           seconds, (double)run->now / 1e6,
           100 * seconds / ((double)run->now / 1e6));
}

void scale_run(const struct scale *scale)
{
    struct run run = {.scale = scale, .tick_at = USEC_NEVER, .next_batch = 1};
    load_pipeline(&run);
    run.n_batches = (scale->keys + scale->batch_keys - 1) / scale->batch_keys;
    run.closed = calloc((size_t)run.n_batches + 2, sizeof(bool));
    run.nodes = calloc((size_t)scale->nodes, sizeof(*run.nodes));
    CHECK(run.closed && run.nodes);
    struct master_core_config config = {.pipeline = run.pipeline,
                                        .ledger_id = "ledger",
                                        .run = 1,
                                        .epoch = 1,
                                        .batch_keys = scale->batch_keys,
                                        .heartbeat = USEC_PER_SEC,
                                        .lease = 3 * USEC_PER_SEC,
                                        .node_wait = 60 * USEC_PER_SEC,
                                        .speculate_after = 3 * USEC_PER_SEC,
                                        .drain_time = 10 * USEC_PER_SEC,
                                        .trust_crash = true};
    run.core = master_core_new(&config, 0);
    CHECK(run.core);
    printf("%d nodes, %" PRId64 " keys in %" PRId64 " batches of %d\n",
           scale->nodes, scale->keys, run.n_batches, scale->batch_keys);
    join_all(&run);
    while (!run.finished)
        step(&run);
    CHECK(run.done == scale->keys);
    print_result(&run);
    master_core_free(&run.core);
    pipeline_free(&run.pipeline);
    settings_free(&run.settings);
    free(run.closed);
    free(run.nodes);
    free(run.heap);
}
