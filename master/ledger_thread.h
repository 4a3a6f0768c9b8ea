/*
 * ledger_thread.h: the ledger's blocking calls, off the master's loop.
 *
 * Work is done one piece after the other, in the order it was given, by one
 * thread, which alone uses the ledger while it runs.
 */
#ifndef MASTER_LEDGER_THREAD_H
#define MASTER_LEDGER_THREAD_H

#include <event2/event.h>

#include "ledger/ledger.h"

#define LEDGER_WORK_MAX 64 /* pieces waiting */

struct ledger_thread;

/* A piece of work: the first member of the caller's own struct, malloc'ed by
 * the caller. */
struct ledger_work {
    /* In the thread. 0, or the error's code. */
    int (*run)(struct ledger *ledger, struct ledger_work *work,
               struct error *err);
    /* In the loop; frees the work. `context` is the thread's. Not called for
     * what was left when the thread was freed: then free_work is. */
    void (*done)(void *context, struct ledger_work *work,
                 const struct error *err);
    void (*free_work)(struct ledger_work *work);
    struct error err;
    struct ledger_work *next;
};

/* The ledger stays the caller's, but is the thread's to use until
 * ledger_thread_free(). NULL when memory or threads are out. */
struct ledger_thread *ledger_thread_new(struct event_base *base,
                                        struct ledger *ledger, void *context);

/* Waits for the piece that is under way. */
void ledger_thread_free(struct ledger_thread **thread);

/* False when LEDGER_WORK_MAX pieces wait already: `work` is the caller's. */
bool ledger_thread_do(struct ledger_thread *thread, struct ledger_work *work);

#endif
