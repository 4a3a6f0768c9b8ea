/* Where a master may listen: listen.h. */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "listen.h"
#include "wire/curve.h"

static struct listen found;
static char local[32], everywhere[32];
static struct error err;

static int read_with(struct options options)
{
    struct settings *settings = settings_new();
    assert_non_null(settings);
    err = ERROR_NONE;
    found = (struct listen){0};
    int status = listen_read(&options, settings, &found, &err);
    settings_free(&settings);
    return status;
}

static bool is_free(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    bool bound = !bind(fd, (struct sockaddr *)&address, sizeof address);
    close(fd);
    return bound;
}

/* One that nobody has just now, nor the one after it; below those that the
 * kernel gives away. */
static int free_port(void)
{
    int port;
    do
        port = 20000 + (int)(random() % 12000);
    while (!is_free(port) || !is_free(port + 1));
    return port;
}

static int setup(void **state)
{
    (void)state;
    int port = free_port();
    snprintf(local, sizeof local, "tcp://127.0.0.1:%d", port);
    snprintf(everywhere, sizeof everywhere, "tcp://0.0.0.0:%d", port);
    setenv("DATABASE_URL", "postgresql://h/d", 1);
    unsetenv("WINDROW_LISTEN");
    unsetenv("WINDROW_KEYS");
    unsetenv("WINDROW_INSECURE");
    unsetenv("WINDROW_TASK_PORTS");
    return 0;
}

#define assert_refused(words, ...)                                             \
    do {                                                                       \
        assert_int_not_equal(read_with((struct options){__VA_ARGS__}), 0);     \
        assert_int_equal(error_code_kind(err.code), ERROR_USER);               \
        if (!strstr(err.text, words))                                          \
            fail_msg("%s", err.text);                                          \
    } while (0)

#define assert_taken(...)                                                      \
    do {                                                                       \
        if (read_with((struct options){__VA_ARGS__}))                          \
            fail_msg("%s", err.text);                                          \
    } while (0)

/* Without a word this machine serves alone, and then needs nodes. */
static void test_nothing_said(void **state)
{
    (void)state;
    assert_taken(.scale = SCALE_AUTO, .keys = "k");
    assert_null(found.place);
    assert_null(found.keys);
    assert_refused("--listen", .scale = 0);
}

/* What others can reach wants keys, or to be told that it needs none. */
static void test_keys_are_wanted(void **state)
{
    (void)state;
    assert_taken(.listen = local);
    assert_refused("windrow keygen", .listen = everywhere);
    char folder[] = "/tmp/windrow-listen-XXXXXX", command[64];
    assert_non_null(mkdtemp(folder));
    assert_refused("windrow keygen", .listen = everywhere, .keys = folder);
    err = ERROR_NONE;
    assert_int_equal(curve_make_folder(folder, false, &err), 0);
    assert_taken(.listen = everywhere, .keys = folder);
    assert_string_equal(found.keys, folder);
    snprintf(command, sizeof command, "rm -r %s", folder);
    assert_int_equal(system(command), 0);
    assert_taken(.listen = everywhere, .insecure = true);
    setenv("WINDROW_INSECURE", "no", 1);
    assert_refused("--insecure", .listen = everywhere);
    setenv("WINDROW_INSECURE", "yes", 1);
    assert_taken(.listen = everywhere);
    setenv("WINDROW_INSECURE", "perhaps", 1);
    assert_refused("yes or no", .listen = everywhere);
}

/* Settings say the same as options, and options go first. */
static void test_settings(void **state)
{
    (void)state;
    setenv("WINDROW_LISTEN", local, 1);
    setenv("WINDROW_TASK_PORTS", "6000-6001", 1);
    setenv("WINDROW_KEYS", "/no/such/folder", 1);
    assert_refused("/no/such/folder/master.key", .scale = 0);
    unsetenv("WINDROW_KEYS");
    assert_taken(.scale = 0);
    assert_string_equal(found.place, local);
    assert_int_equal(found.first_task_port, 6000);
    assert_int_equal(found.last_task_port, 6001);
    assert_taken(.listen = local, .task_ports = "7-7");
    assert_int_equal(found.first_task_port, 7);
}

static void test_bad(void **state)
{
    (void)state;
    static const char *const ports[] = {"7",     "7-",        "-7",  "8-7",
                                        "0-1",   "1-65536",   "a-b", "1-2-3",
                                        "1 - 2", "99999999-1"};
    for (size_t i = 0; i < sizeof ports / sizeof *ports; i++)
        assert_refused("--task-ports wants", .listen = local,
                       .task_ports = ports[i]);
    assert_refused("no place to listen at", .listen = "ipc:///tmp/x");
    assert_refused("no place", .listen = "tcp://127.0.0.1");
    setenv("DATABASE_URL", "sqlite:w.db", 1);
    assert_refused("SQLite", .listen = local);
    assert_taken(.scale = 1);
}

/* A taken port is told before there is a run; but a master that stands by for
 * another may wait for its port too. */
static void test_port_is_taken(void **state)
{
    (void)state;
    struct wire_context *wire = wire_context_new();
    struct wire_socket *socket = NULL;
    char place[SOCKET_ENDPOINT_BYTES];
    err = ERROR_NONE;
    assert_int_equal(
        wire_socket_new(wire, NULL, SOCKET_PUSH, NULL, NULL, &socket, &err), 0);
    assert_int_equal(wire_socket_bind(socket, "tcp://127.0.0.1:*", place, &err),
                     0);
    assert_refused("in use", .listen = place);
    assert_taken(.listen = place, .name = "a");
    wire_socket_free(&socket, 0);
    wire_context_free(&wire);
}

int main(void)
{
    srandom((unsigned)getpid());
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_nothing_said, setup),
        cmocka_unit_test_setup(test_keys_are_wanted, setup),
        cmocka_unit_test_setup(test_settings, setup),
        cmocka_unit_test_setup(test_bad, setup),
        cmocka_unit_test_setup(test_port_is_taken, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
