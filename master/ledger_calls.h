/*
 * ledger_calls.h: what the running master asks of the ledger: pages of open
 * batches, the state of some, and its lease, renewed three times in its
 * length, with which comes the number of open keys. Answers come through the
 * ledger_on_ functions, which cluster.c defines.
 */
#ifndef MASTER_LEDGER_CALLS_H
#define MASTER_LEDGER_CALLS_H

#include <event2/event.h>

#include "core/master_core.h"

struct ledger_calls;

/* NULL when memory or threads are out. */
struct ledger_calls *ledger_calls_new(struct event_base *base,
                                      struct ledger *ledger, int64_t run,
                                      int64_t epoch, usec_t lease,
                                      usec_t database_wait, void *owner);
void ledger_calls_free(struct ledger_calls **calls);

void ledger_calls_load(struct ledger_calls *calls, int64_t after, size_t limit);
void ledger_calls_look(struct ledger_calls *calls, const int64_t *batches,
                       size_t n);

/* The owner's. `final`: the run can't go on. */
void ledger_on_event(void *owner, const struct master_event *event);
void ledger_on_open_keys(void *owner, int64_t open_keys);
void ledger_on_trouble(void *owner, const char *why, bool final);

#endif
