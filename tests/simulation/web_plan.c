/*
 * web_plan.c: see web_plan.h.
 *
 * A key that is bad "for a while" is bad fewer times than a fetcher tries, so
 * it must be stored in the end.
 */
#include "web_plan.h"

#include <stdlib.h>

#include "web_actor.h"
#include "world.h"

static const enum reason lasting[] = {
    REASON_NOT_FOUND, REASON_STATUS, REASON_FIELD_MISSING, REASON_FIELD_TYPE,
    REASON_TOO_LARGE, REASON_TLS,    REASON_REDIRECT,      REASON_CONNECT,
    REASON_TIMEOUT,   REASON_CUT,    REASON_STATUS_RETRY,  REASON_NOT_JSON,
    REASON_REFUSED};
static const enum reason passing[] = {
    REASON_CONNECT,  REASON_CUT,      REASON_STATUS_RETRY, REASON_TIMEOUT,
    REASON_NOT_JSON, REASON_INTERNAL, REASON_DNS,          REASON_CONNECT,
    REASON_CUT,      REASON_REFUSED};
#define COUNT(array) (int)(sizeof(array) / sizeof((array)[0]))

struct rng web_stream(const struct world *world, uint64_t what, int64_t queue,
                      const char *key)
{
    uint64_t seed = world->scenario->seed * 1000003 + what;
    return (struct rng){random_hash_text(seed + (uint64_t)(queue + 100), key)};
}

static const struct worker *queue_worker(const struct world *world,
                                         int64_t queue)
{
    const struct pipeline *pipeline = world->pipeline;
    return queue < 0 ? &pipeline->workers[-1 - queue]
                     : &pipeline->workers[pipeline->queues[queue].consumers[0]];
}

static struct plan plan_source(const struct world *world,
                               const struct worker *worker, struct rng *rng)
{
    struct plan plan = {.kind = PLAN_GOOD};
    if (!random_permille(rng, world->scenario->noise[NOISE_SOURCE]))
        return plan;
    plan.kind = random_permille(rng, 300) ? PLAN_BAD : PLAN_BAD_FIRST;
    plan.reason = plan.kind == PLAN_BAD ? REASON_NO_TABLE : REASON_CONNECT;
    plan.times = 1;
    if (worker->class == CLASS_SQL) {
        plan.kind = PLAN_BAD;
        plan.reason = REASON_QUERY;
    }
    return plan;
}

struct plan web_plan(const struct world *world, int64_t queue, const char *key)
{
    const struct scenario *s = world->scenario;
    const struct worker *worker = queue_worker(world, queue);
    struct rng rng = web_stream(world, 1, queue, key);
    if (queue < 0)
        return plan_source(world, worker, &rng);
    struct plan plan = {.kind = PLAN_GOOD};
    bool bad = random_permille(&rng, s->noise[NOISE_WEB_PERMANENT]);
    bool first = random_permille(&rng, s->noise[NOISE_WEB_TRANSIENT]);
    bool moved = random_permille(&rng, s->noise[NOISE_WEB_REDIRECT]);
    int last = random_permille(&rng, 150) ? 1 : 2; /* few refusals: slow */
    if (bad) {
        plan.kind = PLAN_BAD;
        plan.reason = lasting[random_range(&rng, 0, COUNT(lasting) - last)];
    } else if (first && worker->request.attempts > 1) {
        plan.kind = PLAN_BAD_FIRST;
        plan.reason = passing[random_range(&rng, 0, COUNT(passing) - last)];
        if (s->refusals)
            plan.reason = REASON_REFUSED;
        plan.times = (int)random_range(&rng, 1, worker->request.attempts - 1);
    } else if (moved) {
        plan.kind = PLAN_MOVED;
    }
    return plan;
}

/* Keys are k0, k1, ...: whether this one is among the `n` chosen ones. */
static bool is_chosen(const struct world *world, uint64_t what, int n,
                      const char *key)
{
    struct rng rng = random_stream(world->scenario->seed, what);
    int number = atoi(key + strspn(key, "kx"));
    for (int i = 0; i < n; i++)
        if (random_range(&rng, 0, world->scenario->keys - 1) == number)
            return true;
    return false;
}

bool web_data_refused(const struct world *world, const char *key)
{
    return is_chosen(world, 11, world->scenario->noise[NOISE_DATA], key);
}

bool web_is_poison(const struct world *world, int64_t queue, const char *key)
{
    return queue == 0 &&
           is_chosen(world, 12, world->scenario->noise[NOISE_POISON], key);
}

/* A request for several keys is not looked up. */
static bool may_be_known(const struct world *world, int64_t queue)
{
    return queue >= 0 && !queue_worker(world, queue)->request.keys_per_request;
}

bool web_is_fresh(const struct world *world, int64_t queue, const char *key)
{
    struct rng rng = web_stream(world, 13, queue, key);
    return may_be_known(world, queue) && random_permille(&rng, 150) &&
           web_plan(world, queue, key).kind == PLAN_GOOD &&
           !web_is_poison(world, queue, key);
}

bool web_is_remembered(const struct world *world, int64_t queue,
                       const char *key)
{
    struct rng rng = web_stream(world, 14, queue, key);
    return may_be_known(world, queue) && random_permille(&rng, 400) &&
           web_plan(world, queue, key).kind != PLAN_MOVED &&
           !web_is_fresh(world, queue, key);
}

static bool is_stored(const struct world *world, const struct worker *worker)
{
    for (size_t i = 0; i < worker->n_output_queues; i++) {
        int queue = worker->output_queues[i];
        const struct worker *next =
            pipeline_consumer(world->pipeline, queue, 0);
        if (next->class == CLASS_STORE)
            return true;
    }
    return false;
}

enum reason web_expect(struct world *world, int64_t queue, const char *key)
{
    if (web_is_poison(world, queue, key))
        return REASON_KILLED_NODE;
    struct plan plan = web_plan(world, queue, key);
    if (plan.kind == PLAN_BAD)
        return plan.reason;
    if (queue >= 0 && is_stored(world, queue_worker(world, queue)) &&
        web_data_refused(world, key))
        return REASON_DATABASE;
    return REASON_NONE;
}

enum reason web_passing(struct rng *rng)
{
    return passing[random_range(rng, 0, COUNT(passing) - 1)];
}

bool web_fails_all(const struct world *world, int64_t queue, const char *key,
                   struct plan plan)
{
    struct rng rng = web_stream(world, 14, queue, key);
    return plan.kind == PLAN_BAD && !reason_may_pass(plan.reason) &&
           plan.reason != REASON_TLS && random_permille(&rng, 500);
}
