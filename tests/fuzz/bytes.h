/*
 * bytes.h: an input of a fuzz target as a row of choices.
 *
 * Each take_ eats bytes from the front; where there are none left, it gives
 * zeros. So any input means something, and a longer one means more.
 */
#ifndef FUZZ_BYTES_H
#define FUZZ_BYTES_H

#include <stdint.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/slice.h"

struct bytes {
    const uint8_t *at;
    size_t left;
};

static inline unsigned take_byte(struct bytes *bytes)
{
    if (bytes->left == 0)
        return 0;
    bytes->left--;
    return *bytes->at++;
}

/* From 0 to n - 1. */
static inline unsigned take_below(struct bytes *bytes, unsigned n)
{
    CHECK(n > 0 && n <= 256);
    return take_byte(bytes) % n;
}

static inline uint64_t take_word(struct bytes *bytes)
{
    uint64_t word = 0;
    for (int i = 0; i < 8; i++)
        word = word << 8 | take_byte(bytes);
    return word;
}

/* A number of the kind that breaks things, mostly small, never below 0. */
static inline int64_t take_number(struct bytes *bytes)
{
    static const int64_t odd[] = {0,          1,
                                  2,          512,
                                  INT32_MAX,  (int64_t)INT32_MAX + 1,
                                  UINT32_MAX, INT64_MAX - 1,
                                  INT64_MAX};
    unsigned byte = take_byte(bytes);
    if (byte < 224)
        return byte % 16;
    if (byte < 224 + sizeof odd / sizeof *odd)
        return odd[byte - 224];
    return (int64_t)(take_word(bytes) >> 1);
}

/* A length of time, from none to a year, each order of magnitude alike. */
static inline usec_t take_time(struct bytes *bytes)
{
    usec_t time = take_byte(bytes);
    for (unsigned n = take_below(bytes, 12); n > 0; n--)
        time *= 8;
    return time;
}

/* Up to `most` of the input's own bytes. */
static inline struct slice take_slice(struct bytes *bytes, size_t most)
{
    size_t len = take_byte(bytes);
    len = len < most ? len : most;
    len = len < bytes->left ? len : bytes->left;
    struct slice slice = {(const char *)bytes->at, len};
    bytes->at += len;
    bytes->left -= len;
    return slice;
}

#endif
