/*
 * extract_pointer.h: JSON Pointers (RFC 6901) compiled into one tree, so that
 * one pass over a document finds all of them.
 *
 *     /a/b, /a/0/c   becomes   (root) -- a -+- b
 *                                           '- 0 -- c
 */
#ifndef NODE_EXTRACT_POINTER_H
#define NODE_EXTRACT_POINTER_H

#include <stdint.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/slice.h"

#ifdef __cplusplus
extern "C" {
#endif

#define POINTER_NO_INDEX SIZE_MAX
#define POINTER_NO_SLOT (-1)

struct pointer_node {
    struct slice token; /* a member's name, unescaped */
    size_t index;       /* the token as an array index, or POINTER_NO_INDEX */
    int slot;           /* which value lies here, or POINTER_NO_SLOT */
    uint64_t seen;      /* the turn in which a value was last found here */
    struct pointer_node *children;
    struct pointer_node *next; /* a sibling */
};

/*
 * Adds `pointer` below `root` (which is zeroed but for `slot`, at first
 * POINTER_NO_SLOT). Where the pointer is new its node gets `slot`. Returns the
 * slot of the pointer's node, or POINTER_NO_SLOT when memory is out. All
 * memory is the arena's. An array index of more than 18 digits is none.
 */
MUSTCHECK
int pointer_add(struct pointer_node *root, const char *pointer, int slot,
                struct arena *arena);

#ifdef __cplusplus
}
#endif

#endif
