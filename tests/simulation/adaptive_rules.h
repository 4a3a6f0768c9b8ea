/*
 * adaptive_rules.h: what a master may grant of a rate that adapts.
 *
 * As docs/pipeline.md has it: a tenth of the ceiling at the beginning, a
 * twentieth of it more each second, half after a refusal. What is kept here
 * is the most that this allows, from what the master hears and says.
 */
#ifndef SIMULATION_ADAPTIVE_RULES_H
#define SIMULATION_ADAPTIVE_RULES_H

#include "scenario.h"
#include "wire/message.h"

#define ADAPTIVE_WORKERS 8
#define ADAPTIVE_HALVINGS 4 /* there are no more in two leases */

struct world;
struct sim_master;

/* Of one worker, at one master. */
struct adaptive_rule {
    double most;  /* it may grant, ... */
    usec_t since; /* ... and more, for each second after this */
    usec_t halved_at;
    struct {
        usec_t at;
        double before;
    } halvings[ADAPTIVE_HALVINGS];
    int n_halvings;
    struct {
        double rate;
        usec_t at;
    } granted[SCENARIO_NODES_MAX];
};

void adaptive_rules_begin(struct world *world, struct sim_master *master);
/* Before the master is given the message. */
void adaptive_rules_heard(struct world *world, struct sim_master *master,
                          const struct message *message);
/* Before the master's message is sent. */
void adaptive_rules_said(struct world *world, struct sim_master *master,
                         const struct message *message);

#endif
