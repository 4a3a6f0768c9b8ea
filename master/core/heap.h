/*
 * heap.h: a binary heap of things that carry their own place in it.
 *
 * The first item is the one that comes before all others. An item is in at
 * most one heap. The heap holds pointers and owns nothing but its array.
 */
#ifndef CORE_HEAP_H
#define CORE_HEAP_H

#include <stdbool.h>
#include <stddef.h>

#include "base/check.h"

/* The struct of `type` whose member `member` is at `pointer`. */
#define CONTAINER_OF(pointer, type, member)                                    \
    ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

struct heap_item {
    size_t at; /* place + 1; 0: in no heap */
};

struct heap {
    struct heap_item **items;
    size_t n, room;
    bool (*before)(const struct heap_item *a, const struct heap_item *b);
};

void heap_free(struct heap *heap);

/* Makes room for `n` items in all, after which pushing so many can't fail. */
MUSTCHECK
bool heap_reserve(struct heap *heap, size_t n);

/* The item must be in no heap and room must have been reserved. */
void heap_push(struct heap *heap, struct heap_item *item);
/* The item must be in this heap. */
void heap_remove(struct heap *heap, struct heap_item *item);
/* After what the order depends on has changed. */
void heap_moved(struct heap *heap, struct heap_item *item);
/* NULL where it is empty. */
struct heap_item *heap_first(const struct heap *heap);
/* CHECKs places and order. */
void heap_check(const struct heap *heap);

#endif
