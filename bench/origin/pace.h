/*
 * pace.h: how many times something happened within the last second.
 *
 * It remembers PACE_MAX times; where more happen in a second, it counts that
 * many.
 */
#ifndef ORIGIN_PACE_H
#define ORIGIN_PACE_H

#include <stddef.h>

#include "base/clock.h"

#define PACE_MAX 65536

struct pace {
    size_t oldest, n;
    usec_t times[PACE_MAX];
};

/* Those after `now` less one second, at `now` at the latest. */
size_t pace_count(struct pace *pace, usec_t now);
/* One more, at `now`, which never goes back. */
void pace_add(struct pace *pace, usec_t now);

#endif
