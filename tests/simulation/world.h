/*
 * world.h: virtual time, and everything that is in it.
 *
 * A priority queue of events; the next one sets the time. An event may belong
 * to a process (of a node or a master): then it is dropped when that process
 * has died, and waits while the process stands still. Nothing in here reads a
 * clock or a random source, so a seed always gives the same history.
 */
#ifndef SIMULATION_WORLD_H
#define SIMULATION_WORLD_H

#include "coverage.h"
#include "ledger_actor.h"
#include "master_process.h"
#include "node_process.h"
#include "pipeline/pipeline.h"
#include "random.h"
#include "rules.h"
#include "scenario.h"
#include "store_actor.h"
#include "web_actor.h"

#define WORLD_MASTERS_MAX 48     /* a fault makes at most two new ones */
#define WORLD_EVENTS_MAX 3000000 /* more in a seed is a loop without end */

/* What a run amounted to; in memory shared with the parent process. */
struct outcome {
    bool failed;
    char rule[512]; /* the one that was broken */
    uint64_t events;
    usec_t ended_at;
    int64_t keys, stored, failures;
    int64_t faults[FAULT_TYPE_COUNT];
    int64_t messages, lost, duplicated;
    int64_t closings, already, answers_lost, refused;
    int64_t poisoned; /* nodes killed by a key */
    int64_t asked;
    int64_t out_of_memory, cut_short, strangers;
    uint32_t coverage[COVERAGE_MOVES_MAX][CAUSE_COUNT];
};

struct event;
struct world;
typedef void event_run(struct world *world, struct event *event);

enum owner_type { OWNER_NONE, OWNER_NODE, OWNER_MASTER };

struct event {
    usec_t at;
    uint64_t number; /* of two at the same time the older one goes first */
    event_run *run;
    enum owner_type owner;
    int index;
    uint32_t process; /* of the node: only that one wants the event */
    int64_t a, b;
    usec_t sent; /* of a task */
    void *data;  /* malloc'ed, freed after the event */
    size_t len;
};

/* A text that is kept once, so that it can be compared by its address. */
struct name;

struct world {
    const struct scenario *scenario;
    struct outcome *outcome;
    bool verbose;
    usec_t now;
    uint64_t numbers;
    struct event *heap;
    size_t n_events, capacity;
    struct name *names;
    struct rng net_rng, ledger_rng, node_rng, other_rng;
    struct settings *settings;
    struct pipeline *pipeline;
    struct buffer yaml;
    struct ledger_actor ledger;
    struct web_actor web;
    struct rules rules;
    struct store_job *orphans; /* begun by processes that have died */
    struct sim_node nodes[SCENARIO_NODES_MAX];
    struct sim_master masters[WORLD_MASTERS_MAX];
    int n_masters;
    usec_t last_report[SCENARIO_NODES_MAX];  /* arrivals of each channel's */
    usec_t last_control[SCENARIO_NODES_MAX]; /* newest message, to keep the */
    usec_t last_task[SCENARIO_NODES_MAX];    /* order */
    int64_t run;                             /* the present one's number */
    int runs_left;                           /* that come after it */
    int master;        /* who is reached by the nodes; -1: none */
    usec_t calm_after; /* the last fault is over */
    usec_t finished_at;
    bool finished; /* of the last run, a master said that nothing is open */
};

/* Runs the scenario to its end; on a broken rule, does not return. */
void world_run(const struct scenario *scenario, bool verbose,
               struct outcome *outcome);

/* An event `delay` from now, to be filled in further before the next call. */
struct event *world_after(struct world *world, usec_t delay, event_run *run);
/* The same, of a node's present process, or of a master. */
struct event *world_after_node(struct world *world, struct sim_node *node,
                               usec_t delay, event_run *run);
struct event *world_after_master(struct world *world, struct sim_master *master,
                                 usec_t delay, event_run *run);

/* The one copy of a text, with its NUL. */
const char *world_name(struct world *world, struct slice text);

void *world_alloc(size_t bytes); /* zeroed; never NULL */

/* Around each event of a core: memory may run out in it, and its moves are
 * counted. The second says whether it did. */
void world_core_begins(struct world *world);
bool world_core_ended(struct world *world, const char *who);

/* Says which rule is broken, and ends this process. */
__attribute__((noreturn)) void rule_broken(struct world *world,
                                           const char *format, ...)
    PRINTF_LIKE(2, 3);

/* A line of the history; costs nothing unless --verbose. */
#define world_log(world, who, ...)                                             \
    do {                                                                       \
        if ((world)->verbose)                                                  \
            world_write((world), (who), __VA_ARGS__);                          \
    } while (0)
void world_write(struct world *world, const char *who, const char *format, ...)
    PRINTF_LIKE(3, 4);

#endif
