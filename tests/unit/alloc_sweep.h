/*
 * alloc_sweep.h: the Nth allocation fails, for every N.
 *
 * For a test program made so by windrow_alloc_sweep(NAME) in
 * tests/unit/CMakeLists.txt. That puts this file in front of malloc, calloc,
 * realloc, strdup, free and of arena.h's functions, in the program's own
 * objects; shared libraries keep theirs.
 *
 *     static void load_once(void *context) { ... }
 *     alloc_sweep(load_once, &context);
 *
 * `body` runs again and again, with its first allocation failing, then its
 * second, until a run needs no more. It must give all memory back each time
 * (checked), and check for itself that a failure was told.
 */
#ifndef UNIT_ALLOC_SWEEP_H
#define UNIT_ALLOC_SWEEP_H

#include <stdbool.h>
#include <stddef.h>

#define ALLOC_SWEEP_MAX 100000 /* a body that allocates more is a mistake */

/* Returns how many allocations a run without a failure makes. */
size_t alloc_sweep(void (*body)(void *context), void *context);

/* Within a body: whether an allocation of this run has failed. */
bool alloc_sweep_failed(void);

#endif
