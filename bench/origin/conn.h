/*
 * conn.h: connections: requests in, delays, and answers that go out whole, cut,
 * slowly, or not at all. Each looks after itself and ends by itself.
 */
#ifndef ORIGIN_CONN_H
#define ORIGIN_CONN_H

#include <event2/event.h>

#include "base/buffer.h"
#include "options.h"
#include "site.h"

#define CONN_PIECE_BYTES 65536 /* of a stream, handed over at once */

struct conn;

/* All connections, and what they share. */
struct conns {
    struct event_base *base;
    const struct options *options;
    struct site *site;
    struct conn *list;
    struct buffer head;           /* of the answer at hand */
    char piece[CONN_PIECE_BYTES]; /* what a stream repeats */
};

/* What is passed in must outlive the connections. */
void conns_init(struct conns *conns, struct event_base *base,
                const struct options *options, struct site *site);

/* Drops all connections. */
void conns_fini(struct conns *conns);

/* Takes over a socket that was accepted, non-blocking. */
void conns_add(struct conns *conns, evutil_socket_t fd);

#endif
