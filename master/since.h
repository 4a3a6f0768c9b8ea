/* since.h: a point of time on the command line. */
#ifndef MASTER_SINCE_H
#define MASTER_SINCE_H

#include <stdbool.h>

#include "base/check.h"
#include "base/clock.h"

/* "2h", "3d", "90s", "500ms": so long before `now`. Else ISO 8601: a date, and
 * behind T or a space a time to the minute, second, or fraction; then Z or
 * +HH:MM, without which it is UTC. False where it is neither. */
MUSTCHECK
bool since_parse(const char *text, usec_t now, usec_t *ret);

#endif
