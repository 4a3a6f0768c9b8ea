/*
 * extract_keyset.h: the keys of one list page as they are found: trimmed,
 * checked, each once, in order.
 */
#ifndef NODE_EXTRACT_KEYSET_H
#define NODE_EXTRACT_KEYSET_H

#include "base/arena.h"
#include "base/check.h"
#include "base/slice.h"

struct extract_keyset {
    struct arena *arena;  /* the caller's: the keys */
    struct arena entries; /* the hash table's entries */
    struct extract_keyset_entry *table;
    size_t n;
    size_t limit;
    size_t n_refused; /* of those added: what key_is_valid() refuses */
    bool no_memory;
};

void extract_keyset_init(struct extract_keyset *set, struct arena *arena,
                         size_t limit);
void extract_keyset_fini(struct extract_keyset *set);

/* Whether more keys are wanted; false after `limit`, or when memory is out. */
bool extract_keyset_add(struct extract_keyset *set, struct slice text);

/* All keys as an array in the caller's arena; NULL when memory is out. */
MUSTCHECK
struct slice *extract_keyset_take(const struct extract_keyset *set);

#endif
