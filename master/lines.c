/* lines.c: see lines.h. */
#include "lines.h"

#include <stdlib.h>
#include <string.h>

#define PIECE_BYTES ((size_t)4 * LINE_BYTES_MAX)

bool lines_init(struct lines *lines, FILE *file)
{
    /* One more, for the NUL behind a last line without a line feed. */
    *lines = (struct lines){.file = file, .data = malloc(PIECE_BYTES + 1)};
    return lines->data;
}

void lines_free(struct lines *lines)
{
    free(lines->data);
}

/* Reads more behind what is left. False: there is no more. */
static bool read_more(struct lines *lines)
{
    size_t left = lines->end - lines->at;
    memmove(lines->data, lines->data + lines->at, left);
    size_t n = fread(lines->data + left, 1, PIECE_BYTES - left, lines->file);
    lines->at = 0;
    lines->end = left + n;
    return n > 0;
}

bool lines_next(struct lines *lines, char **ret, size_t *ret_len)
{
    size_t seen = 0, len;
    char *feed;
    for (;;) {
        char *line = lines->data + lines->at;
        len = lines->end - lines->at;
        feed = memchr(line + seen, '\n', len - seen);
        if (feed || len > LINE_BYTES_MAX)
            break;
        seen = len;
        if (!read_more(lines))
            break;
    }
    *ret = lines->data + lines->at;
    if (feed)
        len = (size_t)(feed - *ret) + 1;
    *ret_len = len > LINE_BYTES_MAX ? LINE_BYTES_MAX + 1 : len;
    lines->at += *ret_len;
    return len > 0;
}
