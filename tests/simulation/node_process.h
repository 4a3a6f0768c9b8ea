/*
 * node_process.h: a process of a node: the shell around the real core.
 *
 * It does what node.c does, without I/O: hands messages, answers and time to
 * the core, and carries out its effects. A node is a place (a name); processes
 * come and go in it, each with a newer incarnation.
 */
#ifndef SIMULATION_NODE_PROCESS_H
#define SIMULATION_NODE_PROCESS_H

#include <uthash.h>

#include "core/node_core.h"
#include "scenario.h"

#define SIM_BEGUN_MAX 1024
#define SIM_HOST_BYTES 64
#define SIM_BEATS_KEPT 64

struct world;
struct event;
struct store_job;

enum death { DEATH_KILL, DEATH_CRASH, DEATH_EXIT };

/* A request on its way. */
struct transfer {
    uint64_t fetch;
    int worker;
    const char *keys[PIPELINE_REQUEST_KEYS_MAX]; /* world_name()s */
    size_t n_keys;
    char host[SIM_HOST_BYTES];
    usec_t started;
    bool fresh;         /* the answer is known: nobody is asked */
    bool moved;         /* it is the second one, after a redirect */
    usec_t crawl_delay; /* of the host, as the core has it */
    size_t keys_max;
    UT_hash_handle hh;
};

/* The share that a process was last given for a worker, as the network saw
 * it: what the core may spend. */
struct seen_share {
    int64_t number;
    usec_t since; /* without a gap; what was started before does not count */
    usec_t until;
    double rate;
    int in_flight;
};

struct sim_node {
    int index;
    char name[NODE_NAME_BYTES];
    bool alive;
    bool haunted;     /* PLANT_NO_TAKEOVER: its last process never rests */
    bool lost;        /* its machine is gone for good */
    bool gone;        /* it is not to come back before the faults are over */
    uint32_t process; /* which process this is, of the node */
    struct node_core *core;
    int64_t incarnation;  /* as the core last told it */
    int64_t epoch;        /* of the last welcome it was given */
    int64_t spoken_epoch; /* of what it said last */
    usec_t fed_at;        /* when its core was given something last */
    usec_t slept_until;   /* the end of its last pause longer than a lease */
    usec_t paused_until, slow_until, busy_until;
    usec_t cut_until;
    bool cut_loses;
    usec_t tick_at;        /* of the tick that is under way; USEC_NEVER: none */
    usec_t terminated_at;  /* SIGTERM came; USEC_NEVER: not */
    bool may_exit;         /* a reason to exit was given */
    usec_t wrong_db_until; /* its database is without the run */
    bool wrong_db_met;     /* ... and that was seen: its name is refused */
    /* Where its PULL is connected to. */
    int task_master;
    int task_socket;
    struct transfer *transfers;
    struct store_job *jobs;
    size_t n_begun_jobs;
    bool store_waiting;
    int64_t begun[SIM_BEGUN_MAX]; /* batches it works on, for the note that a
                                     crash leaves */
    usec_t begun_at[SIM_BEGUN_MAX];
    size_t n_begun;
    int64_t crashed[64];
    size_t n_crashed;
    struct seen_share shares[PIPELINE_WORKERS_MAX];
    int64_t beats; /* number of the last heartbeat */
    usec_t beat_sent[SIM_BEATS_KEPT];
};

/* Starts a process where there is none. */
void node_start(struct world *world, struct sim_node *node);

/* Ends the process at once; a new one starts after `restart` (USEC_NEVER: at
 * the end of the faults). */
void node_die(struct world *world, struct sim_node *node, enum death death,
              usec_t restart);
void node_fini(struct sim_node *node);

/* Gives the core an event and carries out what comes of it. */
void node_feed(struct world *world, struct sim_node *node,
               const struct node_event *event);

/* A message has arrived. `socket` is the tasks' socket it came through, or
 * -1 for control. */
void node_receive(struct world *world, struct sim_node *node,
                  const struct message *message);

/* The transfer is over; false where it was cancelled. `retry_after` as in
 * struct fetched. */
bool node_transfer_end(struct world *world, struct sim_node *node,
                       uint64_t fetch, usec_t retry_after);

/* A batch is the process's no more. */
void node_forget_batch(struct sim_node *node, int64_t batch);

#endif
