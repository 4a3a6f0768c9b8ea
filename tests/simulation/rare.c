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
    if (random_permille(rng, 800)) {
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

/*
 * The helpers of those that follow: their faults are all their own.
 */

#define MSEC USEC_PER_MSEC
#define SEC USEC_PER_SEC

static usec_t between(struct rng *rng, usec_t least, usec_t most)
{
    return random_range(rng, least, most);
}

static void add(struct scenario *s, enum fault_type type, int node, usec_t at,
                usec_t length)
{
    if (s->n_faults < SCENARIO_FAULTS_MAX && at >= 0)
        s->faults[s->n_faults++] = (struct fault){
            .type = type, .node = node, .at = at, .length = length};
}

/* Faults of any kind, each short, so that what is to come comes. */
static void sprinkle(struct rng *rng, struct scenario *s, usec_t from,
                     usec_t to)
{
    for (int64_t n = random_range(rng, -3, 9); n > 0; n--)
        add(s, (enum fault_type)random_range(rng, 0, FAULT_TYPE_COUNT - 1),
            (int)random_range(rng, 0, SCENARIO_NODES_MAX - 1),
            between(rng, from, to), between(rng, 50 * MSEC, 300 * MSEC));
}

/* No noise; or that of the web; or all that there is, with memory that runs
 * out more often; or some of every kind. */
static void draw_quiet_or_not(struct rng *rng, struct scenario *s)
{
    int quiet = (int)random_range(rng, 0, 4);
    for (int i = 0; i < NOISE_TYPE_COUNT; i++)
        if (!quiet || (quiet == 1 && i < NOISE_WEB_PERMANENT))
            s->noise[i] = 0;
    if (quiet == 3 || quiet == 4)
        for (int i = 0; i < NOISE_TYPE_COUNT; i++)
            s->noise[i] += i == NOISE_POISON || i == NOISE_DATA ? 2 : 30;
    s->noise[NOISE_MEMORY] = 0;
    if (quiet == 2 || quiet == 4)
        s->noise[NOISE_MEMORY] = (int)random_range(rng, 2, 6);
}

/* Many keys, each a batch of its own, at few nodes. */
static void draw_many(struct rng *rng, struct scenario *s)
{
    s->nodes = (int)random_range(rng, 1, 3);
    s->keys =
        (int)random_range(rng, SCENARIO_KEYS_DRAWN / 2, SCENARIO_KEYS_DRAWN);
    s->batch_keys = 1;
    s->key_limit = 0;
    s->rate = 0;
    s->in_flight = 0;
    s->many_hosts = false;
}

/* Sites that refuse, and want a long rest. */
static void draw_long_holds(struct scenario *s)
{
    s->refusals = true;
    s->attempts = 5;
    s->backoff = SEC;
    s->hold = 3 * SEC;
    s->noise[NOISE_WEB_TRANSIENT] = 600;
}

/* A crowd that is dropped while it waits for the database. */
static void draw_dropped_crowd(struct rng *rng, struct scenario *s)
{
    static const enum fault_type ends[] = {FAULT_PAUSE, FAULT_SLEEP,
                                           FAULT_MASTER_KILL, FAULT_TAKEOVER};
    draw_many(rng, s);
    draw_quiet_or_not(rng, s);
    s->n_faults = 0;
    s->instances = 64;
    s->latency_max = between(rng, 300, 1500) * MSEC;
    if (random_permille(rng, 400))
        s->noise[NOISE_POISON] = s->noise[NOISE_DATA] = 2;
    usec_t away = between(rng, 300, 2000) * MSEC;
    usec_t end = away + between(rng, 500, 3000) * MSEC;
    enum fault_type type = ends[random_range(rng, 0, 3)];
    add(s, FAULT_LEDGER_AWAY, 0, away, 12 * SEC);
    for (int i = 0; i < s->nodes; i++)
        add(s, type, i, end, between(rng, 3100, 4500) * MSEC);
    sprinkle(rng, s, end - SEC, end + 3 * SEC);
}

/* A node whose database is wrong, which it says while nobody hears it. */
static void draw_unheard_refusal(struct rng *rng, struct scenario *s)
{
    draw_quiet_or_not(rng, s);
    s->n_faults = 0;
    s->local = false;
    s->nodes = (int)random_range(rng, 2, 4);
    s->rate = 0;
    s->batch_keys = (int)random_range(rng, 1, 3);
    s->keys = SCENARIO_KEYS_DRAWN;
    s->instances = (int)random_range(rng, 2, 8);
    s->latency_max = between(rng, 200, 1000) * MSEC;
    usec_t cut = between(rng, 500, 3000) * MSEC;
    usec_t length = between(rng, 3050, 5500) * MSEC;
    usec_t end = cut + length;
    add(s, FAULT_CUT_LATE, 0, cut, length);
    add(s, FAULT_WRONG_DB, 0, cut + between(rng, 0, 1500) * MSEC, 20 * SEC);
    sprinkle(rng, s, end - 4500 * MSEC, end);
    if (random_permille(rng, 300)) { /* signals wait for who stands still */
        add(s, FAULT_MASTER_PAUSE, 0, end - 100 * MSEC, SEC);
        add(s, FAULT_STOP, 0, end + 500 * MSEC, SEC);
    }
}

/* A master that is overtaken while a node can't be heard; what the node said
 * comes to it, and it wakes to read it when its successor is gone too. */
static void draw_overtaken(struct rng *rng, struct scenario *s)
{
    static const enum fault_type ends[] = {FAULT_LEAVE, FAULT_KILL,
                                           FAULT_CRASH};
    bool wrong = random_permille(rng, 500), away = random_permille(rng, 500);
    bool leaves = random_permille(rng, 500);
    usec_t cut = between(rng, 500, 2000) * MSEC;
    usec_t length = between(rng, 3200, 6000) * MSEC;
    usec_t taken =
        cut + between(rng, 3100, (length + 500 * MSEC) / MSEC) * MSEC;
    usec_t late = between(rng, 300, 4500) * MSEC;
    usec_t next = taken + 2 * SEC + late / 2;
    draw_unheard_refusal(rng, s);
    s->n_faults = 0;
    add(s, FAULT_CUT_LATE, 0, cut, length);
    add(s, FAULT_TAKEOVER, 0, taken, late);
    if (wrong)
        add(s, FAULT_WRONG_DB, 0, cut + between(rng, 0, 1500) * MSEC, 20 * SEC);
    if (away)
        add(s, FAULT_LEDGER_AWAY, 0, cut + 2900 * MSEC, 9 * SEC);
    if (leaves)
        add(s, ends[random_range(rng, 0, 2)], 0, between(rng, cut, next),
            100 * MSEC);
    add(s, random_permille(rng, 500) ? FAULT_STOP : FAULT_MASTER_KILL, 0,
        next + between(rng, 10, late / 2 / MSEC) * MSEC, 50 * MSEC);
    if (random_permille(rng, 300))
        sprinkle(rng, s, next, next + late);
}

/* Nodes that end just after they have said that their database is wrong; what
 * they said comes late. */
static void draw_last_words(struct rng *rng, struct scenario *s)
{
    static const enum fault_type ends[] = {FAULT_LEAVE, FAULT_KILL, FAULT_STOP,
                                           FAULT_TAKEOVER};
    draw_unheard_refusal(rng, s);
    s->n_faults = 0;
    s->local = random_permille(rng, 700);
    s->noise[NOISE_REORDER] = s->local ? s->noise[NOISE_REORDER] : 1000;
    s->noise[NOISE_DELAY] = 1000;
    s->net_delay_max = 200 * MSEC;
    usec_t at = between(rng, 500, 4000) * MSEC;
    usec_t end = at + between(rng, 0, 1000) * MSEC;
    add(s, FAULT_WRONG_DB, 0, at, 20 * SEC);
    add(s, ends[random_range(rng, 0, 3)], 0, end, 50 * MSEC);
    add(s, random_permille(rng, 700) ? FAULT_KILL : FAULT_LEAVE, 0,
        end + between(rng, 0, 300) * MSEC, 50 * MSEC);
    sprinkle(rng, s, end - 3 * SEC, end);
}

/* SIGINT for a master that stands still; it drains long after. */
static void draw_late_stop(struct rng *rng, struct scenario *s)
{
    draw_many(rng, s);
    draw_quiet_or_not(rng, s);
    draw_long_holds(s);
    s->n_faults = 0;
    s->local = false;
    s->serve = random_permille(rng, 500);
    s->instances = (int)random_range(rng, 1, 4);
    s->latency_max = between(rng, 50, 2000) * MSEC;
    usec_t pause = between(rng, 500, 9000) * MSEC;
    usec_t length = between(rng, 4000, 9000) * MSEC;
    add(s, FAULT_MASTER_PAUSE, 0, pause, length);
    add(s, FAULT_STOP, 0, pause + between(rng, 10, 300) * MSEC, SEC);
    if (random_permille(rng, 300))
        sprinkle(rng, s, pause, pause + length);
}

/* More batches that are not due yet than the master keeps. */
static void draw_many_later(struct rng *rng, struct scenario *s)
{
    draw_many(rng, s);
    draw_long_holds(s);
    s->noise[NOISE_WEB_TRANSIENT] = 900;
    s->instances = 64;
    s->batch_time = 3 * SEC;
    s->latency_max = 300 * MSEC;
    s->hold = between(rng, 3, 12) * SEC;
    for (size_t i = 0; i < s->n_faults; i++)
        s->faults[i].at *= 2;
    if (random_permille(rng, 200)) {
        draw_quiet_or_not(rng, s);
        s->noise[NOISE_WEB_TRANSIENT] = 900;
        s->n_faults = 0;
    }
}

/* Nothing goes wrong but answers that are lost, and then the database is away
 * for long. */
static void draw_told_late(struct rng *rng, struct scenario *s)
{
    for (int i = 0; i < NOISE_TYPE_COUNT; i++)
        s->noise[i] = 0;
    s->noise[NOISE_LOST_ANSWER] = 300;
    s->n_faults = 0;
    add(s, FAULT_LEDGER_AWAY, 0, between(rng, 50, 2000) * MSEC,
        between(rng, 5600, 9000) * MSEC);
}

/* A batch closes long after the one refusal that it met. */
static void draw_long_tail(struct rng *rng, struct scenario *s)
{
    for (int i = 0; i < NOISE_TYPE_COUNT; i++)
        s->noise[i] = 0;
    draw_long_holds(s);
    s->hold = 12 * SEC;
    s->noise[NOISE_WEB_TRANSIENT] = 80;
    s->n_faults = 0;
    s->nodes = (int)random_range(rng, 1, 2);
    s->keys = (int)random_range(rng, 10, 40);
    s->batch_keys = 20;
    s->instances = 20;
    s->rate = 0;
    s->in_flight = 0;
    s->many_hosts = false;
    s->timeout = 20 * SEC;
    s->latency_max = 5 * SEC;
    s->close_after = between(rng, 2000, 5000) * MSEC;
    s->batch_time = 60 * SEC;
}

/* Nodes come and go just as a new master greets them. */
static void draw_new_master(struct rng *rng, struct scenario *s)
{
    static const enum fault_type ends[] = {FAULT_LEAVE, FAULT_KILL,
                                           FAULT_CRASH};
    usec_t kill = between(rng, 500, 4000) * MSEC;
    usec_t next = kill + 2050 * MSEC;
    s->local = false;
    s->nodes = (int)random_range(rng, 4, SCENARIO_NODES_DRAWN);
    s->keys = SCENARIO_KEYS_DRAWN;
    s->noise[NOISE_DELAY] = 1000;
    s->net_delay_max = 200 * MSEC;
    s->n_faults = 0;
    add(s, random_permille(rng, 700) ? FAULT_MASTER_KILL : FAULT_STOP, 0, kill,
        50 * MSEC);
    for (int i = 0; i < 10; i++)
        add(s, ends[random_range(rng, 0, 2)], i,
            next + between(rng, 0, 800) * MSEC, 50 * MSEC);
}

/* Nodes that are parted shortly, in a net that loses much: some never hear
 * that they are welcome again. */
static void draw_deaf(struct rng *rng, struct scenario *s)
{
    draw_many(rng, s);
    s->nodes = (int)random_range(rng, 2, 4);
    s->local = false;
    s->noise[NOISE_LOSS] = 300;
    s->instances = 4;
    s->latency_max = 4 * SEC;
    s->timeout = 20 * SEC;
    s->n_faults = 0;
    for (int i = 0; i < 12; i++)
        add(s, FAULT_CUT_LOSING, i, between(rng, 500, 20000) * MSEC,
            between(rng, 3050, 4000) * MSEC);
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
    else if (kind < 30)
        draw_dropped_crowd(rng, s);
    else if (kind < 37)
        draw_unheard_refusal(rng, s);
    else if (kind < 42)
        draw_overtaken(rng, s);
    else if (kind < 47)
        draw_late_stop(rng, s);
    else if (kind < 51)
        draw_many_later(rng, s);
    else if (kind < 52)
        draw_told_late(rng, s);
    else if (kind < 54)
        draw_long_tail(rng, s);
    else if (kind < 56)
        draw_new_master(rng, s);
    else if (kind < 57)
        draw_deaf(rng, s);
    else if (kind < 61)
        draw_last_words(rng, s);
    else if (kind < 66)
        draw_old_shares(rng, s);
}
