/*
 * health.h: a file whose time says that a loop turns.
 *
 * The loop touches the file each second, so a process that stands still, or
 * whose loop is stuck, is seen from outside without a socket: by a container's
 * health check, a probe, a person. `windrow healthy FILE` and
 * `windrow-node --healthy FILE` are that look.
 */
#ifndef LOOP_HEALTH_H
#define LOOP_HEALTH_H

#include <event2/event.h>

#include "base/error.h"

#define HEALTH_INTERVAL_S 1
#define HEALTH_AGE_S_MAX 10 /* an older touch is that of no living loop */

struct health;

/* Makes the file at `path`, before a process gives up the right to. ERR_FILE
 * where it can't be made, ERR_MEMORY. An empty `path`, or NULL: *ret is NULL,
 * which the others take. */
MUSTCHECK
int health_open(const char *path, struct health **ret, struct error *err);

/* Touches the file, from now on and while the loop turns. ERR_MEMORY. */
MUSTCHECK
int health_start(struct health *health, struct event_base *base,
                 struct error *err);

/* What has ended is not healthy: the file is old from now on. To be called
 * before the loop is freed; NULL is fine. */
void health_stop(struct health *health);

/* Stops it, and removes the file if that may still be done. */
void health_free(struct health **health);

/* Whether the file was touched within HEALTH_AGE_S_MAX seconds; ERR_FILE says
 * why it was not. */
MUSTCHECK
int health_check(const char *path, struct error *err);

#endif
