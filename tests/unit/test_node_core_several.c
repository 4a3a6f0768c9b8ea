/* The node's core: several keys with one request. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "node_script.h"
#include "pipeline/template.h"

enum { QUOTES, BUDGET, STORE, LIST };

static const char pipeline[] =
    "version: 1\n"
    "name: test\n"
    "queues: [{name: keys}, {name: budgets}, {name: prices}]\n"
    "workers:\n"
    "  - {name: quotes, class: http_json, input_queue: keys,\n"
    "     output_queues: [prices], instances: 2,\n"
    "     options: {url: 'http://h/?s={keys}', keys_per_request: 4,\n"
    "               for_key: {each: /r, key: /k}, fields: {price: /p},\n"
    "               retry: {attempts: 3, backoff: 1s, backoff_max: 1500ms},\n"
    "               redirects: 1}}\n"
    "  - {name: budget, class: http_json, input_queue: budgets,\n"
    "     output_queues: [prices], instances: 100,\n"
    "     options: {url: 'http://b/{keys}', keys_per_request: 2,\n"
    "               for_key: {each: /r}, fields: {price: /p}, rate: 10/s,\n"
    "               max_in_flight: 10}}\n"
    "  - {name: store, class: store, input_queue: prices,\n"
    "     options: {table: prices, columns: {symbol: key, price: price}}}\n"
    "  - {name: list, class: html_table, output_queues: [keys, budgets],\n"
    "     input_values: ['http://w/list'], options: {column: Symbol}}\n";

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

/* ---- starts ---- */

/* As many keys as are there fly together, and a request is one of the
 * instances. What is left over does not wait for others. */
static void test_groups(void **state)
{
    (void)state;
    task(7, QUOTES, "A B C D E F G H I");
    expect("start A B C D http://h/?s=A,B,C,D\n"
           "start E F G H http://h/?s=E,F,G,H\n");
    record("A", "1");
    record("B", "2");
    record("C", "3");
    expect("");
    record("D", "4");
    expect("start I http://h/?s=I\n");
    assert_int_equal(node_core_counts(script.core).flying, 2);
}

/* They may be of several batches, each of which closes by itself. */
static void test_batches_share(void **state)
{
    (void)state;
    store_waits(true);
    task(7, QUOTES, "A B");
    task(8, QUOTES, "C");
    store_waits(false);
    expect("start A B C http://h/?s=A,B,C\n");
    record("B", "2");
    record("C", "3");
    expect("close 8: store C=3; done 1\n");
    record("A", "1");
    expect("close 7: store A=1 B=2; done 2\n");
}

/* The budget counts requests. */
static void test_budget(void **state)
{
    (void)state;
    share(BUDGET, 1, 10, 10 * SECOND);
    task(7, BUDGET, "A B C");
    expect("start A B http://b/A,B\n");
    assert_int_equal(pass_until_effect(5 * SECOND), SECOND);
    expect("start C http://b/C\n");
    share(BUDGET, 100, 2, 10 * SECOND);
    task(8, BUDGET, "D E");
    pass(20 * MS);
    expect("");
    record("A", "1");
    expect("");
    record("B", "1");
    expect("start D E http://b/D,E\n");
}

/* A key that makes no URL goes alone, and so does one that holds what parts
 * keys; those around it go without it. */
static void test_those_that_go_alone(void **state)
{
    (void)state;
    task(7, QUOTES, "A \x01 B,C D");
    expect("start A http://h/?s=A\nstart B,C http://h/?s=B%2CC\n");
    record("A", "1");
    expect("start D http://h/?s=D\n");
    record("B,C", "2");
    record("D", "3");
    expect("close 7: store A=1 B,C=2 D=3; failed \x01 bad_key 0; done 4\n");
}

/* No URL gets longer than it may: then fewer keys go together. */
static void test_long_keys(void **state)
{
    (void)state;
    char keys[4 * 502] = "";
    for (int i = 0; i < 4; i++) {
        size_t len = strlen(keys);
        memset(keys + len, '^', 500);
        keys[len + 500] = (char)('a' + i);
        keys[len + 501] = i < 3 ? ' ' : '\0';
    }
    task(7, QUOTES, keys);
    assert_int_equal(node_core_counts(script.core).flying, 2);
    assert_int_equal(node_core_counts(script.core).waiting, 0);
}

/* ---- ends ---- */

/* What is missing is missing for one key alone. */
static void test_one_is_missing(void **state)
{
    (void)state;
    task(7, QUOTES, "A B");
    record("A", "1");
    part_failed("B", REASON_NOT_IN_ANSWER);
    expect("start A B http://h/?s=A,B\n"
           "close 7: store A=1; failed B not_in_answer 1; done 2\n");
}

/* A key of its own that may pass is tried again by itself. */
static void test_one_is_tried_again(void **state)
{
    (void)state;
    task(7, QUOTES, "A B C");
    record("A", "1");
    part_failed("B", REASON_NOT_JSON);
    record("C", "3");
    forget_transcript();
    pass_until_effect(10 * SECOND);
    expect("start B http://h/?s=B\n");
}

/* What may pass befell all of them: they are tried again together, and it was a
 * try of each. */
static void test_tried_again_together(void **state)
{
    (void)state;
    task(7, QUOTES, "A B C");
    for (int i = 0; i < 2; i++) {
        assert_non_null(strstr(transcript(), "start A "));
        forget_transcript();
        failed("B", REASON_TIMEOUT);
        expect("");
        pass_until_effect(10 * SECOND);
        assert_int_equal(node_core_counts(script.core).flying, 1);
    }
    forget_transcript();
    failed("A", REASON_CONNECT);
    expect("close 7: failed A connect 3; failed B connect 3; "
           "failed C connect 3; done 3\n");
}

/* A refusal holds the host back once, whatever it was asked for. */
static void test_refused(void **state)
{
    (void)state;
    task(7, QUOTES, "A B");
    forget_transcript();
    refused("A", 10 * SECOND);
    expect("hold h:80 10000 ms\n");
    assert_in_range(pass_until_effect(20 * SECOND), 10 * SECOND, 11 * SECOND);
    expect("start A B http://h/?s=A,B\n");
}

/* A redirect is followed by all of them. */
static void test_redirect(void **state)
{
    (void)state;
    task(7, QUOTES, "A B");
    redirected("A", "http://elsewhere/AB");
    expect("start A B http://h/?s=A,B\n"
           "start A B http://elsewhere/AB\n");
    record("A", "1");
    record("B", "2");
    expect("close 7: store A=1 B=2; done 2\n");
}

/* What will not pass may be for one of them: the others have it not. No try of
 * theirs is spent. */
static void test_halves(void **state)
{
    (void)state;
    task(7, QUOTES, "A B C D");
    failed("A", REASON_NOT_FOUND);
    expect("start A B C D http://h/?s=A,B,C,D\n"
           "start A B http://h/?s=A,B\nstart C D http://h/?s=C,D\n");
    record("C", "3");
    record("D", "4");
    failed("A", REASON_NOT_FOUND);
    expect("start A http://h/?s=A\nstart B http://h/?s=B\n");
    failed("A", REASON_NOT_FOUND);
    record("B", "2");
    expect("close 7: store B=2 C=3 D=4; failed A not_found 1; done 4\n");
}

/* Also where the other half is not here any more. */
static void test_half_of_a_rest(void **state)
{
    (void)state;
    store_waits(true);
    task(7, QUOTES, "A");
    task(8, QUOTES, "B C");
    store_waits(false);
    drop(8);
    failed("A", REASON_TOO_LARGE);
    expect("start A B C http://h/?s=A,B,C\nstart A http://h/?s=A\n");
    failed("A", REASON_TOO_LARGE);
    expect("close 7: failed A too_large 1; done 1\n");
}

/* After too many redirects too: each half begins at its own URL. */
static void test_halves_of_a_redirect(void **state)
{
    (void)state;
    task(7, QUOTES, "A B");
    redirected("A", "http://elsewhere/AB");
    forget_transcript();
    redirected("A", "http://elsewhere/again");
    expect("start A http://h/?s=A\nstart B http://h/?s=B\n");
}

/* What is the host's and no key's is not tried of each. */
static void test_not_for_a_key(void **state)
{
    (void)state;
    task(7, QUOTES, "A B");
    forget_transcript();
    failed("A", REASON_TLS);
    expect("close 7: failed A tls 1; failed B tls 1; done 2\n");
}

/* ---- leaving ---- */

/* A request is cancelled when nobody waits for it any more. */
static void test_cancel(void **state)
{
    (void)state;
    store_waits(true);
    task(7, QUOTES, "A");
    task(8, QUOTES, "B C");
    store_waits(false);
    forget_transcript();
    drop(7);
    expect("");
    record("A", "1"); /* nobody waits for it */
    expect("");
    record("B", "2");
    drop(8);
    expect("cancel A\n");
}

/* A closed batch's rest goes on in its child, in the same request. */
static void test_kept(void **state)
{
    (void)state;
    task(7, QUOTES, "A B C");
    record("A", "1");
    record("B", "2");
    forget_transcript();
    pass(3 * SECOND);
    expect("close 7: store A=1 B=2; kept quotes [C]; done 2\n");
    won(7);
    forget_transcript();
    record("C", "3");
    expect("close 700: store C=3; done 1\n");
}

/* What did not begin was no request, and no try. */
static void test_sent_back(void **state)
{
    (void)state;
    task(7, QUOTES, "A B");
    sent_back("A", SECOND);
    expect("start A B http://h/?s=A,B\nstart A B http://h/?s=A,B\n");
    pass(2 * SECOND);
    assert_int_equal(script.heartbeat.fetches, 1);
    assert_int_equal(script.heartbeat.retries, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_groups),
        TEST(test_batches_share),
        TEST(test_budget),
        TEST(test_those_that_go_alone),
        TEST(test_long_keys),
        TEST(test_one_is_missing),
        TEST(test_one_is_tried_again),
        TEST(test_tried_again_together),
        TEST(test_refused),
        TEST(test_redirect),
        TEST(test_halves),
        TEST(test_half_of_a_rest),
        TEST(test_halves_of_a_redirect),
        TEST(test_not_for_a_key),
        TEST(test_cancel),
        TEST(test_kept),
        TEST(test_sent_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
