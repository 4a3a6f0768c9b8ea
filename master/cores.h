/*
 * cores.h: the cores that this process may use.
 *
 * The scheduler's affinity mask, and no more than the CPU quota of the
 * cgroups that the process is in (version 2, or version 1's cpu controller),
 * rounded down but at least one: the way containers grant cores.
 */
#ifndef MASTER_CORES_H
#define MASTER_CORES_H

#include <stddef.h>

#define CORES_MAX 1024

struct cores {
    int cpus[CORES_MAX]; /* the numbers of the mask, ascending */
    size_t n_cpus;       /* in the mask */
    size_t n_granted;    /* min(n_cpus, quota) */
};

void cores_read(struct cores *ret);

#endif
