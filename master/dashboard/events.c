/*
 * events.c: see events.h.
 *
 * Who owns a request: evhttp, while its connection lives. When the connection
 * has gone first, evhttp leaves the request to us (on_gone()).
 */
#include "events.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <stdlib.h>
#include <utlist.h>

#include "base/buffer.h"
#include "server.h"

#define WRITE_PATIENCE_S 30

struct client {
    struct events *owner;
    struct evhttp_request *request;
    struct client *prev, *next;
};

struct events {
    struct client *clients;
    size_t n;
    usec_t told_at;
    struct evbuffer *chunk;
};

struct events *events_new(void)
{
    struct events *events = calloc(1, sizeof *events);
    if (events && !(events->chunk = evbuffer_new())) {
        free(events);
        events = NULL;
    }
    return events;
}

static void forget(struct client *client)
{
    DL_DELETE(client->owner->clients, client);
    client->owner->n--;
    free(client);
}

static void on_gone(struct evhttp_connection *connection, void *context)
{
    (void)connection;
    struct client *client = context;
    struct evhttp_request *request = client->request;
    forget(client);
    if (!evhttp_request_get_connection(request))
        evhttp_send_reply_end(request); /* frees it */
}

static void hang_up(struct client *client)
{
    struct evhttp_connection *connection =
        evhttp_request_get_connection(client->request);
    forget(client);
    evhttp_connection_set_closecb(connection, NULL, NULL);
    evhttp_connection_free(connection);
}

static struct evbuffer *output_of(const struct client *client)
{
    return bufferevent_get_output(evhttp_connection_get_bufferevent(
        evhttp_request_get_connection(client->request)));
}

static void send_to(struct client *client, struct slice text)
{
    struct evbuffer *chunk = client->owner->chunk;
    if (evbuffer_get_length(output_of(client)) > EVENTS_WAITING_BYTES_MAX) {
        hang_up(client);
        return;
    }
    evbuffer_add(chunk, text.data, text.len);
    evhttp_send_reply_chunk(client->request, chunk);
}

static void send_to_all(struct events *events, struct slice text)
{
    struct client *client, *next;
    events->told_at = clock_monotonic();
    DL_FOREACH_SAFE (events->clients, client, next) {
        send_to(client, text);
    }
}

static bool format(const char *name, struct slice json, struct buffer *text)
{
    buffer_printf(text, "event: %s\ndata: ", name);
    buffer_append_slice(text, json);
    return buffer_append_text(text, "\n\n");
}

void events_tell(struct events *events, const char *name, struct slice json)
{
    struct buffer text = BUFFER_EMPTY;
    if (events->clients && format(name, json, &text))
        send_to_all(events, buffer_slice(&text));
    buffer_free(&text);
}

/* Only writing has a limit of time: a page says nothing. */
static void set_times(struct evhttp_connection *connection)
{
    static const struct timeval patience = {WRITE_PATIENCE_S, 0};
    bufferevent_set_timeouts(evhttp_connection_get_bufferevent(connection),
                             NULL, &patience);
}

void events_join(struct events *events, struct evhttp_request *request,
                 const char *name, struct slice first)
{
    struct client *client =
        events->n < EVENTS_CLIENTS_MAX ? calloc(1, sizeof *client) : NULL;
    struct evhttp_connection *connection =
        evhttp_request_get_connection(request);
    struct buffer text = BUFFER_EMPTY;
    if (!client) {
        server_reply_error(request, 503, "too many pages are open");
        return;
    }
    client->owner = events;
    client->request = request;
    DL_APPEND(events->clients, client);
    events->n++;
    server_add_headers(request, "text/event-stream");
    set_times(connection);
    evhttp_connection_set_closecb(connection, on_gone, client);
    evhttp_send_reply_start(request, HTTP_OK, NULL);
    buffer_append_text(&text, "retry: 1000\n");
    if (format(name, first, &text))
        send_to(client, buffer_slice(&text));
    buffer_free(&text);
}

void events_tick(struct events *events)
{
    if (clock_monotonic() - events->told_at > EVENTS_QUIET)
        send_to_all(events, slice_of(": still here\n\n"));
}

size_t events_clients(const struct events *events)
{
    return events->n;
}

void events_free(struct events **ptr)
{
    struct events *events = *ptr;
    struct client *client, *next;
    if (!events)
        return;
    DL_FOREACH_SAFE (events->clients, client, next) {
        hang_up(client);
    }
    evbuffer_free(events->chunk);
    free(events);
    *ptr = NULL;
}
