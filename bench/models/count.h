/*
 * count.h: several workers count with one counter, and what that costs.
 *
 * Adding one is three steps: read, add, write. Where two workers read the same
 * number before either has written, one of the two updates is lost. That is a
 * race; all ways but the first keep it from happening.
 */
#ifndef MODELS_COUNT_H
#define MODELS_COUNT_H

#include <stdbool.h>

#include "base/error.h"

#define COUNT_BATCH 512 /* updates in one message of COUNT_BATCHES */

enum count_way {
    COUNT_NOTHING,  /* read, add, write: updates are lost */
    COUNT_MUTEX,    /* only who holds the lock reads and writes */
    COUNT_ATOMIC,   /* one instruction that can't be divided */
    COUNT_MESSAGES, /* one owner counts; each update is sent to it */
    COUNT_BATCHES,  /* the same, many updates in each message */
    COUNT_OWN,      /* a counter for each worker, added up at the end */
};
#define COUNT_WAYS 6
const char *count_way_name(enum count_way way); /* "nothing", "mutex", ... */

struct count_plan {
    enum count_way way;
    int workers;
    bool processes; /* instead of threads */
    long updates;   /* of each worker; a multiple of COUNT_BATCH */
};

/* What the counter holds in the end; workers * updates if none was lost.
 * ERR_MEMORY, ERR_SYSTEM. */
MUSTCHECK
int count_run(const struct count_plan *plan, long *ret, struct error *err);

#endif
