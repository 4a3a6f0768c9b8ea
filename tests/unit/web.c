/* web.c: see web.h. An event loop of its own; a request is whole when its
 * headers are (all are GETs). */
#include "web.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <utlist.h>

#include <cmocka.h>

struct web {
    const struct web_page *pages;
    struct event_base *base;
    struct evconnlistener *listener;
    struct event *stop; /* a turn now and then sees `stopping` */
    struct connection *connections;
    pthread_t thread;
    atomic_bool stopping;
    atomic_int n_connections; /* ever */
    int port;
};

struct connection {
    struct web *web;
    struct bufferevent *stream;
    struct event *delay;
    const struct web_page *page; /* that is being answered */
    struct connection *prev, *next;
};

static const struct web_page not_found = {
    .answer = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"};

static void connection_free(struct connection *connection)
{
    DL_DELETE(connection->web->connections, connection);
    bufferevent_free(connection->stream);
    event_free(connection->delay);
    free(connection);
}

static void cut(struct connection *connection)
{
    struct linger linger = {1, 0};
    setsockopt(bufferevent_getfd(connection->stream), SOL_SOCKET, SO_LINGER,
               &linger, sizeof linger);
    connection_free(connection);
}

static void on_written(struct bufferevent *stream, void *context)
{
    (void)stream;
    struct connection *connection = context;
    if (!connection->page)
        return;
    if (connection->page->reset)
        cut(connection);
    else if (strstr(connection->page->answer, "Connection: close"))
        connection_free(connection);
}

static void on_event(struct bufferevent *stream, short what, void *context)
{
    (void)stream;
    if (what & (BEV_EVENT_EOF | BEV_EVENT_ERROR))
        connection_free(context);
}

static void on_delay_over(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct connection *connection = context;
    const struct web_page *page = connection->page;
    size_t len = page->len ? page->len : strlen(page->answer);
    if (len)
        bufferevent_write(connection->stream, page->answer, len);
    else
        on_written(connection->stream, connection);
}

static const struct web_page *page_of(const struct web *web,
                                      const char *request)
{
    for (const struct web_page *page = web->pages; page->path; page++) {
        size_t len = strlen(page->path);
        if (!strncmp(request, "GET ", 4) &&
            !strncmp(request + 4, page->path, len) &&
            strchr(" ?", request[4 + len]))
            return page;
    }
    return &not_found;
}

static void on_read(struct bufferevent *stream, void *context)
{
    struct connection *connection = context;
    struct evbuffer *input = bufferevent_get_input(stream);
    struct evbuffer_ptr end = evbuffer_search(input, "\r\n\r\n", 4, NULL);
    if (end.pos < 0)
        return;
    char request[5000] = "";
    size_t len = (size_t)end.pos + 4;
    assert_true(len < sizeof request);
    evbuffer_remove(input, request, len);
    connection->page = page_of(connection->web, request);
    struct timeval delay = {connection->page->delay_ms / 1000,
                            connection->page->delay_ms % 1000 * 1000};
    event_add(connection->delay, &delay);
}

static void on_accept(struct evconnlistener *listener, evutil_socket_t fd,
                      struct sockaddr *address, int len, void *context)
{
    (void)listener;
    (void)address;
    (void)len;
    struct web *web = context;
    struct connection *connection = calloc(1, sizeof *connection);
    assert_non_null(connection);
    connection->web = web;
    connection->stream =
        bufferevent_socket_new(web->base, fd, BEV_OPT_CLOSE_ON_FREE);
    connection->delay = evtimer_new(web->base, on_delay_over, connection);
    DL_APPEND(web->connections, connection);
    web->n_connections++;
    bufferevent_setcb(connection->stream, on_read, on_written, on_event,
                      connection);
    bufferevent_enable(connection->stream, EV_READ | EV_WRITE);
}

static void on_stop(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct web *web = context;
    if (web->stopping)
        event_base_loopbreak(web->base);
}

static void *serve(void *context)
{
    struct web *web = context;
    event_base_dispatch(web->base);
    return NULL;
}

struct web *web_start(const struct web_page *pages)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    struct web *web = calloc(1, sizeof *web);
    assert_non_null(web);
    web->pages = pages;
    web->base = event_base_new();
    web->listener = evconnlistener_new_bind(
        web->base, on_accept, web, LEV_OPT_CLOSE_ON_FREE, 512,
        (struct sockaddr *)&address, sizeof address);
    assert_non_null(web->listener);
    assert_int_equal(getsockname(evconnlistener_get_fd(web->listener),
                                 (struct sockaddr *)&address, &len),
                     0);
    web->port = ntohs(address.sin_port);
    web->stop = event_new(web->base, -1, EV_PERSIST, on_stop, web);
    event_add(web->stop, &(struct timeval){0, 10000});
    assert_int_equal(pthread_create(&web->thread, NULL, serve, web), 0);
    return web;
}

void web_stop(struct web **web)
{
    (*web)->stopping = true;
    pthread_join((*web)->thread, NULL);
    struct connection *connection, *next;
    DL_FOREACH_SAFE ((*web)->connections, connection, next) {
        connection_free(connection);
    }
    evconnlistener_free((*web)->listener);
    event_free((*web)->stop);
    event_base_free((*web)->base);
    free(*web);
    *web = NULL;
}

int web_port(const struct web *web)
{
    return web->port;
}

int web_connections(const struct web *web)
{
    return web->n_connections;
}
