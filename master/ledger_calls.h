/*
 * ledger_calls.h: what the running master asks of the ledger: pages of open
 * batches, the state of some, and its lease, renewed three times in its
 * length, with which comes the number of open keys.
 */
#ifndef MASTER_LEDGER_CALLS_H
#define MASTER_LEDGER_CALLS_H

#include <event2/event.h>

#include "core/master_core.h"

struct ledger_calls;

/* What the owner is told, in the loop. */
struct ledger_callbacks {
    void *context;
    void (*on_event)(void *context, const struct master_event *event);
    /* `nodes_told`: what ledger_run_scale() said, or 0. */
    void (*on_renewed)(void *context, int64_t open_keys, int nodes_told);
    /* `final`: the run can't go on. */
    void (*on_trouble)(void *context, const char *why, bool final);
};

/* NULL when memory or threads are out. */
struct ledger_calls *ledger_calls_new(struct event_base *base,
                                      struct ledger *ledger, int64_t run,
                                      int64_t epoch, usec_t lease,
                                      usec_t database_wait,
                                      const struct ledger_callbacks *callbacks);
void ledger_calls_free(struct ledger_calls **calls);

void ledger_calls_load(struct ledger_calls *calls, int64_t after, size_t limit);
void ledger_calls_look(struct ledger_calls *calls, const int64_t *batches,
                       size_t n);

/* When the lease was last renewed, or asked for at the earliest: what another
 * master may do, it may not before a lease from then. */
usec_t ledger_calls_renewed_at(const struct ledger_calls *calls);

#endif
