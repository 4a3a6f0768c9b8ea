/*
 * tick_wait.h: waits for a moment of the wall clock, in a loop of its own.
 *
 * The clock is looked at each second, so a machine that was suspended, or whose
 * clock was set, is not waited for longer than it takes. A signal ends the
 * wait, and a health file is touched meanwhile.
 */
#ifndef MASTER_TICK_WAIT_H
#define MASTER_TICK_WAIT_H

#include <stdint.h>

#include "base/error.h"

#define TICK_WAIT_BACK_S_MAX 60 /* a clock set back by more is a new clock */

enum tick_wait_end {
    TICK_WAIT_DUE,
    TICK_WAIT_SIGNAL,     /* SIGINT or SIGTERM */
    TICK_WAIT_CLOCK_BACK, /* the clock was set back: `due` may mean nothing */
};

/* Until `due`, in seconds since 1970. `health_file` as of health_open().
 * ERR_MEMORY, ERR_FILE. */
MUSTCHECK
int tick_wait(int64_t due, const char *health_file, enum tick_wait_end *ret,
              struct error *err);

#endif
