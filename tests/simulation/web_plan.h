/*
 * web_plan.h: what is to become of each key, by the seed, the queue and the key
 * alone. Of web_actor.c; what others may know is in web_actor.h.
 */
#ifndef SIMULATION_WEB_PLAN_H
#define SIMULATION_WEB_PLAN_H

#include "ledger/reason.h"
#include "random.h"

struct world;

enum plan_kind { PLAN_GOOD, PLAN_BAD, PLAN_BAD_FIRST, PLAN_MOVED };

struct plan {
    enum plan_kind kind;
    enum reason reason;
    int times; /* PLAN_BAD_FIRST: bad answers before the first good one */
};

struct plan web_plan(const struct world *world, int64_t queue, const char *key);

/* Draws that are always the same for this key; `what` tells them apart. */
struct rng web_stream(const struct world *world, uint64_t what, int64_t queue,
                      const char *key);

/* A failure that may pass. */
enum reason web_passing(struct rng *rng);

/* Whether one key's lasting failure is that of all who are in a request with
 * it. */
bool web_fails_all(const struct world *world, int64_t queue, const char *key,
                   struct plan plan);

#endif
