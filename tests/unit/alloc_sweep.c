/*
 * alloc_sweep.c: see alloc_sweep.h.
 *
 * Counts what is allocated and freed while a body runs. Only memory that came
 * through here is counted; free() of anything else (a shared library's) must
 * pass, so the addresses given out are kept in a table.
 */
#include "alloc_sweep.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"

#define LIVE_MAX 65536 /* addresses at one time; a power of two */

static bool running;
static bool failed;
static size_t n_allocations;
static size_t fail_at;

/* Open addressing; GONE keeps a chain whole after a removal. */
#define GONE ((void *)1)
static void *live[LIVE_MAX];
static size_t n_live;

static size_t slot_of(const void *memory)
{
    return ((uintptr_t)memory >> 4) * 0x9E3779B97F4A7C15u % LIVE_MAX;
}

static void add_live(void *memory)
{
    size_t i = slot_of(memory);
    while (live[i] && live[i] != GONE)
        i = (i + 1) % LIVE_MAX;
    live[i] = memory;
    n_live++;
}

static void remove_live(const void *memory)
{
    for (size_t i = slot_of(memory); live[i]; i = (i + 1) % LIVE_MAX)
        if (live[i] == memory) {
            live[i] = GONE;
            n_live--;
            return;
        }
}

void *__real_malloc(size_t bytes);
void *__real_calloc(size_t n, size_t bytes);
void *__real_realloc(void *memory, size_t bytes);
void __real_free(void *memory);
void *__wrap_malloc(size_t bytes);
void *__wrap_calloc(size_t n, size_t bytes);
void *__wrap_realloc(void *memory, size_t bytes);
char *__wrap_strdup(const char *text);
void __wrap_free(void *memory);

void *__real_arena_alloc(struct arena *arena, size_t bytes);
char *__real_arena_copy(struct arena *arena, const void *data, size_t len);
char *__real_arena_copy_text(struct arena *arena, const char *text);
void *__wrap_arena_alloc(struct arena *arena, size_t bytes);
char *__wrap_arena_copy(struct arena *arena, const void *data, size_t len);
char *__wrap_arena_copy_text(struct arena *arena, const char *text);

static bool must_fail(void)
{
    if (!running)
        return false;
    if (++n_allocations == fail_at)
        failed = true;
    return n_allocations == fail_at;
}

static void *noted(void *memory)
{
    if (running && memory)
        add_live(memory);
    return memory;
}

void *__wrap_malloc(size_t bytes)
{
    return must_fail() ? NULL : noted(__real_malloc(bytes));
}

void *__wrap_calloc(size_t n, size_t bytes)
{
    return must_fail() ? NULL : noted(__real_calloc(n, bytes));
}

void *__wrap_realloc(void *memory, size_t bytes)
{
    if (must_fail())
        return NULL;
    if (running)
        remove_live(memory);
    return noted(__real_realloc(memory, bytes));
}

char *__wrap_strdup(const char *text)
{
    size_t bytes = strlen(text) + 1;
    char *copy = __wrap_malloc(bytes);
    return copy ? memcpy(copy, text, bytes) : NULL;
}

void __wrap_free(void *memory)
{
    if (running && memory)
        remove_live(memory);
    __real_free(memory);
}

/* An arena's block serves many allocations, of which only the first would
 * ever fail; so these count and fail by themselves. */
void *__wrap_arena_alloc(struct arena *arena, size_t bytes)
{
    return must_fail() ? NULL : __real_arena_alloc(arena, bytes);
}

char *__wrap_arena_copy(struct arena *arena, const void *data, size_t len)
{
    return must_fail() ? NULL : __real_arena_copy(arena, data, len);
}

char *__wrap_arena_copy_text(struct arena *arena, const char *text)
{
    return must_fail() ? NULL : __real_arena_copy_text(arena, text);
}

size_t alloc_sweep(void (*body)(void *context), void *context)
{
    fail_at = 0;
    do {
        fail_at++;
        assert_true(fail_at < ALLOC_SWEEP_MAX);
        memset(live, 0, sizeof live);
        n_allocations = n_live = 0;
        failed = false;
        running = true;
        body(context);
        running = false;
        assert_int_equal(n_live, 0);
    } while (failed);
    return fail_at - 1;
}

bool alloc_sweep_failed(void)
{
    return failed;
}
