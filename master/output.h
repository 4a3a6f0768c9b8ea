/*
 * output.h: what a command prints on standard output for whoever asked.
 *
 * On a terminal it may have colours (not with NO_COLOR or TERM=dumb), and a
 * text goes through a pager: PAGER, or less, which shows what fits the screen
 * at once. Elsewhere it is plain. A reader that goes away (`| head`) ends the
 * program quietly by SIGPIPE, as it does other tools.
 */
#ifndef MASTER_OUTPUT_H
#define MASTER_OUTPUT_H

#include <jansson.h>
#include <stdio.h>
#include <sys/types.h>

#include "base/slice.h"
#include "options.h"

enum output_style {
    STYLE_PLAIN,
    STYLE_TITLE,
    STYLE_GOOD,
    STYLE_DOUBTFUL,
    STYLE_BAD,
};

struct output {
    FILE *file;
    bool colours;
    pid_t pager; /* whose input `file` is; 0: there is none */
    bool failed; /* memory ran out; what the file says of itself comes on top */
};

/* From here on a command only prints: of what may fail it has complained
 * before, on a screen that is no pager's. */
void output_begin(const struct options *options, struct output *ret);

/* What begins and ends a style: "" without colours. */
const char *output_on(const struct output *output, enum output_style style);
const char *output_off(const struct output *output, enum output_style style);

/* An object over several lines, or on one; takes `value`, which is NULL where
 * memory ran out: then output_end() complains. */
void output_json(struct output *output, json_t *value);
void output_json_line(struct output *output, json_t *value);

/* Waits for the pager. Returns `status`, or, after a complaint,
 * EXIT_NOT_FINISHED where not all could be written. */
int output_end(struct output *output, int status);

#endif
