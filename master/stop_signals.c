/*
 * stop_signals.c: see stop_signals.h.
 *
 * libevent notes a signal when it comes and tells it in a later turn. Between
 * the last turn and the end of its events one would be noted and never told;
 * so signals are held off meanwhile. No other thread may take them then.
 */
#include "stop_signals.h"

#include <signal.h>
#include <unistd.h>

#include "options.h"

static const int numbers[] = {SIGINT, SIGTERM};

int stop_signals_init(struct stop_signals *signals, struct event_base *base,
                      event_callback_fn on_signal, void *context,
                      struct error *err)
{
    *signals = (struct stop_signals){.base = base};
    for (int i = 0; i < 2; i++) {
        signals->events[i] = evsignal_new(base, numbers[i], on_signal, context);
        if (!signals->events[i] || evsignal_add(signals->events[i], NULL))
            return error_set(err, ERR_MEMORY, "no memory for an event loop");
    }
    return 0;
}

static void leave_at_once(int number)
{
    (void)number;
    _exit(EXIT_INTERRUPTED);
}

void stop_signals_leave_at_once(void)
{
    for (int i = 0; i < 2; i++)
        signal(numbers[i], leave_at_once);
}

void stop_signals_fini(struct stop_signals *signals)
{
    sigset_t held, before;
    sigemptyset(&held);
    for (int i = 0; i < 2; i++)
        sigaddset(&held, numbers[i]);
    sigprocmask(SIG_BLOCK, &held, &before);
    if (signals->base)
        event_base_loop(signals->base, EVLOOP_NONBLOCK);
    for (int i = 0; i < 2; i++)
        if (signals->events[i])
            event_free(signals->events[i]);
    stop_signals_leave_at_once();
    sigprocmask(SIG_SETMASK, &before, NULL);
    *signals = (struct stop_signals){0};
}
