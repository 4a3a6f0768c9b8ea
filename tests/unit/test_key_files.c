/*
 * A folder of keys that can't be: each mistake is told with its place, and
 * nothing is half made. What is right is in test_curve.c.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "wire/curve.h"

static char folder[64];
static struct error err;

static int setup(void **state)
{
    (void)state;
    err = ERROR_NONE;
    snprintf(folder, sizeof folder, "/tmp/windrow-keys-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    char command[100];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command);
}

/* The path of `name` in the folder. */
static const char *at(const char *name)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

/* Keys below a file: there is no such folder, and none can be made. */
static void test_a_file_in_the_way(void **state)
{
    (void)state;
    int fd = open(at("file"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(curve_make_folder(at("file/keys"), false, &err), ERR_FILE);
    assert_non_null(strstr(err.text, "file/keys"));
}

/* Where the keys of nodes should be is a file: the master's own are not
 * enough. */
static void test_no_place_for_permissions(void **state)
{
    (void)state;
    char keys[128];
    snprintf(keys, sizeof keys, "%s", at("keys"));
    assert_int_equal(curve_make_folder(keys, false, &err), 0);
    char permissions[128];
    snprintf(permissions, sizeof permissions, "%s", at("keys/allowed"));
    assert_int_equal(rename(permissions, at("moved")), 0);
    int fd = open(permissions, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    close(fd);
    int status = curve_make_node(keys, "second", false, &err);
    assert_int_equal(status, ERR_FILE);
    assert_non_null(strstr(err.text, "allowed"));
}

/* A folder in place of a key's file. */
static void test_no_file(void **state)
{
    struct curve_keys keys;
    (void)state;
    assert_int_equal(mkdir(at("master.key"), 0700), 0);
    assert_int_equal(curve_read_master(folder, &keys, &err), ERR_FILE);
    assert_non_null(strstr(err.text, "master.key"));
}

/* A path that fits no file name. */
static void test_a_long_path(void **state)
{
    (void)state;
    char path[2000];
    struct curve_keys keys;
    memset(path, 'x', sizeof path);
    path[sizeof path - 1] = '\0';
    assert_int_equal(curve_read_master(path, &keys, &err), ERR_SETTING);
    err = ERROR_NONE;
    assert_int_not_equal(curve_make_folder(path, true, &err), 0);
}

/* A name that would lead elsewhere is none. */
static void test_a_name_with_a_path(void **state)
{
    struct curve_keys keys;
    (void)state;
    assert_int_equal(curve_read_node(folder, "../x", &keys, &err), ERR_USAGE);
    err = ERROR_NONE;
    assert_int_equal(curve_read_node(folder, "master", &keys, &err), ERR_USAGE);
}

#define kept(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        kept(test_a_file_in_the_way),
        kept(test_no_place_for_permissions),
        kept(test_no_file),
        kept(test_a_long_path),
        kept(test_a_name_with_a_path),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
