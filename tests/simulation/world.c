/*
 * world.c: see world.h.
 *
 * The queue is a binary heap ordered by time and number. An event of a process
 * that stands still goes back into the queue with its number unchanged, so
 * that on waking everything comes in the order in which it arrived.
 */
#include "world.h"

#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include "faults.h"
#include "memory.h"

#define START_AT (10 * USEC_PER_SEC)
#define AFTER_END (10 * USEC_PER_SEC)

struct name {
    UT_hash_handle hh;
    char text[];
};

void *world_alloc(size_t bytes)
{
    void *memory = calloc(1, bytes ? bytes : 1);
    CHECK(memory);
    return memory;
}

const char *world_name(struct world *world, struct slice text)
{
    struct name *name = NULL;
    HASH_FIND(hh, world->names, text.data, text.len, name);
    if (!name) {
        name = world_alloc(sizeof(*name) + text.len + 1);
        if (text.len)
            memcpy(name->text, text.data, text.len);
        HASH_ADD_KEYPTR(hh, world->names, name->text, text.len, name);
    }
    return name->text;
}

/*
 * What happened
 */

void world_write(struct world *world, const char *who, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    printf("%11.6f %-8s ", (double)world->now / 1e6, who);
    char line[600];
    vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    char *no_batch = strstr(line, ", batch 0"); /* a message about none */
    if (no_batch && !no_batch[strlen(", batch 0")])
        *no_batch = '\0';
    printf("%s\n", line);
}

void rule_broken(struct world *world, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(world->outcome->rule, sizeof(world->outcome->rule), format, args);
    va_end(args);
    world->outcome->failed = true;
    world_log(world, "rule", "%s", world->outcome->rule);
    fflush(NULL);
    _exit(1);
}

/*
 * The queue
 */

static bool is_before(const struct event *a, const struct event *b)
{
    return a->at != b->at ? a->at < b->at : a->number < b->number;
}

static struct event *heap_push(struct world *world, const struct event *event)
{
    if (world->n_events == world->capacity) {
        world->capacity = world->capacity * 2 + 256;
        world->heap =
            realloc(world->heap, world->capacity * sizeof(*world->heap));
        CHECK(world->heap);
    }
    struct event copy = *event;
    size_t i = world->n_events++;
    while (i && is_before(&copy, &world->heap[(i - 1) / 2])) {
        world->heap[i] = world->heap[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    world->heap[i] = copy;
    return &world->heap[i];
}

static struct event heap_pop(struct world *world)
{
    struct event first = world->heap[0];
    struct event last = world->heap[--world->n_events];
    size_t i = 0;
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= world->n_events)
            break;
        if (child + 1 < world->n_events &&
            is_before(&world->heap[child + 1], &world->heap[child]))
            child++;
        if (!is_before(&world->heap[child], &last))
            break;
        world->heap[i] = world->heap[child];
        i = child;
    }
    if (world->n_events)
        world->heap[i] = last;
    world->heap[world->n_events].data = NULL; /* it is first's, or last's */
    return first;
}

struct event *world_after(struct world *world, usec_t delay, event_run *run)
{
    return heap_push(world, &(struct event){.at = world->now + delay,
                                            .number = world->numbers++,
                                            .run = run});
}

struct event *world_after_node(struct world *world, struct sim_node *node,
                               usec_t delay, event_run *run)
{
    struct event *event = world_after(world, delay, run);
    event->owner = OWNER_NODE;
    event->index = node->index;
    event->process = node->process;
    return event;
}

struct event *world_after_master(struct world *world, struct sim_master *master,
                                 usec_t delay, event_run *run)
{
    struct event *event = world_after(world, delay, run);
    event->owner = OWNER_MASTER;
    event->index = master->index;
    return event;
}

/* When the event's process can take it: now, later, or USEC_NEVER. */
static usec_t ready_at(struct world *world, const struct event *event)
{
    if (event->owner == OWNER_MASTER) {
        const struct sim_master *master = &world->masters[event->index];
        return master->alive ? master->paused_until : USEC_NEVER;
    }
    if (event->owner == OWNER_NONE)
        return 0;
    struct sim_node *node = &world->nodes[event->index];
    if (!node->alive || node->process != event->process)
        return USEC_NEVER;
    if (node->paused_until > world->now)
        return node->paused_until;
    if (node->busy_until > world->now)
        return node->busy_until;
    if (node->slow_until > world->now)
        node->busy_until =
            world->now + random_range(&world->node_rng, 1, 30) * USEC_PER_MSEC;
    return 0;
}

static void step(struct world *world)
{
    struct event event = heap_pop(world);
    world->now = event.at;
    usec_t ready = ready_at(world, &event);
    if (ready == USEC_NEVER) {
        free(event.data);
        return;
    }
    if (ready > world->now) {
        event.at = ready;
        (void)heap_push(world, &event);
        return;
    }
    world->outcome->events++;
    event.run(world, &event);
    free(event.data);
}

/*
 * Around a core
 */

#define MEMORY_SPAN (30 * USEC_PER_SEC) /* then there is enough */

void world_core_begins(struct world *world)
{
    int odds = world->scenario->noise[NOISE_MEMORY];
    coverage_watch(true);
    if (world->now > START_AT + MEMORY_SPAN ||
        !random_permille(&world->other_rng, odds))
        return;
    int64_t after = random_range(&world->other_rng, 0, 12);
    memory_fail_after(after, random_permille(&world->other_rng, 500));
}

bool world_core_ended(struct world *world, const char *who)
{
    bool failed = memory_well();
    coverage_watch(false);
    if (!failed)
        return false;
    coverage_cause(CAUSE_MEMORY);
    world->outcome->out_of_memory++;
    world_log(world, who, "was out of memory");
    return true;
}

/*
 * The whole
 */

static void load_pipeline(struct world *world)
{
    struct complaints complaints = {0};
    struct error err = ERROR_NONE;
    scenario_yaml(world->scenario, &world->yaml);
    world->settings = settings_new();
    CHECK(world->settings && !world->yaml.failed);
    if (pipeline_load(buffer_slice(&world->yaml), "simulated.yaml",
                      world->settings, &complaints, &world->pipeline, &err))
        rule_broken(world, "the pipeline: %s: line %d: %s", err.text,
                    complaints.items[0].line, complaints.items[0].text);
    complaints_free(&complaints);
}

static void world_init(struct world *world, const struct scenario *scenario,
                       bool verbose, struct outcome *outcome)
{
    *world = (struct world){.scenario = scenario,
                            .outcome = outcome,
                            .verbose = verbose,
                            .now = START_AT,
                            .calm_after = START_AT,
                            .master = -1};
    world->net_rng = random_stream(scenario->seed, 1);
    world->ledger_rng = random_stream(scenario->seed, 2);
    world->node_rng = random_stream(scenario->seed, 3);
    world->other_rng = random_stream(scenario->seed, 4);
    world->run = LEDGER_ACTOR_FIRST_RUN;
    world->runs_left = scenario->runs - 1;
    for (int i = 0; i < scenario->nodes; i++) {
        struct sim_node *node = &world->nodes[i];
        node->index = i;
        snprintf(node->name, sizeof(node->name), "n%d", i);
        node->terminated_at = USEC_NEVER;
    }
}

static void world_fini(struct world *world)
{
    for (int i = 0; i < world->n_masters; i++)
        master_fini(&world->masters[i]);
    for (int i = 0; i < world->scenario->nodes; i++) {
        store_orphan(world, &world->nodes[i]);
        node_fini(&world->nodes[i]);
    }
    store_fini(world);
    while (world->n_events)
        free(heap_pop(world).data);
    free(world->heap);
    ledger_actor_fini(&world->ledger);
    web_actor_fini(&world->web);
    rules_fini(&world->rules);
    pipeline_free(&world->pipeline);
    settings_free(&world->settings);
    buffer_free(&world->yaml);
    struct name *name, *next;
    HASH_ITER (hh, world->names, name, next) {
        HASH_DEL(world->names, name);
        free(name);
    }
}

static void begin(struct world *world)
{
    load_pipeline(world);
    ledger_actor_begin(world);
    faults_plan(world);
    master_start(world, false);
    for (int i = 0; i < world->scenario->nodes; i++)
        if (!world->nodes[i].gone)
            node_start(world, &world->nodes[i]);
}

void world_run(const struct scenario *scenario, bool verbose,
               struct outcome *outcome)
{
    struct world *world = world_alloc(sizeof(*world));
    world_init(world, scenario, verbose, outcome);
    coverage_begin(world);
    begin(world);
    usec_t deadline = rules_deadline(world);
    while (!world->finished) {
        step(world);
        if (world->now > deadline)
            rule_broken(world, "the run does not end: %zu batches are open",
                        world->ledger.n_open);
        if (outcome->events > WORLD_EVENTS_MAX * scenario_size(scenario))
            rule_broken(world, "events without end");
    }
    world->finished_at = world->now;
    outcome->ended_at = world->now - START_AT;
    usec_t end = world->now + AFTER_END;
    while (world->n_events && world->now < end)
        step(world);
    rules_end(world);
    world_fini(world);
    free(world);
}
