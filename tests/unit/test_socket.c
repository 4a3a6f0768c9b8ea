/* ZeroMQ sockets in a loop: socket.h, over ipc:// in a folder of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>
#include <zmq.h>

#include "base/clock.h"
#include "wire/socket.h"

#define PATIENCE (10 * USEC_PER_SEC) /* of a test that would fail */

struct bench {
    char folder[32], place[SOCKET_ENDPOINT_BYTES];
    struct event_base *base;
    struct wire_context *context;
    struct wire_socket *sockets[2];
    size_t n_sockets;
};

/* What a receiving socket heard. Messages are numbers in text. */
struct heard {
    int n, next; /* next: the number that is due */
    int in_turn, most_in_turn;
    bool in_order;
    char last[100];
};

static int setup(void **state)
{
    static struct bench bench;
    bench.n_sockets = 0;
    strcpy(bench.folder, "/tmp/windrow-socket-XXXXXX");
    assert_non_null(mkdtemp(bench.folder));
    snprintf(bench.place, sizeof bench.place, "ipc://%s/a", bench.folder);
    bench.base = event_base_new();
    bench.context = wire_context_new();
    assert_true(bench.base && bench.context);
    *state = &bench;
    return 0;
}

static int teardown(void **state)
{
    struct bench *bench = *state;
    for (size_t i = 0; i < bench->n_sockets; i++)
        wire_socket_free(&bench->sockets[i], 0);
    wire_context_free(&bench->context);
    event_base_free(bench->base);
    unlink(bench->place + strlen("ipc://"));
    rmdir(bench->folder);
    return 0;
}

static void on_message(void *context, struct slice data)
{
    struct heard *heard = context;
    snprintf(heard->last, sizeof heard->last, "%.*s", SLICE_ARGS(data));
    heard->n++;
    heard->in_turn++;
    heard->in_order &= atoi(heard->last) == heard->next++;
}

static struct heard nothing(void)
{
    return (struct heard){.in_order = true};
}

static struct wire_socket *socket_of(struct bench *bench, enum socket_kind kind,
                                     struct heard *heard)
{
    struct wire_socket *socket = NULL;
    struct error err = ERROR_NONE;
    if (wire_socket_new(bench->context, bench->base, kind,
                        heard ? on_message : NULL, heard, &socket, &err))
        fail_msg("%s", err.text);
    bench->sockets[bench->n_sockets++] = socket; /* teardown frees it */
    return socket;
}

static void bind_to(struct bench *bench, struct wire_socket *socket)
{
    struct error err = ERROR_NONE;
    if (wire_socket_bind(socket, bench->place, NULL, &err))
        fail_msg("%s", err.text);
}

static void connect_to(struct bench *bench, struct wire_socket *socket)
{
    struct error err = ERROR_NONE;
    if (wire_socket_connect(socket, bench->place, &err))
        fail_msg("%s", err.text);
}

/* Sends 0, 1, ... n - 1; how many were taken. */
static int send_numbers(struct wire_socket *socket, int n)
{
    int taken = 0;
    for (int i = 0; i < n; i++) {
        char text[16];
        snprintf(text, sizeof text, "%d", i);
        taken += wire_socket_send(socket, slice_of(text));
    }
    return taken;
}

static void on_tick(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    (void)context;
}

/* Runs turns of the loop until `n` were heard; a timer wakes the loop so
 * that it sees when patience is over. */
static void run_until(struct bench *bench, struct heard *heard, int n)
{
    usec_t until = clock_monotonic() + PATIENCE;
    struct event *tick = event_new(bench->base, -1, EV_PERSIST, on_tick, NULL);
    event_add(tick, &(struct timeval){0, 20000});
    while (heard->n < n && clock_monotonic() < until) {
        heard->in_turn = 0;
        event_base_loop(bench->base, EVLOOP_ONCE);
        if (heard->in_turn > heard->most_in_turn)
            heard->most_in_turn = heard->in_turn;
    }
    event_free(tick);
    assert_true(heard->n >= n);
}

/* A message to a peer that connects later arrives: it is kept meanwhile. */
static void test_peer_comes_later(void **state)
{
    struct bench *bench = *state;
    struct heard heard = nothing();
    struct wire_socket *push = socket_of(bench, SOCKET_PUSH, NULL);
    bind_to(bench, push);
    assert_int_equal(send_numbers(push, 3), 3);
    struct wire_socket *pull = socket_of(bench, SOCKET_PULL, &heard);
    connect_to(bench, pull);
    run_until(bench, &heard, 3);
    assert_true(heard.in_order);
}

/* The same the other way round: who connects may come first. */
static void test_binder_comes_later(void **state)
{
    struct bench *bench = *state;
    struct heard heard = nothing();
    struct wire_socket *push = socket_of(bench, SOCKET_PUSH, NULL);
    connect_to(bench, push);
    assert_int_equal(send_numbers(push, 3), 3);
    struct wire_socket *pull = socket_of(bench, SOCKET_PULL, &heard);
    bind_to(bench, pull);
    run_until(bench, &heard, 3);
    assert_true(heard.in_order);
}

/* Many messages take several turns of the loop, none of which takes more
 * than its share; and none is left lying. */
static void test_drain_is_bounded(void **state)
{
    struct bench *bench = *state;
    struct heard heard = nothing();
    struct wire_socket *pull = socket_of(bench, SOCKET_PULL, &heard);
    struct wire_socket *push = socket_of(bench, SOCKET_PUSH, NULL);
    bind_to(bench, pull);
    connect_to(bench, push);
    send_numbers(push, 1);
    run_until(bench, &heard, 1); /* now it is connected */
    heard = nothing();
    assert_int_equal(send_numbers(push, 10000), 10000);
    usleep(50000); /* so that they lie there all at once */
    run_until(bench, &heard, 10000);
    assert_true(heard.in_order);
    assert_int_equal(heard.most_in_turn, SOCKET_MESSAGES_A_TURN);
}

/* Without a peer SOCKET_OUTBOX_MAX messages are kept; the others are dropped
 * and counted, and those kept arrive; then as many are kept again. */
static void test_outbox_limit(void **state)
{
    struct bench *bench = *state;
    struct heard heard = nothing();
    struct wire_socket *push = socket_of(bench, SOCKET_PUSH, NULL);
    bind_to(bench, push);
    assert_int_equal(send_numbers(push, SOCKET_OUTBOX_MAX + 7),
                     SOCKET_OUTBOX_MAX);
    assert_int_equal(wire_socket_dropped(push), 7);
    struct wire_socket *pull = socket_of(bench, SOCKET_PULL, &heard);
    connect_to(bench, pull);
    run_until(bench, &heard, SOCKET_OUTBOX_MAX);
    assert_true(heard.in_order);
    wire_socket_free(&bench->sockets[1], 0); /* the peer goes: room again */
    usleep(50000);
    assert_int_equal(send_numbers(push, SOCKET_OUTBOX_MAX), SOCKET_OUTBOX_MAX);
}

/* A subscriber hears what begins with one of its topics, and nothing else. */
static void test_topics(void **state)
{
    struct bench *bench = *state;
    struct heard heard = nothing();
    struct error err = ERROR_NONE;
    struct wire_socket *pub = socket_of(bench, SOCKET_PUB, NULL);
    struct wire_socket *sub = socket_of(bench, SOCKET_SUB, &heard);
    bind_to(bench, pub);
    assert_int_equal(wire_socket_subscribe(sub, "n-1 ", &err), 0);
    assert_int_equal(wire_socket_subscribe(sub, "* ", &err), 0);
    connect_to(bench, sub);
    usec_t until = clock_monotonic() + PATIENCE;
    while (heard.n == 0 && clock_monotonic() < until) { /* it joins */
        wire_socket_send(pub, slice_of("* joined"));
        event_base_loopexit(bench->base, &(struct timeval){0, 10000});
        event_base_loop(bench->base, 0);
    }
    heard.n = 0;
    wire_socket_send(pub, slice_of("n-10 not for me"));
    wire_socket_send(pub, slice_of("n-1 for me"));
    wire_socket_send(pub, slice_of("n-2 not for me"));
    wire_socket_send(pub, slice_of("* the last"));
    while (strcmp(heard.last, "* the last") && heard.n < 10)
        run_until(bench, &heard, heard.n + 1);
    assert_int_equal(heard.n, 2);
}

/* A peer that speaks in several parts speaks another protocol: none of them
 * is taken for a message. */
static void test_parts_are_no_message(void **state)
{
    struct bench *bench = *state;
    struct heard heard = nothing();
    struct wire_socket *pull = socket_of(bench, SOCKET_PULL, &heard);
    bind_to(bench, pull);
    void *context = zmq_ctx_new(), *push = zmq_socket(context, ZMQ_PUSH);
    assert_int_equal(zmq_connect(push, bench->place), 0);
    zmq_send(push, "a", 1, ZMQ_SNDMORE);
    zmq_send(push, "b", 1, ZMQ_SNDMORE);
    zmq_send(push, "c", 1, 0);
    zmq_send(push, "whole", 5, 0);
    run_until(bench, &heard, 1);
    assert_string_equal(heard.last, "whole");
    zmq_close(push);
    zmq_ctx_term(context);
}

/* A port of its own is told; what can't be bound or reached by name says
 * which place it was. */
static void test_places(void **state)
{
    struct bench *bench = *state;
    struct error err = ERROR_NONE;
    char place[SOCKET_ENDPOINT_BYTES];
    struct wire_socket *push = socket_of(bench, SOCKET_PUSH, NULL);
    assert_int_equal(wire_socket_bind(push, "tcp://127.0.0.1:*", place, &err),
                     0);
    assert_int_equal(strncmp(place, "tcp://127.0.0.1:", 16), 0);
    assert_true(atoi(place + 16) > 0);
    assert_int_equal(
        wire_socket_bind(push, "ipc:///nowhere/at/all", NULL, &err),
        ERR_SYSTEM);
    assert_non_null(strstr(err.text, "ipc:///nowhere/at/all"));
    err = ERROR_NONE;
    assert_int_equal(wire_socket_connect(push, "nonsense", &err), ERR_SYSTEM);
    assert_non_null(strstr(err.text, "nonsense"));
}

#define windrow_test(test)                                                     \
    cmocka_unit_test_setup_teardown(test, setup, teardown)

static struct wire_socket *tcp_pull;
static int sources[2], n_sources;

static void on_message_from(void *context, struct slice data)
{
    int *heard = context;
    (void)data;
    int source = wire_socket_source(tcp_pull);
    for (int i = 0; i < n_sources; i++)
        if (sources[i] == source)
            source = -1;
    if (source >= 0 && n_sources < 2)
        sources[n_sources++] = source;
    ++*heard;
}

/* Over TCP a receiver can tell its peers from each other. */
static void test_sources(void **state)
{
    struct bench *bench = *state;
    struct error err = ERROR_NONE;
    int heard = 0;
    n_sources = 0;
    assert_int_equal(wire_socket_new(bench->context, bench->base, SOCKET_PULL,
                                     on_message_from, &heard, &tcp_pull, &err),
                     0);
    assert_int_equal(
        wire_socket_bind(tcp_pull, "tcp://127.0.0.1:*", bench->place, &err), 0);
    for (int i = 0; i < 2; i++) {
        struct wire_socket *push = socket_of(bench, SOCKET_PUSH, NULL);
        connect_to(bench, push);
        send_numbers(push, 3);
    }
    usec_t until = clock_monotonic() + PATIENCE;
    while (heard < 6 && clock_monotonic() < until)
        event_base_loop(bench->base, EVLOOP_ONCE);
    wire_socket_free(&tcp_pull, 0);
    assert_int_equal(heard, 6);
    assert_int_equal(n_sources, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        windrow_test(test_peer_comes_later),
        windrow_test(test_binder_comes_later),
        windrow_test(test_drain_is_bounded),
        windrow_test(test_outbox_limit),
        windrow_test(test_topics),
        windrow_test(test_parts_are_no_message),
        windrow_test(test_places),
        windrow_test(test_sources),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
