/* Whether a program is worth another start: exec_fate.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "exec_fate.h"

/* A process that ends in this way; what is waited before the next. */
static usec_t life(struct exec_fate *fate, bool lives, bool answers)
{
    const char *why = NULL;
    bool watched = exec_fate_begin(fate);
    if (lives && watched) {
        exec_fate_lived(fate);
        watched = false;
    }
    if (answers)
        exec_fate_answered(fate);
    usec_t wait = exec_fate_end(fate, watched, &why);
    assert_int_equal(wait == USEC_NEVER, why != NULL);
    return wait;
}

static void test_one_that_answered_starts_again(void **state)
{
    struct exec_fate fate = {.answered = false};
    (void)state;
    for (int i = 0; i < 100; i++) {
        assert_false(exec_fate_begin(&fate));
        assert_int_equal(life(&fate, true, true), 0);
    }
}

/* The first end may be a key's doing; those that follow while it is watched are
 * not. */
static void test_one_that_ends_at_each_start(void **state)
{
    struct exec_fate fate = {.answered = false};
    (void)state;
    assert_int_equal(life(&fate, false, false), 0);
    for (int i = 0; i < EXEC_STARTS_MAX - 1; i++)
        assert_int_equal(life(&fate, false, false), EXEC_BACKOFF << i);
    assert_int_equal(life(&fate, false, false), USEC_NEVER);
}

/* Keys that kill it one after the other do not make it hopeless. */
static void test_one_that_keys_kill(void **state)
{
    struct exec_fate fate = {.answered = false};
    (void)state;
    assert_int_equal(life(&fate, true, true), 0);
    for (int i = 0; i < 10 * EXEC_ENDS_MAX; i++)
        assert_int_equal(life(&fate, true, false), 0);
    assert_int_equal(life(&fate, false, false), EXEC_BACKOFF);
    assert_int_equal(life(&fate, true, true), 0);
    assert_false(exec_fate_begin(&fate));
}

static void test_one_that_never_answers(void **state)
{
    struct exec_fate fate = {.answered = false};
    (void)state;
    for (int i = 0; i < EXEC_ENDS_MAX - 1; i++)
        assert_int_equal(life(&fate, true, false), 0);
    assert_int_equal(life(&fate, true, false), USEC_NEVER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_that_answered_starts_again),
        cmocka_unit_test(test_one_that_ends_at_each_start),
        cmocka_unit_test(test_one_that_keys_kill),
        cmocka_unit_test(test_one_that_never_answers),
    };
    return cmocka_run_group_tests_name("exec_fate", tests, NULL, NULL);
}
