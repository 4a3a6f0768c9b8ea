/*
 * This machine's node processes: processes.h. The test lies in a folder of its
 * own, and beside it a stand-in for the node (stand_in_node.c).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "processes.h"

static struct event_base *base;
static struct processes *processes;

/* What was told. */
static struct {
    int n_exits, n_crashes, n_restarts, n_hopeless;
    char why[300];
} told;

static void on_exit_told(void *context, const char *name, bool crashed,
                         bool restarting, const char *why)
{
    assert_ptr_equal(context, &told);
    assert_int_equal(strncmp(name, "node-", 5), 0);
    told.n_exits++;
    told.n_crashes += crashed;
    told.n_restarts += restarting;
    snprintf(told.why, sizeof told.why, "%s", why);
}

static void on_hopeless(void *context, const char *why)
{
    assert_ptr_equal(context, &told);
    told.n_hopeless++;
    snprintf(told.why, sizeof told.why, "%s", why);
}

static void start(int n, const char *order)
{
    const struct processes_options options = {.n_nodes = n, .connect = order};
    const struct processes_callbacks callbacks = {&told, on_exit_told,
                                                  on_hopeless};
    struct error err = ERROR_NONE;
    if (processes_new(base, &options, &callbacks, &processes, &err))
        fail_msg("%s", err.text);
}

static int setup(void **state)
{
    (void)state;
    memset(&told, 0, sizeof told);
    base = event_base_new();
    return base ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    processes_free(&processes);
    event_base_free(base);
    return 0;
}

/* Runs the loop until *count is `n`. */
static void run_until(const int *count, int n)
{
    usec_t until = clock_monotonic() + 10 * USEC_PER_SEC;
    while (*count < n && clock_monotonic() < until) {
        event_base_loopexit(base, &(struct timeval){0, 2000});
        event_base_loop(base, 0);
    }
    assert_int_equal(*count, n);
}

/* As many as asked for run, until they are asked to end; that is no reason
 * to start them again. */
static void test_start_and_end(void **state)
{
    (void)state;
    start(3, "wait");
    assert_int_equal(processes_running(processes), 3);
    processes_ask_to_end(processes);
    run_until(&told.n_exits, 3);
    assert_int_equal(processes_running(processes), 0);
    assert_int_equal(told.n_crashes + told.n_restarts + told.n_hopeless, 0);
}

/* One that crashed is started again after a pause. */
static void test_restart(void **state)
{
    (void)state;
    char order[64], memory[] = "/tmp/windrow-processes-XXXXXX";
    close(mkstemp(memory));
    unlink(memory);
    snprintf(order, sizeof order, "first:6:%s", memory); /* SIGABRT */
    usec_t from = clock_monotonic();
    start(1, order);
    run_until(&told.n_exits, 1);
    assert_int_equal(told.n_crashes, 1);
    assert_int_equal(told.n_restarts, 1);
    assert_non_null(strstr(told.why, "signal 6"));
    assert_int_equal(processes_running(processes), 0);
    while (!processes_running(processes) &&
           clock_monotonic() < from + 10 * USEC_PER_SEC)
        event_base_loop(base, EVLOOP_ONCE);
    assert_true(clock_monotonic() - from >= 90 * USEC_PER_MSEC);
    assert_int_equal(processes_running(processes), 1);
    unlink(memory);
}

/* A signal from outside blames no work, but is worth another start. */
static void test_killed(void **state)
{
    (void)state;
    start(1, "signal:9");
    run_until(&told.n_exits, 2);
    assert_int_equal(told.n_crashes, 0);
    assert_int_equal(told.n_restarts, 2);
}

/* The pause before a start doubles each time; but not for a node that has
 * closed a batch: six deaths take half a second then, not three. */
static void test_worked(void **state)
{
    (void)state;
    usec_t from = clock_monotonic();
    start(1, "signal:9");
    for (int deaths = 1; deaths <= 6; deaths++) {
        processes_worked(processes, "node-1");
        run_until(&told.n_exits, deaths);
    }
    assert_true(clock_monotonic() - from < 2500 * USEC_PER_MSEC);
}

/* A complaint about usage, settings or database is not mended by a restart:
 * told once, however many say so. */
static void test_hopeless(void **state)
{
    (void)state;
    start(2, "status:2");
    run_until(&told.n_exits, 2);
    assert_int_equal(told.n_restarts, 0);
    assert_int_equal(told.n_hopeless, 1);
    assert_non_null(strstr(told.why, "status 2"));
}

/* At the end of a run an end is what is expected. */
static void test_let_end(void **state)
{
    (void)state;
    start(1, "status:0");
    processes_let_end(processes);
    run_until(&told.n_exits, 1);
    assert_int_equal(told.n_restarts + told.n_hopeless, 0);
}

/* Freed, those that still run are gone. */
static void test_free_kills(void **state)
{
    (void)state;
    start(2, "wait");
    processes_free(&processes);
    assert_null(processes);
    assert_int_equal(told.n_exits, 0);
}

/* More are started; those that are too many are asked to end, and neither
 * start again nor are missed. */
static void test_scale(void **state)
{
    (void)state;
    struct error err = ERROR_NONE;
    start(1, "wait");
    assert_int_equal(processes_scale(processes, 3, &err), 0);
    assert_int_equal(processes_running(processes), 3);
    assert_int_equal(processes_scale(processes, 1, &err), 0);
    assert_int_equal(processes_wanted(processes), 1);
    run_until(&told.n_exits, 2);
    assert_int_equal(processes_running(processes), 1);
    assert_int_equal(told.n_restarts + told.n_hopeless, 0);
    assert_int_equal(processes_scale(processes, 2, &err), 0);
    assert_int_equal(processes_running(processes), 2);
}

/* One that is wanted again while it still leaves starts anew when it has. */
static void test_scale_back(void **state)
{
    (void)state;
    struct error err = ERROR_NONE;
    start(2, "wait");
    assert_int_equal(processes_scale(processes, 1, &err), 0);
    assert_int_equal(processes_scale(processes, 2, &err), 0);
    run_until(&told.n_exits, 1);
    assert_int_equal(told.n_restarts, 1);
    assert_int_equal(told.n_hopeless, 0);
}

#define processed(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        processed(test_start_and_end), processed(test_restart),
        processed(test_killed),        processed(test_hopeless),
        processed(test_let_end),       processed(test_free_kills),
        processed(test_scale),         processed(test_scale_back),
        processed(test_worked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
