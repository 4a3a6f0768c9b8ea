/* How long the loop's turns take: turn.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "turn.h"

static void busy_for(usec_t length)
{
    usec_t until = clock_monotonic() + length;
    while (clock_monotonic() < until)
        ;
}

/* All callbacks between two waits are one turn; a wait that woke nobody is
 * none; what takes longer than TURN_LONG is counted. */
static void test_turns(void **state)
{
    (void)state;
    turn_leave();
    assert_int_equal(turn_counts().n, 0);

    turn_enter();
    busy_for(TURN_LONG / 2);
    turn_enter();
    busy_for(TURN_LONG);
    turn_leave();
    struct turns first = turn_counts();
    assert_int_equal(first.n, 1);
    assert_int_equal(first.n_long, 1);
    assert_true(first.worst >= TURN_LONG * 3 / 2);
    assert_int_equal(first.total, first.worst);

    busy_for(TURN_LONG); /* between turns: not counted */
    turn_enter();
    turn_leave();
    struct turns second = turn_counts();
    assert_int_equal(second.n, 2);
    assert_int_equal(second.worst, first.worst);
    assert_true(second.total < first.total + TURN_LONG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_turns)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
