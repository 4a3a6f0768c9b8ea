/*
 * progress.h: how far the run is, for a person or a program that watches.
 *
 * On a terminal one line that is drawn again and again; elsewhere a line every
 * five seconds, or as JSON one object a second. All on standard error. Counts
 * are what this master heard from the nodes, on top of what the ledger said
 * at its start.
 */
#ifndef MASTER_PROGRESS_H
#define MASTER_PROGRESS_H

#include <stdint.h>

#include "base/clock.h"
#include "options.h"

struct progress;

struct progress_state {
    int64_t done; /* keys stored */
    int64_t failed;
    int64_t before; /* of these two, ended before this master's time */
    int64_t open;   /* keys known and not ended; -1: not known yet */
    int nodes;      /* alive */
    int nodes_wanted;
    bool waiting; /* a node waits for the database */
    bool draining;
};

/* NULL when memory is out. */
struct progress *progress_new(enum progress_mode mode, usec_t now);
void progress_show(struct progress *progress, usec_t now,
                   const struct progress_state *state);
/* The last state, whatever the intervals; the bar's line ends. */
void progress_end(struct progress *progress, usec_t now,
                  const struct progress_state *state);
void progress_free(struct progress **progress);

#endif
