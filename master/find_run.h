/* find_run.h: which run a command line means. */
#ifndef MASTER_FIND_RUN_H
#define MASTER_FIND_RUN_H

#include "context.h"

/* `text` is a run's number, its name, or `last`: the newest. Of a run that is
 * named like a number or `last` the number or `last` is meant. Complains, with
 * the nearest name, and returns the exit status, or 0. */
MUSTCHECK
int find_run(struct context *context, const char *text, int64_t *ret);

/* The same, with its row. */
MUSTCHECK
int find_run_row(struct context *context, const char *text,
                 struct run_row *ret);

#endif
