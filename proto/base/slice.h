/*
 * slice.h: a run of bytes that somebody else owns.
 *
 * Not terminated by NUL unless the owner says so. `data` may be NULL only
 * where `len` is 0.
 */
#ifndef BASE_SLICE_H
#define BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct slice {
    const char *data;
    size_t len;
};

static inline struct slice slice_of(const char *text)
{
    return (struct slice){text, text ? strlen(text) : 0};
}

static inline bool slice_equal(struct slice a, struct slice b)
{
    return a.len == b.len && (a.len == 0 || !memcmp(a.data, b.data, a.len));
}

/* For printf's "%.*s". */
#define SLICE_ARGS(s) (int)(s).len, (s).len ? (s).data : ""

#endif
