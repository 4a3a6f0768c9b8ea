/* histogram.c: see histogram.h. */
#include "base/histogram.h"

const usec_t histogram_bounds[HISTOGRAM_BOUNDS] = {
    10,     20,      50,      100,     200,      500,     1000,
    2000,   5000,    10000,   20000,   50000,    100000,  200000,
    500000, 1000000, 2000000, 5000000, 10000000, 20000000};

void histogram_add(struct histogram *histogram, usec_t took)
{
    int bucket = 0;
    if (took < 0)
        took = 0;
    while (bucket < HISTOGRAM_BOUNDS && took > histogram_bounds[bucket])
        bucket++;
    histogram->counts[bucket]++;
    histogram->sum += took;
}

void histogram_advance(struct histogram *into, const struct histogram *before,
                       const struct histogram *now)
{
    for (int i = 0; i < HISTOGRAM_BUCKETS; i++)
        into->counts[i] += now->counts[i] - before->counts[i];
    into->sum += now->sum - before->sum;
}

int64_t histogram_count(const struct histogram *histogram)
{
    int64_t n = 0;
    for (int i = 0; i < HISTOGRAM_BUCKETS; i++)
        n += histogram->counts[i];
    return n;
}
