/*
 * test_indicators.c: each indicator against a figure that was worked out by
 * hand, or with 40 digits by another program.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <float.h>
#include <math.h>

#include "indicators.h"

static const double days[] = {100, 110, 99, 121};
#define N_DAYS 4
#define SCRATCH_MAX 8

static enum indicator_outcome outcome(enum indicator indicator, int n,
                                      const double *x, size_t n_x)
{
    double scratch[SCRATCH_MAX], ret;
    return indicators_compute((struct compute){indicator, n}, x, n_x, scratch,
                              &ret);
}

/* To the last two digits of a double. */
static void assert_is(enum indicator indicator, int n, const double *x,
                      size_t n_x, double expected)
{
    double scratch[SCRATCH_MAX], found = NAN;
    assert_int_equal(indicators_compute((struct compute){indicator, n}, x, n_x,
                                        scratch, &found),
                     INDICATOR_DONE);
    if (!(fabs(found - expected) <= 4 * DBL_EPSILON * fabs(expected)))
        fail_msg("%s %d: %.17g, not %.17g", indicator_name(indicator), n, found,
                 expected);
}

static void test_of_four_days(void **state)
{
    (void)state;
    static const struct {
        enum indicator indicator;
        int n;
        double expected;
    } cases[] = {
        {INDICATOR_SUM, 0, 430},
        {INDICATOR_MEAN, 0, 107.5},
        {INDICATOR_COUNT, 0, 4},
        {INDICATOR_CHANGE, 0, 0.21},
        {INDICATOR_RETURN, 0, 0.063540119869549907},
        {INDICATOR_VOLATILITY, 0, 2.468002446346697},
        {INDICATOR_DRAWDOWN, 0, 0.1}, /* from 110 to 99 */
        {INDICATOR_SMA, 1, 121},
        {INDICATOR_SMA, 2, 110},
        {INDICATOR_SMA, 4, 107.5},
        {INDICATOR_EMA, 1, 121},
        {INDICATOR_EMA, 2, 343.0 / 3}, /* 105, 101, 101 + 20 * 2 / 3 */
        {INDICATOR_EMA, 4, 107.5},
        {INDICATOR_PERCENTILE, 50, 105},   /* of 99, 100, 110, 121 */
        {INDICATOR_PERCENTILE, 25, 99.75}, /* place 0.75 */
        {INDICATOR_PERCENTILE, 99, 120.67},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_is(cases[i].indicator, cases[i].n, days, N_DAYS,
                  cases[i].expected);
}

/* Of equal numbers the first is picked. */
static void test_picks(void **state)
{
    (void)state;
    static const double x[] = {2, 1, 3, 1, 3, 2};
    assert_int_equal(indicators_pick(INDICATOR_FIRST, x, 6), 0);
    assert_int_equal(indicators_pick(INDICATOR_LAST, x, 6), 5);
    assert_int_equal(indicators_pick(INDICATOR_MIN, x, 6), 1);
    assert_int_equal(indicators_pick(INDICATOR_MAX, x, 6), 2);
    assert_true(indicators_is_pick(INDICATOR_LAST));
    assert_true(indicators_is_pick(INDICATOR_MAX));
    assert_false(indicators_is_pick(INDICATOR_SUM));
}

/* The fewest numbers that each is defined for, and one less. */
static void test_too_few(void **state)
{
    (void)state;
    static const struct {
        enum indicator indicator;
        int n;
        size_t least;
    } cases[] = {
        {INDICATOR_MEAN, 0, 1},     {INDICATOR_CHANGE, 0, 1},
        {INDICATOR_RETURN, 0, 2},   {INDICATOR_VOLATILITY, 0, 3},
        {INDICATOR_DRAWDOWN, 0, 1}, {INDICATOR_SMA, 3, 3},
        {INDICATOR_EMA, 3, 3},      {INDICATOR_PERCENTILE, 5, 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(
            outcome(cases[i].indicator, cases[i].n, days, cases[i].least - 1),
            INDICATOR_TOO_FEW);
        assert_int_equal(
            outcome(cases[i].indicator, cases[i].n, days, cases[i].least),
            INDICATOR_DONE);
    }
    assert_is(INDICATOR_SUM, 0, days, 0, 0);
    assert_is(INDICATOR_COUNT, 0, days, 0, 0);
}

/* What is divided by, or is in a logarithm, must be above zero. */
static void test_not_above_zero(void **state)
{
    (void)state;
    static const double with_zero[] = {3, 2, 0, 4}, from_zero[] = {0, 1, 2};
    assert_int_equal(outcome(INDICATOR_VOLATILITY, 0, with_zero, 4),
                     INDICATOR_NOT_ABOVE_ZERO);
    assert_int_equal(outcome(INDICATOR_DRAWDOWN, 0, with_zero, 4),
                     INDICATOR_NOT_ABOVE_ZERO);
    assert_int_equal(outcome(INDICATOR_CHANGE, 0, from_zero, 3),
                     INDICATOR_NOT_ABOVE_ZERO);
    assert_int_equal(outcome(INDICATOR_RETURN, 0, with_zero, 3),
                     INDICATOR_NOT_ABOVE_ZERO);
    assert_is(INDICATOR_CHANGE, 0, with_zero, 4, 1.0 / 3);
    assert_is(INDICATOR_MEAN, 0, with_zero, 4, 2.25);
}

/* A sum that no double holds is no figure. */
static void test_not_finite(void **state)
{
    (void)state;
    static const double large[] = {DBL_MAX, DBL_MAX},
                        far[] = {DBL_MIN, DBL_MAX};
    assert_int_equal(outcome(INDICATOR_SUM, 0, large, 2), INDICATOR_NOT_FINITE);
    assert_int_equal(outcome(INDICATOR_CHANGE, 0, far, 2),
                     INDICATOR_NOT_FINITE);
    assert_is(INDICATOR_PERCENTILE, 50, large, 2, DBL_MAX);
}

/* Prices that only rise, or stand still, have no fall. */
static void test_no_fall(void **state)
{
    (void)state;
    static const double up[] = {1, 1, 2, 3};
    assert_is(INDICATOR_DRAWDOWN, 0, up, 4, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_of_four_days),
        cmocka_unit_test(test_picks),
        cmocka_unit_test(test_too_few),
        cmocka_unit_test(test_not_above_zero),
        cmocka_unit_test(test_not_finite),
        cmocka_unit_test(test_no_fall),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
