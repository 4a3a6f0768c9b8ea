/* arena.c: see arena.h. */
#include "base/arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>

struct arena_block {
    struct arena_block *next;
    size_t used;
    size_t size;
    alignas(max_align_t) char bytes[];
};

void arena_free(struct arena *arena)
{
    while (arena->blocks) {
        struct arena_block *next = arena->blocks->next;
        free(arena->blocks);
        arena->blocks = next;
    }
}

void arena_reset(struct arena *arena)
{
    struct arena_block *keep = arena->blocks;
    if (!keep)
        return;
    struct arena rest = {keep->next};
    arena_free(&rest);
    keep->next = NULL;
    keep->used = 0;
}

/* Bytes after the last thing are left zeroed only where memset says so. */
void *arena_alloc(struct arena *arena, size_t bytes)
{
    size_t align = alignof(max_align_t);
    if (bytes > SIZE_MAX / 2)
        return NULL;
    size_t need = (bytes + align - 1) & ~(align - 1);
    struct arena_block *block = arena->blocks;
    if (!block || block->size - block->used < need) {
        size_t size = need > ARENA_BLOCK_BYTES ? need : ARENA_BLOCK_BYTES;
        block = malloc(sizeof *block + size);
        if (!block)
            return NULL;
        *block = (struct arena_block){.next = arena->blocks, .size = size};
        arena->blocks = block;
    }
    void *thing = block->bytes + block->used;
    block->used += need;
    memset(thing, 0, need);
    return thing;
}

char *arena_copy(struct arena *arena, const void *data, size_t len)
{
    if (len == SIZE_MAX)
        return NULL;
    char *copy = arena_alloc(arena, len + 1);
    if (copy && len)
        memcpy(copy, data, len);
    return copy;
}

char *arena_copy_text(struct arena *arena, const char *text)
{
    return arena_copy(arena, text, strlen(text));
}
