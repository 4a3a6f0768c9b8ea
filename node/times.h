/*
 * times.h: how long this process took for what it does; for its heartbeats.
 *
 * There is one loop in a process, so there is one such count.
 */
#ifndef NODE_TIMES_H
#define NODE_TIMES_H

#include "wire/message.h"

/* The process's own, to be added to in the loop. */
struct heartbeat_times *node_times(void);

#endif
