/* How long things took, counted in buckets: base/histogram.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/histogram.h"

/* A time that is just a bucket's bound is in it, the next one is not; what is
 * beyond all bounds is in the last; a clock that went back is no time. */
static void test_buckets(void **state)
{
    (void)state;
    for (int i = 0; i < HISTOGRAM_BOUNDS; i++) {
        struct histogram histogram = {0};
        histogram_add(&histogram, histogram_bounds[i]);
        histogram_add(&histogram, histogram_bounds[i] + 1);
        assert_int_equal(histogram.counts[i], 1);
        assert_int_equal(histogram.counts[i + 1], 1);
        assert_int_equal(histogram.sum, 2 * histogram_bounds[i] + 1);
    }
    struct histogram histogram = {0};
    histogram_add(&histogram, -5);
    histogram_add(&histogram, INT32_MAX);
    assert_int_equal(histogram.counts[0], 1);
    assert_int_equal(histogram.counts[HISTOGRAM_BOUNDS], 1);
    assert_int_equal(histogram.sum, INT32_MAX);
    assert_int_equal(histogram_count(&histogram), 2);
}

/* Of a process that goes on, only what is new is added. */
static void test_advance(void **state)
{
    (void)state;
    struct histogram all = {0}, before = {0}, now = {0};
    histogram_add(&before, 7);
    histogram_add(&now, 7);
    histogram_add(&now, 700);
    histogram_advance(&all, &before, &now);
    assert_int_equal(histogram_count(&all), 1);
    assert_int_equal(all.sum, 700);
    histogram_advance(&all, &now, &now);
    assert_int_equal(histogram_count(&all), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_buckets),
        cmocka_unit_test(test_advance),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
