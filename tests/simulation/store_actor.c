/*
 * store_actor.c: see store_actor.h.
 *
 * A job is owned by its node's list until it is begun or dropped, then by the
 * event that is next to happen to it. Its closing is the core's memory, which
 * is copied when the job is begun, as a statement that was sent would be.
 */
#include "store_actor.h"

#include <stdlib.h>
#include <utlist.h>

#include "world.h"

#define STORE_CONNECTIONS 2
#define STORE_RETRY (500 * USEC_PER_MSEC)

struct store_job {
    struct store_job *next, *prev;
    uint64_t id;
    int node;
    uint32_t process;
    bool begun;
    bool dropped; /* by FORGET */
    usec_t waiting_since;
    const struct closing *closing; /* the core's, until begun */
    struct closing copy;
    struct arena arena;
    struct close_result result;
};

static void job_free(struct store_job *job)
{
    arena_free(&job->arena);
    free(job);
}

static void *copy_bytes(struct arena *arena, const void *data, size_t bytes)
{
    void *copy = arena_alloc(arena, bytes ? bytes : 1);
    CHECK(copy);
    if (bytes)
        memcpy(copy, data, bytes);
    return copy;
}

static void copy_slices(struct arena *arena, const struct slice **slices,
                        size_t n)
{
    struct slice *copy = copy_bytes(arena, *slices, n * sizeof(**slices));
    for (size_t i = 0; i < n; i++)
        if (copy[i].data)
            copy[i].data = copy_bytes(arena, copy[i].data, copy[i].len);
    *slices = copy;
}

static void copy_rows(struct world *world, struct arena *arena,
                      struct closing *closing)
{
    size_t n_fields = world->pipeline->workers[closing->worker].n_fields;
    struct closing_rows *rows =
        copy_bytes(arena, closing->rows, closing->n_rows * sizeof(*rows));
    for (size_t i = 0; i < closing->n_rows; i++) {
        const struct record **records = copy_bytes(
            arena, rows[i].records, rows[i].n_records * sizeof(*records));
        for (size_t r = 0; r < rows[i].n_records; r++) {
            struct record *record =
                copy_bytes(arena, records[r], sizeof(*record));
            record->key.data =
                copy_bytes(arena, record->key.data, record->key.len);
            copy_slices(arena, &record->fields, n_fields);
            records[r] = record;
        }
        rows[i].records = records;
    }
    closing->rows = rows;
}

static void copy_answers(struct world *world, struct arena *arena,
                         struct closing *closing)
{
    size_t n_fields = world->pipeline->workers[closing->worker].n_fields;
    struct last_answer *answers = copy_bytes(
        arena, closing->answers, closing->n_answers * sizeof(*answers));
    for (size_t i = 0; i < closing->n_answers; i++) {
        struct slice *url = &answers[i].url, *etag = &answers[i].etag;
        url->data = copy_bytes(arena, url->data, url->len);
        etag->data = copy_bytes(arena, etag->data, etag->len);
        copy_slices(arena, &answers[i].fields, n_fields);
    }
    closing->answers = answers;
}

static void copy_closing(struct world *world, struct store_job *job)
{
    struct closing *copy = &job->copy;
    struct arena *arena = &job->arena;
    *copy = *job->closing;
    if (copy->worker < 0 || copy->worker >= (int)world->pipeline->n_workers)
        rule_broken(world, "a closing of worker %d", copy->worker);
    copy_rows(world, arena, copy);
    copy_answers(world, arena, copy);
    struct closing_failure *failures =
        copy_bytes(arena, copy->failures, copy->n_failures * sizeof(*failures));
    for (size_t i = 0; i < copy->n_failures; i++) {
        failures[i].key.data =
            copy_bytes(arena, failures[i].key.data, failures[i].key.len);
        failures[i].detail.data =
            copy_bytes(arena, failures[i].detail.data, failures[i].detail.len);
    }
    copy->failures = failures;
    struct closing_child *children =
        copy_bytes(arena, copy->children, copy->n_children * sizeof(*children));
    for (size_t i = 0; i < copy->n_children; i++)
        copy_slices(arena, &children[i].keys, children[i].n_keys);
    copy->children = children;
    job->result.children = copy_bytes(arena, NULL, 0);
    if (copy->n_children)
        job->result.children =
            arena_alloc(arena, copy->n_children * sizeof(int64_t));
    CHECK(job->result.children);
}

/* NULL where the process that gave the job has died. */
static struct sim_node *job_node(struct world *world,
                                 const struct store_job *job)
{
    struct sim_node *node = &world->nodes[job->node];
    return node->alive && node->process == job->process ? node : NULL;
}

static void set_waiting(struct world *world, struct sim_node *node,
                        bool waiting)
{
    if (node->store_waiting == waiting)
        return;
    node->store_waiting = waiting;
    world_log(world, node->name, "the store %s",
              waiting ? "waits for its database" : "waits no longer");
    node_feed(world, node,
              &(struct node_event){.type = NODE_EVENT_STORE,
                                   .store_waiting = waiting});
}

static void tell_waiting(struct world *world, struct event *event)
{
    set_waiting(world, &world->nodes[event->index], event->a);
}

static void give_up(struct world *world, struct event *event)
{
    struct sim_node *node = &world->nodes[event->index];
    node->may_exit = true;
    node_feed(world, node,
              &(struct node_event){.type = NODE_EVENT_STORE_GAVE_UP});
}

static event_run answered;

static void orphan_free(struct world *world, struct store_job *job)
{
    DL_DELETE(world->orphans, job);
    job_free(job);
}

static void execute(struct world *world, struct event *event)
{
    static const char *const outcomes[] = {"won", "already", "unknown",
                                           "refused"};
    struct store_job *job = (struct store_job *)(uintptr_t)event->a;
    struct sim_node *node = job_node(world, job);
    bool away = ledger_actor_is_away(world);
    if (away && !node) {
        orphan_free(world, job);
        return;
    }
    if (!away && node && node->wrong_db_until > world->now) {
        job->result.outcome = CLOSE_UNKNOWN;
        node->wrong_db_met = node->may_exit = true;
        coverage_ledger("unknown");
        world_log(world, node->name, "batch %lld is not in its database",
                  (long long)job->copy.batch);
    } else if (!away) {
        ledger_actor_close(world, &job->copy, &job->result);
        world_log(world, "ledger", "batch %lld by %s: %s",
                  (long long)job->copy.batch, job->copy.closer,
                  outcomes[job->result.outcome]);
    }
    if (!node) {
        orphan_free(world, job);
        return;
    }
    bool lost = random_permille(&world->ledger_rng,
                                world->scenario->noise[NOISE_LOST_ANSWER]);
    if (away || lost) {
        if (lost && !away) {
            world->outcome->answers_lost++;
            coverage_ledger("lost answer");
            coverage_cause(CAUSE_LOST_ANSWER);
        }
        if (!job->waiting_since)
            job->waiting_since = world->now;
        if (world->now - job->waiting_since > world->scenario->database_wait)
            world_after_node(world, node, USEC_PER_MSEC, give_up);
        world_after_node(world, node, USEC_PER_MSEC, tell_waiting)->a = true;
        world_after(world, STORE_RETRY, execute)->a = (int64_t)(uintptr_t)job;
        return;
    }
    usec_t latency = random_range(&world->ledger_rng, 200, 20000);
    world_after_node(world, node, latency, answered)->a =
        (int64_t)(uintptr_t)job;
}

static void begin_jobs(struct world *world, struct sim_node *node)
{
    struct store_job *job;
    DL_FOREACH (node->jobs, job) {
        if (job->begun || node->n_begun_jobs >= STORE_CONNECTIONS)
            continue;
        job->begun = true;
        node->n_begun_jobs++;
        copy_closing(world, job);
        usec_t latency = random_range(&world->ledger_rng, 200, 20000);
        world_after(world, latency, execute)->a = (int64_t)(uintptr_t)job;
    }
}

static void answered(struct world *world, struct event *event)
{
    struct sim_node *node = &world->nodes[event->index];
    struct store_job *job = (struct store_job *)(uintptr_t)event->a;
    DL_DELETE(node->jobs, job);
    node->n_begun_jobs--;
    set_waiting(world, node, false);
    if (node->alive)
        node_feed(world, node,
                  &(struct node_event){.type = NODE_EVENT_CLOSED,
                                       .closed = {job->id, job->result}});
    job_free(job);
    if (node->alive)
        begin_jobs(world, node);
}

static void begin_later(struct world *world, struct event *event)
{
    begin_jobs(world, &world->nodes[event->index]);
}

void store_add(struct world *world, struct sim_node *node, uint64_t id,
               const struct closing *closing)
{
    struct store_job *job = world_alloc(sizeof(*job));
    job->id = id;
    job->node = node->index;
    job->process = node->process;
    job->closing = closing;
    DL_APPEND(node->jobs, job);
    world_after_node(world, node, random_range(&world->ledger_rng, 0, 2000),
                     begin_later);
}

void store_forget(struct sim_node *node)
{
    struct store_job *job;
    DL_FOREACH (node->jobs, job)
        job->dropped = !job->begun;
}

void store_let_go(struct sim_node *node)
{
    struct store_job *job, *next;
    DL_FOREACH_SAFE (node->jobs, job, next) {
        if (!job->dropped)
            continue;
        DL_DELETE(node->jobs, job);
        node_core_closing_done(node->core, job->id);
        job_free(job);
    }
}

void store_orphan(struct world *world, struct sim_node *node)
{
    struct store_job *job, *next;
    DL_FOREACH_SAFE (node->jobs, job, next) {
        DL_DELETE(node->jobs, job);
        if (job->begun)
            DL_APPEND(world->orphans, job);
        else
            job_free(job);
    }
    node->n_begun_jobs = 0;
    node->store_waiting = false;
}

void store_fini(struct world *world)
{
    struct store_job *job, *next;
    DL_FOREACH_SAFE (world->orphans, job, next) {
        DL_DELETE(world->orphans, job);
        job_free(job);
    }
}
