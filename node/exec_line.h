/*
 * exec_line.h: the lines between a node and a program of the user's
 * (docs/programs.md): one JSON object a line.
 *
 *   to the program    {"id": 7, "key": "AAPL"}
 *   from it           {"id": 7, "record": {...}}
 *                     {"id": 7, "error": "text", "retry": true}
 *
 * The record is taken as the bytes that were sent, so that its numbers keep
 * their digits. So the line is not made into values and back, but checked
 * against the grammar (RFC 8259) and cut.
 */
#ifndef NODE_EXEC_LINE_H
#define NODE_EXEC_LINE_H

#include <stdint.h>

#include "base/buffer.h"

#define EXEC_LINE_DEPTH_MAX 256          /* levels of a line */
#define EXEC_LINE_ID_MAX (1ULL << 53)    /* a double holds any below */
#define EXEC_LINE_ERROR_BYTES 256        /* of an error's text; cut beyond */
#define EXEC_LINE_OTHER_BYTES (4 * 1024) /* of a line, beside the record */

struct exec_line {
    uint64_t id;
    struct slice record; /* in the line; data NULL: it is an error */
    bool retry;
    char error[EXEC_LINE_ERROR_BYTES]; /* without control characters */
};

/* Appends the line for `key`, a valid one, with its end. */
void exec_line_ask(struct buffer *out, uint64_t id, struct slice key);

/* Reads a line without its end. NULL, or what is wrong with it; `ret` is whole
 * only then. Members of other names are ignored. */
MUSTCHECK
const char *exec_line_parse(struct slice line, struct exec_line *ret);

#endif
