/*
 * master_process.h: a process of the master: the shell around the real core.
 *
 * It does what master.c does, without I/O. Each one has a newer epoch; an
 * older one may still be there, standing still.
 */
#ifndef SIMULATION_MASTER_PROCESS_H
#define SIMULATION_MASTER_PROCESS_H

#include "adaptive_rules.h"
#include "core/master_core.h"
#include "scenario.h"

struct world;

struct sim_master {
    int index;
    char name[16]; /* for the history */
    bool alive;
    struct master_core *core;
    int64_t epoch;
    int64_t run;
    usec_t paused_until;
    usec_t tick_at;
    int sockets[SCENARIO_NODES_MAX]; /* number of the node's task socket */
    bool socket_open[SCENARIO_NODES_MAX];
    char endpoint[64];               /* of the last welcome */
    int in_vain[SCENARIO_NODES_MAX]; /* times that it gave tasks to a node that
                                        is not connected, one after another */
    usec_t in_vain_at[SCENARIO_NODES_MAX];
    bool loading, looking;
    int64_t asked;     /* answers to older questions are thrown away */
    usec_t stopped_at; /* SIGINT came; USEC_NEVER: not */
    int64_t welcomed[SCENARIO_NODES_MAX]; /* the incarnation, of each node */
    struct adaptive_rule adaptive[ADAPTIVE_WORKERS];
};

/* Takes the run over; the master before it, if any, is reached no more. */
void master_start(struct world *world, bool resumed);
/* A new master after `delay`, unless there is one by then. */
void master_start_after(struct world *world, usec_t delay);
/* Ends the process at once; local nodes end with it. */
void master_die(struct world *world, struct sim_master *master);
void master_fini(struct sim_master *master);

void master_feed(struct world *world, struct sim_master *master,
                 const struct master_event *event);

void master_receive(struct world *world, struct sim_master *master,
                    const struct message *message);

#endif
