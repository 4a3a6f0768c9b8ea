/*
 * socket.c: see socket.h.
 *
 * ZeroMQ's descriptor says "something changed", once. So after each wake-up
 * ZMQ_EVENTS is asked and the socket drained, again and again, until it has
 * nothing more; and a drain that stops at its budget arms a timer of no length,
 * or the rest would lie there unannounced. (An event that makes itself active
 * runs again in the same turn, before all other events.)
 */
#include "wire/socket.h"

#include <errno.h>
#include <stdlib.h>
#include <utlist.h>
#include <zmq.h>

#include "wire/message.h"
#include "wire/socket_private.h"

/* A connection that is dead without a word is noticed and made anew. */
#define RECONNECT_MIN_MS 100
#define RECONNECT_MAX_MS 1000
#define CONNECT_TIMEOUT_MS 2000
#define HANDSHAKE_TIMEOUT_MS 5000
#define PING_MS 1000
#define PING_TIMEOUT_MS 3000
#define HOLD_OFF_US 5000

struct wire_context *wire_context_new(void)
{
    struct wire_context *context = calloc(1, sizeof *context);
    if (!context)
        return NULL;
    context->zmq = zmq_ctx_new();
    if (!context->zmq) {
        free(context);
        return NULL;
    }
    /* ZeroMQ's own limit is 1023: so many nodes, since each has a socket of
     * its own in the master. */
    CHECK(!zmq_ctx_set(context->zmq, ZMQ_MAX_SOCKETS, SOCKETS_MAX));
    return context;
}

void wire_context_free(struct wire_context **context)
{
    if (!*context)
        return;
    zap_free(&(*context)->zap);
    while (zmq_ctx_term((*context)->zmq) && errno == EINTR)
        ;
    free(*context);
    *context = NULL;
}

/* Whether it can be read or written now: ZMQ_POLLIN, ZMQ_POLLOUT. Asking also
 * makes ZeroMQ do its own pending work, which may itself change the answer. */
static int ready(struct wire_socket *socket)
{
    int events = 0;
    size_t size = sizeof events;
    while (zmq_getsockopt(socket->zmq, ZMQ_EVENTS, &events, &size))
        if (errno != EINTR)
            return 0;
    return events;
}

/* A message is one part: one of several is dropped whole. */
static void receive(struct wire_socket *socket)
{
    zmq_msg_t message;
    CHECK(zmq_msg_init(&message) == 0);
    int len = zmq_msg_recv(&message, socket->zmq, ZMQ_DONTWAIT);
    if (len >= 0) {
        bool was_in_parts = socket->in_parts;
        socket->in_parts = zmq_msg_more(&message);
        socket->source = zmq_msg_get(&message, ZMQ_SRCFD);
        if (!was_in_parts && !socket->in_parts)
            socket->on_message(
                socket->on_message_context,
                (struct slice){zmq_msg_data(&message), (size_t)len});
    }
    zmq_msg_close(&message);
}

static void drain(struct wire_socket *socket)
{
    static const struct timeval at_once = {0, 0}, later = {0, HOLD_OFF_US};
    if (evtimer_pending(socket->go_on, NULL))
        return;
    socket->held_off = false;
    for (int n = 0; ready(socket) & ZMQ_POLLIN; n++) {
        if (n == SOCKET_MESSAGES_A_TURN) {
            event_add(socket->go_on, socket->held_off ? &later : &at_once);
            return;
        }
        receive(socket);
    }
}

static bool send_now(struct wire_socket *socket, const void *data, size_t len)
{
    while (zmq_send(socket->zmq, data, len, ZMQ_DONTWAIT) < 0)
        if (errno != EINTR)
            return false;
    return true;
}

static void flush(struct wire_socket *socket)
{
    while (socket->outbox && (ready(socket) & ZMQ_POLLOUT)) {
        struct kept *kept = socket->outbox;
        if (!send_now(socket, kept->data, kept->len))
            return;
        LL_DELETE(socket->outbox, kept);
        socket->n_outbox--;
        free(kept);
    }
}

static void on_socket_changed(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct wire_socket *socket = context;
    CHECK(socket->zmq);
    flush(socket);
    if (socket->on_message)
        drain(socket);
}

static int set_option(struct wire_socket *socket, int option, int value)
{
    return zmq_setsockopt(socket->zmq, option, &value, sizeof value);
}

static int set_tcp_options(struct wire_socket *socket)
{
    return set_option(socket, ZMQ_RECONNECT_IVL, RECONNECT_MIN_MS) ||
           set_option(socket, ZMQ_RECONNECT_IVL_MAX, RECONNECT_MAX_MS) ||
           set_option(socket, ZMQ_CONNECT_TIMEOUT, CONNECT_TIMEOUT_MS) ||
           set_option(socket, ZMQ_HANDSHAKE_IVL, HANDSHAKE_TIMEOUT_MS) ||
           set_option(socket, ZMQ_HEARTBEAT_IVL, PING_MS) ||
           set_option(socket, ZMQ_HEARTBEAT_TIMEOUT, PING_TIMEOUT_MS) ||
           set_option(socket, ZMQ_TCP_KEEPALIVE, 1);
}

static int set_options(struct wire_socket *socket, enum socket_kind kind)
{
    int64_t bytes_max = MESSAGE_BYTES_MAX + NODE_NAME_BYTES + 1;
    return set_option(socket, ZMQ_LINGER, 0) ||
           set_option(socket, ZMQ_SNDHWM, SOCKET_QUEUE_MAX) ||
           set_option(socket, ZMQ_RCVHWM,
                      kind == SOCKET_PULL ? SOCKET_PULL_MAX
                                          : SOCKET_QUEUE_MAX) ||
           (kind == SOCKET_PUSH && set_option(socket, ZMQ_IMMEDIATE, 1)) ||
           set_tcp_options(socket) ||
           zmq_setsockopt(socket->zmq, ZMQ_MAXMSGSIZE, &bytes_max,
                          sizeof bytes_max);
}

/* Only where it must be: with it, a name stands for its IPv6 address alone. */
static int allow_ipv6(struct wire_socket *socket, const char *endpoint)
{
    return strchr(endpoint, '[') ? set_option(socket, ZMQ_IPV6, 1) : 0;
}

static int watch(struct wire_socket *socket)
{
    int fd;
    size_t size = sizeof fd;
    if (zmq_getsockopt(socket->zmq, ZMQ_FD, &fd, &size))
        return -1;
    socket->changed = event_new(socket->base, fd, EV_READ | EV_PERSIST,
                                on_socket_changed, socket);
    if (!socket->changed || event_add(socket->changed, NULL))
        return -1;
    socket->go_on = evtimer_new(socket->base, on_socket_changed, socket);
    if (!socket->go_on)
        return -1;
    event_active(socket->changed, EV_READ, 0);
    return 0;
}

int wire_socket_new(struct wire_context *context, struct event_base *base,
                    enum socket_kind kind, socket_on_message *on_message,
                    void *on_message_context, struct wire_socket **ret,
                    struct error *err)
{
    static const int types[] = {
        [SOCKET_PULL] = ZMQ_PULL,
        [SOCKET_PUSH] = ZMQ_PUSH,
        [SOCKET_PUB] = ZMQ_PUB,
        [SOCKET_SUB] = ZMQ_SUB,
    };
    CHECK((kind == SOCKET_PULL || kind == SOCKET_SUB) == (on_message != NULL));
    struct wire_socket *socket = calloc(1, sizeof *socket);
    if (!socket)
        return error_set(err, ERR_MEMORY, "no memory for a socket");
    socket->on_message = on_message;
    socket->on_message_context = on_message_context;
    socket->base = base;
    socket->zmq_context = context->zmq;
    socket->zmq = zmq_socket(context->zmq, types[kind]);
    if (!socket->zmq || set_options(socket, kind) ||
        (on_message && watch(socket))) {
        error_set(err, ERR_SYSTEM, "no ZeroMQ socket: %s", zmq_strerror(errno));
        wire_socket_free(&socket, 0);
        return (int)err->code;
    }
    *ret = socket;
    return 0;
}

void wire_socket_free(struct wire_socket **socket, int linger_ms)
{
    if (!*socket)
        return;
    handshakes_free(&(*socket)->handshakes);
    if ((*socket)->changed)
        event_free((*socket)->changed); /* before its descriptor goes */
    if ((*socket)->go_on)
        event_free((*socket)->go_on);
    if ((*socket)->zmq) {
        set_option(*socket, ZMQ_LINGER, linger_ms);
        zmq_close((*socket)->zmq);
    }
    wire_socket_forget(*socket);
    free(*socket);
    *socket = NULL;
}

int wire_socket_bind(struct wire_socket *socket, const char *endpoint,
                     char *ret_endpoint, struct error *err)
{
    if (allow_ipv6(socket, endpoint) || zmq_bind(socket->zmq, endpoint))
        return error_set(err, errno == EADDRINUSE ? ERR_CONFLICT : ERR_SYSTEM,
                         "can't bind to %s: %s", endpoint, zmq_strerror(errno));
    size_t size = SOCKET_ENDPOINT_BYTES;
    if (ret_endpoint &&
        zmq_getsockopt(socket->zmq, ZMQ_LAST_ENDPOINT, ret_endpoint, &size))
        return error_set(err, ERR_SYSTEM, "no address of %s: %s", endpoint,
                         zmq_strerror(errno));
    return 0;
}

int wire_socket_connect(struct wire_socket *socket, const char *endpoint,
                        struct error *err)
{
    if (allow_ipv6(socket, endpoint) || zmq_connect(socket->zmq, endpoint))
        return error_set(err, ERR_SYSTEM, "can't connect to %s: %s", endpoint,
                         zmq_strerror(errno));
    if (socket->changed)
        event_active(socket->changed, EV_READ, 0);
    return 0;
}

int wire_socket_subscribe(struct wire_socket *socket, const char *topic,
                          struct error *err)
{
    if (zmq_setsockopt(socket->zmq, ZMQ_SUBSCRIBE, topic, strlen(topic)))
        return error_set(err, ERR_SYSTEM, "can't subscribe to %s: %s", topic,
                         zmq_strerror(errno));
    return 0;
}

int wire_socket_limit(struct wire_socket *socket, int64_t message_bytes,
                      struct error *err)
{
    if (zmq_setsockopt(socket->zmq, ZMQ_MAXMSGSIZE, &message_bytes,
                       sizeof message_bytes))
        return error_set(err, ERR_SYSTEM, "no limit of messages: %s",
                         zmq_strerror(errno));
    return 0;
}

static bool keep(struct wire_socket *socket, struct slice data)
{
    if (socket->n_outbox == SOCKET_OUTBOX_MAX ||
        (!socket->changed && watch(socket)))
        return false;
    struct kept *kept = malloc(sizeof *kept + data.len);
    if (!kept)
        return false;
    kept->len = data.len;
    memcpy(kept->data, data.data, data.len);
    LL_APPEND(socket->outbox, kept);
    socket->n_outbox++;
    event_active(socket->changed, EV_READ, 0); /* room may be there by now */
    return true;
}

bool wire_socket_send(struct wire_socket *socket, struct slice data)
{
    ready(socket); /* ZeroMQ takes note of new and lost peers first */
    if (!socket->outbox && send_now(socket, data.data, data.len))
        return true;
    if (keep(socket, data))
        return true;
    socket->dropped++;
    return false;
}

void wire_socket_forget(struct wire_socket *socket)
{
    struct kept *kept, *next;
    LL_FOREACH_SAFE (socket->outbox, kept, next) {
        free(kept);
    }
    socket->outbox = NULL;
    socket->n_outbox = 0;
}

int wire_socket_source(const struct wire_socket *socket)
{
    return socket->source;
}

void wire_socket_hold_off(struct wire_socket *socket)
{
    socket->held_off = true;
}

int64_t wire_socket_dropped(const struct wire_socket *socket)
{
    return socket->dropped;
}
