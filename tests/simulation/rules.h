/*
 * rules.h: what must always hold, seen from outside the cores.
 *
 * At each start of a transfer: a valid share, nobody over a budget, no host
 * asked during its hold. After each step: the cores' sizes are bounded and
 * nothing is held past its limit. At the end: every key where it must be
 * (DESIGN, "What must always hold" 1 to 3).
 */
#ifndef SIMULATION_RULES_H
#define SIMULATION_RULES_H

#include <uthash.h>

#include "node_process.h"

struct sim_master;

struct site_id {
    const char *host; /* a world_name() */
    int64_t worker;
    int64_t node; /* -1: of all nodes */
};

/* A bucket that leaks: its level never rises above one for each process. */
struct bucket {
    double level;
    usec_t last;
};

/* Starts at one host by one worker: a bucket that leaks at the budget's rate,
 * another as robots.txt wants it; or a node's hold-back of it. */
struct site {
    struct site_id id;
    struct bucket rate, crawl;
    usec_t hold_until;
    UT_hash_handle hh;
};

struct rules {
    struct site *sites;
    int64_t processes; /* of nodes, ever: each may bring a token of its own */
};

void rules_fini(struct rules *rules);

void rules_share(struct world *world, struct sim_node *node,
                 const struct share *share);
void rules_start(struct world *world, struct sim_node *node,
                 const struct transfer *transfer);
/* The host itself is asked, not its robots.txt. */
void rules_ask(struct world *world, const struct transfer *transfer);
void rules_hold(struct world *world, int node, int worker, const char *host,
                usec_t length);
void rules_forget_holds(struct world *world, int node);

void rules_node(struct world *world, struct sim_node *node);
void rules_master(struct world *world, struct sim_master *master);

/* When the run must be over. */
usec_t rules_deadline(const struct world *world);
void rules_end_run(struct world *world); /* of each run */
void rules_end(struct world *world);     /* and of the last one */

/* The simulation's wall clock. */
usec_t rules_wall(const struct world *world);

#endif
