/*
 * bomb.c: see bomb.h.
 *
 * Compressing a gigabyte would stop the loop for seconds. A deflate stream that
 * is flushed with Z_FULL_FLUSH ends at a byte and refers to nothing before it,
 * so one compressed piece can be repeated. The frame around is RFC 1952.
 */
#include "bomb.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

/* One piece of spaces, deflated, into `to`. */
static int deflate_piece(const char *piece, struct buffer *to,
                         struct error *err)
{
    enum { RAW_WINDOW_BITS = -15 }; /* zlib.h: negative means no frame */
    char packed[8192];              /* a piece takes about 1 KB */
    z_stream stream = {0};
    if (deflateInit2(&stream, Z_BEST_COMPRESSION, Z_DEFLATED, RAW_WINDOW_BITS,
                     8, Z_DEFAULT_STRATEGY) != Z_OK)
        return error_set(err, ERR_MEMORY, "out of memory");
    stream.next_in = (z_const Bytef *)piece;
    stream.avail_in = (uInt)BOMB_PIECE_BYTES;
    stream.next_out = (Bytef *)packed;
    stream.avail_out = sizeof packed;
    int status = deflate(&stream, Z_FULL_FLUSH);
    CHECK(status == Z_OK && stream.avail_in == 0 && stream.avail_out > 0);
    buffer_append(to, packed, stream.total_out);
    deflateEnd(&stream);
    return 0;
}

static void append_little_endian(struct buffer *to, uint32_t number)
{
    for (int i = 0; i < 4; i++)
        buffer_append_char(to, (char)(number >> (8 * i) & 0xff));
}

int bomb_make(struct buffer *to, struct error *err)
{
    static const char gzip_head[10] = {0x1f, (char)0x8b, 8, 0, 0,
                                       0,    0,          0, 2, 3};
    static const char last_block[2] = {3, 0}; /* empty, RFC 1951 3.2.3 */
    char *piece = malloc(BOMB_PIECE_BYTES);
    if (!piece)
        return error_set(err, ERR_MEMORY, "out of memory");
    memset(piece, ' ', BOMB_PIECE_BYTES);
    struct buffer packed = BUFFER_EMPTY;
    if (!deflate_piece(piece, &packed, err)) {
        uLong piece_crc = crc32(0, (const Bytef *)piece, BOMB_PIECE_BYTES);
        uLong crc = crc32(0, NULL, 0);
        buffer_append(to, gzip_head, sizeof gzip_head);
        for (int i = 0; i < BOMB_PIECES; i++) {
            buffer_append_slice(to, buffer_slice(&packed));
            crc = crc32_combine(crc, piece_crc, (z_off_t)BOMB_PIECE_BYTES);
        }
        buffer_append(to, last_block, sizeof last_block);
        append_little_endian(to, (uint32_t)crc);
        append_little_endian(to, (uint32_t)(BOMB_PIECE_BYTES * BOMB_PIECES));
        if (to->failed || packed.failed)
            error_set(err, ERR_MEMORY, "out of memory");
    }
    buffer_free(&packed);
    free(piece);
    return (int)err->code;
}

int bomb_nest(struct slice packed, struct buffer *to, struct error *err)
{
    enum { GZIP_WINDOW_BITS = 15 + 16 }; /* zlib.h: with gzip's frame */
    z_stream stream = {0};
    if (deflateInit2(&stream, Z_BEST_COMPRESSION, Z_DEFLATED, GZIP_WINDOW_BITS,
                     8, Z_DEFAULT_STRATEGY) != Z_OK)
        return error_set(err, ERR_MEMORY, "out of memory");
    uLong room = deflateBound(&stream, (uLong)packed.len);
    if (!buffer_reserve(to, room)) {
        deflateEnd(&stream);
        return error_set(err, ERR_MEMORY, "out of memory");
    }
    stream.next_in = (z_const Bytef *)packed.data;
    stream.avail_in = (uInt)packed.len;
    stream.next_out = (Bytef *)to->data + to->len;
    stream.avail_out = (uInt)room;
    CHECK(deflate(&stream, Z_FINISH) == Z_STREAM_END);
    to->len += stream.total_out;
    deflateEnd(&stream);
    return 0;
}
