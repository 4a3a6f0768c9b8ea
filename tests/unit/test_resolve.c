/* Host names to addresses, off the loop: resolve.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/check.h"
#include "resolve.h"

static struct event_base *base;
static struct resolver *resolver;
static int n_ready;

static void on_ready(void *context)
{
    (void)context;
    n_ready++;
}

static int setup(void **state)
{
    (void)state;
    n_ready = 0;
    base = event_base_new();
    resolver = resolver_new(base, on_ready, NULL);
    return base && resolver ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    resolver_free(&resolver);
    event_base_free(base);
    return resolver != NULL;
}

static bool ask(const char *host, usec_t now, struct resolved *ret)
{
    return resolver_ask(resolver, slice_of(host), now, ret);
}

static void run_until_ready(int n)
{
    usec_t until = clock_monotonic() + 10 * USEC_PER_SEC;
    while (n_ready < n && clock_monotonic() < until) {
        event_base_loopexit(base, &(struct timeval){0, 2000});
        event_base_loop(base, 0);
    }
    assert_int_equal(n_ready, n);
}

/* An address is its own answer, at once, and needs no look-up. */
static void test_addresses(void **state)
{
    (void)state;
    struct resolved answer;
    assert_true(ask("192.0.2.1", 0, &answer));
    assert_string_equal(answer.addresses, "192.0.2.1");
    assert_int_equal(answer.number, 0);
    assert_true(ask("[2001:db8::1]", 0, &answer));
    assert_string_equal(answer.addresses, "[2001:db8::1]");
    assert_int_equal(n_ready, 0);
}

/* A name is looked up by the thread; a thousand asks are one look-up. */
static void test_name(void **state)
{
    (void)state;
    struct resolved answer;
    for (int i = 0; i < 1000; i++)
        assert_false(ask("localhost", clock_monotonic(), &answer));
    run_until_ready(1);
    assert_true(ask("localhost", clock_monotonic(), &answer));
    assert_non_null(answer.addresses);
    assert_true(strstr(answer.addresses, "127.0.0.1") ||
                strstr(answer.addresses, "[::1]"));
    assert_int_equal(answer.number, 1);
}

/* A good answer that is old serves until the new one comes, which has
 * another number. */
static void test_old_answer(void **state)
{
    (void)state;
    struct resolved answer;
    usec_t later = clock_monotonic() + 2 * RESOLVE_KEEP;
    ask("localhost", 0, &answer);
    run_until_ready(1);
    assert_true(ask("localhost", later, &answer));
    assert_int_equal(answer.number, 1);
    run_until_ready(2);
    assert_true(ask("localhost", clock_monotonic(), &answer));
    assert_int_equal(answer.number, 2);
}

/* A name that is not there is an error with words, which does not last. */
static void test_no_such_name(void **state)
{
    (void)state;
    struct resolved answer;
    assert_false(ask("name.invalid", clock_monotonic(), &answer));
    run_until_ready(1);
    assert_true(ask("name.invalid", clock_monotonic(), &answer));
    assert_null(answer.addresses);
    assert_true(answer.error && answer.error[0]);
    assert_false(ask("name.invalid",
                     clock_monotonic() + RESOLVE_KEEP_BAD + USEC_PER_SEC,
                     &answer));
    run_until_ready(2);
}

/* What can be no name is refused at once. */
static void test_too_long(void **state)
{
    (void)state;
    char name[257];
    struct resolved answer;
    memset(name, 'a', 256);
    name[256] = '\0';
    assert_true(ask(name, 0, &answer));
    assert_null(answer.addresses);
    assert_string_equal(answer.error, "name too long");
}

/* More hosts than are kept: the oldest is forgotten, nothing breaks. */
static void test_many_hosts(void **state)
{
    (void)state;
    struct resolved answer;
    for (int i = 0; i < RESOLVE_HOSTS_MAX + 100; i++) {
        char host[32];
        snprintf(host, sizeof host, "10.%d.%d.1", i / 256, i % 256);
        assert_true(ask(host, 0, &answer));
        assert_string_equal(answer.addresses, host);
    }
}

#define resolved(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        resolved(test_addresses),  resolved(test_name),
        resolved(test_old_answer), resolved(test_no_such_name),
        resolved(test_too_long),   resolved(test_many_hosts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
