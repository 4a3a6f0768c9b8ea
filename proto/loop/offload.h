/*
 * offload.h: calls that can only block, off the loop.
 *
 * Work is done one piece after the other, in the order it was given, by one
 * thread; its end is told in the loop. What a piece needs beyond itself (a
 * database, say) is `shared`: the thread's alone while the offload lives.
 */
#ifndef LOOP_OFFLOAD_H
#define LOOP_OFFLOAD_H

#include <event2/event.h>
#include <stdbool.h>

#include "base/clock.h"

struct offload;

/* A piece of work: the first member of the caller's own struct, which the
 * caller allocates and `done` or `drop` frees. */
struct offload_work {
    void (*run)(struct offload_work *work, void *shared);   /* in the thread */
    void (*done)(struct offload_work *work, void *context); /* in the loop */
    void (*drop)(struct offload_work *work); /* instead of done: the offload
                                                was freed before */
    struct offload_work *next;               /* the offload's */
};

/* `context` is what `done` gets. NULL when memory or threads are out. */
struct offload *offload_new(struct event_base *base, void *shared,
                            void *context);

/*
 * Drops what was not begun, and waits for the piece under way, at most
 * `patience` (USEC_NEVER: as long as it takes). False where that was not
 * enough: then `shared` must be left alone, and the process should end soon.
 */
bool offload_free(struct offload **offload, usec_t patience);

void offload_do(struct offload *offload, struct offload_work *work);

#endif
