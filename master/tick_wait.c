/* tick_wait.c: see tick_wait.h. */
#include "tick_wait.h"

#include <event2/event.h>

#include "base/clock.h"
#include "loop/health.h"
#include "stop_signals.h"

struct tick_wait {
    struct event_base *base;
    struct stop_signals signals;
    struct event *look;
    struct health *health;
    usec_t due, latest; /* of the wall clock */
    enum tick_wait_end end;
};

static void end_with(struct tick_wait *wait, enum tick_wait_end end)
{
    wait->end = end;
    event_base_loopbreak(wait->base);
}

static void on_signal(evutil_socket_t number, short what, void *context)
{
    (void)number;
    (void)what;
    end_with(context, TICK_WAIT_SIGNAL);
}

static void look_at_clock(struct tick_wait *wait)
{
    usec_t now = clock_wall(), left = wait->due - now;
    if (now < wait->latest - TICK_WAIT_BACK_S_MAX * USEC_PER_SEC) {
        end_with(wait, TICK_WAIT_CLOCK_BACK);
        return;
    }
    if (left <= 0) {
        end_with(wait, TICK_WAIT_DUE);
        return;
    }
    wait->latest = now > wait->latest ? now : wait->latest;
    const struct timeval pause = {left < USEC_PER_SEC ? 0 : 1,
                                  left < USEC_PER_SEC ? left : 0};
    evtimer_add(wait->look, &pause);
}

static void on_look(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    look_at_clock(context);
}

static int open_wait(struct tick_wait *wait, const char *health_file,
                     struct error *err)
{
    wait->base = event_base_new();
    wait->look = wait->base ? evtimer_new(wait->base, on_look, wait) : NULL;
    if (!wait->look)
        return error_set(err, ERR_MEMORY, "no memory for an event loop");
    return stop_signals_init(&wait->signals, wait->base, on_signal, wait,
                             err) ||
           health_open(health_file, &wait->health, err) ||
           health_start(wait->health, wait->base, err);
}

static void close_wait(struct tick_wait *wait)
{
    if (wait->look)
        event_free(wait->look);
    stop_signals_fini(&wait->signals);
    health_free(&wait->health);
    if (wait->base)
        event_base_free(wait->base);
}

int tick_wait(int64_t due, const char *health_file, enum tick_wait_end *ret,
              struct error *err)
{
    struct tick_wait wait = {.due = due * USEC_PER_SEC};
    if (!open_wait(&wait, health_file, err)) {
        evtimer_add(wait.look, &(struct timeval){0});
        event_base_dispatch(wait.base);
    }
    close_wait(&wait);
    *ret = wait.end;
    return (int)err->code;
}
