/* From a cluster's place to its sockets: endpoint.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "wire/endpoint.h"

static void assert_endpoints(const char *place, const char *reports,
                             const char *control)
{
    struct error err = ERROR_NONE;
    struct endpoints found;
    assert_int_equal(endpoints_of(place, &found, &err), 0);
    assert_string_equal(found.reports, reports);
    assert_string_equal(found.control, control);
}

static void assert_no_place(const char *place)
{
    struct error err = ERROR_NONE;
    struct endpoints found;
    if (endpoints_of(place, &found, &err) != ERR_USAGE)
        fail_msg("%s was taken", place);
    assert_non_null(strstr(err.text, "ipc://FOLDER or tcp://HOST:PORT"));
}

/* A folder holds two sockets; a host has two ports, one after the other. */
static void test_places(void **state)
{
    (void)state;
    assert_endpoints("ipc:///run/w", "ipc:///run/w/reports",
                     "ipc:///run/w/control");
    assert_endpoints("tcp://10.0.0.1:5000", "tcp://10.0.0.1:5000",
                     "tcp://10.0.0.1:5001");
    assert_endpoints("tcp://[::1]:65534", "tcp://[::1]:65534",
                     "tcp://[::1]:65535");
}

/* All else is refused, saying what is allowed. */
static void test_no_places(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "ipc://",
        "/run/w",
        "inproc://a",
        "tcp://",
        "tcp://:5000",
        "tcp://host",
        "tcp://host:",
        "tcp://host:0",
        "tcp://host:65535",
        "tcp://host:-1",
        "tcp://host:99999999999999999999",
        "tcp://host:5000x",
        "tcp://host: 5000",
        "tcp://host:+5000",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_no_place(bad[i]);
}

/* What does not fit a socket's address is refused, not cut. */
static void test_too_long(void **state)
{
    (void)state;
    char place[2 * SOCKET_ENDPOINT_BYTES];
    for (int len = 100; len < 140; len++) {
        struct error err = ERROR_NONE;
        struct endpoints found;
        snprintf(place, sizeof place, "ipc:///%0*d", len - 7, 0);
        assert_int_equal(endpoints_of(place, &found, &err) == 0,
                         len + 8 < SOCKET_ENDPOINT_BYTES);
    }
}

/* What only this machine reaches; a name may mean anything. */
static void test_local(void **state)
{
    (void)state;
    static const char *const local[] = {"ipc:///run/w", "tcp://127.0.0.1:1",
                                        "tcp://127.1.2.3:1", "tcp://[::1]:1",
                                        "tcp://localhost:1"};
    static const char *const open[] = {
        "tcp://0.0.0.0:1",     "tcp://*:1",        "tcp://[::]:1",
        "tcp://10.0.0.1:1",    "tcp://host:1",     "tcp://127.evil.com:1",
        "tcp://127.0.0.1.x:1", "tcp://127.0.0:1",  "tcp://localhost.x:1",
        "tcp://[::1]x:1",      "tcp://128.0.0.1:1"};
    for (size_t i = 0; i < sizeof local / sizeof *local; i++)
        assert_true(endpoint_is_local(local[i]));
    for (size_t i = 0; i < sizeof open / sizeof *open; i++)
        if (endpoint_is_local(open[i]))
            fail_msg("%s counts as local", open[i]);
}

/* A node dials tasks where it dialled the master, but for the port. */
static void test_dialled(void **state)
{
    (void)state;
    static const char *const table[][3] = {
        {"tcp://*:9000", "tcp://master:5555", "tcp://master:9000"},
        {"tcp://*:9000", "tcp://[fe80::1]:5555", "tcp://[fe80::1]:9000"},
        {"tcp://10.0.0.9:9000", "tcp://master:5555", "tcp://10.0.0.9:9000"},
        {"ipc:///run/w/tasks-1", "ipc:///run/w", "ipc:///run/w/tasks-1"}};
    struct error err = ERROR_NONE;
    char found[SOCKET_ENDPOINT_BYTES];
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        assert_int_equal(
            endpoint_dialled(table[i][0], table[i][1], found, &err), 0);
        assert_string_equal(found, table[i][2]);
    }
    assert_int_not_equal(endpoint_dialled("tcp://*:1", "ipc://x", found, &err),
                         0);
    err = ERROR_NONE;
    assert_int_not_equal(endpoint_dialled("tcp://", "tcp://h:1", found, &err),
                         0);
}

/* Nodes of this machine reach a master that listens everywhere. */
static void test_from_here(void **state)
{
    (void)state;
    static const char *const table[][2] = {
        {"tcp://0.0.0.0:5", "tcp://127.0.0.1:5"},
        {"tcp://[::]:5", "tcp://[::1]:5"},
        {"tcp://10.0.0.1:5", "tcp://10.0.0.1:5"}};
    struct error err = ERROR_NONE;
    char found[SOCKET_ENDPOINT_BYTES];
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        assert_int_equal(endpoint_from_here(table[i][0], found, &err), 0);
        assert_string_equal(found, table[i][1]);
    }
    assert_int_equal(endpoint_with_port("tcp://a:1", "*", found, &err), 0);
    assert_string_equal(found, "tcp://a:*");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_places),   cmocka_unit_test(test_no_places),
        cmocka_unit_test(test_too_long), cmocka_unit_test(test_local),
        cmocka_unit_test(test_dialled),  cmocka_unit_test(test_from_here),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
