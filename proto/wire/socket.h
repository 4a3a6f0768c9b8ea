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

#define SOCKETS_MAX 20000 /* of a context: a master has one for each node */
#define SOCKET_MESSAGES_A_TURN 256
#define SOCKET_QUEUE_MAX 10000 /* messages waiting to be sent to one peer */
#define SOCKET_PULL_MAX 1000   /* messages of one peer waiting to be read */
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
 * for tcp://…:* with its port. ERR_CONFLICT where another has it. */
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

/* Before bind or connect: a peer that sends a longer message is cut off.
 * Without it the limit is that of all messages. */
MUSTCHECK
int wire_socket_limit(struct wire_socket *socket, int64_t message_bytes,
                      struct error *err);

/* False where it was dropped. */
bool wire_socket_send(struct wire_socket *socket, struct slice data);

/* Drops what is kept for want of room. */
void wire_socket_forget(struct wire_socket *socket);

/* Inside on_message: the connection that the message came by (a number that
 * is used again after its end), or -1. */
int wire_socket_source(const struct wire_socket *socket);
/* Inside on_message: this turn's messages are not worth haste. If there are
 * more of them than one turn takes, the next waits a few milliseconds. */
void wire_socket_hold_off(struct wire_socket *socket);

/*
 * PUSH, SUB: watch how connections are made. `on_failed` is told in the loop,
 * when that changes and then once a minute, and the connection is tried again
 * each second. After connect, once. ERR_SYSTEM.
 */
enum handshake_failure {
    HANDSHAKE_KEY_REFUSED, /* the other side does not know our key */
    HANDSHAKE_NO_KEYS,     /* one of the two uses keys, the other does not */
    HANDSHAKE_CUT, /* it hung up on us: our idea of its key is wrong, most
                      likely, or it is no such program */
};
typedef void socket_on_failed(void *context, enum handshake_failure failure);
MUSTCHECK
int wire_socket_watch(struct wire_socket *socket, const char *endpoint,
                      socket_on_failed *on_failed, void *on_failed_context,
                      struct error *err);

/* Messages dropped so far. */
int64_t wire_socket_dropped(const struct wire_socket *socket);

#endif
