/* Many sockets in one context, as a master of many nodes has. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include <cmocka.h>

#include "base/clock.h"
#include "wire/socket.h"

#define MANY 3000        /* three times what ZeroMQ allows of itself */
#define FILES_A_SOCKET 2 /* its mailbox, and what it listens on */

/* The context takes as many sockets as the file descriptors allow; ZeroMQ's own
 * limit of 1023 is not what ends a cluster. `test_sockets N` says how long N
 * take. */
static void takes_many(void **state)
{
    size_t n = *(size_t *)*state;
    struct rlimit files;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &files), 0);
    files.rlim_cur = files.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &files);
    if (files.rlim_max < n * FILES_A_SOCKET + 100) {
        print_message("only %llu files may be open\n",
                      (unsigned long long)files.rlim_max);
        skip();
    }
    struct event_base *base = event_base_new();
    struct wire_context *context = wire_context_new();
    struct wire_socket **sockets = calloc(n, sizeof(*sockets));
    assert_true(base && context && sockets);
    usec_t began = clock_monotonic();
    for (size_t i = 0; i < n; i++) {
        struct error err = ERROR_NONE;
        char endpoint[SOCKET_ENDPOINT_BYTES];
        int status = wire_socket_new(context, base, SOCKET_PUSH, NULL, NULL,
                                     &sockets[i], &err);
        if (!status)
            status = wire_socket_bind(sockets[i], "tcp://127.0.0.1:*", endpoint,
                                      &err);
        if (status)
            print_error("socket %zu: %s\n", i, err.text);
        assert_int_equal(status, 0);
    }
    print_message("%zu sockets bound: %.0f us each\n", n,
                  (double)(clock_monotonic() - began) / (double)n);
    for (size_t i = 0; i < n; i++)
        wire_socket_free(&sockets[i], 0);
    free(sockets);
    wire_context_free(&context);
    event_base_free(base);
}

int main(int argc, char **argv)
{
    size_t n = argc > 1 ? strtoul(argv[1], NULL, 10) : MANY;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(takes_many, &n),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
