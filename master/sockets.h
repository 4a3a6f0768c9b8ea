/*
 * sockets.h: the master's side of the cluster's sockets (PROTOCOL.md).
 *
 * Reports come in, control goes out to all, and each node has a socket of its
 * own for tasks. They are files in a folder of ours (ipc://) where only this
 * machine's nodes take part, else ports (tcp://), with keys unless there are
 * none.
 */
#ifndef MASTER_SOCKETS_H
#define MASTER_SOCKETS_H

#include <event2/event.h>

#include "listen.h"
#include "wire/endpoint.h"
#include "wire/message.h"

struct sockets;

/* `data` is only valid during the call. */
typedef void sockets_on_report(void *context, struct slice data);

/* Binds them. ERR_CONFLICT where another program has the port; what
 * curve_read_master() says of keys. */
MUSTCHECK
int sockets_new(struct event_base *base, const struct listen *listen,
                sockets_on_report *on_report, void *context,
                struct sockets **ret, struct error *err);

/* What was sent last is still delivered, within half a second. */
void sockets_free(struct sockets **sockets);

/* Where this machine's nodes connect to. */
const char *sockets_place(const struct sockets *sockets);

/* Inside on_report: the report was no message, since `why`. Its sender is
 * held off if it goes on like that; logged, a line a second at most. */
void sockets_blame(struct sockets *sockets, const char *why);

/* The node's own PUSH, bound anew, so that what was queued for a dead
 * incarnation dies with its socket. ERR_CONFLICT where no port is free. */
MUSTCHECK
int sockets_open_peer(struct sockets *sockets, const char *name,
                      struct error *err);
void sockets_close_peer(struct sockets *sockets, const char *name);

/* What the welcome says of it; NULL where it has none. */
const char *sockets_task_endpoint(struct sockets *sockets, const char *name);

/* To where it belongs: a task to its node's socket, all else to control, for
 * one node or all. What finds no room is lost: the core learns it from the
 * heartbeats. */
void sockets_send(struct sockets *sockets, const struct message *message);

/* The run's status, one JSON text, to whoever listens on this machine. */
void sockets_publish(struct sockets *sockets, struct slice status);

#endif
