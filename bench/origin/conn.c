/*
 * conn.c: see conn.h.
 *
 *             request, delay              due
 *   READING ------------------> WAITING -------.
 *    ^   |        request, no delay            v
 *    |   '-----------------------------> SENDING, STREAMING, DRIPPING
 *    '--------- the answer is out --------------'     or STALLED
 *
 * Any state goes to DEAD: the client left, or the answer ends the connection. A
 * dead connection is freed by the trampoline (on_...) that saw it die, after
 * all else has returned.
 *
 * One answer at a time: what a client pipelines waits in its input buffer, and
 * what waits to be sent is at most one answer (lists by reference) or one piece
 * of a stream.
 */
#include "conn.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <utlist.h>

#include "base/check.h"
#include "base/clock.h"

#define INPUT_BYTES_MAX (2 * (HTTP_HEAD_BYTES_MAX + HTTP_BODY_BYTES_MAX))

enum conn_state {
    CONN_READING,
    CONN_WAITING,
    CONN_SENDING,
    CONN_STREAMING,
    CONN_DRIPPING,
    CONN_STALLED,
    CONN_DEAD
};

struct conn {
    struct conns *conns;
    struct conn *prev, *next;
    struct bufferevent *bev;
    struct event *timer; /* the delay, and the next byte of a drip */
    evutil_socket_t fd;  /* of bev */
    enum conn_state state;
    bool in_flight;
    bool keep_alive;
    bool stalls;           /* once what is being sent is out */
    uint64_t n_requests;   /* read from it */
    struct evbuffer *drip; /* what is still to be dripped; NULL: nothing */
    uint64_t stream_left;
    struct visit visit;
    struct http_request request;
};

static void conn_set_state(struct conn *conn, enum conn_state state)
{
    CHECK(conn->state != CONN_DEAD);
    CHECK(state != CONN_WAITING || conn->state == CONN_READING);
    CHECK(state == CONN_READING || state == CONN_DEAD ||
          conn->state == CONN_READING || conn->state == CONN_WAITING ||
          state == CONN_SENDING);
    conn->state = state;
}

static void conn_end_flight(struct conn *conn)
{
    if (conn->in_flight)
        journal_end(site_journal(conn->conns->site));
    conn->in_flight = false;
}

static void conn_free(struct conn *conn)
{
    struct conns *conns = conn->conns;
    conn_end_flight(conn);
    journal_disconnected(site_journal(conns->site));
    DL_DELETE(conns->list, conn);
    if (conn->timer)
        event_free(conn->timer);
    if (conn->drip)
        evbuffer_free(conn->drip);
    bufferevent_free(conn->bev); /* closes the socket */
    free(conn);
}

/* The answer has been handed to the kernel. */
static void conn_finish(struct conn *conn)
{
    if (conn->stalls) {
        conn->state = CONN_STALLED;
        return;
    }
    conn_end_flight(conn);
    conn_set_state(conn, conn->keep_alive ? CONN_READING : CONN_DEAD);
}

static void conn_arm(struct conn *conn, usec_t delay)
{
    struct timeval tv = {.tv_sec = delay / USEC_PER_SEC,
                         .tv_usec = delay % USEC_PER_SEC};
    if (evtimer_add(conn->timer, &tv))
        conn_set_state(conn, CONN_DEAD);
}

/*
 * Sends head and body. What the kernel takes at once never enters libevent's
 * buffer, which saves two epoll_ctl() an answer; errors are left for the
 * bufferevent to find.
 */
static void conn_write(struct conn *conn, struct slice head, struct slice body,
                       bool body_lasts)
{
    struct evbuffer *out = bufferevent_get_output(conn->bev);
    size_t sent = 0;
    if (evbuffer_get_length(out) == 0) {
        struct iovec parts[2] = {{(void *)head.data, head.len},
                                 {(void *)body.data, body.len}};
        struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
        ssize_t taken = sendmsg(conn->fd, &message, MSG_NOSIGNAL);
        sent = taken > 0 ? (size_t)taken : 0;
    }
    size_t head_sent = sent < head.len ? sent : head.len;
    size_t body_sent = sent - head_sent;
    int failed = 0;
    if (head_sent < head.len)
        failed |=
            evbuffer_add(out, head.data + head_sent, head.len - head_sent);
    if (body_sent < body.len)
        failed |=
            (body_lasts
                 ? evbuffer_add_reference(out, body.data + body_sent,
                                          body.len - body_sent, NULL, NULL)
                 : evbuffer_add(out, body.data + body_sent,
                                body.len - body_sent));
    if (failed)
        conn_set_state(conn, CONN_DEAD);
}

static bool conn_output_empty(const struct conn *conn)
{
    return evbuffer_get_length(bufferevent_get_output(conn->bev)) == 0;
}

static void conn_send(struct conn *conn, struct slice head, struct slice body,
                      bool body_lasts)
{
    conn_set_state(conn, CONN_SENDING);
    conn_write(conn, head, body, body_lasts);
    if (conn->state == CONN_SENDING && conn_output_empty(conn))
        conn_finish(conn);
}

/* The next piece, once the last one is out; then the end. A piece always goes
 * through the buffer, whose draining calls for the next. */
static void conn_stream(struct conn *conn)
{
    struct evbuffer *out = bufferevent_get_output(conn->bev);
    bool chunked = conn->request.chunked_understood;
    size_t len = conn->stream_left < CONN_PIECE_BYTES
                     ? (size_t)conn->stream_left
                     : CONN_PIECE_BYTES;
    if (len == 0) {
        conn_send(conn, slice_of(chunked ? "0\r\n\r\n" : ""), slice_of(""),
                  true);
        return;
    }
    conn->stream_left -= len;
    if ((chunked && evbuffer_add_printf(out, "%zx\r\n", len) < 0) ||
        evbuffer_add_reference(out, conn->conns->piece, len, NULL, NULL) ||
        (chunked && evbuffer_add(out, "\r\n", 2)))
        conn_set_state(conn, CONN_DEAD);
}

static void conn_start_stream(struct conn *conn, struct slice head,
                              uint64_t bytes)
{
    conn->stream_left = bytes;
    conn_set_state(conn, CONN_STREAMING);
    if (bufferevent_write(conn->bev, head.data, head.len))
        conn_set_state(conn, CONN_DEAD);
}

static void conn_start_drip(struct conn *conn, struct slice head,
                            struct slice body)
{
    conn->drip = evbuffer_new();
    if (!conn->drip || evbuffer_add(conn->drip, body.data, body.len)) {
        conn_set_state(conn, CONN_DEAD);
        return;
    }
    conn_set_state(conn, CONN_DRIPPING);
    conn_write(conn, head, (struct slice){NULL, 0}, true);
    if (conn->state == CONN_DRIPPING)
        conn_arm(conn, conn->conns->options->drip_interval);
}

static void conn_drip(struct conn *conn)
{
    char byte;
    if (evbuffer_remove(conn->drip, &byte, 1) == 1)
        conn_write(conn, (struct slice){&byte, 1}, (struct slice){NULL, 0},
                   false);
    if (conn->state == CONN_DEAD)
        return;
    if (evbuffer_get_length(conn->drip) > 0) {
        conn_arm(conn, conn->conns->options->drip_interval);
        return;
    }
    evbuffer_free(conn->drip);
    conn->drip = NULL;
    conn_send(conn, slice_of(""), slice_of(""), true);
}

/* Closing with this set sends RST instead of FIN. */
static void conn_reset(struct conn *conn)
{
    struct linger linger = {.l_onoff = 1, .l_linger = 0};
    setsockopt(conn->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    conn_set_state(conn, CONN_DEAD);
}

static struct slice write_head(struct conn *conn, const struct answer *answer)
{
    struct buffer *head = &conn->conns->head;
    size_t body_bytes = answer->body.len;
    if (answer->delivery == DELIVER_STREAM) {
        body_bytes = HTTP_CHUNKED;
        if (!conn->request.chunked_understood) {
            body_bytes = answer->stream_bytes;
            conn->keep_alive = false;
        }
    }
    if (answer->delivery == DELIVER_TRUNCATED)
        conn->keep_alive = false;
    buffer_clear(head);
    http_append_head(head, &(struct http_head){.status = answer->status,
                                               .type = answer->type,
                                               .body_bytes = body_bytes,
                                               .gzip = answer->gzip,
                                               .keep_alive = conn->keep_alive,
                                               .extra = answer->extra});
    return buffer_slice(head);
}

/* What is no HTTP answer, or not quite. */
static void conn_deliver_raw(struct conn *conn, const struct answer *answer)
{
    if (answer->delivery != DELIVER_RAW)
        conn->keep_alive = false;
    conn->stalls = answer->delivery == DELIVER_RAW_STALL;
    if (answer->delivery == DELIVER_RAW_DRIP)
        conn_start_drip(conn, slice_of(""), answer->body);
    else
        conn_send(conn, slice_of(""), answer->body, answer->body_lasts);
}

static void conn_deliver(struct conn *conn, const struct answer *answer)
{
    switch (answer->delivery) {
    case DELIVER_RAW:
    case DELIVER_RAW_CLOSE:
    case DELIVER_RAW_STALL:
    case DELIVER_RAW_DRIP:
        conn_deliver_raw(conn, answer);
        return;
    case DELIVER_STALE:
        if (conn->n_requests > 1) {
            conn_set_state(conn, CONN_DEAD);
            return;
        }
        break;
    case DELIVER_CLOSE:
        conn_set_state(conn, CONN_DEAD);
        return;
    case DELIVER_RESET:
        conn_reset(conn);
        return;
    case DELIVER_STALL:
        conn_set_state(conn, CONN_STALLED);
        return;
    default:
        break;
    }
    if (answer->stream_length)
        conn->request.chunked_understood = false;
    struct slice head = write_head(conn, answer);
    struct slice body = answer->body;
    if (answer->delivery == DELIVER_STREAM) {
        conn_start_stream(conn, head, answer->stream_bytes);
    } else if (answer->delivery == DELIVER_DRIP) {
        conn_start_drip(conn, head, body);
    } else {
        if (answer->delivery == DELIVER_TRUNCATED)
            body.len /= 2;
        conn_send(conn, head, body, answer->body_lasts);
    }
}

static void conn_answer(struct conn *conn)
{
    struct answer answer;
    site_answer(conn->conns->site, &conn->request, &conn->visit, &answer);
    conn_deliver(conn, &answer);
}

static void conn_begin(struct conn *conn)
{
    site_begin(conn->conns->site, &conn->request, clock_monotonic(),
               &conn->visit);
    conn->n_requests++;
    conn->in_flight = conn->visit.journaled;
    conn->keep_alive = conn->request.keep_alive;
    if (conn->visit.delay > 0) {
        conn_set_state(conn, CONN_WAITING);
        conn_arm(conn, conn->visit.delay);
    } else {
        conn_answer(conn);
    }
}

static void conn_refuse(struct conn *conn, int status)
{
    struct answer answer;
    site_refuse(status, &answer);
    conn->keep_alive = false;
    conn_deliver(conn, &answer);
}

/* Takes as many requests from the input as can be answered now. */
static void conn_read(struct conn *conn)
{
    struct evbuffer *in = bufferevent_get_input(conn->bev);
    while (conn->state == CONN_READING && evbuffer_get_length(in) > 0) {
        size_t used;
        size_t len = evbuffer_get_length(in);
        const char *text = (const char *)evbuffer_pullup(in, -1);
        int status = text ? http_parse(text, len, &conn->request, &used) : 503;
        if (status == HTTP_PARTIAL)
            return;
        if (status != HTTP_COMPLETE) {
            conn_refuse(conn, status);
            return;
        }
        evbuffer_drain(in, used);
        conn_begin(conn);
    }
}

/* The output has been drained. */
static void conn_drained(struct conn *conn)
{
    if (conn->state == CONN_STREAMING)
        conn_stream(conn);
    else if (conn->state == CONN_SENDING)
        conn_finish(conn);
    if (conn->state == CONN_READING)
        conn_read(conn);
}

static void conn_due(struct conn *conn)
{
    if (conn->state == CONN_WAITING)
        conn_answer(conn);
    else if (conn->state == CONN_DRIPPING)
        conn_drip(conn);
    if (conn->state == CONN_READING)
        conn_read(conn);
}

static void conn_reap(struct conn *conn)
{
    if (conn->state == CONN_DEAD)
        conn_free(conn);
}

static void on_conn_read(struct bufferevent *bev, void *context)
{
    (void)bev;
    conn_read(context);
    conn_reap(context);
}

static void on_conn_write(struct bufferevent *bev, void *context)
{
    (void)bev;
    conn_drained(context);
    conn_reap(context);
}

static void on_conn_event(struct bufferevent *bev, short what, void *context)
{
    (void)bev;
    if (what & (BEV_EVENT_EOF | BEV_EVENT_ERROR))
        conn_set_state(context, CONN_DEAD);
    conn_reap(context);
}

static void on_conn_timer(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    conn_due(context);
    conn_reap(context);
}

static struct conn *conn_new(struct conns *conns, evutil_socket_t fd)
{
    struct conn *conn = calloc(1, sizeof *conn);
    if (!conn)
        goto err_close;
    conn->conns = conns;
    conn->fd = fd;
    conn->timer = evtimer_new(conns->base, on_conn_timer, conn);
    if (!conn->timer)
        goto err_free;
    conn->bev = bufferevent_socket_new(conns->base, fd, BEV_OPT_CLOSE_ON_FREE);
    if (!conn->bev)
        goto err_free_timer;
    return conn;
err_free_timer:
    event_free(conn->timer);
err_free:
    free(conn);
err_close:
    evutil_closesocket(fd);
    return NULL;
}

void conns_init(struct conns *conns, struct event_base *base,
                const struct options *options, struct site *site)
{
    *conns = (struct conns){.base = base, .options = options, .site = site};
    memset(conns->piece, 'x', sizeof conns->piece);
}

void conns_fini(struct conns *conns)
{
    struct conn *conn, *next;
    DL_FOREACH_SAFE (conns->list, conn, next)
        conn_free(conn);
    buffer_free(&conns->head);
}

void conns_add(struct conns *conns, evutil_socket_t fd)
{
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct conn *conn = conn_new(conns, fd);
    if (!conn)
        return;
    DL_APPEND(conns->list, conn);
    journal_connected(site_journal(conns->site));
    bufferevent_setcb(conn->bev, on_conn_read, on_conn_write, on_conn_event,
                      conn);
    bufferevent_setwatermark(conn->bev, EV_READ, 0, INPUT_BYTES_MAX);
    if (bufferevent_enable(conn->bev, EV_READ | EV_WRITE)) {
        conn_set_state(conn, CONN_DEAD);
        conn_reap(conn);
    }
}
