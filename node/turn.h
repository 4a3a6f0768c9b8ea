/*
 * turn.h: how long the loop's turns take.
 *
 * A turn begins with the first callback after the wait and ends when the
 * loop is about to wait again. Every callback of the node's loop calls
 * turn_enter() first; the loop calls turn_leave(). There is one loop in a
 * process, so there is one such clock.
 */
#ifndef NODE_TURN_H
#define NODE_TURN_H

#include "base/clock.h"

#define TURN_LONG (5 * USEC_PER_MSEC) /* a longer one is counted */

struct turns {
    int64_t n;
    int64_t n_long;
    usec_t worst;
    usec_t total; /* all turns together: the rest was waiting */
};

void turn_enter(void);
void turn_leave(void);
struct turns turn_counts(void);

#endif
