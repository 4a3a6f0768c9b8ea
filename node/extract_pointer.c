/* extract_pointer.c: see extract_pointer.h. */
#include "extract_pointer.h"

#define INDEX_DIGITS_MAX 18 /* any such number fits size_t */

/* "~1" is "/" and "~0" is "~". The copy is the arena's. */
static bool unescape_token(struct slice escaped, struct arena *arena,
                           struct slice *ret)
{
    char *token = arena_alloc(arena, escaped.len + 1);
    if (!token)
        return false;
    size_t len = 0;
    for (size_t i = 0; i < escaped.len; i++) {
        char c = escaped.data[i];
        if (c == '~' && i + 1 < escaped.len)
            c = escaped.data[++i] == '1' ? '/' : '~';
        token[len++] = c;
    }
    *ret = (struct slice){token, len};
    return true;
}

/* RFC 6901, section 4: digits without leading zeros. */
static size_t token_index(struct slice token)
{
    bool leading_zero = token.len > 1 && token.data[0] == '0';
    if (token.len == 0 || token.len > INDEX_DIGITS_MAX || leading_zero)
        return POINTER_NO_INDEX;
    size_t index = 0;
    for (size_t i = 0; i < token.len; i++) {
        char c = token.data[i];
        if (c < '0' || c > '9')
            return POINTER_NO_INDEX;
        index = index * 10 + (size_t)(c - '0');
    }
    return index;
}

/* The child of `node` for `token`, made if there is none. */
static struct pointer_node *child_for(struct pointer_node *node,
                                      struct slice token, struct arena *arena)
{
    struct pointer_node **child = &node->children;
    for (; *child; child = &(*child)->next)
        if (slice_equal((*child)->token, token))
            return *child;
    *child = arena_alloc(arena, sizeof **child);
    if (*child)
        **child = (struct pointer_node){.token = token,
                                        .index = token_index(token),
                                        .slot = POINTER_NO_SLOT};
    return *child;
}

int pointer_add(struct pointer_node *root, const char *pointer, int slot,
                struct arena *arena)
{
    struct pointer_node *node = root;
    while (*pointer == '/') {
        pointer++;
        struct slice escaped = {pointer, strcspn(pointer, "/")};
        pointer += escaped.len;
        struct slice token;
        if (!unescape_token(escaped, arena, &token))
            return POINTER_NO_SLOT;
        node = child_for(node, token, arena);
        if (!node)
            return POINTER_NO_SLOT;
    }
    if (node->slot == POINTER_NO_SLOT)
        node->slot = slot;
    return node->slot;
}
