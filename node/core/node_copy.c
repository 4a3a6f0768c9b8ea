/* node_copy.c: deep copies of results, each in one piece of an arena. */
#include "core/node_internal.h"

const struct record *node_copy_record(struct arena *arena, struct slice key,
                                      usec_t wall, const struct slice *fields,
                                      size_t n)
{
    size_t bytes = sizeof(struct record) + n * sizeof(struct slice);
    for (size_t i = 0; i < n; i++)
        bytes += fields[i].len;
    struct record *record = arena_alloc(arena, bytes);
    if (!record)
        return NULL;
    struct slice *copies = (struct slice *)(record + 1);
    char *text = (char *)(copies + n);
    for (size_t i = 0; i < n; i++) {
        if (!fields[i].data)
            continue; /* NULL stays NULL */
        copies[i] = (struct slice){text, fields[i].len};
        memcpy(text, fields[i].data, fields[i].len);
        text += fields[i].len;
    }
    *record = (struct record){key, wall, copies};
    return record;
}

const struct found *node_copy_found(struct arena *arena,
                                    const struct found *from)
{
    size_t bytes = sizeof *from + from->n * sizeof(struct slice);
    for (size_t i = 0; i < from->n; i++)
        bytes += from->keys[i].len;
    struct found *found = arena_alloc(arena, bytes);
    if (!found)
        return NULL;
    struct slice *keys = (struct slice *)(found + 1);
    char *text = (char *)(keys + from->n);
    for (size_t i = 0; i < from->n; i++) {
        keys[i] = (struct slice){text, from->keys[i].len};
        memcpy(text, from->keys[i].data, from->keys[i].len);
        text += from->keys[i].len;
    }
    *found = *from;
    found->keys = keys;
    return found;
}

struct closing_failure *node_copy_failure(struct arena *arena,
                                          const struct closing_failure *from,
                                          struct slice key)
{
    struct closing_failure *failure = arena_alloc(arena, sizeof *failure);
    char *text = arena_copy(arena, from->detail.data, from->detail.len);
    if (!failure || !text)
        return NULL;
    *failure = *from;
    failure->key = key;
    failure->detail.data = text;
    return failure;
}
