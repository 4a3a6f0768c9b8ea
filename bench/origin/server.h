/*
 * server.h: the listening socket; what it accepts, conn.h looks after.
 *
 * Not evhttp, because half of what this server is for is to break the protocol:
 * resets, bodies shorter than promised, a byte at a time, a stream that obeys
 * backpressure. With evhttp each means to take its connection away from it,
 * which it has no interface for; the HTTP that is needed beside is small
 * (http.c).
 */
#ifndef ORIGIN_SERVER_H
#define ORIGIN_SERVER_H

#include <event2/event.h>

#include "base/error.h"
#include "options.h"
#include "site.h"

#define SERVER_URL_BYTES 80 /* http://[IPv6]:port and its NUL */

struct server;

/* Listens. `base`, `options` and `site` must outlive the server. */
MUSTCHECK
int server_new(struct event_base *base, const struct options *options,
               struct site *site, struct server **ret_server,
               struct error *err);

/* Drops all connections. */
void server_free(struct server **server);

/* Where it listens, such as http://127.0.0.1:40123, and its port alone. */
const char *server_url(const struct server *server);
unsigned server_port(const struct server *server);

#endif
