/*
 * arena.h: many small things that die together.
 *
 * An arena hands out memory from blocks and frees it all at once. A batch has
 * one, for its keys and records; so has a parsed pipeline. arena_reset()
 * keeps one block, so that a reused arena stops allocating.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stddef.h>

#include "base/check.h"
#include "base/slice.h"

struct arena_block;

struct arena {
    struct arena_block *blocks; /* the newest first */
};

#define ARENA_EMPTY ((struct arena){0})
#define ARENA_BLOCK_BYTES 8192 /* of a block; a larger thing gets its own */

void arena_free(struct arena *arena);
void arena_reset(struct arena *arena);

/* Zeroed, aligned for anything; NULL when memory is out. */
MUSTCHECK
void *arena_alloc(struct arena *arena, size_t bytes);

/* A copy followed by a NUL that is not counted; NULL when memory is out. */
MUSTCHECK
char *arena_copy(struct arena *arena, const void *data, size_t len);
MUSTCHECK
char *arena_copy_text(struct arena *arena, const char *text);

#endif
