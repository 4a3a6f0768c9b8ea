/*
 * extract_keyset.c: see extract_keyset.h.
 *
 * The hash table goes through uthash, whose list of entries keeps the order
 * in which they came. uthash gets its buckets by malloc; when that fails the
 * entry is marked as lost (HASH_NONFATAL_OOM) instead of ending the process.
 */
#include "extract_keyset.h"

#include "extract_text.h"
#include "pipeline/template.h"

#define HASH_NONFATAL_OOM 1
#define uthash_nonfatal_oom(entry) ((entry)->lost = true)
#include <uthash.h>

struct extract_keyset_entry {
    struct slice text;
    bool lost; /* uthash ran out of memory */
    UT_hash_handle hh;
};

void extract_keyset_init(struct extract_keyset *set, struct arena *arena,
                         size_t limit)
{
    *set = (struct extract_keyset){.arena = arena, .limit = limit};
}

void extract_keyset_fini(struct extract_keyset *set)
{
    HASH_CLEAR(hh, set->table);
    arena_free(&set->entries);
}

static bool add_new(struct extract_keyset *set, struct slice text)
{
    struct extract_keyset_entry *entry =
        arena_alloc(&set->entries, sizeof *entry);
    char *copy = arena_copy(set->arena, text.data, text.len);
    if (!entry || !copy)
        return false;
    entry->text = (struct slice){copy, text.len};
    HASH_ADD_KEYPTR(hh, set->table, copy, (unsigned)text.len, entry);
    if (entry->lost)
        return false;
    set->n++;
    return true;
}

bool extract_keyset_add(struct extract_keyset *set, struct slice text)
{
    text = extract_text_trim(text);
    if (!key_is_valid(text)) {
        set->n_refused++;
        return true;
    }
    struct extract_keyset_entry *there;
    HASH_FIND(hh, set->table, text.data, (unsigned)text.len, there);
    if (!there && !add_new(set, text)) {
        set->no_memory = true;
        return false;
    }
    return set->n < set->limit;
}

struct slice *extract_keyset_take(const struct extract_keyset *set)
{
    struct slice *all = arena_alloc(set->arena, set->n * sizeof *all);
    size_t i = 0;
    for (const struct extract_keyset_entry *entry = set->table; all && entry;
         entry = entry->hh.next)
        all[i++] = entry->text;
    return all;
}
