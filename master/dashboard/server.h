/*
 * server.h: HTTP for the dashboard: evhttp, with limits.
 *
 * Only GET. Headers, connections and time have limits; every answer says that
 * it may be run, framed and sniffed by nobody. Who may ask is access.h's.
 */
#ifndef DASHBOARD_SERVER_H
#define DASHBOARD_SERVER_H

#include <event2/event.h>
#include <event2/http.h>

#include "access.h"
#include "base/slice.h"

#define SERVER_CONNECTIONS_MAX 512
#define SERVER_HEADER_BYTES_MAX 8192
#define SERVER_QUIET_S 10 /* a connection that says nothing is closed */
#define SERVER_PARAMETER_BYTES_MAX 512
#define SERVER_BODY_BYTES_MAX 4096 /* of a request that is refused in words */

struct server;

struct server_request {
    struct evhttp_request *http;
    const char *path;        /* decoded */
    struct evkeyvalq *query; /* decoded */
    bool is_probe;           /* it was let in without a token */
};

/* Answers it, now or later; each exactly once. */
typedef void server_on_request(void *context,
                               const struct server_request *request);

/* `access` outlives the server. ERR_CONFLICT where another has the port. */
MUSTCHECK
int server_new(struct event_base *base, const struct access *access,
               server_on_request *on_request, void *context,
               struct server **ret, struct error *err);
void server_free(struct server **server);

/* "http://127.0.0.1:8765/" */
const char *server_url(const struct server *server);
/* Connections open now, and requests so far. */
size_t server_connections(struct server *server);
int64_t server_requests(const struct server *server);

/* A parameter of the query; NULL: absent, or longer than
 * SERVER_PARAMETER_BYTES_MAX. */
const char *server_parameter(const struct server_request *request,
                             const char *name);

/* The headers that every answer has, and its type. */
void server_add_headers(struct evhttp_request *http, const char *type);
void server_reply(struct evhttp_request *http, int status, const char *type,
                  struct slice body);
/* {"error": TEXT} */
void server_reply_error(struct evhttp_request *http, int status,
                        const char *text);

#endif
