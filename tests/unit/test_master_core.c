/*
 * test_master_core.c: the run as a whole, nodes, and what is asked of the
 * ledger.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "master_dialogue.h"

/* The shortest run: a node comes, gets the one batch, closes it, and an empty
 * page of the ledger is the end. */
static void test_simple_run(void **state)
{
    (void)state;
    begin();
    hello("a", 1);
    expect("OPEN a", "WELCOME a/1");
    beat("a");
    expect_nothing();
    last_page("1");
    expect("TASK a 1 work");
    closed("a", 1, "");
    expect("LOAD 0");
    last_page("");
    expect("END done", "FINISHED");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_simple_run, end_test),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
