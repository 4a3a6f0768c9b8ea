/*
 * shorten.h: running one scenario apart, and finding the shortest that fails.
 */
#ifndef SIMULATION_SHORTEN_H
#define SIMULATION_SHORTEN_H

#include "scenario.h"
#include "world.h"

/* Runs the scenario in a process of its own, since a broken CHECK ends it.
 * False where a rule broke; `ret` says which. With `verbose`, the history goes
 * to standard output. */
bool run_apart(const struct scenario *scenario, bool verbose,
               struct outcome *ret);

/* Narrows `narrowing` while the seed still fails, and leaves in `ret` what
 * the last failing run said. */
void shorten(uint64_t seed, enum plant plant, struct narrowing *narrowing,
             struct outcome *ret);

#endif
