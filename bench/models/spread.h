/*
 * spread.h: the same work in several threads, or in several processes.
 */
#ifndef MODELS_SPREAD_H
#define MODELS_SPREAD_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

#define SPREAD_WORKERS_MAX 64

struct spread;

/* What worker number `i` does. Of several processes each has its own copy of
 * the memory, but for what spread_shared() gave. */
typedef void spread_work(void *context, int i);

/* Starts `n` workers: threads, or else processes. ERR_MEMORY, ERR_SYSTEM. */
MUSTCHECK
int spread_start(int n, bool processes, spread_work *work, void *context,
                 struct spread **ret, struct error *err);

/* Waits for them all. ERR_SYSTEM where one did not end well. */
MUSTCHECK
int spread_join(struct spread **spread, struct error *err);

/* Zeroed memory that processes share as threads do; NULL when it is out. It
 * lasts until the end of the program. */
void *spread_shared(size_t bytes);

#endif
