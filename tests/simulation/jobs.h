/*
 * jobs.h: many seeds, in several processes.
 */
#ifndef SIMULATION_JOBS_H
#define SIMULATION_JOBS_H

#include "scenario.h"
#include "world.h"

#define JOBS_MAX 64
#define JOBS_FAILURES_MAX 5

struct jobs {
    uint64_t first;
    int seeds;
    int processes;
    int failures; /* of one process; then it is enough */
    enum plant plant;
    struct narrowing narrowing;
};

struct failing_seed {
    uint64_t seed;
    struct outcome outcome;
};

struct jobs_result {
    int seeds; /* that were run */
    struct outcome sum;
    int n_failing;
    struct failing_seed failing[JOBS_MAX * JOBS_FAILURES_MAX]; /* by seed */
};

/* Process p of n takes the seeds p, p + n, ... after the first. What comes of
 * them is added to `ret`, which is large: not for the stack. */
void jobs_run(const struct jobs *jobs, struct jobs_result *ret);

#endif
