/*
 * exec_pipes.h: the three pipes of a program: what is written to its input when
 * it takes it, and what comes out of the others, in the loop. Nothing blocks.
 */
#ifndef NODE_EXEC_PIPES_H
#define NODE_EXEC_PIPES_H

#include <event2/event.h>

#include "base/buffer.h"

enum { EXEC_INPUT, EXEC_OUTPUT, EXEC_ERRORS, EXEC_PIPES }; /* the program's */

struct exec_pipes;

/* `said` is valid during the call; it may call exec_pipes_close(). */
typedef void exec_on_said(void *context, int pipe, struct slice said);
/* All of one turn has been told. */
typedef void exec_on_read(void *context);

struct exec_pipe {
    struct exec_pipes *pipes;
    int number; /* EXEC_INPUT... */
    int fd;     /* -1: closed */
    struct event *event;
};

struct exec_pipes {
    struct exec_pipe list[EXEC_PIPES];
    struct buffer asked; /* not written yet: append, then exec_pipes_ask() */
    size_t written;      /* bytes, of this process */
    exec_on_said *on_said;
    exec_on_read *on_read;
    void *context;
};

void exec_pipes_init(struct exec_pipes *pipes, exec_on_said *on_said,
                     exec_on_read *on_read, void *context);

/* Takes the node's ends of the pipes. False when memory is out: then they are
 * to be closed. */
MUSTCHECK
bool exec_pipes_open(struct exec_pipes *pipes, struct event_base *base,
                     const int fds[EXEC_PIPES]);
void exec_pipes_close(struct exec_pipes *pipes);

/* Has `asked` written. A program that reads no more is not asked. */
void exec_pipes_ask(struct exec_pipes *pipes);

/* Whether it has not read any of what was written: it is still starting. */
bool exec_pipes_untouched(const struct exec_pipes *pipes);

/* What is in its output and errors by now, as after its end. */
void exec_pipes_drain(struct exec_pipes *pipes);

#endif
