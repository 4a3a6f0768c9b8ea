/*
 * fetch_age.h: how long an answer holds, by what its head says.
 *
 * RFC 9111, for a private cache without guesses of its own: max-age less Age,
 * else Expires less Date; no-cache and whatever makes no sense: not at all.
 */
#ifndef NODE_FETCH_AGE_H
#define NODE_FETCH_AGE_H

#include <stdbool.h>
#include <time.h>

#include "base/clock.h"

#define AGE_FRESH_MAX (365 * 24 * 3600 * USEC_PER_SEC)

struct age {
    bool no_store; /* nothing is to be kept of it */
    bool no_cache;
    long long max_age; /* seconds; -1: nothing was said */
};

#define AGE_UNKNOWN ((struct age){.max_age = -1})

/* One Cache-Control header's value; several add up. */
void age_add(struct age *age, const char *cache_control);

/* How long it is fresh from now on; 0: it is not. `age_header` is Age's value,
 * NULL: none; `expires` and `date` are -1 where they are no dates. */
usec_t age_fresh(const struct age *age, const char *age_header, time_t expires,
                 time_t date);

#endif
