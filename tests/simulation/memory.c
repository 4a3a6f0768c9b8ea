/* memory.c: see memory.h. */
#include "memory.h"

#include <stddef.h>
#include <string.h>

#define NEVER INT64_MAX

void *__real_malloc(size_t bytes);
void *__real_calloc(size_t n, size_t bytes);
void *__real_realloc(void *old, size_t bytes);
void *__wrap_malloc(size_t bytes);
void *__wrap_calloc(size_t n, size_t bytes);
void *__wrap_realloc(void *old, size_t bytes);
char *__wrap_strdup(const char *text);

static int64_t left = NEVER;
static bool fails_on, failed;

void memory_fail_after(int64_t n, bool all)
{
    left = n;
    fails_on = all;
    failed = false;
}

bool memory_well(void)
{
    left = NEVER;
    return failed;
}

static bool is_out(void)
{
    if (left == NEVER || left-- > 0)
        return false;
    left = fails_on ? 0 : NEVER;
    failed = true;
    return true;
}

void *__wrap_malloc(size_t bytes)
{
    return is_out() ? NULL : __real_malloc(bytes);
}

void *__wrap_calloc(size_t n, size_t bytes)
{
    return is_out() ? NULL : __real_calloc(n, bytes);
}

void *__wrap_realloc(void *old, size_t bytes)
{
    return is_out() ? NULL : __real_realloc(old, bytes);
}

char *__wrap_strdup(const char *text)
{
    size_t bytes = strlen(text) + 1;
    char *copy = __wrap_malloc(bytes);
    return copy ? memcpy(copy, text, bytes) : NULL;
}
