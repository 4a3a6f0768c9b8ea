/*
 * histogram.h: how long things took, in a few fixed buckets.
 *
 * The bounds go 1, 2, 5, 10 from 10 µs to 20 s: wide enough for an extraction
 * and for a slow site, and the same everywhere, so that histograms of many
 * nodes can be added.
 */
#ifndef BASE_HISTOGRAM_H
#define BASE_HISTOGRAM_H

#include <stdint.h>

#include "base/clock.h"

#define HISTOGRAM_BOUNDS 20
#define HISTOGRAM_BUCKETS (HISTOGRAM_BOUNDS + 1) /* the last: all beyond */

/* The most that each bucket but the last holds, in microseconds. */
extern const usec_t histogram_bounds[HISTOGRAM_BOUNDS];

struct histogram {
    int64_t counts[HISTOGRAM_BUCKETS];
    usec_t sum;
};

/* A clock that went back (`took` below 0) counts as no time at all. */
void histogram_add(struct histogram *histogram, usec_t took);

/* Adds what `now` has more than `before`; both of one process. */
void histogram_advance(struct histogram *into, const struct histogram *before,
                       const struct histogram *now);

int64_t histogram_count(const struct histogram *histogram);

#endif
