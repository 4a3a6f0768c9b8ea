/*
 * dashboard_process.h: the dashboard of `windrow run --dashboard`: the same
 * program, beside the run, for as long as it goes on.
 */
#ifndef MASTER_DASHBOARD_PROCESS_H
#define MASTER_DASHBOARD_PROCESS_H

#include "context.h"

/* Whether --dashboard names a place that may be listened at: so said before
 * anything starts. Prints its complaint; the exit status, or 0. */
MUSTCHECK
int dashboard_process_check(const struct context *context);

/* Starts it where --dashboard is given: *ret is its process, else 0. A run goes
 * on without: what went wrong is only said. */
void dashboard_process_start(const struct context *context, pid_t *ret);

/* Ends it and waits for that. */
void dashboard_process_end(pid_t *process);

#endif
