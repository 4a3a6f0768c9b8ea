/*
 * bomb.h: a small gzip body that expands to a large one.
 */
#ifndef ORIGIN_BOMB_H
#define ORIGIN_BOMB_H

#include "base/buffer.h"
#include "base/error.h"

#define BOMB_PIECE_BYTES ((size_t)1 << 20)
#define BOMB_PIECES 1024 /* 1 GB in all; 1 MB compressed */

/* Appends it to `to`. Takes some ms. */
MUSTCHECK
int bomb_make(struct buffer *to, struct error *err);

/* Appends `packed` in one more layer of gzip. */
MUSTCHECK
int bomb_nest(struct slice packed, struct buffer *to, struct error *err);

#endif
