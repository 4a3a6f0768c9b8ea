/*
 * heap.c: see heap.h. Invariant: no item comes before its parent, and
 * items[i]->at == i + 1.
 */
#include "heap.h"

#include <stdlib.h>

#define HEAP_ROOM_MIN 16

void heap_free(struct heap *heap)
{
    free(heap->items);
    heap->items = NULL;
    heap->n = heap->room = 0;
}

bool heap_reserve(struct heap *heap, size_t n)
{
    if (n <= heap->room)
        return true;
    size_t room = heap->room ? heap->room * 2 : HEAP_ROOM_MIN;
    if (room < n)
        room = n;
    struct heap_item **items = realloc(heap->items, room * sizeof(*items));
    if (!items)
        return false;
    heap->items = items;
    heap->room = room;
    return true;
}

static void put(struct heap *heap, size_t place, struct heap_item *item)
{
    heap->items[place] = item;
    item->at = place + 1;
}

static void rise(struct heap *heap, size_t place)
{
    struct heap_item *item = heap->items[place];
    while (place > 0) {
        size_t parent = (place - 1) / 2;
        if (!heap->before(item, heap->items[parent]))
            break;
        put(heap, place, heap->items[parent]);
        place = parent;
    }
    put(heap, place, item);
}

static void sink(struct heap *heap, size_t place)
{
    struct heap_item *item = heap->items[place];
    for (;;) {
        size_t child = 2 * place + 1;
        if (child >= heap->n)
            break;
        if (child + 1 < heap->n &&
            heap->before(heap->items[child + 1], heap->items[child]))
            child++;
        if (!heap->before(heap->items[child], item))
            break;
        put(heap, place, heap->items[child]);
        place = child;
    }
    put(heap, place, item);
}

void heap_push(struct heap *heap, struct heap_item *item)
{
    CHECK(item->at == 0 && heap->n < heap->room);
    put(heap, heap->n++, item);
    rise(heap, heap->n - 1);
}

void heap_remove(struct heap *heap, struct heap_item *item)
{
    CHECK(item->at > 0 && heap->items[item->at - 1] == item);
    size_t place = item->at - 1;
    struct heap_item *moved = heap->items[--heap->n];
    item->at = 0;
    if (moved == item)
        return;
    put(heap, place, moved);
    heap_moved(heap, moved);
}

void heap_moved(struct heap *heap, struct heap_item *item)
{
    CHECK(item->at > 0 && heap->items[item->at - 1] == item);
    rise(heap, item->at - 1);
    sink(heap, item->at - 1);
}

struct heap_item *heap_first(const struct heap *heap)
{
    return heap->n ? heap->items[0] : NULL;
}

void heap_check(const struct heap *heap)
{
    CHECK(heap->n <= heap->room);
    for (size_t i = 0; i < heap->n; i++) {
        CHECK(heap->items[i]->at == i + 1);
        if (i > 0)
            CHECK(!heap->before(heap->items[i], heap->items[(i - 1) / 2]));
    }
}
