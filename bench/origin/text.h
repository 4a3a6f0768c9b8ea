/*
 * text.h: the small conversions that several files need.
 */
#ifndef ORIGIN_TEXT_H
#define ORIGIN_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"

/* FNV-1a, 64 bits: http://www.isthe.com/chongo/tech/comp/fnv/ */
uint64_t text_hash(const char *text);

/* Spreads the bits of a number over all 64 (the end of splitmix64). */
uint64_t text_mix(uint64_t number);

/* Appends `text` so that HTML, a JSON string, or a CSV field reads it back. */
void text_append_html(struct buffer *to, const char *text);
void text_append_json(struct buffer *to, const char *text);
void text_append_csv(struct buffer *to, const char *text);

/* Decodes %XX of `text` in place. False for a bad %XX, a control character,
 * or what is not UTF-8; `text` is then undefined. */
MUSTCHECK
bool text_percent_decode(char *text);

/* Reads a whole file, at most `bytes_max` long, into `ret`, which the caller
 * frees. */
MUSTCHECK
int text_read_file(const char *path, size_t bytes_max, struct buffer *ret,
                   struct error *err);

#endif
