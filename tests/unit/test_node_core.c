/* The node's core: the node and its master, and the life of a batch. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "node_script.h"

#define LIST 0
#define QUOTES 1

static const char pipeline[] =
    "version: 1\n"
    "name: test\n"
    "queues: [{name: keys}, {name: prices}]\n"
    "workers:\n"
    "  - {name: list, class: html_table, output_queues: [keys],\n"
    "     input_values: ['http://w/list'], options: {column: Symbol}}\n"
    "  - {name: quotes, class: http_json, input_queue: keys,\n"
    "     output_queues: [prices], instances: 4,\n"
    "     options: {url: 'http://h/{key}', fields: {price: /p}}}\n"
    "  - {name: store, class: store, input_queue: prices,\n"
    "     options: {table: prices, columns: {symbol: key, price: price}}}\n";

static int begin(void **state)
{
    (void)state;
    script_begin(pipeline);
    return 0;
}

static int end(void **state)
{
    (void)state;
    script_end();
    return 0;
}

/* The whole way of a batch: hello, welcome, task, transfers, closing, report.
 */
static void test_whole_way(void **state)
{
    (void)state;
    expect("hello 5\n");
    welcome();
    task(7, QUOTES, "A B");
    expect("start A http://h/A\n"
           "start B http://h/B\n");
    record("A", "1.5");
    expect("");
    failed("B", REASON_NOT_FOUND);
    expect("close 7: store A=1.5; failed B not_found 1; done 2\n");
    won(7);
    expect("report 7 closed 1 1\n");
    assert_int_equal(node_core_counts(script.core).batches, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_whole_way, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
