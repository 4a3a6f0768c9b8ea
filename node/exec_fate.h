/*
 * exec_fate.h: whether a program is worth another start, and when. Pure.
 *
 * A program that ends without an answer is watched at its next start, before it
 * gets keys: what ends then ends by itself. An answer proves that it works: all
 * counting begins anew with it.
 */
#ifndef NODE_EXEC_FATE_H
#define NODE_EXEC_FATE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/clock.h"

#define EXEC_WATCH (500 * USEC_PER_MSEC)
#define EXEC_STARTS_MAX                                                        \
    5                    /* in a row that ended while watched: it is hopeless */
#define EXEC_ENDS_MAX 10 /* of one that has never answered: the same */
#define EXEC_BACKOFF (100 * USEC_PER_MSEC) /* before the next; it doubles */

/* Zeroed: it was never started. */
struct exec_fate {
    bool answered, ever_answered; /* this process; any of them */
    int n_unanswered;             /* processes in a row without an answer */
    int n_early; /* of these the last ones that ended while watched */
};

/* A process begins; whether it is to be watched first. */
bool exec_fate_begin(struct exec_fate *fate);
/* It was watched long enough. */
void exec_fate_lived(struct exec_fate *fate);
void exec_fate_answered(struct exec_fate *fate);

/* It has ended, while it was watched or not: how long to wait before the next
 * start; USEC_NEVER: it is hopeless, and `ret_why` says why, as "ends at each
 * start". */
usec_t exec_fate_end(struct exec_fate *fate, bool watched,
                     const char **ret_why);

/* How it ended, by its wait status and the last it said ("": nothing), such as
 * "ended with status 1: ImportError: no module named x". */
void exec_fate_describe(int status, const char *last, char *ret, size_t room);

#endif
