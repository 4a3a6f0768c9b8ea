/*
 * every.h: `windrow run --every`: one run after the other, each at its time.
 *
 * Each is a run of its own in the ledger, with nodes of its own here; those of
 * other machines serve one after the other. No two go on at once. What a run
 * ends with is logged, and the schedule goes on.
 */
#ifndef MASTER_EVERY_H
#define MASTER_EVERY_H

#include "options.h"

/* Returns the exit status: 2 before the first wait, for a bad schedule,
 * pipeline or setting; 0 after a signal while it waits; 130 after one during a
 * run; after --runs the highest of its runs. */
int every_run(const struct options *options);

#endif
