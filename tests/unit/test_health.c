/* test_health.c: the file that says a loop turns. */
#include <fcntl.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <setjmp.h>

#include <cmocka.h>

#include "loop/health.h"

struct fixture {
    char folder[32], path[64];
    struct event_base *base;
    struct health *health;
    struct error err;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    snprintf(f->folder, sizeof f->folder, "/tmp/health-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    snprintf(f->path, sizeof f->path, "%s/file", f->folder);
    f->base = event_base_new();
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    health_free(&f->health);
    event_base_free(f->base);
    unlink(f->path);
    rmdir(f->folder);
    free(f);
    return 0;
}

static void set_age(const struct fixture *f, int seconds)
{
    struct timespec then[2];
    clock_gettime(CLOCK_REALTIME, &then[0]);
    then[0].tv_sec -= seconds;
    then[1] = then[0];
    assert_int_equal(utimensat(AT_FDCWD, f->path, then, 0), 0);
}

/* From its start on the file is healthy, and the loop makes an old one so. */
static void test_a_loop_that_turns_is_healthy(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(health_open(f->path, &f->health, &f->err), 0);
    assert_int_equal(health_start(f->health, f->base, &f->err), 0);
    assert_int_equal(health_check(f->path, &f->err), 0);

    set_age(f, HEALTH_AGE_S_MAX + 5);
    assert_int_equal(health_check(f->path, &f->err), ERR_FILE);
    event_base_loop(f->base, EVLOOP_ONCE);
    assert_int_equal(health_check(f->path, &f->err), 0);
}

/* A file that nobody touched for longer than allowed, or that comes from the
 * future, is not. */
static void test_an_old_file_is_not_healthy(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(health_open(f->path, &f->health, &f->err), 0);
    set_age(f, HEALTH_AGE_S_MAX - 2);
    assert_int_equal(health_check(f->path, &f->err), 0);
    set_age(f, HEALTH_AGE_S_MAX + 2);
    assert_int_equal(health_check(f->path, &f->err), ERR_FILE);
    assert_non_null(strstr(f->err.text, "last touched"));
    set_age(f, -HEALTH_AGE_S_MAX - 5);
    assert_int_equal(health_check(f->path, &f->err), ERR_FILE);
}

/* What ended is not healthy, even where its file can't be removed. */
static void test_an_end_is_told_at_once(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(health_open(f->path, &f->health, &f->err), 0);
    assert_int_equal(health_start(f->health, f->base, &f->err), 0);
    health_stop(f->health);
    assert_int_equal(health_check(f->path, &f->err), ERR_FILE);
    health_free(&f->health);
    assert_int_equal(access(f->path, F_OK), -1);
    assert_int_equal(health_check(f->path, &f->err), ERR_FILE);
}

/* Without a path there is nothing to touch, and nothing goes wrong. */
static void test_no_path_is_no_file(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(health_open(NULL, &f->health, &f->err), 0);
    assert_null(f->health);
    assert_int_equal(health_open("", &f->health, &f->err), 0);
    assert_int_equal(health_start(f->health, f->base, &f->err), 0);
    health_stop(f->health);
}

/* A place that can't be written is told, with the place; a link is not
 * followed. */
static void test_a_place_that_cannot_be_written_is_told(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(health_open("/no/such/place", &f->health, &f->err),
                     ERR_FILE);
    assert_non_null(strstr(f->err.text, "/no/such/place"));
    assert_int_equal(symlink("/dev/null", f->path), 0);
    f->err = (struct error)ERROR_NONE;
    assert_int_equal(health_open(f->path, &f->health, &f->err), ERR_FILE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_loop_that_turns_is_healthy,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_an_old_file_is_not_healthy, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_an_end_is_told_at_once, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_no_path_is_no_file, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(
            test_a_place_that_cannot_be_written_is_told, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
