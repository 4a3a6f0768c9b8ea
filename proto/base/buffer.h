/*
 * buffer.h: a growable run of bytes, always followed by a NUL.
 *
 * Growth can fail: the functions return false and set `failed`, after which
 * all further appends do nothing. So a caller may append many times and check
 * once, at the end.
 */
#ifndef BASE_BUFFER_H
#define BASE_BUFFER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/check.h"
#include "base/slice.h"

struct buffer {
    char *data; /* NULL until the first append */
    size_t len;
    size_t capacity;
    bool failed;
};

#define BUFFER_EMPTY ((struct buffer){0})

void buffer_free(struct buffer *buffer);  /* back to BUFFER_EMPTY */
void buffer_clear(struct buffer *buffer); /* keeps the memory */
bool buffer_reserve(struct buffer *buffer, size_t more);
bool buffer_append(struct buffer *buffer, const void *data, size_t len);
bool buffer_append_slice(struct buffer *buffer, struct slice slice);
bool buffer_append_text(struct buffer *buffer, const char *text);
bool buffer_append_char(struct buffer *buffer, char c);
bool buffer_printf(struct buffer *buffer, const char *format, ...)
    PRINTF_LIKE(2, 3);

/* Never NULL; "" where nothing was appended. */
const char *buffer_text(const struct buffer *buffer);
struct slice buffer_slice(const struct buffer *buffer);

#endif
