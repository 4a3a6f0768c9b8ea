/*
 * exec_voice.h: what a program of the user's says on its standard error: into
 * the node's log, line by line, at most EXEC_VOICE_LINES a second, each without
 * control characters and of at most EXEC_VOICE_BYTES.
 */
#ifndef NODE_EXEC_VOICE_H
#define NODE_EXEC_VOICE_H

#include "base/buffer.h"
#include "base/clock.h"

#define EXEC_VOICE_LINES 20
#define EXEC_VOICE_BYTES 400

struct exec_voice {
    const char *who; /* the worker's name */
    void (*on_note)(void *context, const char *note);
    void *context;
    char line[EXEC_VOICE_BYTES]; /* that is not at its end yet */
    size_t len;
    char last[EXEC_VOICE_BYTES]; /* the line before; "": none */
    usec_t second;               /* since when lines are counted */
    int n;
    int64_t left_out;
};

/* Takes what was said. */
void exec_voice_hear(struct exec_voice *voice, struct slice said, usec_t now);

/* The program has ended: the rest of a line is one. `last` stays. */
void exec_voice_end(struct exec_voice *voice, usec_t now);

#endif
