/*
 * scaling.h: how many local nodes a run should have, following its work.
 *
 * Where all nodes are busy computing and batches wait, one more would help:
 * waiting alone is what one node does for thousands of transfers. Where the
 * nodes together use less than fewer of them could, one is let go.
 */
#ifndef MASTER_SCALING_H
#define MASTER_SCALING_H

#include "core/master_core.h"
#include "processes.h"

#define SCALING_BUSY 0.85                     /* of the time: all but always */
#define SCALING_IDLE 0.50                     /* of those that would be left */
#define SCALING_GROW_AFTER (2 * USEC_PER_SEC) /* of busy nodes */
#define SCALING_SHRINK_AFTER (10 * USEC_PER_SEC) /* of idle ones */

/* What was seen of a local node. */
struct scaling_node {
    int64_t number;       /* of its last heartbeat; 0: none yet */
    usec_t spent, uptime; /* as that one said: busy, and in all */
    double busy;          /* the part of the time between the last two */
};

struct scaling {
    int least, most; /* equal: it is as many as that, whatever happens */
    usec_t busy_since, idle_since; /* 0: not now */
    struct scaling_node nodes[PROCESSES_MAX];
};

/*
 * Looks at the nodes (node-1 to node-N of this machine) and says how many
 * there should be, where there are `n` now: n - 1, n or n + 1.
 */
int scaling_look(struct scaling *scaling, const struct master_core *core, int n,
                 usec_t now);

/* The rule alone: `busy` is the least part of its time that one of the `n`
 * nodes is busy, `sum` that of all together, `waiting` whether batches wait. */
int scaling_decide(struct scaling *scaling, int n, double busy, double sum,
                   bool waiting, usec_t now);

#endif
