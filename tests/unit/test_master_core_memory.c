/*
 * test_master_core_memory.c: memory runs out, at every place where it can.
 *
 * A small cluster plays a run to its end. Whatever allocation fails, the
 * event says so, nothing is leaked, every invariant holds, and the run ends
 * all the same: what was not taken in is learnt again.
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "alloc_sweep.h"
#include "core/heap.h"
#include "core/master_core.h"

#define BATCHES 12
#define NODES 2
#define STEPS_MAX 400

/* The ledger's truth, and what two nodes hold of it. */
struct world {
    struct master_core *core;
    usec_t now;
    bool open[BATCHES + 1]; /* by number */
    int n_batches;
    bool welcomed[NODES];
    bool holds[NODES][BATCHES + 1];
    int64_t incarnation[NODES];
    int64_t share[NODES];
    bool loading, looking, ended;
    int64_t after;
    int64_t looked[BATCHES];
    size_t n_looked;
    bool told; /* an event said that memory was out */
};

static int number_of(const char *name)
{
    return name[0] - 'a';
}

static void take(struct world *world, const struct master_effect *effect)
{
    const struct message *message = &effect->message;
    switch (effect->type) {
    case MASTER_EFFECT_LOAD:
        world->loading = true;
        world->after = effect->load.after;
        break;
    case MASTER_EFFECT_LOOK:
        world->looking = true;
        world->n_looked = effect->look.n;
        memcpy(world->looked, effect->look.batches,
               effect->look.n * sizeof(*world->looked));
        break;
    case MASTER_EFFECT_FINISH:
        world->ended = true;
        break;
    case MASTER_EFFECT_SEND:
        if (message->type == MESSAGE_WELCOME)
            world->welcomed[number_of(message->node)] = true;
        if (message->type == MESSAGE_TASK)
            world->holds[number_of(message->node)][message->task.batch] = true;
        if (message->type == MESSAGE_SHARE)
            world->share[number_of(message->node)] = message->share.number;
        break;
    default:
        break;
    }
}

static void happen(struct world *world, const struct master_event *event)
{
    struct error err = ERROR_NONE;
    struct master_effect effect;
    if (master_core_event(world->core, world->now, event, &err)) {
        assert_int_equal(err.code, ERR_MEMORY);
        world->told = true;
    }
    master_core_check(world->core);
    while (master_core_effect(world->core, &effect))
        take(world, &effect);
}

static void say(struct world *world, int node, struct message message)
{
    message.epoch = 1;
    message.incarnation = world->incarnation[node];
    message.node[0] = (char)('a' + node);
    happen(world, &(struct master_event){.type = MASTER_EVENT_MESSAGE,
                                         .message = &message});
}

static void greet(struct world *world, int node)
{
    const int64_t crashed[] = {2, 11};
    say(world, node,
        (struct message){.type = MESSAGE_HELLO,
                         .hello = {.version = PROTOCOL_VERSION,
                                   .host = "here",
                                   .ledger_id = "id",
                                   .crashed_batches = crashed,
                                   .n_crashed = 2}});
}

static void beat(struct world *world, int node)
{
    struct held_batch held[BATCHES];
    size_t n = 0;
    for (int i = 1; i <= BATCHES; i++)
        if (world->holds[node][i])
            held[n++] = (struct held_batch){i, 1, 1};
    const struct share_ack ack = {1, world->share[node]};
    say(world, node,
        (struct message){
            .type = MESSAGE_HEARTBEAT,
            .heartbeat = {
                .held = held, .n_held = n, .shares = &ack, .n_shares = 1}});
}

static void hold(struct world *world, int node)
{
    say(world, node,
        (struct message){.type = MESSAGE_HOLD,
                         .hold = {.worker = 1,
                                  .host = "h:80",
                                  .length = 20 * USEC_PER_SEC}});
}

/* Closes the first batch that it holds; batch 1 has two children. */
static void work(struct world *world, int node)
{
    int number = 1;
    while (number <= BATCHES && !world->holds[node][number])
        number++;
    if (number > BATCHES)
        return;
    world->holds[node][number] = false;
    struct message message = {.type = MESSAGE_REPORT,
                              .report = {.batch = number,
                                         .outcome = world->open[number]
                                                        ? REPORT_CLOSED
                                                        : REPORT_ALREADY}};
    const struct report_child children[] = {{10, 1, 1, false},
                                            {11, 1, 1, true}};
    if (number == 1 && world->open[1]) {
        world->open[10] = world->open[11] = true;
        world->holds[node][11] = true;
        message.report.children = children;
        message.report.n_children = 2;
    }
    world->open[number] = false;
    say(world, node, message);
}

/* The shell's and the ledger's own memory is not what is swept here: a row
 * for which there is none is as if the ledger were away. */
static bool row_of(int64_t number, struct batch_row *ret)
{
    *ret = (struct batch_row){.batch = number,
                              .worker = 1,
                              .n_keys = number == 2 ? 2 : 1,
                              .keys_json = strdup("[\"A\"]")};
    return ret->keys_json != NULL;
}

static void answer_page(struct world *world)
{
    struct batch_row rows[BATCHES] = {0};
    struct master_event event = {.type = MASTER_EVENT_PAGE};
    for (int64_t i = world->after + 1; i <= BATCHES; i++)
        if (world->open[i] && !row_of(i, &rows[event.page.n++]))
            event.type = MASTER_EVENT_LEDGER_AWAY;
    world->loading = false;
    if (event.type == MASTER_EVENT_LEDGER_AWAY) {
        for (size_t i = 0; i < event.page.n; i++)
            free(rows[i].keys_json);
    } else {
        event.page.after = world->after;
        event.page.rows = rows;
        event.page.last = true;
    }
    happen(world, &event);
}

static void answer_look(struct world *world)
{
    struct batch_look looks[BATCHES] = {0};
    struct master_event event = {.type = MASTER_EVENT_LOOKED};
    for (size_t i = 0; i < world->n_looked; i++) {
        looks[i].row.batch = world->looked[i];
        if (!world->open[world->looked[i]])
            looks[i].state = BATCH_CLOSED;
        else if (!row_of(world->looked[i], &looks[i].row))
            event.type = MASTER_EVENT_LEDGER_AWAY;
    }
    world->looking = false;
    if (event.type == MASTER_EVENT_LEDGER_AWAY) {
        for (size_t i = 0; i < world->n_looked; i++)
            free(looks[i].row.keys_json);
    } else {
        event.looked.looks = looks;
        event.looked.n = world->n_looked;
    }
    happen(world, &event);
}

static void crash(struct world *world, int node)
{
    const char name[] = {(char)('a' + node), 0};
    memset(world->holds[node], 0, sizeof(world->holds[node]));
    world->welcomed[node] = false;
    happen(world,
           &(struct master_event){.type = MASTER_EVENT_NODE_EXITED,
                                  .exited = {.node = name, .crashed = true}});
    world->incarnation[node]++;
}

static void step(struct world *world, int step)
{
    if (world->loading)
        answer_page(world);
    if (world->looking)
        answer_look(world);
    for (int node = 0; node < NODES && !world->ended; node++) {
        if (!world->welcomed[node])
            greet(world, node);
        else
            beat(world, node);
        if (step > 3)
            work(world, node);
    }
    if (step == 2)
        hold(world, 0);
    if (step == 3 || step == 6)
        crash(world, 1);
    world->now += USEC_PER_SEC;
    happen(world, &(struct master_event){.type = MASTER_EVENT_TICK});
}

static void play(void *context)
{
    struct worker workers[2] = {
        {.class = CLASS_HTML_TABLE},
        {.index = 1, .class = CLASS_HTTP_JSON, .instances = 4}};
    workers[1].request.rate = 10;
    const struct pipeline pipeline = {.workers = workers, .n_workers = 2};
    const struct master_core_config config = {
        .pipeline = &pipeline,
        .ledger_id = "id",
        .epoch = 1,
        .heartbeat = USEC_PER_SEC,
        .lease = 3 * USEC_PER_SEC,
        .node_wait = 60 * USEC_PER_SEC,
        .speculate_after = 3 * USEC_PER_SEC,
        .trust_crash = true,
    };
    struct world world = {.n_batches = BATCHES};
    (void)context;
    world.core = master_core_new(&config, 0);
    if (!world.core) {
        assert_true(alloc_sweep_failed());
        return;
    }
    for (int i = 1; i <= 8; i++)
        world.open[i] = true;
    happen(&world, &(struct master_event){.type = MASTER_EVENT_TICK});
    for (int i = 0; i < STEPS_MAX && !world.ended; i++)
        step(&world, i);
    assert_true(world.ended);
    for (int i = 1; i <= BATCHES; i++)
        assert_false(world.open[i]);
    master_core_free(&world.core);
}

static void test_run_without_memory(void **state)
{
    (void)state;
    assert_true(alloc_sweep(play, NULL) > 50);
}

struct number {
    struct heap_item item;
    unsigned value;
};

static bool is_less(const struct heap_item *a, const struct heap_item *b)
{
    return CONTAINER_OF(a, struct number, item)->value <
           CONTAINER_OF(b, struct number, item)->value;
}

/* Whatever is pushed, moved and removed, the least comes first. */
static void test_heap(void **state)
{
    static struct number numbers[500];
    struct heap heap = {.before = is_less};
    unsigned random = 1, last = 0;
    (void)state;
    assert_true(heap_reserve(&heap, 500));
    for (int i = 0; i < 500; i++) {
        random = random * 1103515245 + 12345;
        numbers[i] = (struct number){.value = random >> 16};
        heap_push(&heap, &numbers[i].item);
    }
    for (int i = 0; i < 500; i += 3) {
        numbers[i].value ^= 0x2aaa;
        heap_moved(&heap, &numbers[i].item);
        heap_check(&heap);
    }
    for (int i = 1; i < 500; i += 3)
        heap_remove(&heap, &numbers[i].item);
    heap_check(&heap);
    struct heap_item *first;
    while ((first = heap_first(&heap))) {
        assert_true(CONTAINER_OF(first, struct number, item)->value >= last);
        last = CONTAINER_OF(first, struct number, item)->value;
        heap_remove(&heap, first);
    }
    heap_free(&heap);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_run_without_memory),
        cmocka_unit_test(test_heap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
