/*
 * HTTP transfers: fetch.h, with the sockets, options and host names behind it,
 * against a small server of the test's own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "extract.h"
#include "fetch.h"
#include "web.h"

#define IDS_MAX 512
#define OK_HEAD "HTTP/1.1 200 OK\r\n"

/* gzip of 100,000 times "0". */
static const char bomb[] =
#include "fetch_bomb.h"
    ;

/* A first header of 40,000 bytes, nearly all of them blanks. */
static char long_line[40100];

static const struct web_page pages[] = {
    {.path = "/hello", .answer = OK_HEAD "Content-Length: 5\r\n\r\nhello"},
    {.path = "/empty", .answer = OK_HEAD "Content-Length: 0\r\n\r\n"},
    {.path = "/long",
     .answer = OK_HEAD "Content-Length: 11\r\n\r\n12345678901"},
    {.path = "/chunked",
     .answer = OK_HEAD "Transfer-Encoding: chunked\r\n\r\n"
                       "6\r\n123456\r\n5\r\n78901\r\n0\r\n\r\n"},
    {.path = "/bomb", .answer = bomb, .len = sizeof bomb - 1},
    {.path = "/gone",
     .answer = "HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n"},
    {.path = "/busy",
     .answer = "HTTP/1.1 429 Slow\r\nRetry-After: 7\r\n"
               "Content-Length: 4\r\n\r\nslow"},
    {.path = "/busier",
     .answer = "HTTP/1.1 503 Busy\r\nRetry-After: 99999\r\n"
               "Content-Length: 0\r\n\r\n"},
    {.path = "/broken",
     .answer = "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"},
    {.path = "/denied",
     .answer = "HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n"},
    {.path = "/moved",
     .answer = "HTTP/1.1 302 There\r\nLocation: /hello?a=1\r\n"
               "Content-Length: 0\r\n\r\n"},
    {.path = "/deep/moved",
     .answer = "HTTP/1.1 302 There\r\nLocation:\r\nLocation: ../b c?d\r\n"
               "Content-Length: 0\r\n\r\n"},
    {.path = "/deep/query",
     .answer = "HTTP/1.1 302 There\r\nLocation: ?a=2\r\n"
               "Content-Length: 0\r\n\r\n"},
    {.path = "/away",
     .answer = "HTTP/1.1 302 There\r\nLocation: //b.example/c\r\n"
               "Content-Length: 0\r\n\r\n"},
    {.path = "/nowhere",
     .answer = "HTTP/1.1 302 There\r\nContent-Length: 0\r\n\r\n"},
    {.path = "/reset",
     .answer = OK_HEAD "Content-Length: 50\r\n\r\nhello",
     .reset = 1},
    {.path = "/cut",
     .answer = OK_HEAD "Connection: close\r\nContent-Length: 50\r\n\r\nhello"},
    {.path = "/folded",
     .answer = OK_HEAD " fo: lded\r\nContent-Length: 5\r\n\r\nhello"},
    {.path = "/folded-after-1xx",
     .answer = "HTTP/1.1 103 Hints\r\nA: b\r\n\r\n" OK_HEAD
               "\tfo: lded\r\nContent-Length: 5\r\n\r\nhello"},
    {.path = "/folded-later",
     .answer = OK_HEAD "A: b\r\n fo: lded\r\nContent-Length: 5\r\n\r\nhello"},
    {.path = "/hints",
     .answer = "HTTP/1.1 100 Go on\r\n\r\nHTTP/1.1 103 Hints\r\nA: b\r\n"
               "\r\n" OK_HEAD "Content-Length: 5\r\n\r\nhello"},
    {.path = "/bare", .answer = OK_HEAD "\r\n Connection: close"},
    {.path = "/long-line", .answer = long_line},
    {.path = "/trailer",
     .answer = OK_HEAD "Transfer-Encoding: chunked\r\n\r\n"
                       "5\r\nhello\r\n0\r\n tr: ailer\r\nB: c\r\n\r\n"},
    {.path = "/odd",
     .answer = "HTTP/2222222222222222222 x\r\nContent-Length: 0\r\n\r\n"},
    {.path = "/silent", .answer = "", .reset = 1},
    {.path = "/slow",
     .answer = OK_HEAD "Content-Length: 2\r\n\r\nok",
     .delay_ms = 60},
    {.path = "/late",
     .answer = OK_HEAD "Content-Length: 2\r\n\r\nok",
     .delay_ms = 30000},
    {.path = NULL},
};

/* What became of a transfer. */
struct outcome {
    int n; /* how often it ended */
    enum reason reason;
    int http_status;
    usec_t retry_after;
    char body[64], redirect[128], detail[FETCH_DETAIL_BYTES];
    size_t body_len;
};

static struct web *web;
static struct event_base *base;
static struct fetch_pool *pool;
static struct outcome outcomes[IDS_MAX];
static int n_done;
static uint64_t cancel_on_done; /* cancelled by the first end; 0: none */
static const struct request plain = {
    .user_agent = "test",
    .timeout = 5 * USEC_PER_SEC,
    .connect_timeout = 5 * USEC_PER_SEC,
    .body_bytes_max = 1000,
};
static const struct request tight = {
    .user_agent = "test",
    .timeout = 150 * USEC_PER_MSEC,
    .connect_timeout = 5 * USEC_PER_SEC,
    .body_bytes_max = 10,
};
static const struct request guarded = {
    .user_agent = "test",
    .timeout = 5 * USEC_PER_SEC,
    .connect_timeout = 5 * USEC_PER_SEC,
    .body_bytes_max = 1000,
    .deny_private = true,
};

static void on_done(void *context, uint64_t id,
                    const struct fetch_answer *answer)
{
    assert_ptr_equal(context, outcomes);
    assert_true(id < IDS_MAX);
    struct outcome *outcome = &outcomes[id];
    outcome->n++;
    outcome->reason = answer->reason;
    outcome->http_status = answer->http_status;
    outcome->retry_after = answer->retry_after;
    outcome->body_len = answer->body.len;
    snprintf(outcome->body, sizeof outcome->body, "%.*s",
             SLICE_ARGS(answer->body));
    snprintf(outcome->redirect, sizeof outcome->redirect, "%.*s",
             SLICE_ARGS(answer->redirect));
    memcpy(outcome->detail, answer->detail, sizeof outcome->detail);
    if (answer->body.data)
        memset((char *)(uintptr_t)answer->body.data + answer->body.len, 0,
               EXTRACT_PADDING); /* may be written: the sanitizer watches */
    n_done++;
    if (cancel_on_done)
        fetch_cancel(pool, cancel_on_done);
    cancel_on_done = 0;
}

static int setup(void **state)
{
    (void)state;
    struct error err = ERROR_NONE;
    snprintf(long_line, sizeof long_line,
             OK_HEAD "A:%40000s\r\nContent-Length: 5\r\n\r\nhello", "b");
    memset(outcomes, 0, sizeof outcomes);
    n_done = 0;
    cancel_on_done = 0;
    web = web_start(pages);
    base = event_base_new();
    if (fetch_pool_new(base, NULL, on_done, outcomes, &pool, &err))
        fail_msg("%s", err.text);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fetch_pool_free(&pool);
    event_base_free(base);
    web_stop(&web);
    return 0;
}

static void start_url(uint64_t id, const struct request *request,
                      const char *url)
{
    struct error err = ERROR_NONE;
    if (fetch_start(pool, id, request, slice_of(url), false, NULL, &err))
        fail_msg("%s: %s", url, err.text);
}

static void start(uint64_t id, const struct request *request, const char *path)
{
    char url[200];
    snprintf(url, sizeof url, "http://127.0.0.1:%d%s", web_port(web), path);
    start_url(id, request, url);
}

/* Runs the loop until `n` transfers have ended, at most some seconds. */
static void run_until(int n)
{
    usec_t until = clock_monotonic() + 10 * USEC_PER_SEC;
    while (n_done < n && clock_monotonic() < until) {
        event_base_loopexit(base, &(struct timeval){0, 2000});
        event_base_loop(base, 0);
    }
    assert_int_equal(n_done, n);
}

static struct outcome *fetch(const struct request *request, const char *path)
{
    memset(outcomes, 0, sizeof outcomes[0]);
    start(0, request, path);
    run_until(n_done + 1);
    return &outcomes[0];
}

static void assert_ends(const struct request *request, const char *path,
                        enum reason reason, int http_status)
{
    struct outcome *outcome = fetch(request, path);
    if (outcome->reason != reason || outcome->http_status != http_status)
        fail_msg("%s: %s (%s), status %d", path, reason_name(outcome->reason),
                 outcome->detail, outcome->http_status);
    assert_int_equal(!outcome->detail[0], reason == REASON_NONE);
}

/* A page comes as it was sent; an empty one is one, too. */
static void test_pages(void **state)
{
    (void)state;
    assert_ends(&plain, "/hello", REASON_NONE, 200);
    assert_string_equal(outcomes[0].body, "hello");
    assert_int_equal(outcomes[0].retry_after, -1);
    assert_int_equal(fetch_bytes(pool), 5);
    assert_ends(&plain, "/empty", REASON_NONE, 200);
    assert_int_equal(outcomes[0].body_len, 0);
    assert_int_equal(web_connections(web), 1); /* it stays open */
}

/* on_done never comes before fetch_start() returned. */
static void test_nothing_at_once(void **state)
{
    (void)state;
    start_url(1, &plain, "ftp://127.0.0.1/");
    assert_int_equal(n_done, 0);
    run_until(1);
    assert_int_equal(outcomes[1].reason, REASON_BAD_KEY);
}

/* A body is counted after decoding, with or without its length told; at the
 * limit it is taken. */
static void test_body_max(void **state)
{
    (void)state;
    struct request eleven = tight;
    eleven.body_bytes_max = 11;
    assert_ends(&tight, "/long", REASON_TOO_LARGE, 200);
    assert_ends(&tight, "/chunked", REASON_TOO_LARGE, 200);
    assert_ends(&eleven, "/long", REASON_NONE, 200);
    assert_ends(&eleven, "/chunked", REASON_NONE, 200);
    assert_string_equal(outcomes[0].body, "12345678901");
    assert_ends(&plain, "/bomb", REASON_TOO_LARGE, 200);
    fetch_pool_free(&pool); /* before `eleven` goes */
}

/* gzip is undone. */
static void test_gzip(void **state)
{
    (void)state;
    struct request large = plain;
    large.body_bytes_max = 100000;
    assert_ends(&large, "/bomb", REASON_NONE, 200);
    assert_int_equal(outcomes[0].body_len, 100000);
    assert_int_equal(strspn(outcomes[0].body, "0"),
                     sizeof outcomes[0].body - 1);
    assert_true(fetch_bytes(pool) < 1000);
    fetch_pool_free(&pool);
}

/* Which status is which reason; Retry-After is read, and cut. */
static void test_statuses(void **state)
{
    (void)state;
    assert_ends(&plain, "/none", REASON_NOT_FOUND, 404);
    assert_ends(&plain, "/gone", REASON_NOT_FOUND, 410);
    assert_ends(&plain, "/denied", REASON_STATUS, 403);
    assert_ends(&plain, "/broken", REASON_STATUS_RETRY, 503);
    assert_int_equal(outcomes[0].retry_after, -1);
    assert_ends(&plain, "/busy", REASON_REFUSED, 429);
    assert_int_equal(outcomes[0].retry_after, 7 * USEC_PER_SEC);
    assert_string_equal(outcomes[0].body, "slow");
    assert_ends(&plain, "/busier", REASON_REFUSED, 503);
    assert_int_equal(outcomes[0].retry_after, RETRY_AFTER_MAX);
}

/* A status that is none, as libcurl tells it where a hostile server sends any
 * number after "HTTP/2", is no status (found by fuzz_response). */
static void test_a_status_that_is_none(void **state)
{
    (void)state;
    assert_ends(&plain, "/odd", REASON_CUT, 0);
    assert_ends(&plain, "/hello", REASON_NONE, 200);
}

/* A redirect is told, absolute, and not followed; one without a place is a
 * status like any other. */
static void test_redirects(void **state)
{
    (void)state;
    char expected[100];
    assert_ends(&plain, "/moved", REASON_NONE, 302);
    snprintf(expected, sizeof expected, "http://127.0.0.1:%d/hello?a=1",
             web_port(web));
    assert_string_equal(outcomes[0].redirect, expected);
    assert_ends(&plain, "/nowhere", REASON_STATUS, 302);
    assert_string_equal(outcomes[0].redirect, "");
}

/* From where the page is, whether libcurl was told all of its URL (which it is
 * of one with a fragment) or not. */
static void test_relative_redirects(void **state)
{
    (void)state;
    static const struct {
        const char *path, *to;
    } moves[] = {{"/deep/moved", "/b%20c?d"},
                 {"/deep/query?a=1", "/deep/query?a=2"}};
    char path[100], expected[100];
    for (size_t i = 0; i < 2 * sizeof moves / sizeof *moves; i++) {
        snprintf(path, sizeof path, "%s%s", moves[i / 2].path,
                 i % 2 ? "#x" : "");
        snprintf(expected, sizeof expected, "http://127.0.0.1:%d%s",
                 web_port(web), moves[i / 2].to);
        assert_ends(&plain, path, REASON_NONE, 302);
        if (strcmp(outcomes[0].redirect, expected))
            fail_msg("%s: %s", path, outcomes[0].redirect);
    }
    assert_ends(&plain, "/away", REASON_NONE, 302);
    assert_string_equal(outcomes[0].redirect, "http://b.example/c");
}

/* Connections that end in mid-answer, before it, or never begin. */
static void test_broken_connections(void **state)
{
    (void)state;
    assert_ends(&plain, "/reset", REASON_CUT, 200);
    assert_ends(&plain, "/cut", REASON_CUT, 200);
    assert_ends(&plain, "/silent", REASON_CUT, 0);
    assert_ends(&tight, "/late", REASON_TIMEOUT, 0);
    memset(outcomes, 0, sizeof outcomes[0]);
    start_url(0, &plain, "http://127.0.0.1:1/"); /* nobody listens */
    run_until(n_done + 1);
    assert_int_equal(outcomes[0].reason, REASON_CONNECT);
    assert_ends(&plain, "/hello", REASON_NONE, 200); /* and it goes on */
}

/* What libcurl itself refuses, before there is a connection, leaves nothing
 * that harms another request. */
static void test_after_a_refused_url(void **state)
{
    (void)state;
    char url[100];
    snprintf(url, sizeof url, "http://a%%00@127.0.0.1:%d/hello", web_port(web));
    for (int i = 0; i < 2; i++) {
        start_url(0, &plain, url);
        run_until(n_done + 1);
        assert_int_equal(outcomes[0].reason, REASON_BAD_KEY);
        assert_ends(&tight, "/hello", REASON_NONE, 200);
    }
}

/* A first header line that goes on from one before it, which there is none of:
 * libcurl before 8.1.1 would add it to a header of the transfer before, which
 * is freed (found by fuzz_response). */
static void test_a_folded_first_line(void **state)
{
    (void)state;
    assert_ends(&plain, "/hello", REASON_NONE, 200);
    assert_ends(&plain, "/folded", REASON_CUT, 200);
    assert_ends(&plain, "/folded", REASON_CUT, 200);
    assert_ends(&plain, "/hello", REASON_NONE, 200);
    assert_ends(&plain, "/folded-after-1xx", REASON_CUT, 200);
    assert_ends(&plain, "/hello", REASON_NONE, 200);
}

/* What is no such line is no part of the body either: one folded later, heads
 * without an answer, no header at all, a header that is longer than what
 * libcurl writes at once, trailers. */
static void test_odd_heads(void **state)
{
    (void)state;
    static const char *const paths[] = {"/folded-later", "/hints", "/long-line",
                                        "/trailer"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        assert_ends(&plain, paths[i], REASON_NONE, 200);
        assert_string_equal(outcomes[0].body, "hello");
    }
    assert_ends(&plain, "/bare", REASON_NONE, 200);
    assert_string_equal(outcomes[0].body, " Connection: close");
    assert_ends(&plain, "/hello", REASON_NONE, 200);
}

/* With deny_private an address of this machine or network is not asked, by
 * number or by name. */
static void test_deny_private(void **state)
{
    (void)state;
    char url[100];
    static const char *const hosts[] = {
        "127.0.0.1",          "localhost",      "0.0.0.0",
        "10.1.2.3",           "169.254.1.1",    "[::1]",
        "[::ffff:127.0.0.1]", "[fe80::1]",      "172.31.255.255",
        "192.168.0.1",        "100.64.0.1",     "224.0.0.1",
        "255.255.255.255",    "198.19.0.1",     "[::]",
        "[fd00::1]",          "[ff02::1]",      "[::127.0.0.1]",
        "[64:ff9b::a00:1]",   "[2002:7f00:1::]"};
    const int n = sizeof hosts / sizeof *hosts;
    for (int i = 0; i < n; i++) {
        snprintf(url, sizeof url, "http://%s:%d/hello", hosts[i],
                 web_port(web));
        start_url((uint64_t)i, &guarded, url);
    }
    run_until(n);
    for (int i = 0; i < n; i++)
        if (outcomes[i].reason != REASON_PRIVATE)
            fail_msg("%s: %s", hosts[i], reason_name(outcomes[i].reason));
    assert_int_equal(web_connections(web), 0);
}

/* Also where another request has left an open connection to it. */
static void test_deny_private_on_open_connection(void **state)
{
    (void)state;
    assert_ends(&plain, "/hello", REASON_NONE, 200);
    assert_ends(&guarded, "/hello", REASON_PRIVATE, 0);
}

/* A host by its name; one that is not there is a DNS error. */
static void test_names(void **state)
{
    (void)state;
    char url[100];
    snprintf(url, sizeof url, "http://localhost:%d/hello", web_port(web));
    start_url(0, &plain, url);
    start_url(1, &plain, "http://name.invalid/");
    run_until(2);
    assert_int_equal(outcomes[0].reason, REASON_NONE);
    assert_int_equal(outcomes[1].reason, REASON_DNS);
    assert_true(outcomes[1].detail[0]);
}

/* What is cancelled is never told, whether it waits or flies; an id that is
 * not there is ignored. */
static void test_cancel(void **state)
{
    (void)state;
    start(1, &plain, "/late");
    start(2, &plain, "/slow");
    start(3, &plain, "/hello");
    fetch_cancel(pool, 3);
    fetch_cancel(pool, 99);
    run_until(0);
    for (int i = 0; i < 10; i++) { /* until they fly */
        event_base_loopexit(base, &(struct timeval){0, 2000});
        event_base_loop(base, 0);
    }
    fetch_cancel(pool, 1);
    run_until(1);
    assert_int_equal(outcomes[2].n, 1);
    fetch_cancel_all(pool);
    assert_ends(&plain, "/hello", REASON_NONE, 200);
    assert_int_equal(outcomes[1].n + outcomes[3].n, 0);
}

/* An end may cancel another transfer that waits for its turn. */
static void test_cancel_within_done(void **state)
{
    (void)state;
    cancel_on_done = 2;
    start_url(1, &plain, "ftp://nothing/");
    start(2, &plain, "/hello");
    start(3, &plain, "/hello");
    run_until(2);
    assert_int_equal(outcomes[1].n, 1);
    assert_int_equal(outcomes[2].n, 0);
    assert_int_equal(outcomes[3].n, 1);
    assert_ends(&plain, "/hello", REASON_NONE, 200);
}

/* An end is an end already while it is told: to cancel it then is nothing. */
static void test_cancel_itself(void **state)
{
    (void)state;
    cancel_on_done = 1;
    start(1, &plain, "/hello");
    run_until(1);
    assert_ends(&plain, "/hello", REASON_NONE, 200);
}

/* 300 transfers at once take three shards; all end, and those after them go
 * over the connections that are open. */
static void test_many(void **state)
{
    (void)state;
    enum { N = 300 };
    for (int round = 0; round < 2; round++) {
        for (uint64_t id = 0; id < N; id++)
            start(id, &plain, "/slow");
        run_until((round + 1) * N);
    }
    for (int id = 0; id < N; id++) {
        assert_int_equal(outcomes[id].n, 2);
        assert_string_equal(outcomes[id].body, "ok");
    }
    assert_int_equal(web_connections(web), N);
}

/* What flies when the pool goes is forgotten. */
static void test_free_while_flying(void **state)
{
    (void)state;
    for (uint64_t id = 0; id < 20; id++)
        start(id, &plain, id % 2 ? "/late" : "/hello");
    run_until(10);
    fetch_pool_free(&pool);
    assert_null(pool);
}

#define fetched(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        fetched(test_pages),
        fetched(test_nothing_at_once),
        fetched(test_body_max),
        fetched(test_gzip),
        fetched(test_statuses),
        fetched(test_a_status_that_is_none),
        fetched(test_redirects),
        fetched(test_relative_redirects),
        fetched(test_broken_connections),
        fetched(test_after_a_refused_url),
        fetched(test_a_folded_first_line),
        fetched(test_odd_heads),
        fetched(test_deny_private),
        fetched(test_deny_private_on_open_connection),
        fetched(test_names),
        fetched(test_cancel),
        fetched(test_cancel_within_done),
        fetched(test_cancel_itself),
        fetched(test_many),
        fetched(test_free_while_flying),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
