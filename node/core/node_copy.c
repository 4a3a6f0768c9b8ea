/* node_copy.c: deep copies of results, each in one piece of an arena. */
#include <stddef.h>

#include "core/node_internal.h"

/* How much one more piece of memory needs where all are aligned. */
static size_t aligned(size_t bytes)
{
    size_t step = sizeof(max_align_t);
    return (bytes + step - 1) / step * step;
}

static size_t texts_bytes(const struct slice *texts, size_t n)
{
    size_t bytes = 0;
    for (size_t i = 0; i < n; i++)
        bytes += texts[i].len;
    return bytes;
}

/* Copies `n` texts to `to`, their bytes to `*bytes`, which moves on. */
static void copy_texts(struct slice *to, const struct slice *from, size_t n,
                       char **bytes)
{
    for (size_t i = 0; i < n; i++) {
        to[i] = (struct slice){0};
        if (!from[i].data)
            continue; /* NULL stays NULL */
        to[i] = (struct slice){*bytes, from[i].len};
        memcpy(*bytes, from[i].data, from[i].len);
        *bytes += from[i].len;
    }
}

/* The slices of a record: of its fields, then of each set's columns. */
static size_t count_slices(const struct worker *worker)
{
    size_t n = worker->n_fields;
    for (size_t i = 0; i < worker->n_sets; i++)
        n += worker->sets[i].n_fields;
    return n;
}

size_t node_record_bytes(const struct worker *worker,
                         const struct record *record)
{
    size_t bytes = aligned(sizeof *record) +
                   aligned(worker->n_sets * sizeof *record->rows) +
                   count_slices(worker) * sizeof(struct slice) +
                   texts_bytes(record->fields, worker->n_fields);
    for (size_t i = 0; record->rows && i < worker->n_sets; i++)
        bytes += texts_bytes(record->rows[i].columns, worker->sets[i].n_fields);
    return bytes;
}

const struct record *node_copy_record(struct arena *arena,
                                      const struct worker *worker,
                                      const struct record *from)
{
    char *memory = arena_alloc(arena, node_record_bytes(worker, from));
    if (!memory)
        return NULL;
    struct record *record = (struct record *)(void *)memory;
    memory += aligned(sizeof *record);
    struct record_rows *rows = (struct record_rows *)(void *)memory;
    memory += aligned(worker->n_sets * sizeof *rows);
    struct slice *slices = (struct slice *)(void *)memory;
    char *text = (char *)(slices + count_slices(worker));
    *record = *from;
    record->fields = slices;
    copy_texts(slices, from->fields, worker->n_fields, &text);
    slices += worker->n_fields;
    for (size_t i = 0; from->rows && i < worker->n_sets; i++) {
        size_t n = worker->sets[i].n_fields;
        rows[i] = (struct record_rows){from->rows[i].n, slices};
        copy_texts(slices, from->rows[i].columns, n, &text);
        slices += n;
    }
    if (from->rows)
        record->rows = rows;
    return record;
}

static bool copy_text(struct arena *arena, struct slice *text)
{
    if (!text->data)
        return true;
    text->data = arena_copy(arena, text->data, text->len);
    return text->data != NULL;
}

const struct last_answer *node_copy_answer(struct arena *arena,
                                           const struct last_answer *from,
                                           const struct record *record)
{
    struct last_answer *answer = arena_alloc(arena, sizeof *answer);
    if (!answer)
        return NULL;
    *answer = *from;
    answer->fields = record->fields;
    answer->fetched_at = record->fetched_at;
    return copy_text(arena, &answer->url) && copy_text(arena, &answer->etag) &&
                   copy_text(arena, &answer->modified)
               ? answer
               : NULL;
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
