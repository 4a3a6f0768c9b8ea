/* server.c: see server.h. */
#include "server.h"

#include <errno.h>
#include <event2/listener.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/log.h"
#include "conn.h"

#define WHO "origin"
#define BACKLOG 4096        /* as many may connect at once; see somaxconn */
#define ACCEPT_PAUSE_MS 100 /* when there are no descriptors left */

struct server {
    struct event_base *base;
    struct evconnlistener *listener;
    struct event *accept_again;
    struct conns conns;
    unsigned port;
    char url[SERVER_URL_BYTES];
};

static void on_accept(struct evconnlistener *listener, evutil_socket_t fd,
                      struct sockaddr *address, int address_len, void *context)
{
    (void)listener;
    (void)address;
    (void)address_len;
    struct server *server = context;
    conns_add(&server->conns, fd);
}

/* Without a pause, the loop would spin while the descriptors are used up. */
static void on_accept_error(struct evconnlistener *listener, void *context)
{
    struct server *server = context;
    struct timeval pause = {.tv_usec = ACCEPT_PAUSE_MS * USEC_PER_MSEC};
    log_warn(WHO, "can't accept: %s; again in %d ms",
             evutil_socket_error_to_string(EVUTIL_SOCKET_ERROR()),
             ACCEPT_PAUSE_MS);
    evconnlistener_disable(listener);
    evtimer_add(server->accept_again, &pause);
}

static void on_accept_again(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct server *server = context;
    evconnlistener_enable(server->listener);
}

static int find_address(struct server *server, struct error *err)
{
    struct sockaddr_storage address = {0};
    socklen_t len = sizeof address;
    char host[INET6_ADDRSTRLEN], port[8];
    if (getsockname(evconnlistener_get_fd(server->listener),
                    (struct sockaddr *)&address, &len))
        return error_set(err, ERR_SYSTEM, "getsockname: %s", strerror(errno));
    int failed =
        getnameinfo((struct sockaddr *)&address, len, host, sizeof host, port,
                    sizeof port, NI_NUMERICHOST | NI_NUMERICSERV);
    if (failed)
        return error_set(err, ERR_SYSTEM, "getnameinfo: %s",
                         gai_strerror(failed));
    bool ipv6 = address.ss_family == AF_INET6;
    server->port = (unsigned)strtoul(port, NULL, 10);
    snprintf(server->url, sizeof server->url, "http://%s%s%s:%s",
             ipv6 ? "[" : "", host, ipv6 ? "]" : "", port);
    return 0;
}

/* ADDR:PORT or [ADDR]:PORT. Not evutil_parse_sockaddr_port(): it refuses port
 * 0, which asks the kernel for a free one. NULL where it is neither. */
static struct addrinfo *parse_address(const char *where)
{
    const struct addrinfo hints = {
        .ai_flags = AI_PASSIVE | AI_NUMERICHOST | AI_NUMERICSERV,
        .ai_socktype = SOCK_STREAM,
    };
    char host[INET6_ADDRSTRLEN + 2];
    const char *colon = strrchr(where, ':');
    size_t len = colon ? (size_t)(colon - where) : 0;
    if (len == 0 || len >= sizeof host)
        return NULL;
    if (*where == '[' && where[len - 1] == ']') {
        where++;
        len -= 2;
    }
    memcpy(host, where, len);
    host[len] = '\0';
    struct addrinfo *found = NULL;
    return getaddrinfo(host, colon + 1, &hints, &found) ? NULL : found;
}

static int start_listening(struct server *server, struct error *err)
{
    const char *where = server->conns.options->listen;
    struct addrinfo *address = parse_address(where);
    if (!address)
        return error_set(err, ERR_USAGE,
                         "--listen: an address such as 127.0.0.1:8080 is "
                         "needed, not \"%s\"",
                         where);
    server->listener = evconnlistener_new_bind(
        server->base, on_accept, server,
        LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_REUSEABLE,
        BACKLOG, address->ai_addr, (int)address->ai_addrlen);
    freeaddrinfo(address);
    if (!server->listener)
        return error_set(err, ERR_SYSTEM, "can't listen on %s: %s", where,
                         strerror(errno));
    evconnlistener_set_error_cb(server->listener, on_accept_error);
    return find_address(server, err);
}

int server_new(struct event_base *base, const struct options *options,
               struct site *site, struct server **ret_server, struct error *err)
{
    struct server *server = calloc(1, sizeof *server);
    if (!server)
        return error_set(err, ERR_MEMORY, "out of memory");
    server->base = base;
    conns_init(&server->conns, base, options, site);
    server->accept_again = evtimer_new(base, on_accept_again, server);
    if (!server->accept_again)
        error_set(err, ERR_MEMORY, "out of memory");
    if (err->code || start_listening(server, err)) {
        server_free(&server);
        return (int)err->code;
    }
    *ret_server = server;
    return 0;
}

void server_free(struct server **server)
{
    if (!*server)
        return;
    conns_fini(&(*server)->conns);
    if ((*server)->listener)
        evconnlistener_free((*server)->listener);
    if ((*server)->accept_again)
        event_free((*server)->accept_again);
    free(*server);
    *server = NULL;
}

const char *server_url(const struct server *server)
{
    return server->url;
}

unsigned server_port(const struct server *server)
{
    return server->port;
}
