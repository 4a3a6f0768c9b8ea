/*
 * packed.h: a row of texts, some of them NULL, in one run of bytes.
 *
 * Each is its length, 4 bytes with the highest first, then its bytes; NULL is
 * a length of -1 and nothing. That is how PostgreSQL's binary arrays have
 * their elements, so a column of many rows is sent as it lies in memory.
 */
#ifndef BASE_PACKED_H
#define BASE_PACKED_H

#include <endian.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/slice.h"

#define PACKED_HEAD_BYTES 4 /* before each text */

/* Appends `text`; one without data is NULL. At most 2 GiB. */
static inline void packed_put(struct buffer *packed, struct slice text)
{
    uint32_t head = htobe32(text.data ? (uint32_t)text.len : UINT32_MAX);
    buffer_append(packed, &head, sizeof head);
    if (text.data)
        buffer_append_slice(packed, text);
}

/* Takes the next text off the front of `packed`. False at its end, and where
 * it is broken. */
static inline bool packed_take(struct slice *packed, struct slice *ret)
{
    uint32_t head;
    if (packed->len < sizeof head)
        return false;
    memcpy(&head, packed->data, sizeof head);
    size_t len = head == UINT32_MAX ? 0 : be32toh(head);
    if (len > packed->len - sizeof head)
        return false;
    const char *data = packed->data + sizeof head;
    *ret = (struct slice){head == UINT32_MAX ? NULL : data, len};
    *packed = (struct slice){data + len, packed->len - sizeof head - len};
    return true;
}

#endif
