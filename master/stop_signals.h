/*
 * stop_signals.h: SIGINT and SIGTERM as events of a loop, of which none is
 * lost when the loop ends.
 */
#ifndef MASTER_STOP_SIGNALS_H
#define MASTER_STOP_SIGNALS_H

#include <event2/event.h>

#include "base/error.h"

struct stop_signals {
    struct event_base *base;
    struct event *events[2];
};

/* From now on `on_signal` is called in the loop, with the signal's number.
 * ERR_MEMORY; stop_signals_fini() is due all the same. */
MUSTCHECK
int stop_signals_init(struct stop_signals *signals, struct event_base *base,
                      event_callback_fn on_signal, void *context,
                      struct error *err);

/* Turns the loop once, for signals that came and were not told; so the loop's
 * other events must bear that. The next signal ends the process at once, with
 * EXIT_INTERRUPTED. */
void stop_signals_fini(struct stop_signals *signals);

/* The next signal ends the process at once, while there is no loop. */
void stop_signals_leave_at_once(void);

#endif
