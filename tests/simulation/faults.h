/*
 * faults.h: what happens to the processes and machines, from outside.
 */
#ifndef SIMULATION_FAULTS_H
#define SIMULATION_FAULTS_H

struct world;

/* Plans the scenario's faults, and the moment after which all is well. */
void faults_plan(struct world *world);

#endif
