/*
 * transition.h: the moves of the cores' state machines, for the simulation.
 *
 * TRANSITION(machine, from, to) stands where a state changes. It is nothing
 * in the programs; the simulation compiles the cores with
 * WINDROW_SIMULATION and counts each move with the fault just before it
 * (tests/simulation/coverage.c, which has a list of all moves there are).
 */
#ifndef BASE_TRANSITION_H
#define BASE_TRANSITION_H

#ifdef WINDROW_SIMULATION
void transition(const char *machine, int from, int to);
#define TRANSITION(machine, from, to)                                          \
    transition(machine, (int)(from), (int)(to))
#else
#define TRANSITION(machine, from, to) ((void)0)
#endif

#endif
