/* pace.c: see pace.h. A ring of times, the oldest first. */
#include "pace.h"

size_t pace_count(struct pace *pace, usec_t now)
{
    while (pace->n && pace->times[pace->oldest] <= now - USEC_PER_SEC) {
        pace->oldest = (pace->oldest + 1) % PACE_MAX;
        pace->n--;
    }
    return pace->n;
}

void pace_add(struct pace *pace, usec_t now)
{
    if (pace->n == PACE_MAX) {
        pace->oldest = (pace->oldest + 1) % PACE_MAX;
        pace->n--;
    }
    pace->times[(pace->oldest + pace->n) % PACE_MAX] = now;
    pace->n++;
}
