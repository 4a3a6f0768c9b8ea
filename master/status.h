/*
 * status.h: how a run goes, told each second to whoever shows it
 * (PROTOCOL.md, "Status").
 *
 * Made from the core's views alone: a status costs the same whether nobody
 * listens or a hundred pages are open, and its length has a limit whatever
 * the number of nodes.
 */
#ifndef MASTER_STATUS_H
#define MASTER_STATUS_H

#include "core/master_core.h"

#define STATUS_VERSION 1
#define STATUS_INTERVAL (950 * USEC_PER_MSEC) /* the loop looks each 250 ms */
#define STATUS_NODES_MAX 256                  /* named; all are counted */
#define STATUS_HOLDS_MAX 64
#define STATUS_TIMED_NODES_MAX 4096 /* whose times are added up */

struct status;

struct status_run {
    const struct pipeline *pipeline; /* outlives the status */
    const char *ledger_id;
    int64_t run, epoch;
    int64_t stored_before, failed_before; /* this master's time */
};

/* NULL when memory is out. */
MUSTCHECK
struct status *status_new(const struct status_run *run);
void status_free(struct status **status);

/* A node's heartbeat: what took it how long since its start. */
void status_take_times(struct status *status, const struct message *heartbeat);

struct status_moment {
    const char *state; /* running, pausing; finished, paused, gave_up */
    bool over;         /* the last one: told at once */
    int64_t open_keys; /* -1: not known yet */
    int nodes_wanted;
};

/* The JSON text, until the next call, each STATUS_INTERVAL; empty between, and
 * where memory is out. */
struct slice status_tell(struct status *status, const struct master_core *core,
                         const struct status_moment *moment);

#endif
