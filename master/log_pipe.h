/*
 * log_pipe.h: what the local nodes log, on its way into the master's log file.
 *
 * A node is confined, and may open no file: nor could it open a log anew. So
 * its standard error is a pipe, which the master reads. One is enough for all:
 * a line is one write of less than PIPE_BUF, which stays whole. A node never
 * waits for a master that reads too slowly: the line is lost.
 */
#ifndef MASTER_LOG_PIPE_H
#define MASTER_LOG_PIPE_H

#include <event2/event.h>

#include "base/error.h"

struct log_pipe;

/* ERR_SYSTEM, ERR_MEMORY. */
MUSTCHECK
int log_pipe_new(struct event_base *base, struct log_pipe **ret,
                 struct error *err);

/* The end that is a node's standard error. */
int log_pipe_end(const struct log_pipe *pipe);

/* Reads what is there still. NULL is ignored. */
void log_pipe_free(struct log_pipe **pipe);

#endif
