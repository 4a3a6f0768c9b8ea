/* The node's core: memory runs out anywhere, and nothing is lost but time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "alloc_sweep.h"
#include "node_script.h"

enum { LIST, QUERY, QUOTES, HOSTS, STORE };

static const char pipeline[] =
    "version: 1\n"
    "name: test\n"
    "queues: [{name: keys}, {name: hosts}, {name: prices}]\n"
    "workers:\n"
    "  - {name: list, class: html_table, output_queues: [keys],\n"
    "     input_values: ['http://w/list'], options: {column: Symbol}}\n"
    "  - {name: query, class: sql, output_queues: [keys],\n"
    "     options: {query: 'select k from t'}}\n"
    "  - {name: quotes, class: http_json, input_queue: keys,\n"
    "     output_queues: [prices, hosts], instances: 100,\n"
    "     options: {url: 'http://h/{key}', fields: {price: /p}}}\n"
    "  - {name: hosts, class: http_json, input_queue: hosts,\n"
    "     output_queues: [prices], instances: 100,\n"
    "     options: {url: 'http://{key}/', fields: {price: /p}, rate: 10/s}}\n"
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

/* After memory ran out the node holds nothing, says hello anew, and does the
 * work that it is given then. */
static void check_recovered(void)
{
    assert_true(script.memory_failed);
    if (script.gone)
        return;
    welcome();
    forget_transcript();
    share(HOSTS, 0, 0, 3 * SECOND);
    task(900, HOSTS, "Z");
    record("Z", "1");
    expect("start Z http://Z/\nclose 900: store Z=1; done 1\n");
    won(900);
    expect("report 900 closed 1 0\n");
}

/* Plays `scenario` with a core of its own; where an allocation failed in it,
 * the core must have told, and must be as good as new. */
static void play(void *context)
{
    void (**scenario)(void) = context;
    script_new();
    if (script.core) {
        (*scenario)();
        node_core_check(script.core);
    }
    if (!script.core)
        assert_true(alloc_sweep_failed());
    else if (alloc_sweep_failed())
        check_recovered();
    else
        assert_false(script.memory_failed);
    node_core_free(&script.core);
}

static void sweep(void (*scenario)(void), size_t least)
{
    assert_true(alloc_sweep(play, &scenario) >= least);
}

/* Each step of a scenario is skipped once memory has failed in one before. */
#define STEP(call)                                                             \
    do {                                                                       \
        if (!script.memory_failed)                                             \
            call;                                                              \
    } while (0)

static void fetch_and_close(void)
{
    STEP(welcome());
    STEP(share(HOSTS, 0, 0, 30 * SECOND));
    STEP(task(7, QUOTES, "A B C D"));
    STEP(task(8, HOSTS, "E F"));
    STEP(record("A", "1"));
    STEP(failed("B", REASON_NOT_FOUND));
    STEP(failed("C", REASON_TIMEOUT));
    STEP(redirected("D", "http://x/D"));
    STEP(refused("E", -1));
    STEP(redirected("F", "http://y/F"));
    STEP(record("F", "2"));
    STEP(pass(3 * SECOND));
    STEP(won(7));
    STEP(happens(NODE_EVENT_STOP));
    STEP(won(8));
}

static void sources(void)
{
    STEP(welcome());
    STEP(task(7, LIST, "http://w/1 http://w/2"));
    STEP(found("http://w/1", "A B C D E F G H", false));
    STEP(found("http://w/2", "I", false));
    STEP(won(7));
    STEP(task(8, QUERY, "0:"));
    STEP(found("0:", "A B", true));
    STEP(answered(8, CLOSE_REFUSED, "no"));
    STEP(task_with(
        &(struct task){.batch = 9, .worker = LIST, .action = TASK_SPLIT},
        "a b"));
    STEP(won(9));
}

static void refused_data(void)
{
    STEP(welcome());
    STEP(task(7, QUOTES, "A B C D E"));
    STEP(record("A", "1"));
    STEP(record("B", "1"));
    STEP(failed("C", REASON_NOT_FOUND));
    STEP(redirected("D", "http://x/D"));
    STEP(pass(3 * SECOND));
    STEP(answered(7, CLOSE_REFUSED, "no"));
    STEP(won(7));
    STEP(answered(701, CLOSE_REFUSED, "no"));
    STEP(won(701));
    STEP(stand_still(10 * SECOND));
}

/* More transfers, timers and effects than the first tables have room for. */
static void many(void)
{
    static char keys[2 * 300];
    for (size_t i = 0; i + 1 < sizeof keys; i++)
        keys[i] = i % 2 ? ' ' : 'A';
    STEP(welcome());
    STEP(task(7, QUOTES, keys));
    for (int i = 0; i < 300; i++)
        STEP(task_with(&(struct task){.batch = 10 + i, .worker = QUOTES}, "A"));
    STEP(end_of_run(false));
}

static void test_fetch_and_close(void **state)
{
    (void)state;
    sweep(fetch_and_close, 50);
}

static void test_sources(void **state)
{
    (void)state;
    sweep(sources, 40);
}

static void test_refused_data(void **state)
{
    (void)state;
    sweep(refused_data, 50);
}

static void test_many(void **state)
{
    (void)state;
    sweep(many, 300);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_fetch_and_close),
        TEST(test_sources),
        TEST(test_refused_data),
        TEST(test_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
