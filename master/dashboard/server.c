/*
 * server.c: see server.h.
 *
 * evhttp has no limit of connections, and tells of none before it sends its
 * first request. But it asks for a bufferevent for each: those that it still
 * has are those with an event in the loop. At the limit nothing more is
 * accepted until some have gone.
 */
#include "server.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/keyvalq_struct.h>
#include <event2/listener.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>

#include "base/check.h"

#define LOOK_AGAIN_MS 100
#define COOKIE_AGE_S (30 * 24 * 3600)

struct server {
    struct event_base *base;
    struct evhttp *http;
    struct evconnlistener *listener;
    struct event *look_again; /* the listener is off */
    const struct access *access;
    server_on_request *on_request;
    void *context;
    const struct bufferevent *connections[SERVER_CONNECTIONS_MAX];
    bool alive[SERVER_CONNECTIONS_MAX];
    size_t n_connections;
    int64_t n_requests;
    char url[ACCESS_ADDRESS_BYTES + 32];
};

/* ---- connections ---- */

static int mark(const struct event_base *base, const struct event *event,
                void *context)
{
    (void)base;
    struct server *server = context;
    const void *owner = event_get_callback_arg(event);
    for (size_t i = 0; i < server->n_connections; i++)
        if (server->connections[i] == owner)
            server->alive[i] = true;
    return 0;
}

static void forget_closed(struct server *server)
{
    size_t kept = 0;
    memset(server->alive, 0, sizeof server->alive);
    event_base_foreach_event(server->base, mark, server);
    for (size_t i = 0; i < server->n_connections; i++)
        if (server->alive[i])
            server->connections[kept++] = server->connections[i];
    server->n_connections = kept;
}

size_t server_connections(struct server *server)
{
    forget_closed(server);
    return server->n_connections;
}

static void look_again_soon(struct server *server)
{
    static const struct timeval soon = {0, LOOK_AGAIN_MS * 1000};
    evtimer_add(server->look_again, &soon);
}

static void on_look_again(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct server *server = context;
    if (server_connections(server) < SERVER_CONNECTIONS_MAX)
        evconnlistener_enable(server->listener);
    else
        look_again_soon(server);
}

/* For each connection that is accepted. One that closed may have left its
 * address to this one: it is in the list once. It has no event yet, so nothing
 * is counted once it is in. */
static struct bufferevent *on_accepted(struct event_base *base, void *context)
{
    struct server *server = context;
    struct bufferevent *connection =
        bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);
    if (!connection)
        return NULL;
    for (size_t i = 0; i < server->n_connections; i++)
        if (server->connections[i] == connection)
            return connection;
    if (server->n_connections == SERVER_CONNECTIONS_MAX)
        forget_closed(server);
    if (server->n_connections < SERVER_CONNECTIONS_MAX)
        server->connections[server->n_connections++] = connection;
    if (server->n_connections == SERVER_CONNECTIONS_MAX) {
        evconnlistener_disable(server->listener);
        look_again_soon(server);
    }
    return connection;
}

/* ---- answers ---- */

void server_add_headers(struct evhttp_request *http, const char *type)
{
    static const char *const always[][2] = {
        {"Content-Security-Policy",
         "default-src 'none'; script-src 'self'; style-src 'self'; "
         "img-src 'self'; connect-src 'self'; base-uri 'none'; "
         "form-action 'none'; frame-ancestors 'none'"},
        {"X-Content-Type-Options", "nosniff"},
        {"X-Frame-Options", "DENY"},
        {"Referrer-Policy", "no-referrer"},
        {"Cross-Origin-Opener-Policy", "same-origin"},
        {"Cross-Origin-Resource-Policy", "same-origin"},
        {"Cache-Control", "no-store"},
    };
    struct evkeyvalq *headers = evhttp_request_get_output_headers(http);
    for (size_t i = 0; i < sizeof always / sizeof *always; i++)
        evhttp_add_header(headers, always[i][0], always[i][1]);
    evhttp_add_header(headers, "Content-Type", type);
}

void server_reply(struct evhttp_request *http, int status, const char *type,
                  struct slice body)
{
    struct evbuffer *buffer = evbuffer_new();
    server_add_headers(http, type);
    if (buffer)
        evbuffer_add(buffer, body.data, body.len);
    evhttp_send_reply(http, status, NULL, buffer);
    if (buffer)
        evbuffer_free(buffer);
}

void server_reply_error(struct evhttp_request *http, int status,
                        const char *text)
{
    json_t *object = json_pack("{s:s}", "error", text);
    char *body = object ? json_dumps(object, JSON_COMPACT) : NULL;
    server_reply(http, status, "application/json",
                 slice_of(body ? body : "{}"));
    free(body);
    json_decref(object);
}

/* The token leaves the address bar, the history and the log. */
static void set_cookie(struct evhttp_request *http, const struct access *access,
                       const char *path)
{
    char cookie[ACCESS_TOKEN_BYTES_MAX + 128];
    struct evkeyvalq *headers = evhttp_request_get_output_headers(http);
    snprintf(cookie, sizeof cookie,
             ACCESS_COOKIE "=%s; Path=/; HttpOnly; SameSite=Strict; Max-Age=%d",
             access->token, COOKIE_AGE_S);
    evhttp_add_header(headers, "Set-Cookie", cookie);
    evhttp_add_header(headers, "Location", path);
    server_reply(http, HTTP_MOVETEMP, "text/plain", slice_of(""));
}

/* ---- requests ---- */

const char *server_parameter(const struct server_request *request,
                             const char *name)
{
    const char *value = evhttp_find_header(request->query, name);
    return value && strlen(value) <= SERVER_PARAMETER_BYTES_MAX ? value : NULL;
}

/* They tell nothing but whether this process is well. */
static bool is_probe(const char *path)
{
    return !strcmp(path, "/healthz") || !strcmp(path, "/readyz");
}

static void judge(struct server *server, const struct server_request *request)
{
    struct evkeyvalq *headers = evhttp_request_get_input_headers(request->http);
    const struct access_claim claim = {
        .host = evhttp_find_header(headers, "Host"),
        .authorization = evhttp_find_header(headers, "Authorization"),
        .cookie = evhttp_find_header(headers, "Cookie"),
        .token = server_parameter(request, "token"),
    };
    if (request->is_probe) {
        server->on_request(server->context, request);
        return;
    }
    switch (access_judge(server->access, &claim)) {
    case ACCESS_GRANTED:
        server->on_request(server->context, request);
        break;
    case ACCESS_TOKEN_IN_URL:
        set_cookie(request->http, server->access, "/");
        break;
    case ACCESS_WRONG_HOST:
        server_reply_error(request->http, 403,
                           "ask for localhost or 127.0.0.1; another name for "
                           "this machine needs WINDROW_DASHBOARD_TOKEN");
        break;
    case ACCESS_DENIED:
        server_reply_error(request->http, 401,
                           "a token is needed: open /?token=TOKEN once, or "
                           "send Authorization: Bearer TOKEN");
        break;
    }
}

static void on_request(struct evhttp_request *http, void *context)
{
    struct server *server = context;
    const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(http);
    const char *encoded = uri ? evhttp_uri_get_path(uri) : NULL;
    const char *query = uri ? evhttp_uri_get_query(uri) : NULL;
    struct evkeyvalq parameters;
    server->n_requests++;
    if (evhttp_request_get_command(http) != EVHTTP_REQ_GET) {
        evhttp_add_header(evhttp_request_get_output_headers(http), "Allow",
                          "GET");
        server_reply_error(http, HTTP_BADMETHOD, "only GET is answered");
        return;
    }
    TAILQ_INIT(&parameters);
    char *path = encoded ? evhttp_uridecode(encoded, 0, NULL) : NULL;
    if (!path || (query && evhttp_parse_query_str(query, &parameters))) {
        server_reply_error(http, 400, "this address can't be understood");
    } else {
        const struct server_request request = {http, *path ? path : "/",
                                               &parameters, is_probe(path)};
        judge(server, &request);
    }
    evhttp_clear_headers(&parameters);
    free(path);
}

/* ---- the server ---- */

static void name_url(struct server *server, evutil_socket_t fd)
{
    union {
        struct sockaddr any;
        struct sockaddr_in four;
        struct sockaddr_in6 six;
    } bound = {0};
    socklen_t len = sizeof bound;
    bool six = strchr(server->access->address, ':');
    int port = server->access->port;
    if (getsockname(fd, &bound.any, &len) == 0)
        port = ntohs(bound.any.sa_family == AF_INET6 ? bound.six.sin6_port
                                                     : bound.four.sin_port);
    snprintf(server->url, sizeof server->url, "http://%s%s%s:%d/",
             six ? "[" : "", server->access->address, six ? "]" : "", port);
}

static int listen_there(struct server *server, struct error *err)
{
    const struct access *access = server->access;
    struct evhttp_bound_socket *bound = evhttp_bind_socket_with_handle(
        server->http, access->address, access->port);
    if (!bound) {
        int why = EVUTIL_SOCKET_ERROR();
        return error_set(
            err, ERR_CONFLICT, "the dashboard can't listen at %s:%d: %s%s",
            access->address, access->port, evutil_socket_error_to_string(why),
            why == EADDRINUSE ? "; name another port, or :0 for "
                                "any that is free"
                              : "");
    }
    server->listener = evhttp_bound_socket_get_listener(bound);
    name_url(server, evhttp_bound_socket_get_fd(bound));
    return 0;
}

int server_new(struct event_base *base, const struct access *access,
               server_on_request *on_request_made, void *context,
               struct server **ret, struct error *err)
{
    /* Others get libevent's own answer. */
    const uint16_t refused_in_words = EVHTTP_REQ_POST | EVHTTP_REQ_PUT |
                                      EVHTTP_REQ_DELETE | EVHTTP_REQ_OPTIONS |
                                      EVHTTP_REQ_PATCH;
    struct server *server = calloc(1, sizeof *server);
    if (!server)
        return error_set(err, ERR_MEMORY, "no memory for the dashboard");
    server->base = base;
    server->access = access;
    server->on_request = on_request_made;
    server->context = context;
    server->http = evhttp_new(base);
    server->look_again = evtimer_new(base, on_look_again, server);
    if (!server->http || !server->look_again)
        error_set(err, ERR_MEMORY, "no memory for the dashboard");
    if (err->code == ERR_NONE) {
        evhttp_set_allowed_methods(server->http,
                                   EVHTTP_REQ_GET | refused_in_words);
        evhttp_set_max_headers_size(server->http, SERVER_HEADER_BYTES_MAX);
        evhttp_set_max_body_size(server->http, SERVER_BODY_BYTES_MAX);
        evhttp_set_timeout(server->http, SERVER_QUIET_S);
        evhttp_set_bevcb(server->http, on_accepted, server);
        evhttp_set_gencb(server->http, on_request, server);
        listen_there(server, err);
    }
    if (err->code != ERR_NONE) {
        server_free(&server);
        return (int)err->code;
    }
    *ret = server;
    return 0;
}

void server_free(struct server **ptr)
{
    struct server *server = *ptr;
    if (!server)
        return;
    if (server->http)
        evhttp_free(server->http);
    if (server->look_again)
        event_free(server->look_again);
    free(server);
    *ptr = NULL;
}

const char *server_url(const struct server *server)
{
    return server->url;
}

int64_t server_requests(const struct server *server)
{
    return server->n_requests;
}
