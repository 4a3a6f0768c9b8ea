/* Pages that are told: master/dashboard/events.h, over the real server. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dashboard/events.h"
#include "dashboard/server.h"

static struct event_base *base;
static struct server *server;
static struct events *events;
static const struct access access_here = {.address = "127.0.0.1"};

static void on_request(void *context, const struct server_request *request)
{
    (void)context;
    events_join(events, request->http, "first", slice_of("1"));
}

static int setup(void **state)
{
    (void)state;
    struct error err = ERROR_NONE;
    base = event_base_new();
    events = events_new();
    if (server_new(base, &access_here, on_request, NULL, &server, &err))
        fail_msg("%s", err.text);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    events_free(&events);
    server_free(&server);
    event_base_free(base);
    return 0;
}

static void turn(int n)
{
    for (int i = 0; i < n; i++) {
        event_base_loop(base, EVLOOP_NONBLOCK);
        usleep(500);
    }
}

/* A page that has asked; `room` limits what the kernel keeps for it. */
static int page(int room)
{
    static const char ask[] = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
    struct sockaddr_in to = {.sin_family = AF_INET};
    int port = 0, fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(sscanf(server_url(server), "http://127.0.0.1:%d/", &port),
                     1);
    to.sin_port = htons((uint16_t)port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (room)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    assert_int_equal(write(fd, ask, sizeof ask - 1), sizeof ask - 1);
    return fd;
}

/* What came so far. */
static const char *heard(int fd)
{
    static char text[1 << 16];
    ssize_t len = recv(fd, text, sizeof text - 1, MSG_DONTWAIT);
    text[len > 0 ? len : 0] = '\0';
    return text;
}

/* It gets the first word, and then what all are told. */
static void test_told(void **state)
{
    (void)state;
    int a = page(0), b = page(0);
    turn(20);
    assert_int_equal(events_clients(events), 2);
    events_tell(events, "news", slice_of("{\"a\":1}"));
    turn(20);
    const char *text = heard(a);
    assert_non_null(strstr(text, "text/event-stream"));
    assert_non_null(strstr(text, "event: first\ndata: 1\n\n"));
    assert_non_null(strstr(text, "event: news\ndata: {\"a\":1}\n\n"));
    assert_non_null(strstr(heard(b), "event: news"));
    close(a);
    turn(20);
    assert_int_equal(events_clients(events), 1);
    events_tell(events, "news", slice_of("2"));
    turn(20);
    assert_non_null(strstr(heard(b), "data: 2"));
    close(b);
    turn(20);
    assert_int_equal(events_clients(events), 0);
    assert_int_equal(server_connections(server), 0);
}

/* One that never reads is closed once so much waits for it, whatever is told;
 * the others go on. */
static void test_never_reads(void **state)
{
    (void)state;
    int deaf = page(4096), good = page(0);
    char *text = malloc(32769);
    memset(text, 'x', 32768);
    text[32768] = '\0';
    turn(20);
    size_t told = 0;
    for (; events_clients(events) == 2 && told < ((size_t)64 << 20);
         told += 32768) {
        events_tell(events, "news", slice_of(text));
        turn(1);
        while (*heard(good))
            ;
    }
    free(text);
    assert_int_equal(events_clients(events), 1);
    assert_true(told < ((size_t)16 << 20)); /* with what the kernel took */
    turn(20);
    events_tell(events, "news", slice_of("after"));
    turn(20);
    assert_non_null(strstr(heard(good), "after"));
    close(deaf);
    close(good);
}

/* No more pages than there is room for. */
static void test_too_many(void **state)
{
    (void)state;
    int pages[EVENTS_CLIENTS_MAX + 1];
    for (size_t i = 0; i <= EVENTS_CLIENTS_MAX; i++) {
        pages[i] = page(0);
        turn(1);
    }
    turn(50);
    assert_int_equal(events_clients(events), EVENTS_CLIENTS_MAX);
    assert_non_null(strstr(heard(pages[EVENTS_CLIENTS_MAX]), " 503 "));
    for (size_t i = 0; i <= EVENTS_CLIENTS_MAX; i++)
        close(pages[i]);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_told),
        TEST(test_never_reads),
        TEST(test_too_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
