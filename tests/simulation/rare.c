/*
 * rare.c: see rare.h.
 *
 * Each function bends a scenario that was drawn: what must come together is
 * set, the rest stays as chance has it.
 */
#include "rare.h"

#include "random.h"
#include "scenario.h"

/* Some moves need much to come together, which pure chance brings about once
 * in a hundred thousand seeds. A crowd: more batches at a node than it may
 * close at once, with a database that is away. */
static void draw_crowd(struct rng *rng, struct scenario *s)
{
    s->nodes = (int)random_range(rng, 1, 2);
    s->keys =
        (int)random_range(rng, SCENARIO_KEYS_DRAWN / 2, SCENARIO_KEYS_DRAWN);
    s->instances = 64;
    s->batch_keys = 1;
    s->key_limit = 0;
    s->rate = 0;
    s->in_flight = 0;
    s->latency_max = 300 * USEC_PER_MSEC;
    for (size_t i = 0; i < s->n_faults; i += 2)
        s->faults[i].type = FAULT_LEDGER_AWAY;
}

/* Another: what a node says of a wrong database comes late, when the master
 * has given the node up. */
static void draw_late_refusal(struct scenario *s)
{
    s->nodes = s->nodes > 1 ? s->nodes : 2;
    s->noise[NOISE_REORDER] = 1000;
    s->noise[NOISE_DELAY] = 1000;
    for (size_t i = 0; i + 1 < s->n_faults; i += 2) {
        struct fault *wrong = &s->faults[i], *cut = &s->faults[i + 1];
        wrong->type = FAULT_WRONG_DB;
        cut->type = FAULT_CUT_LATE;
        cut->node = 0; /* the one with the wrong database */
        cut->at = wrong->at + cut->at % (500 * USEC_PER_MSEC);
        cut->length = 3 * USEC_PER_SEC + cut->length % (3 * USEC_PER_SEC);
    }
}

/* Another: nodes that are parted from the master for longer than a lease while
 * their batches close with children that they keep. */
static void draw_parted(struct scenario *s)
{
    s->noise[NOISE_REORDER] = 1000;
    s->noise[NOISE_DELAY] = 1000;
    s->close_after = 200 * USEC_PER_MSEC;
    s->latency_max = s->timeout / 2;
    s->instances = 64;
    for (size_t i = 0; i < s->n_faults; i++) {
        s->faults[i].type = FAULT_CUT_LATE;
        s->faults[i].length =
            3 * USEC_PER_SEC + s->faults[i].length % (5 * USEC_PER_SEC);
    }
}

/* Another: a budget, and a node that is parted with its share just before the
 * master is killed and comes back at once. */
static void draw_old_shares(struct rng *rng, struct scenario *s)
{
    s->local = false;
    s->nodes = s->nodes > 3 ? 3 : 2;
    s->keys = SCENARIO_KEYS_DRAWN / 2;
    s->instances = 64;
    s->in_flight = (int)random_range(rng, 2, 8);
    s->latency_max = 2 * USEC_PER_SEC;
    s->timeout = 20 * USEC_PER_SEC;
    s->noise[NOISE_WEB_SLOW] = 500;
    s->noise[NOISE_POISON] = 0;
    if (random_permille(rng, 500)) {
        s->noise[NOISE_REORDER] = s->noise[NOISE_DELAY] = 1000;
        s->noise[NOISE_DUPLICATE] = 500;
        s->net_delay_max = 200 * USEC_PER_MSEC;
    }
    for (size_t i = 0; i + 1 < s->n_faults; i += 2) {
        struct fault *cut = &s->faults[i], *kill = &s->faults[i + 1];
        bool resumed = random_permille(rng, 500);
        cut->type = FAULT_CUT_LOSING;
        cut->at %= 20 * USEC_PER_SEC;
        cut->length = 12 * USEC_PER_SEC;
        kill->type = resumed ? FAULT_MASTER_KILL : FAULT_JOIN;
        kill->at = cut->at + random_range(rng, 0, 300) * USEC_PER_MSEC;
        kill->length = random_range(rng, 50, 300) * USEC_PER_MSEC;
    }
}

/* Another: two crashes of one node, the second when what the first one left
 * behind runs alone. */
static void draw_crashes(struct rng *rng, struct scenario *s)
{
    s->nodes = (int)random_range(rng, 1, 2);
    s->batch_keys = (int)random_range(rng, 1, 2);
    s->latency_max = s->timeout / 2;
    s->noise[NOISE_POISON] = 0;
    for (size_t i = 0; i < 2; i++)
        s->faults[i] =
            (struct fault){.type = FAULT_CRASH,
                           .at = random_range(rng, 0, 8000) * USEC_PER_MSEC,
                           .length = 200 * USEC_PER_MSEC};
    s->n_faults = s->n_faults < 2 ? 2 : s->n_faults;
}

/* Another: sites that refuse, each with its own wish for quiet. */
static void draw_refusals(struct rng *rng, struct scenario *s)
{
    s->refusals = true;
    s->nodes = (int)random_range(rng, 2, 4);
    s->attempts = 5;
    s->many_hosts = false;
    s->noise[NOISE_WEB_TRANSIENT] = 600;
}

void rare_draw(struct rng *rng, struct scenario *s)
{
    int kind = (int)random_range(rng, 0, 99);
    if (kind < 5)
        draw_crowd(rng, s);
    else if (kind < 9)
        draw_late_refusal(s);
    else if (kind < 13)
        draw_parted(s);
    else if (kind < 18)
        draw_old_shares(rng, s);
    else if (kind < 22)
        draw_crashes(rng, s);
    else if (kind < 26)
        draw_refusals(rng, s);
}
