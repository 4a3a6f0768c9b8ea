/* How many local nodes the work wants: scaling.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "scaling.h"

#define SECOND USEC_PER_SEC

static struct scaling scaling;

static int setup(void **state)
{
    (void)state;
    scaling = (struct scaling){.least = 1, .most = 4};
    return 0;
}

/* What is wanted after each second of `seconds`, from `n` nodes on. */
static int follow(int n, double busy, double each, bool waiting, int seconds)
{
    static usec_t now = 5 * SECOND;
    for (int i = 0; i < seconds; i++, now += SECOND)
        n = scaling_decide(&scaling, n, busy, each * n, waiting, now);
    return n;
}

/* All busy computing, and batches wait: one more at a time, to the limit. */
static void test_grows(void **state)
{
    (void)state;
    assert_int_equal(follow(1, 0.95, 0.95, true, 2), 1);
    assert_int_equal(follow(1, 0.95, 0.95, true, 1), 2);
    assert_int_equal(follow(2, 0.95, 0.95, true, 60), 4);
}

/* Where one node still has room, or nothing waits, no other would help. */
static void test_stays(void **state)
{
    (void)state;
    assert_int_equal(follow(2, 0.30, 0.90, true, 60), 2);
    assert_int_equal(follow(2, 0.95, 0.95, false, 60), 2);
}

/* Nodes that mostly wait for the network: fewer, to the limit. */
static void test_shrinks(void **state)
{
    (void)state;
    assert_int_equal(follow(4, 0.05, 0.05, true, 10), 4);
    assert_int_equal(follow(4, 0.05, 0.05, true, 60), 1);
}

/* A short rest is no reason to let a node go. */
static void test_short_rest(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++) {
        assert_int_equal(follow(3, 0.05, 0.05, true, 8), 3);
        assert_int_equal(follow(3, 0.80, 0.80, true, 1), 3);
    }
}

/* What people ask for is reached one by one, whatever the nodes do. */
static void test_limits_moved(void **state)
{
    (void)state;
    scaling.least = 3;
    assert_int_equal(follow(1, 0.01, 0.01, false, 2), 3);
    scaling.least = scaling.most = 1;
    assert_int_equal(follow(3, 0.95, 0.95, true, 2), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_grows, setup),
        cmocka_unit_test_setup(test_stays, setup),
        cmocka_unit_test_setup(test_shrinks, setup),
        cmocka_unit_test_setup(test_short_rest, setup),
        cmocka_unit_test_setup(test_limits_moved, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
