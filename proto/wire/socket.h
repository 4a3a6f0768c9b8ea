/*
 * socket.h: ZeroMQ sockets in a libevent loop.
 *
 * The one place that knows how ZeroMQ's edge-triggered descriptor behaves:
 * a receiving socket is read until it is empty, at most
 * SOCKET_MESSAGES_A_TURN messages a turn of the loop, and then goes on in the
 * next turn. Sending never waits: a message that finds no room (its peer has
 * not connected yet, or is slow) is kept and sent when there is some; beyond
 * SOCKET_OUTBOX_MAX of those it is dropped and counted, since the protocol
 * repairs every loss (PROTOCOL.md).
 */
#ifndef WIRE_SOCKET_H
#define WIRE_SOCKET_H

#include <event2/event.h>
#include <stdint.h>

#include "base/error.h"
#include "base/slice.h"

#define SOCKET_MESSAGES_A_TURN 256
#define SOCKET_QUEUE_MAX 10000 /* messages waiting to be sent to one peer */
#define SOCKET_OUTBOX_MAX 1000 /* messages kept for want of room */
#define SOCKET_ENDPOINT_BYTES 128

enum socket_kind { SOCKET_PULL, SOCKET_PUSH, SOCKET_PUB, SOCKET_SUB };

struct wire_context; /* ZeroMQ's context: make it after any fork */
struct wire_socket;

/* `data` is only valid during the call. The socket must not be freed in it. */
typedef void socket_on_message(void *context, struct slice data);

MUSTCHECK
struct wire_context *wire_context_new(void);
/* All its sockets must have been freed. Waits at most `linger` of those. */
void wire_context_free(struct wire_context **context);

/* `on_message` for PULL and SUB, else NULL. ERR_SYSTEM. */
MUSTCHECK
int wire_socket_new(struct wire_context *context, struct event_base *base,
                    enum socket_kind kind, socket_on_message *on_message,
                    void *on_message_context, struct wire_socket **ret,
                    struct error *err);

/* Closes it; what is queued may still be sent for `linger_ms`. */
void wire_socket_free(struct wire_socket **socket, int linger_ms);

/* `ret_endpoint` (SOCKET_ENDPOINT_BYTES, or NULL) gets the address in use,
 * for tcp://…:* with its port. */
MUSTCHECK
int wire_socket_bind(struct wire_socket *socket, const char *endpoint,
                     char *ret_endpoint, struct error *err);
MUSTCHECK
int wire_socket_connect(struct wire_socket *socket, const char *endpoint,
                        struct error *err);
/* SUB: also hear messages that begin with `topic`. */
MUSTCHECK
int wire_socket_subscribe(struct wire_socket *socket, const char *topic,
                          struct error *err);

/* False where it was dropped. */
bool wire_socket_send(struct wire_socket *socket, struct slice data);

/* Messages dropped so far. */
int64_t wire_socket_dropped(const struct wire_socket *socket);

#endif
