/*
 * node_timer.c: the heap of everything that waits for a time.
 *
 * A binary heap of pointers to timers that live in what they belong to, so
 * that one can be cleared or moved without a search. heap[i - 1]->index == i
 * holds for each, and no timer is due before its parent at i / 2.
 */
#include "core/node_internal.h"

static void place(struct node_timers *timers, size_t index,
                  struct node_timer *timer)
{
    timers->heap[index - 1] = timer;
    timer->index = index;
}

/* Puts `timer` where it belongs, from the free place `index` on. */
static void sift(struct node_timers *timers, size_t index,
                 struct node_timer *timer)
{
    struct node_timer **heap = timers->heap;
    while (index > 1 && heap[index / 2 - 1]->due > timer->due) {
        place(timers, index, heap[index / 2 - 1]);
        index /= 2;
    }
    for (size_t child = 2 * index; child <= timers->n; child = 2 * index) {
        if (child < timers->n && heap[child]->due < heap[child - 1]->due)
            child++;
        if (heap[child - 1]->due >= timer->due)
            break;
        place(timers, index, heap[child - 1]);
        index = child;
    }
    place(timers, index, timer);
}

bool node_timer_set(struct node_timers *timers, struct node_timer *timer,
                    usec_t due)
{
    if (timer->index) {
        timer->due = due;
        sift(timers, timer->index, timer);
        return true;
    }
    if (timers->n == timers->capacity) {
        size_t capacity = timers->capacity ? 2 * timers->capacity : 256;
        struct node_timer **heap =
            realloc(timers->heap, capacity * sizeof *heap);
        if (!heap)
            return false;
        timers->heap = heap;
        timers->capacity = capacity;
    }
    timer->due = due;
    timers->n++;
    sift(timers, timers->n, timer);
    return true;
}

void node_timer_clear(struct node_timers *timers, struct node_timer *timer)
{
    size_t index = timer->index;
    if (!index)
        return;
    timer->index = 0;
    struct node_timer *last = timers->heap[--timers->n];
    if (last != timer)
        sift(timers, index, last);
}

void node_timer_move(struct node_timers *timers, struct node_timer *from,
                     struct node_timer *to)
{
    CHECK(from->index && timers->heap[from->index - 1] == from);
    to->due = from->due;
    place(timers, from->index, to);
    from->index = 0;
}

void node_timer_check(const struct node_timers *timers)
{
    for (size_t i = 1; i <= timers->n; i++) {
        const struct node_timer *timer = timers->heap[i - 1];
        CHECK(timer->index == i);
        CHECK(i == 1 || timers->heap[i / 2 - 1]->due <= timer->due);
    }
}
