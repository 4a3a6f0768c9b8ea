/* lines.h: the lines of a file, read in large pieces. */
#ifndef MASTER_LINES_H
#define MASTER_LINES_H

#include <stdbool.h>
#include <stdio.h>

#define LINE_BYTES_MAX 65536

struct lines {
    FILE *file; /* the caller's */
    char *data; /* LINE_BYTES_MAX of a line, at least */
    size_t at, end;
};

/* False: no memory. */
bool lines_init(struct lines *lines, FILE *file);
void lines_free(struct lines *lines);

/* The next line with its line feed, in place: it may be written to, and what
 * stands behind it belongs to it, too, until the next call. A line that is
 * longer than LINE_BYTES_MAX is given up to the byte after. False at the end,
 * and where reading fails (ferror). */
bool lines_next(struct lines *lines, char **ret, size_t *ret_len);

#endif
