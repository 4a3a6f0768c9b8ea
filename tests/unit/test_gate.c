/* How much one peer may say: gate.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "wire/gate.h"

static struct gate gate;

static int setup(void **state)
{
    (void)state;
    memset(&gate, 0, sizeof gate);
    return 0;
}

/* How many of `n` messages pass. */
static int passed(int source, int n, usec_t now)
{
    int count = 0;
    for (int i = 0; i < n; i++)
        count += gate_pass(&gate, source, now);
    return count;
}

/* A flood is cut at the limit, until the next second; nobody else suffers. */
static void test_flood(void **state)
{
    (void)state;
    assert_int_equal(passed(7, GATE_MESSAGES_MAX + 10, 5 * USEC_PER_SEC),
                     GATE_MESSAGES_MAX);
    assert_int_equal(gate.dropped, 10);
    assert_int_equal(passed(8, 10, 5 * USEC_PER_SEC), 10);
    assert_int_equal(passed(7, 10, 6 * USEC_PER_SEC - 1), 0);
    assert_int_equal(passed(7, 10, 6 * USEC_PER_SEC), 10);
}

/* So are bad messages, much earlier. */
static void test_bad(void **state)
{
    (void)state;
    for (int i = 0; i < GATE_BAD_MAX; i++) {
        assert_true(gate_pass(&gate, 3, USEC_PER_SEC));
        gate_blame(&gate, 3);
    }
    assert_false(gate_pass(&gate, 3, USEC_PER_SEC));
    assert_true(gate_pass(&gate, 4, USEC_PER_SEC));
    assert_true(gate_pass(&gate, 3, 2 * USEC_PER_SEC));
}

/* Any number may name a connection. */
static void test_any_source(void **state)
{
    (void)state;
    assert_true(gate_pass(&gate, -1, USEC_PER_SEC));
    assert_true(gate_pass(&gate, INT32_MAX, USEC_PER_SEC));
    gate_blame(&gate, INT32_MIN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_flood, setup),
        cmocka_unit_test_setup(test_bad, setup),
        cmocka_unit_test_setup(test_any_source, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
