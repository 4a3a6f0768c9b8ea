/* Keys in files, and who gets in with them: curve.h, over tcp:// here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "wire/curve.h"

#define PATIENCE (10 * USEC_PER_SEC) /* of a test that would fail */
#define QUIET (1500 * USEC_PER_MSEC) /* in which nothing must come */

static char folder[64], path[128];

static int setup(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/windrow-curve-XXXXXX");
    assert_non_null(mkdtemp(folder));
    strcat(folder, "/keys");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    *strrchr(folder, '/') = '\0';
    char command[128];
    snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command);
}

static const char *in_folder(const char *name)
{
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static unsigned mode_of(const char *name)
{
    struct stat status;
    assert_int_equal(stat(in_folder(name), &status), 0);
    return status.st_mode & 0777;
}

static void make(void)
{
    struct error err = ERROR_NONE;
    if (curve_make_folder(folder, false, &err))
        fail_msg("%s", err.text);
}

/* ---- files ---- */

/* Secrets are for their owner, and both halves are found again. */
static void test_folder(void **state)
{
    (void)state;
    struct error err = ERROR_NONE;
    struct curve_keys master, node;
    make();
    assert_int_equal(mode_of(""), 0700);
    assert_int_equal(mode_of("master.key"), 0600);
    assert_int_equal(mode_of("node.key"), 0600);
    assert_int_equal(access(in_folder("allowed/node.pub"), R_OK), 0);
    assert_int_equal(curve_read_master(folder, &master, &err), 0);
    assert_int_equal(curve_read_node(folder, "node", &node, &err), 0);
    assert_string_equal(node.master, master.public);
    assert_string_not_equal(node.public, master.public);
    assert_string_not_equal(node.secret, node.public);
}

/* What is there is never written over. */
static void test_made_twice(void **state)
{
    (void)state;
    struct error err = ERROR_NONE;
    struct curve_keys before, after;
    make();
    assert_int_equal(curve_read_master(folder, &before, &err), 0);
    assert_int_equal(curve_make_folder(folder, false, &err), ERR_CONFLICT);
    err = ERROR_NONE;
    assert_int_equal(curve_make_folder(folder, true, &err), 0);
    assert_int_equal(curve_make_node(folder, "a", false, &err), 0);
    assert_int_equal(curve_make_node(folder, "a", true, &err), 0);
    assert_int_equal(curve_make_node(folder, "a", false, &err), ERR_CONFLICT);
    err = ERROR_NONE;
    assert_int_equal(curve_read_master(folder, &after, &err), 0);
    assert_string_equal(before.secret, after.secret);
}

/* With `if_missing` what is missing of a folder is made. */
static void test_half_a_folder(void **state)
{
    (void)state;
    struct error err = ERROR_NONE;
    struct curve_keys keys;
    make();
    unlink(in_folder("node.key")); /* the public half is left */
    assert_int_equal(curve_make_folder(folder, true, &err), 0);
    assert_int_equal(curve_read_node(folder, "node", &keys, &err), 0);
}

/* A secret that others may read is none: it is not used. */
static void test_open_secret(void **state)
{
    (void)state;
    static const mode_t bad[] = {0644, 0640, 0660, 0602, 0610};
    struct curve_keys keys;
    make();
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct error err = ERROR_NONE;
        chmod(in_folder("master.key"), bad[i]);
        assert_int_equal(curve_read_master(folder, &keys, &err), ERR_SETTING);
        assert_non_null(strstr(err.text, "chmod 600"));
    }
    struct error err = ERROR_NONE;
    chmod(in_folder("master.key"), 0400);
    assert_int_equal(curve_read_master(folder, &keys, &err), 0);
    chmod(in_folder("node.key"), 0644);
    assert_int_equal(curve_read_node(folder, "node", &keys, &err), ERR_SETTING);
}

/* A file that is absent, empty or no key is told, not used. */
static void test_bad_files(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "", "public\nsecret\n", "secret x\n",
        "public 0123456789012345678901234567890123456789\n",
        "public \"123456789012345678901234567890123456789\nsecret x\n"};
    struct curve_keys keys;
    struct error err = ERROR_NONE;
    assert_int_equal(curve_read_master(folder, &keys, &err), ERR_NOT_FOUND);
    assert_non_null(strstr(err.text, "windrow keygen"));
    make();
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        FILE *file = fopen(in_folder("master.key"), "w");
        fputs(texts[i], file);
        fclose(file);
        err = ERROR_NONE;
        assert_int_equal(curve_read_master(folder, &keys, &err), ERR_SETTING);
    }
    err = ERROR_NONE;
    unlink(in_folder("master.pub"));
    assert_int_equal(curve_read_node(folder, "node", &keys, &err),
                     ERR_NOT_FOUND);
}

/* A name is no path. */
static void test_names(void **state)
{
    (void)state;
    static const char *const bad[] = {"",    "master", "../x",    ".x",
                                      "a/b", "a b",    "\xc3\xa4"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct error err = ERROR_NONE;
        assert_false(curve_is_name(bad[i]));
        assert_int_equal(curve_make_node(folder, bad[i], false, &err),
                         ERR_USAGE);
    }
    assert_true(curve_is_name("node-1.a_B"));
}

/* ---- sockets ---- */

/* A server that hears, and one client that says something. */
struct talk {
    struct event_base *base;
    struct wire_context *there, *here; /* the server's, the client's */
    struct wire_socket *server, *client;
    struct event *tick;
    int heard, strangers;
    int failures[HANDSHAKE_CUT + 1]; /* told, of each kind */
};

static void on_message(void *context, struct slice data)
{
    struct talk *talk = context;
    (void)data;
    talk->heard++;
}

static void on_stranger(void *context, const char *address, const char *key)
{
    struct talk *talk = context;
    assert_string_equal(address, "127.0.0.1");
    assert_int_equal(strlen(key), 40);
    talk->strangers++;
}

static void on_failed(void *context, enum handshake_failure failure)
{
    struct talk *talk = context;
    talk->failures[failure]++;
}

static void on_tick(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    (void)context;
}

#define must(call)                                                             \
    do {                                                                       \
        if (call)                                                              \
            fail_msg("%s", err.text);                                          \
    } while (0)

/* `server` NULL: it has no keys; so for the client. */
static void begin(struct talk *talk, const struct curve_keys *server,
                  const struct curve_keys *client)
{
    struct error err = ERROR_NONE;
    char endpoint[SOCKET_ENDPOINT_BYTES];
    *talk = (struct talk){.base = event_base_new(),
                          .there = wire_context_new(),
                          .here = wire_context_new()};
    talk->tick = event_new(talk->base, -1, EV_PERSIST, on_tick, NULL);
    event_add(talk->tick, &(struct timeval){0, 20000});
    must(wire_socket_new(talk->there, talk->base, SOCKET_PULL, on_message, talk,
                         &talk->server, &err));
    must(wire_socket_new(talk->here, talk->base, SOCKET_PUSH, NULL, NULL,
                         &talk->client, &err));
    if (server) {
        must(curve_guard(talk->there, talk->base, folder, on_stranger, talk,
                         &err));
        must(curve_secure_server(talk->server, server, &err));
    }
    if (client)
        must(curve_secure_client(talk->client, client, &err));
    must(wire_socket_bind(talk->server, "tcp://127.0.0.1:*", endpoint, &err));
    must(wire_socket_connect(talk->client, endpoint, &err));
    must(wire_socket_watch(talk->client, endpoint, on_failed, talk, &err));
    assert_true(wire_socket_send(talk->client, slice_of("{}")));
}

static void end(struct talk *talk)
{
    wire_socket_free(&talk->server, 0);
    wire_socket_free(&talk->client, 0);
    wire_context_free(&talk->there);
    wire_context_free(&talk->here);
    event_free(talk->tick);
    event_base_free(talk->base);
}

static void run_until(struct talk *talk, const int *count)
{
    usec_t until = clock_monotonic() + PATIENCE;
    while (!*count && clock_monotonic() < until)
        event_base_loop(talk->base, EVLOOP_ONCE);
    assert_true(*count > 0);
}

static void run_for(struct talk *talk, usec_t time)
{
    usec_t until = clock_monotonic() + time;
    while (clock_monotonic() < until)
        event_base_loop(talk->base, EVLOOP_ONCE);
}

static void read_keys(struct curve_keys *master, struct curve_keys *node)
{
    struct error err = ERROR_NONE;
    make();
    must(curve_read_master(folder, master, &err));
    must(curve_read_node(folder, "node", node, &err));
}

/* An allowed key gets in. */
static void test_allowed(void **state)
{
    (void)state;
    struct talk talk;
    struct curve_keys master, node;
    read_keys(&master, &node);
    begin(&talk, &master, &node);
    run_until(&talk, &talk.heard);
    assert_int_equal(talk.strangers, 0);
    end(&talk);
}

/* One that is not does not, and both sides learn why; but once it is allowed,
 * the client that has waited gets in. */
static void test_allowed_later(void **state)
{
    (void)state;
    struct talk talk;
    struct curve_keys master, node;
    char allowed[128], elsewhere[128];
    read_keys(&master, &node);
    snprintf(allowed, sizeof allowed, "%s", in_folder("allowed/node.pub"));
    snprintf(elsewhere, sizeof elsewhere, "%s", in_folder("node.pub"));
    assert_int_equal(rename(allowed, elsewhere), 0);
    begin(&talk, &master, &node);
    run_until(&talk, &talk.strangers);
    run_until(&talk, &talk.failures[HANDSHAKE_KEY_REFUSED]);
    assert_int_equal(talk.heard, 0);
    assert_int_equal(rename(elsewhere, allowed), 0);
    run_until(&talk, &talk.heard);
    end(&talk);
}

/* With another master's public key a client tells this master nothing. */
static void test_wrong_master(void **state)
{
    (void)state;
    struct talk talk;
    struct curve_keys master, node;
    read_keys(&master, &node);
    memcpy(node.master, node.public, sizeof node.master);
    begin(&talk, &master, &node);
    run_until(&talk, &talk.failures[HANDSHAKE_CUT]);
    run_for(&talk, QUIET);
    assert_int_equal(talk.heard, 0);
    end(&talk);
}

/* Who uses no keys is not heard by who does, nor the other way round. */
static void test_plain(void **state)
{
    (void)state;
    struct talk talk;
    struct curve_keys master, node;
    read_keys(&master, &node);
    begin(&talk, &master, NULL);
    run_until(&talk, &talk.failures[HANDSHAKE_NO_KEYS]);
    run_for(&talk, QUIET);
    assert_int_equal(talk.heard, 0);
    end(&talk);
    begin(&talk, NULL, &node);
    run_until(&talk, &talk.failures[HANDSHAKE_NO_KEYS]);
    run_for(&talk, QUIET);
    assert_int_equal(talk.heard, 0);
    end(&talk);
}

/* A socket of another kind had the port for a while: libzmq gives up without a
 * word, and still the connection is made once the right one is there. */
static void test_wrong_kind(void **state)
{
    (void)state;
    struct talk talk = {.base = event_base_new(),
                        .there = wire_context_new(),
                        .here = wire_context_new()};
    struct error err = ERROR_NONE;
    char endpoint[SOCKET_ENDPOINT_BYTES];
    talk.tick = event_new(talk.base, -1, EV_PERSIST, on_tick, NULL);
    event_add(talk.tick, &(struct timeval){0, 20000});
    struct wire_context *wrong_context = wire_context_new();
    struct wire_socket *wrong = NULL;
    must(wire_socket_new(wrong_context, talk.base, SOCKET_PUSH, NULL, NULL,
                         &wrong, &err));
    must(wire_socket_bind(wrong, "tcp://127.0.0.1:*", endpoint, &err));
    must(wire_socket_new(talk.here, talk.base, SOCKET_PUSH, NULL, NULL,
                         &talk.client, &err));
    must(wire_socket_connect(talk.client, endpoint, &err));
    must(wire_socket_watch(talk.client, endpoint, on_failed, &talk, &err));
    assert_true(wire_socket_send(talk.client, slice_of("{}")));
    run_for(&talk, QUIET);
    wire_socket_free(&wrong, 0);
    wire_context_free(&wrong_context);
    must(wire_socket_new(talk.there, talk.base, SOCKET_PULL, on_message, &talk,
                         &talk.server, &err));
    must(wire_socket_bind(talk.server, endpoint, NULL, &err));
    run_until(&talk, &talk.heard);
    end(&talk);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_folder),        TEST(test_made_twice),
        TEST(test_half_a_folder), TEST(test_open_secret),
        TEST(test_bad_files),     TEST(test_names),
        TEST(test_allowed),       TEST(test_allowed_later),
        TEST(test_wrong_master),  TEST(test_plain),
        TEST(test_wrong_kind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
