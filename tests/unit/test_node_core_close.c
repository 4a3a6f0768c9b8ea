/* The node's core: when a batch closes, with what, and what the answer means.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "node_script.h"

/* Workers, in the order of the pipeline. */
enum { LIST, QUERY, QUOTES, DETAILS, NAMED, STORE, STORE2, HISTORY };

static const char pipeline[] =
    "version: 1\n"
    "name: test\n"
    "queues: [{name: keys}, {name: rows}, {name: next}, {name: prices},\n"
    "         {name: history}]\n"
    "workers:\n"
    "  - {name: list, class: html_table, output_queues: [keys],\n"
    "     input_values: ['http://w/list'], options: {column: Symbol}}\n"
    "  - {name: query, class: sql, output_queues: [rows],\n"
    "     options: {query: 'select k from t'}}\n"
    "  - {name: quotes, class: http_json, input_queue: keys,\n"
    "     output_queues: [prices, history, next],\n"
    "     options: {url: 'http://h/{key}', fields: {price: /p}}}\n"
    "  - {name: details, class: http_json, input_queue: next,\n"
    "     output_queues: [prices],\n"
    "     options: {url: 'http://d/{key}', fields: {price: /p}}}\n"
    "  - {name: named, class: http_json, input_queue: rows,\n"
    "     output_queues: [next],\n"
    "     options: {url: 'http://n/{key}', fields: {key: {at: /k, type: "
    "text}}}}\n"
    "  - {name: store, class: store, input_queue: prices,\n"
    "     options: {table: prices, columns: {symbol: key, price: price}}}\n"
    "  - {name: store2, class: store, input_queue: prices,\n"
    "     options: {table: prices2, columns: {symbol: key, price: price}}}\n"
    "  - {name: history, class: store, input_queue: history,\n"
    "     options: {table: history, columns: {symbol: key, price: price}}}\n";

static int begin(void **state)
{
    (void)state;
    script_begin(pipeline);
    welcome();
    forget_transcript();
    return 0;
}

static int end(void **state)
{
    (void)state;
    script_end();
    return 0;
}

/* A welcome by which sources are limited to so many keys. */
static void begin_limited(int64_t key_limit)
{
    script.options.key_limit = key_limit;
    script_new();
    welcome();
}

/* A batch of DETAILS whose keys are all done. */
static void done_batch(int64_t batch, const char *keys)
{
    task(batch, DETAILS, keys);
    for (; *keys; keys += 2) {
        char key[] = {keys[0], '\0'};
        record(key, "1");
        if (!keys[1])
            break;
    }
    forget_transcript();
}

/* ---- when ---- */

/* Half of the keys done and then nothing for close_after: the batch closes
 * with what it has; the rest flies on in a child that is kept. */
static void test_early_close(void **state)
{
    (void)state;
    task(7, DETAILS, "A B C D");
    record("A", "1");
    pass(10 * SECOND);
    forget_transcript();
    record("B", "2");
    expect("");
    pass(SECOND);
    failed("C", REASON_NOT_FOUND);
    expect("");
    assert_int_equal(pass_until_effect(10 * SECOND), 2 * SECOND);
    expect("close 7: store A=1; store2 B=2; failed C not_found 1; "
           "kept details [D]; done 3\n");
    won(7);
    expect("report 7 closed 2 1 700+\n");
    record("D", "4");
    expect("close 700: store D=4; done 1\n");
    won(700);
    expect("report 700 closed 1 0\n");
}

/* Records of 8 MiB close their batch, however many keys still fly: memory and
 * a closing are bounded. */
static void test_early_close_of_large_records(void **state)
{
    (void)state;
    static char price[(4 << 20) + 1];
    memset(price, '7', sizeof price - 1);
    task(7, DETAILS, "A B C D E");
    record("A", price);
    forget_transcript();
    record("B", "1");
    expect("");
    record("C", price);
    assert_int_equal(strncmp(transcript(), "close 7: store A=777", 20), 0);
    assert_non_null(strstr(transcript(), "kept details [D E]; done 3\n"));
    forget_transcript();
    won(7);
    expect("report 7 closed 3 0 700+\n");
}

/* What ends while the parent's closing is with the store is not lost. */
static void test_end_while_unborn(void **state)
{
    (void)state;
    task(7, DETAILS, "A B C D");
    record("A", "1");
    record("B", "2");
    failed("D", REASON_TIMEOUT);
    pass(5 * SECOND);
    forget_transcript();
    record("C", "3");
    record("D", "4");
    expect("");
    won(7);
    expect("report 7 closed 2 0 700+\n"
           "close 700: store C=3; store2 D=4; done 2\n");
}

/* At the end of its time a batch closes with what it has, however lately a
 * key ended. */
static void test_batch_time(void **state)
{
    (void)state;
    task(7, DETAILS, "A B C");
    pass(59 * SECOND);
    record("A", "1");
    forget_transcript();
    assert_int_equal(pass_until_effect(10 * SECOND), SECOND);
    expect("close 7: store A=1; kept details [B C]; done 1\n");
}

/* Where nothing is done by then, it goes on until something is. */
static void test_batch_time_nothing_done(void **state)
{
    (void)state;
    task(7, DETAILS, "A B");
    forget_transcript();
    pass(100 * SECOND);
    expect("");
    record("A", "1");
    expect("close 7: store A=1; kept details [B]; done 1\n");
}

/* Keys whose retry is due after the batch's time come later, anywhere: one
 * child for each number of tries. Tries that fly or wait are kept. */
static void test_later(void **state)
{
    (void)state;
    task(7, DETAILS, "A B C D E");
    failed("A", REASON_TIMEOUT);
    pass(59900 * MS);
    failed("A", REASON_TIMEOUT);
    failed("B", REASON_TIMEOUT);
    failed("C", REASON_TIMEOUT);
    forget_transcript();
    pass(SECOND);
    expect("close 7: kept details [D E]; child details a2 later [A]; "
           "child details a1 later [B C]; done 0\n");
    won(7);
    expect("report 7 closed 0 0 700+ 701 702\n");
}

/* No more closings than allowed are with the store; the others wait. */
static void test_closings_max(void **state)
{
    (void)state;
    for (int i = 1; i <= NODE_CLOSINGS_MAX + 1; i++)
        task_with(
            &(struct task){.batch = i, .worker = DETAILS, .action = TASK_BLAME},
            "A");
    assert_int_equal(node_core_counts(script.core).closings, NODE_CLOSINGS_MAX);
    forget_transcript();
    won(1);
    expect("report 1 closed 0 1\n"
           "close 33: failed A killed_node 0; done 1\n");
}

/* ---- with what ---- */

/* A record goes into every output queue; where several stores read one, they
 * take turns; the next fetcher gets its key. */
static void test_all_queues(void **state)
{
    (void)state;
    task_with(
        &(struct task){
            .batch = 7, .worker = QUOTES, .nodes = 1, .batch_keys = 2},
        "A B C");
    record("A", "1");
    record("B", "2");
    forget_transcript();
    record("C", "3");
    expect("close 7: store A=1 C=3; store2 B=2; history A=1 B=2 C=3; "
           "child details unique [A B]; child details unique [C]; done 3\n");
    won(7);
    expect("report 7 closed 3 0 700 701\n");
}

/* A field that the answer did not have is NULL, not empty. */
static void test_null_field(void **state)
{
    (void)state;
    task(7, DETAILS, "A B");
    record("A", NULL);
    forget_transcript();
    record("B", "");
    expect("close 7: store A=NULL; store2 B=; done 2\n");
}

/* A field named "key" is the next fetcher's key; one that makes no key is a
 * failure. A fetcher that feeds no store stores nothing. */
static void test_key_field(void **state)
{
    (void)state;
    task(7, NAMED, "A B");
    record("A", "a/1");
    forget_transcript();
    record("B", "b\n");
    expect("close 7: failed B bad_key 1; child details unique [a/1]; done 2\n");
    won(7);
    expect("report 7 closed 0 1 700\n");
}

/* A source's keys become batches for the fetchers, so large that each node
 * gets several, or as large as the user says. */
static void test_source(void **state)
{
    (void)state;
    struct task list = {.batch = 7, .worker = LIST, .nodes = 1};
    task_with(&list, "http://w/1");
    forget_transcript();
    found("http://w/1", "A B C D E F G H", false);
    expect("close 7: child quotes [A B]; child quotes [C D]; "
           "child quotes [E F]; child quotes [G H]; done 0\n");
    list.batch = 8;
    list.batch_keys = 3;
    task_with(&list, "http://w/1");
    forget_transcript();
    found("http://w/1", "A B C D", false);
    expect("close 8: child quotes [A B C]; child quotes [D]; done 0\n");
    won(8);
    expect("report 8 closed 0 0 800 801\n");
}

/* Whatever the user says, a batch is never larger than a message takes. */
static void test_batch_keys_max(void **state)
{
    (void)state;
    static char keys[2 * (TASK_KEYS_MAX + 1)];
    for (size_t i = 0; i + 1 < sizeof keys; i++)
        keys[i] = i % 2 ? ' ' : 'A';
    task_with(&(struct task){.batch = 7, .worker = LIST, .batch_keys = 1000},
              "http://w/1");
    found("http://w/1", keys, false);
    assert_non_null(strstr(transcript(), "]; child quotes [A]; done 0\n"));
}

/* Two pages in one batch may hold the same key: the ledger has to look. */
static void test_two_pages(void **state)
{
    (void)state;
    begin_limited(3);
    task(7, LIST, "http://w/1 http://w/2");
    found("http://w/1", "A B", false);
    forget_transcript();
    found("http://w/2", "B C D E", false);
    expect("close 7: child quotes unique [A]; child quotes unique [B]; "
           "child quotes unique [B]; done 0\n");
}

/* A source that failed is a failure under its URL. */
static void test_source_failed(void **state)
{
    (void)state;
    task(7, LIST, "http://w/1");
    forget_transcript();
    failed("http://w/1", REASON_NO_TABLE);
    expect("close 7: failed http://w/1 no_table 1; done 1\n");
}

/* A query is read in pages: each closing begets the next one. */
static void test_query(void **state)
{
    (void)state;
    task(7, QUERY, "0:");
    expect("start 0: \n");
    found("0:", "A B", true);
    expect("close 7: child named unique [A]; child named unique [B]; "
           "child query [2:B]; done 0\n");
    task(8, QUERY, "2:B");
    forget_transcript();
    found("2:B", "C", false);
    expect("close 8: child named unique [C]; done 0\n");
}

/* A limited query ends with the page that reaches the limit. */
static void test_query_limit(void **state)
{
    (void)state;
    begin_limited(5);
    task(7, QUERY, "2:B");
    expect("start 2:B  max 3\n");
    found("2:B", "C D E F", true);
    expect("close 7: child named unique [C]; child named unique [D]; "
           "child named unique [E]; done 0\n");
}

/* A query that failed has no key to show; one whose key is too long to read
 * on after it has failed. */
static void test_query_failed(void **state)
{
    (void)state;
    char key[KEY_BYTES_MAX + 1];
    memset(key, 'a', KEY_BYTES_MAX);
    key[KEY_BYTES_MAX] = '\0';
    task(7, QUERY, "0:");
    failed("0:", REASON_QUERY);
    task(8, QUERY, "0:");
    found("0:", key, true);
    expect("start 0: \n"
           "close 7: failed query query 1; done 1\n"
           "start 0: \n"
           "close 8: failed query bad_key 1; done 1\n");
}

/* A report names so many children and no more. */
static void test_many_children(void **state)
{
    (void)state;
    static char keys[2 * (REPORT_CHILDREN_MAX + 1)];
    for (size_t i = 0; i + 1 < sizeof keys; i++)
        keys[i] = i % 2 ? ' ' : 'A';
    task_with(&(struct task){.batch = 7, .worker = LIST, .batch_keys = 1},
              "http://w/1");
    found("http://w/1", keys, false);
    forget_transcript();
    won(7);
    assert_non_null(strstr(transcript(), " 763 ...\n"));
}

/* A child of which the ledger dropped all keys is none. Where the store says
 * no numbers, the report says that there are more. */
static void test_no_children(void **state)
{
    (void)state;
    int64_t none[] = {0};
    struct node_event event = {.type = NODE_EVENT_CLOSED};
    struct error err = ERROR_NONE;
    task_with(&(struct task){.batch = 7, .worker = LIST}, "http://w/1");
    found("http://w/1", "A", false);
    task_with(&(struct task){.batch = 8, .worker = LIST}, "http://w/1");
    found("http://w/1", "A", false);
    forget_transcript();
    event.closed.closing = 1;
    event.closed.result.children = none;
    assert_int_equal(node_core_event(script.core, script.now, &event, &err), 0);
    event.closed.closing = 2;
    event.closed.result.children = NULL;
    assert_int_equal(node_core_event(script.core, script.now, &event, &err), 0);
    happens(NODE_EVENT_TICK);
    expect("report 7 closed 0 0\nreport 8 closed 0 0 ...\n");
}

/* ---- the answer ---- */

/* Closed by another: what was kept of it stops. */
static void test_already(void **state)
{
    (void)state;
    task(7, DETAILS, "A B");
    record("A", "1");
    pass(2 * SECOND);
    forget_transcript();
    answered(7, CLOSE_ALREADY, "");
    expect("report 7 already\ncancel B\n");
    assert_int_equal(node_core_counts(script.core).batches, 0);
}

/* A batch that the database does not know: it is the wrong one. */
static void test_unknown(void **state)
{
    (void)state;
    done_batch(7, "A");
    answered(7, CLOSE_UNKNOWN, "");
    expect("report 7 unknown\n"
           "forget\n"
           "exit 4 batch 7 is not in this database: is DATABASE_URL the "
           "master's?\n");
}

/* A kept child that the master has given to this node meanwhile is here
 * already. */
static void test_child_held_already(void **state)
{
    (void)state;
    task(7, DETAILS, "A B");
    record("A", "1");
    pass(2 * SECOND);
    task(700, DETAILS, "B");
    forget_transcript();
    won(7);
    expect("report 7 closed 1 0 700+\ncancel B\n");
    record("B", "2");
    expect("close 700: store B=2; done 1\n");
}

/* ---- refused data ---- */

/* Refused data is halved until the key is found; its record becomes a failure
 * that says what the database said. All others are stored. */
static void test_bisection(void **state)
{
    (void)state;
    done_batch(7, "A B C");
    answered(7, CLOSE_REFUSED, "value out of range");
    expect("close 7: kept details [A]; kept details [B C]; done 0\n");
    won(7);
    expect("report 7 closed 0 0 700+ 701+\n"
           "close 700: store A=1; done 1\n"
           "close 701: store B=1; store2 C=1; done 2\n");
    won(700);
    answered(701, CLOSE_REFUSED, "value out of range");
    won(701);
    forget_transcript();
    answered(70100, CLOSE_REFUSED, "value out of range");
    expect("close 70100: failed B database_refused 1; done 1\n");
    won(70100);
    expect("report 70100 closed 0 1\n");
    won(70101);
    expect("report 70101 closed 1 0\n");
}

/* What is remembered goes with its key's record: through a bisection, and into
 * nothing where that becomes a failure; and not after a redirect. */
static void test_remembered(void **state)
{
    (void)state;
    task(7, DETAILS, "A B C");
    dated("A", "1");
    dated("B", "2");
    redirected("C", "http://d/elsewhere");
    dated("C", "3");
    forget_transcript();
    answered(7, CLOSE_REFUSED, "value out of range");
    won(7);
    expect("close 7: kept details [A]; kept details [B C]; done 0\n"
           "report 7 closed 0 0 700+ 701+\n"
           "close 700: store A=1; remember A=1; done 1\n"
           "close 701: store B=2; store2 C=3; remember B=2; done 2\n");
    answered(700, CLOSE_REFUSED, "value out of range");
    expect("close 700: failed A database_refused 1; done 1\n");
}

/* What is done is remembered when a batch closes early. */
static void test_remembered_early(void **state)
{
    (void)state;
    task(7, DETAILS, "A B");
    dated("A", "1");
    forget_transcript();
    pass(2 * SECOND);
    expect("close 7: store A=1; kept details [B]; remember A=1; done 1\n");
}

/* Failures and what is not done survive a bisection. */
static void test_bisection_with_rest(void **state)
{
    (void)state;
    task(7, DETAILS, "A B C D");
    record("A", "1");
    failed("B", REASON_NOT_FOUND);
    redirected("C", "http://d/elsewhere");
    pass(2 * SECOND);
    forget_transcript();
    answered(7, CLOSE_REFUSED, "no");
    expect("close 7: kept details [C D]; kept details [A]; kept details [B]; "
           "done 0\n");
    won(7);
    expect("report 7 closed 0 0 700+ 701+ 702+\n"
           "close 701: store A=1; done 1\n"
           "close 702: failed B not_found 1; done 1\n");
    record("C", "3");
    failed("D", REASON_TIMEOUT);
    forget_transcript();
    pass(SECOND);
    record("D", "4");
    expect("start D http://d/D\n"
           "close 700: store C=3; store2 D=4; done 2\n");
}

/* Halves come before other batches, so that there are few of them. */
static void test_halves_first(void **state)
{
    (void)state;
    done_batch(1, "A B");
    for (int i = 2; i <= NODE_CLOSINGS_MAX + 1; i++)
        task_with(
            &(struct task){.batch = i, .worker = DETAILS, .action = TASK_BLAME},
            "A");
    answered(1, CLOSE_REFUSED, "no");
    forget_transcript();
    won(1);
    expect("report 1 closed 0 0 100+ 101+\nclose 100: store A=1; done 1\n");
}

/* A source's keys are refused: its one page is what failed. */
static void test_source_refused(void **state)
{
    (void)state;
    task(7, LIST, "http://w/1 http://w/2");
    found("http://w/1", "A", false);
    found("http://w/2", "B", false);
    forget_transcript();
    answered(7, CLOSE_REFUSED, "no");
    expect("close 7: kept list [http://w/1]; kept list [http://w/2]; "
           "done 0\n");
    won(7);
    forget_transcript();
    answered(700, CLOSE_REFUSED, "no");
    expect("close 700: failed http://w/1 database_refused 1; done 1\n");
}

/* A failure that is refused is written in plain ASCII; if that is refused too,
 * the node gives up and says why. */
static void test_failure_refused(void **state)
{
    (void)state;
    done_batch(7, "A");
    script.verbose = true;
    answered(7, CLOSE_REFUSED, "\xff is odd");
    answered(7, CLOSE_REFUSED, "\xff is odd");
    expect(
        "close 7: failed A database_refused 1 (8 bytes: \xff is odd); done 1\n"
        "close 7: failed A database_refused 1 (8 bytes: ? is odd); done 1\n");
    answered(7, CLOSE_REFUSED, "still not");
    expect("forget\n"
           "exit 4 the database refuses to close batch 7: still not\n");
}

/* So it does where there is nothing but children to refuse. */
static void test_children_refused(void **state)
{
    (void)state;
    done_batch(7, "A B");
    answered(7, CLOSE_REFUSED, "no");
    forget_transcript();
    answered(7, CLOSE_REFUSED, "no");
    expect("forget\nexit 4 the database refuses to close batch 7: no\n");
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_early_close),
        TEST(test_early_close_of_large_records),
        TEST(test_end_while_unborn),
        TEST(test_batch_time),
        TEST(test_batch_time_nothing_done),
        TEST(test_later),
        TEST(test_closings_max),
        TEST(test_all_queues),
        TEST(test_null_field),
        TEST(test_key_field),
        TEST(test_source),
        TEST(test_batch_keys_max),
        TEST(test_two_pages),
        TEST(test_source_failed),
        TEST(test_query),
        TEST(test_query_limit),
        TEST(test_query_failed),
        TEST(test_many_children),
        TEST(test_no_children),
        TEST(test_already),
        TEST(test_unknown),
        TEST(test_child_held_already),
        TEST(test_bisection),
        TEST(test_remembered),
        TEST(test_remembered_early),
        TEST(test_bisection_with_rest),
        TEST(test_halves_first),
        TEST(test_source_refused),
        TEST(test_failure_refused),
        TEST(test_children_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
