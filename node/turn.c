/* turn.c: see turn.h. */
#include "turn.h"

#include "times.h"

static usec_t began; /* 0: the loop waits */
static struct turns turns;

void turn_enter(void)
{
    if (began == 0)
        began = clock_monotonic();
}

void turn_leave(void)
{
    if (began == 0)
        return;
    usec_t took = clock_monotonic() - began;
    began = 0;
    turns.n++;
    turns.total += took;
    histogram_add(&node_times()->turn, took);
    if (took > TURN_LONG)
        turns.n_long++;
    if (took > turns.worst)
        turns.worst = took;
}

struct turns turn_counts(void)
{
    return turns;
}
