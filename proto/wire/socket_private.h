/* socket_private.h: what the files behind socket.h and curve.h share. */
#ifndef WIRE_SOCKET_PRIVATE_H
#define WIRE_SOCKET_PRIVATE_H

#include "wire/socket.h"

#define SOCKET_ZAP_DOMAIN "windrow"

struct zap;
struct handshakes;

struct wire_context {
    void *zmq;
    struct zap *zap; /* NULL: nobody is asked for keys */
};

struct kept {
    struct kept *next;
    size_t len;
    char data[];
};

struct wire_socket {
    void *zmq;
    void *zmq_context;
    struct event *changed; /* PULL, SUB: all the time; PUSH: with an outbox */
    struct event *go_on;   /* PULL, SUB: a drain goes on in the next turn */
    bool in_parts;         /* in the midst of a message of several parts */
    bool held_off;         /* the drain goes on later, not at once */
    int source;            /* of the message in hand: its connection */
    struct kept *outbox;   /* the oldest first */
    int n_outbox;
    socket_on_message *on_message;
    void *on_message_context;
    struct event_base *base;
    int64_t dropped;
    struct handshakes *handshakes; /* NULL: not watched */
};

void zap_free(struct zap **zap);
void handshakes_free(struct handshakes **handshakes);

#endif
