/* Where a master may listen: listen.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "listen.h"

static struct listen found;
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

static int setup(void **state)
{
    (void)state;
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
    assert_taken(.listen = "tcp://127.0.0.1:5000");
    assert_refused("windrow keygen", .listen = "tcp://0.0.0.0:5000");
    assert_taken(.listen = "tcp://0.0.0.0:5000", .keys = "k");
    assert_string_equal(found.keys, "k");
    assert_taken(.listen = "tcp://0.0.0.0:5000", .insecure = true);
    setenv("WINDROW_INSECURE", "no", 1);
    assert_refused("--insecure", .listen = "tcp://0.0.0.0:5000");
    setenv("WINDROW_INSECURE", "yes", 1);
    assert_taken(.listen = "tcp://0.0.0.0:5000");
    setenv("WINDROW_INSECURE", "perhaps", 1);
    assert_refused("yes or no", .listen = "tcp://0.0.0.0:5000");
}

/* Settings say the same as options, and options go first. */
static void test_settings(void **state)
{
    (void)state;
    setenv("WINDROW_LISTEN", "tcp://127.0.0.1:5000", 1);
    setenv("WINDROW_TASK_PORTS", "6000-6001", 1);
    setenv("WINDROW_KEYS", "k", 1);
    assert_taken(.scale = 0);
    assert_string_equal(found.place, "tcp://127.0.0.1:5000");
    assert_string_equal(found.keys, "k");
    assert_int_equal(found.first_task_port, 6000);
    assert_int_equal(found.last_task_port, 6001);
    assert_taken(.listen = "tcp://127.0.0.1:1", .task_ports = "7-7");
    assert_string_equal(found.place, "tcp://127.0.0.1:1");
    assert_int_equal(found.first_task_port, 7);
}

static void test_bad(void **state)
{
    (void)state;
    static const char *const ports[] = {"7",     "7-",        "-7",  "8-7",
                                        "0-1",   "1-65536",   "a-b", "1-2-3",
                                        "1 - 2", "99999999-1"};
    for (size_t i = 0; i < sizeof ports / sizeof *ports; i++)
        assert_refused("--task-ports wants", .listen = "tcp://127.0.0.1:1",
                       .task_ports = ports[i]);
    assert_refused("no place to listen at", .listen = "ipc:///tmp/x");
    assert_refused("no place", .listen = "tcp://127.0.0.1");
    setenv("DATABASE_URL", "sqlite:w.db", 1);
    assert_refused("SQLite", .listen = "tcp://127.0.0.1:5000");
    assert_taken(.scale = 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_nothing_said, setup),
        cmocka_unit_test_setup(test_keys_are_wanted, setup),
        cmocka_unit_test_setup(test_settings, setup),
        cmocka_unit_test_setup(test_bad, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
