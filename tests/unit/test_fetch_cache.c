/* Asking whether something has changed: fetch_condition.h and fetch_head.h,
 * through the transfers that make use of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "fetch.h"
#include "web.h"

#define OK_HEAD "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n"

static const struct web_page pages[] = {
    {.path = "/plain", .answer = OK_HEAD "\r\nok"},
    {.path = "/dated",
     .answer = OK_HEAD "ETag: \"a\"\r\n"
                       "Last-Modified: Sat, 28 Nov 2026 13:55:00 GMT\r\n"
                       "Cache-Control: public\r\nCache-Control: max-age=60\r\n"
                       "Age: 20\r\n\r\nok"},
    {.path = "/odd-tag",
     .answer = OK_HEAD "ETag: \"\xe4\"\r\nCache-Control: no-store\r\n\r\nok"},
    {.path = "/unchanged",
     .answer = "HTTP/1.1 304 Not Modified\r\nETag: \"b\"\r\n\r\n"},
    {.path = NULL},
};

static const struct request plain = {
    .user_agent = "test",
    .timeout = 5 * USEC_PER_SEC,
    .connect_timeout = 5 * USEC_PER_SEC,
    .body_bytes_max = 1000,
};
static const struct request cached = {
    .user_agent = "test",
    .timeout = 5 * USEC_PER_SEC,
    .connect_timeout = 5 * USEC_PER_SEC,
    .body_bytes_max = 1000,
    .cache = CACHE_REVALIDATE,
};

static struct web *web;
static struct event_base *base;
static struct fetch_pool *pool;

/* The last answer; its texts. */
static struct fetch_answer got;
static char etag[32], modified[64], url[100], body[32];

static void keep(char *text, size_t size, struct slice slice)
{
    snprintf(text, size, "%.*s", SLICE_ARGS(slice));
}

static void on_done(void *context, uint64_t id,
                    const struct fetch_answer *answer)
{
    (void)context;
    (void)id;
    got = *answer;
    keep(etag, sizeof etag, answer->etag);
    keep(modified, sizeof modified, answer->modified);
    keep(url, sizeof url, answer->url);
    keep(body, sizeof body, answer->body);
    event_base_loopbreak(base);
}

static void ask(const struct request *request, const char *path,
                const struct last_answer *known)
{
    struct error err = ERROR_NONE;
    char text[100];
    snprintf(text, sizeof text, "http://127.0.0.1:%d%s", web_port(web), path);
    if (fetch_start(pool, 1, request, slice_of(text), false, known, &err))
        fail_msg("%s: %s", text, err.text);
    event_base_dispatch(base);
}

static int setup(void **state)
{
    (void)state;
    struct error err = ERROR_NONE;
    web = web_start(pages);
    base = event_base_new();
    return fetch_pool_new(base, NULL, on_done, NULL, &pool, &err);
}

static int teardown(void **state)
{
    (void)state;
    fetch_pool_free(&pool);
    event_base_free(base);
    web_stop(&web);
    return 0;
}

/* What is needed to ask again, of requests that want to know it. */
static void test_validators(void **state)
{
    (void)state;
    ask(&cached, "/dated", NULL);
    assert_string_equal(etag, "\"a\"");
    assert_string_equal(modified, "Sat, 28 Nov 2026 13:55:00 GMT");
    assert_true(got.fresh == 40 * USEC_PER_SEC);
    assert_false(got.no_store || got.unchanged);
    assert_non_null(strstr(url, "/dated"));
    ask(&cached, "/odd-tag", NULL);
    assert_string_equal(etag, "");
    assert_true(got.no_store);
    ask(&cached, "/plain", NULL); /* nothing is left of those before */
    assert_string_equal(etag, "");
    assert_false(got.no_store);
    ask(&plain, "/dated", NULL);
    assert_string_equal(etag, "");
    assert_int_equal(got.fresh, 0);
}

/* 304 is an answer to who has asked so, and to no other, also over the same
 * handle. */
static void test_unchanged(void **state)
{
    (void)state;
    static const struct last_answer known = {.etag = {"\"a\"", 3}},
                                    unknown = {0};
    for (int i = 0; i < 2; i++) {
        ask(&cached, "/unchanged", &known);
        assert_int_equal(got.reason, REASON_NONE);
        assert_true(got.unchanged);
        assert_string_equal(etag, "\"b\"");
        assert_int_equal(got.body.len, 0);
        ask(&cached, "/unchanged", i ? NULL : &unknown);
        assert_int_equal(got.reason, REASON_STATUS);
        assert_false(got.unchanged);
    }
    ask(&cached, "/plain", &known);
    assert_string_equal(body, "ok");
    assert_false(got.unchanged);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_validators, setup, teardown),
        cmocka_unit_test_setup_teardown(test_unchanged, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
