/*
 * handshakes.c: what becomes of a connecting socket's handshakes: the
 * wire_socket_watch() of socket.h.
 *
 * libzmq tells it as events of a monitor (zmq_socket_monitor(3)). They are
 * looked at once a second. After a handshake that was refused libzmq gives
 * the connection up for good, so it is made anew here: the key may have been
 * allowed, or the master replaced, meanwhile. It also does so without a word,
 * where the other side's socket was of the wrong kind: a connection that is
 * none, and of which nothing is heard for GIVEN_UP_S, is made anew too. (One
 * that libzmq still tries has events all the time.)
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <zmq.h>

#include "base/clock.h"
#include "wire/socket_private.h"

#define LOOK_EVERY_S 1
#define GIVEN_UP_S 5 /* more than a try may take: socket.c */
#define TELL_AGAIN (60 * USEC_PER_SEC)
#define EVENTS                                                                 \
    (ZMQ_EVENT_CONNECT_DELAYED | ZMQ_EVENT_CONNECT_RETRIED |                   \
     ZMQ_EVENT_CLOSED | ZMQ_EVENT_DISCONNECTED |                               \
     ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL |    \
     ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH)

struct handshakes {
    struct wire_socket *socket;
    void *monitor;
    struct event *look;
    char endpoint[SOCKET_ENDPOINT_BYTES];
    socket_on_failed *on_failed;
    void *context;
    bool connected;
    int quiet; /* looks in a row without an event */
    int told;  /* a failure, or -1 */
    usec_t told_at;
};

/* The next event's number; 0: there is none. Its second part is the
 * address. */
static int next_event(void *monitor)
{
    uint16_t event = 0;
    int more = 1;
    for (int i = 0; more; i++) {
        zmq_msg_t part;
        CHECK(zmq_msg_init(&part) == 0);
        int len = zmq_msg_recv(&part, monitor, ZMQ_DONTWAIT);
        if (i == 0 && len >= (int)sizeof event)
            memcpy(&event, zmq_msg_data(&part), sizeof event);
        more = len >= 0 && zmq_msg_more(&part);
        zmq_msg_close(&part);
    }
    return event;
}

static void tell(struct handshakes *handshakes, int failure)
{
    usec_t now = clock_monotonic();
    if (handshakes->told == failure && now < handshakes->told_at + TELL_AGAIN)
        return;
    handshakes->told = failure;
    handshakes->told_at = now;
    handshakes->on_failed(handshakes->context, (enum handshake_failure)failure);
}

static void connect_anew(struct handshakes *handshakes)
{
    handshakes->quiet = 0;
    zmq_disconnect(handshakes->socket->zmq, handshakes->endpoint);
    zmq_connect(handshakes->socket->zmq, handshakes->endpoint);
    if (handshakes->socket->changed)
        event_active(handshakes->socket->changed, EV_READ, 0);
}

static void on_look(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct handshakes *handshakes = context;
    int event, failure = -1;
    bool given_up = false;
    handshakes->quiet++;
    while ((event = next_event(handshakes->monitor))) {
        handshakes->quiet = 0;
        switch (event) {
        case ZMQ_EVENT_HANDSHAKE_SUCCEEDED:
            handshakes->connected = true;
            failure = handshakes->told = -1;
            given_up = false;
            break;
        case ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL:
            failure = HANDSHAKE_CUT;
            break;
        case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH:
            failure = HANDSHAKE_KEY_REFUSED;
            given_up = true;
            break;
        case ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL:
            failure = HANDSHAKE_NO_KEYS;
            given_up = true;
            break;
        case ZMQ_EVENT_DISCONNECTED:
            handshakes->connected = false;
            break;
        default: /* it is being tried */
            break;
        }
    }
    if (!handshakes->connected && handshakes->quiet >= GIVEN_UP_S)
        given_up = true;
    if (failure >= 0)
        tell(handshakes, failure);
    if (given_up)
        connect_anew(handshakes);
}

void handshakes_free(struct handshakes **ptr)
{
    struct handshakes *handshakes = *ptr;
    if (!handshakes)
        return;
    if (handshakes->look)
        event_free(handshakes->look);
    zmq_socket_monitor(handshakes->socket->zmq, NULL, 0);
    if (handshakes->monitor)
        zmq_close(handshakes->monitor);
    free(handshakes);
    *ptr = NULL;
}

int wire_socket_watch(struct wire_socket *socket, const char *endpoint,
                      socket_on_failed *on_failed, void *on_failed_context,
                      struct error *err)
{
    static const struct timeval every = {LOOK_EVERY_S, 0};
    char place[64];
    int linger = 0;
    CHECK(!socket->handshakes);
    struct handshakes *handshakes = calloc(1, sizeof *handshakes);
    if (!handshakes)
        return error_set(err, ERR_MEMORY, "no memory for a socket");
    socket->handshakes = handshakes;
    handshakes->socket = socket;
    handshakes->on_failed = on_failed;
    handshakes->context = on_failed_context;
    handshakes->told = -1;
    snprintf(handshakes->endpoint, sizeof handshakes->endpoint, "%s", endpoint);
    /* A closed socket holds its name for a while yet: none is used twice. */
    static atomic_uint n_made;
    snprintf(place, sizeof place, "inproc://handshakes-%u", ++n_made);
    handshakes->monitor = zmq_socket(socket->zmq_context, ZMQ_PAIR);
    handshakes->look =
        event_new(socket->base, -1, EV_PERSIST, on_look, handshakes);
    if (!handshakes->monitor || !handshakes->look ||
        zmq_setsockopt(handshakes->monitor, ZMQ_LINGER, &linger,
                       sizeof linger) ||
        zmq_socket_monitor(socket->zmq, place, EVENTS) ||
        zmq_connect(handshakes->monitor, place) ||
        event_add(handshakes->look, &every))
        return error_set(err, ERR_SYSTEM, "a socket can't be watched: %s",
                         zmq_strerror(errno));
    return 0;
}
