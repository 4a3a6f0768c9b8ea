/* The node's core: the life of a key: starts, retries, budgets, hold-backs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "node_script.h"
#include "pipeline/template.h"

/* Workers, in the order of the pipeline. */
enum { QUOTES, BUDGET, HOSTS, PAGES, STORE, LIST, PROGRAM };

static const char pipeline[] =
    "version: 1\n"
    "name: test\n"
    "queues: [{name: keys}, {name: budgets}, {name: hosts}, {name: pages},\n"
    "         {name: prices}, {name: asked}]\n"
    "workers:\n"
    "  - {name: quotes, class: http_json, input_queue: keys,\n"
    "     output_queues: [prices], instances: 2,\n"
    "     options: {url: 'http://h/{key}', fields: {price: /p},\n"
    "               retry: {attempts: 3, backoff: 1s, backoff_max: 1500ms},\n"
    "               redirects: 1}}\n"
    "  - {name: budget, class: http_json, input_queue: budgets,\n"
    "     output_queues: [prices], instances: 100,\n"
    "     options: {url: 'http://b/{key}', fields: {price: /p}, rate: 10/s,\n"
    "               max_in_flight: 10}}\n"
    "  - {name: hosts, class: http_json, input_queue: hosts,\n"
    "     output_queues: [prices], instances: 2000,\n"
    "     options: {url: 'http://{key}/', fields: {price: /p}, rate: 10/s}}\n"
    "  - {name: pages, class: http_json, input_queue: pages,\n"
    "     output_queues: [prices], instances: 2,\n"
    "     options: {url: 'http://{key}/', fields: {price: /p}}}\n"
    "  - {name: store, class: store, input_queue: prices,\n"
    "     options: {table: prices, columns: {symbol: key, price: price}}}\n"
    "  - {name: list, class: html_table,\n"
    "     output_queues: [keys, budgets, hosts, pages, asked],\n"
    "     input_values: ['http://w/list'], options: {column: Symbol}}\n"
    "  - {name: program, class: exec, input_queue: asked,\n"
    "     output_queues: [prices], instances: 2,\n"
    "     options: {command: [x], fields: {price: /p},\n"
    "               retry: {attempts: 2, backoff: 1s}}}\n";

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

static size_t starts(void)
{
    size_t n = 0;
    for (const char *at = transcript(); (at = strstr(at, "start ")); at++)
        n++;
    return n;
}

/* ---- starts ---- */

/* No more transfers of a worker than its instances. */
static void test_instances(void **state)
{
    (void)state;
    task(7, QUOTES, "A B C");
    expect("start A http://h/A\nstart B http://h/B\n");
    record("B", "1");
    expect("start C http://h/C\n");
}

/* A program is asked for a key as a site is, but for its URL. */
static void test_a_program(void **state)
{
    (void)state;
    task(7, PROGRAM, "A B C");
    expect("start A \nstart B \n");
    failed("A", REASON_WORKER_DIED);
    record("B", "1");
    expect("start C \n");
    pass_until_effect(10 * SECOND);
    expect("start A \n");
    record("C", "2");
    failed("A", REASON_WORKER_DIED);
    expect("close 7: store B=1 C=2; failed A worker_died 2; done 3\n");
}

/* While the store waits for its database nothing starts; what flies goes on. */
static void test_store_waits(void **state)
{
    (void)state;
    task(7, QUOTES, "A B C");
    forget_transcript();
    store_waits(true);
    record("A", "1");
    expect("");
    store_waits(false);
    expect("start C http://h/C\n");
}

/* Nor does anything while as many closings as allowed are with the store. */
static void test_closings_stop_starts(void **state)
{
    (void)state;
    for (int i = 1; i <= NODE_CLOSINGS_MAX; i++) {
        task(i, QUOTES, "A");
        record("A", "1");
    }
    forget_transcript();
    task(99, QUOTES, "B");
    expect("");
    won(1);
    expect("report 1 closed 1 0\nstart B http://h/B\n");
}

/* Hosts take turns: one with many keys does not starve the others. */
static void test_hosts_take_turns(void **state)
{
    (void)state;
    task(7, PAGES, "a a a b");
    expect("start a http://a/\nstart b http://b/\n");
}

/* A key that makes no URL fails without being asked for; the others go on. */
static void test_bad_key(void **state)
{
    (void)state;
    task(7, PAGES, "b/ad");
    expect("close 7: failed b/ad bad_key 0; done 1\n");
    task(8, QUOTES, "\x01");
    expect("close 8: failed \x01 bad_key 0; done 1\n");
}

/* ---- retries ---- */

/* The pause doubles with each try, within a half and one and a half of it, and
 * up to its limit; after the last try the key fails. */
static void test_backoff(void **state)
{
    (void)state;
    task(7, QUOTES, "A");
    forget_transcript();
    failed("A", REASON_TIMEOUT);
    expect("");
    usec_t length = pass_until_effect(10 * SECOND);
    assert_in_range(length, 500 * MS, 1500 * MS);
    expect("start A http://h/A\n");
    failed("A", REASON_TIMEOUT);
    length = pass_until_effect(10 * SECOND);
    assert_in_range(length, 750 * MS, 2250 * MS);
    expect("start A http://h/A\n");
    failed("A", REASON_CONNECT);
    expect("close 7: failed A connect 3; done 1\n");
}

/* What can't pass is not tried again. */
static void test_no_retry(void **state)
{
    (void)state;
    task(7, QUOTES, "A");
    failed("A", REASON_NOT_FOUND);
    expect("start A http://h/A\n"
           "close 7: failed A not_found 1; done 1\n");
}

/* Tries of before this batch count. */
static void test_attempts_carry_on(void **state)
{
    (void)state;
    task_with(&(struct task){.batch = 7, .worker = QUOTES, .attempt = 2}, "A");
    failed("A", REASON_TIMEOUT);
    expect("start A http://h/A\n"
           "close 7: failed A timed_out 3; done 1\n");
}

/* A detail is cut to what the ledger takes, and not inside a character. */
static void test_detail_is_cut(void **state)
{
    (void)state;
    char key[CLOSING_DETAIL_BYTES_MAX + 3] = "/";
    for (size_t i = 1; i + 2 < sizeof key; i += 2)
        memcpy(key + i, "\xc3\xa4", 3);
    script.verbose = true;
    task(7, PAGES, key);
    assert_non_null(strstr(transcript(), " bad_key 0 (299 bytes: /"));
}

/* ---- redirects ---- */

/* A redirect is followed, in the lane of its host; a retry begins at the
 * key's own URL. */
static void test_redirect(void **state)
{
    (void)state;
    task(7, QUOTES, "A");
    redirected("A", "http://elsewhere/A");
    expect("start A http://h/A\nstart A http://elsewhere/A\n");
    failed("A", REASON_TIMEOUT);
    pass_until_effect(10 * SECOND);
    expect("start A http://h/A\n");
    redirected("A", "http://elsewhere/A");
    record("A", "1");
    expect("start A http://elsewhere/A\n"
           "close 7: store A=1; done 1\n");
}

/* More redirects than allowed, or to no web address, are failures. */
static void test_bad_redirects(void **state)
{
    (void)state;
    static char url[URL_BYTES_MAX + 2] = "http://h/";
    memset(url + 9, 'a', sizeof url - 10);
    task(7, QUOTES, "A B");
    redirected("A", "http://h/1");
    forget_transcript();
    redirected("A", "http://h/2");
    redirected("B", "ftp://h/1");
    expect("close 7: failed A bad_redirect 1; failed B bad_redirect 1; "
           "done 2\n");
    task(8, QUOTES, "C");
    redirected("C", url);
    expect("start C http://h/C\n"
           "close 8: failed C bad_redirect 1; done 1\n");
}

/* A redirect that is cancelled before it starts is no try that is over. */
static void test_redirect_is_one_try(void **state)
{
    (void)state;
    task(7, QUOTES, "A B");
    record("B", "1");
    hold(QUOTES, "x:80", 10 * SECOND);
    redirected("A", "http://x/");
    forget_transcript();
    happens(NODE_EVENT_STOP);
    expect("close 7: store B=1; child quotes [A]; done 1\n");
}

/* ---- refusals ---- */

/* A host that refuses is left alone, longer each time, and the others are
 * told; a success makes it begin anew. */
static void test_refusals(void **state)
{
    (void)state;
    task_with(&(struct task){.batch = 7, .worker = BUDGET}, "A");
    share(BUDGET, 0, 0, 500 * SECOND);
    forget_transcript();
    refused("A", -1);
    expect("hold b:80 5000 ms\n");
    usec_t length = pass_until_effect(60 * SECOND);
    assert_in_range(length, 5 * SECOND, 6 * SECOND);
    expect("start A http://b/A\n");
    refused("A", -1);
    expect("hold b:80 15000 ms\n");
    pass_until_effect(60 * SECOND);
    refused("A", -1);
    expect("start A http://b/A\nhold b:80 30000 ms\n");
    task(8, BUDGET, "B");
    pass_until_effect(60 * SECOND);
    expect("start B http://b/B\n");
    record("B", "1");
    forget_transcript();
    pass_until_effect(60 * SECOND);
    refused("A", -1);
    expect("start A http://b/A\nhold b:80 5000 ms\n");
}

/* What the host says itself is what counts. */
static void test_retry_after(void **state)
{
    (void)state;
    task(7, QUOTES, "A");
    forget_transcript();
    refused("A", 7 * SECOND);
    expect("hold h:80 7000 ms\n");
    usec_t length = pass_until_effect(60 * SECOND);
    assert_in_range(length, 7 * SECOND, 8 * SECOND);
}

/* Many refusals at a time are one: they do not make the hold-back grow, and
 * the master is told at most once in 200 ms. */
static void test_refusals_at_a_time(void **state)
{
    (void)state;
    task(7, QUOTES, "A B");
    forget_transcript();
    refused("A", -1);
    refused("B", -1);
    expect("hold h:80 5000 ms\n");
    task(8, PAGES, "x x");
    forget_transcript();
    refused("x", SECOND);
    pass(100 * MS);
    expect("hold x:80 1000 ms\n");
}

/* A later refusal within 200 ms makes the hold-back longer, silently. */
static void test_hold_is_told_seldom(void **state)
{
    (void)state;
    task(7, QUOTES, "A B");
    forget_transcript();
    refused("A", SECOND);
    refused("B", 4 * SECOND);
    expect("hold h:80 1000 ms\n");
    assert_in_range(pass_until_effect(60 * SECOND), 4 * SECOND, 5 * SECOND);
}

/* A hold-back is never longer than ten minutes. */
static void test_hold_is_cut(void **state)
{
    (void)state;
    task(7, QUOTES, "A");
    forget_transcript();
    refused("A", 3600 * SECOND);
    expect("hold h:80 600000 ms\n"
           "close 7: child quotes a1 later [A]; done 0\n");
}

/* A refusal after the last try is a failure, and the host is left alone. */
static void test_refused_for_good(void **state)
{
    (void)state;
    task_with(&(struct task){.batch = 7, .worker = QUOTES, .attempt = 2}, "A");
    refused("A", -1);
    expect("start A http://h/A\n"
           "hold h:80 5000 ms\n"
           "close 7: failed A refused 3; done 1\n");
}

/* The master's word holds a host back, known or not. */
static void test_hold_from_master(void **state)
{
    (void)state;
    hold(PAGES, "x:80", 3 * SECOND);
    hold(PAGES, "x:80", SECOND);
    task(7, PAGES, "x y");
    expect("start y http://y/\n");
    assert_in_range(pass_until_effect(60 * SECOND), 3 * SECOND, 3 * SECOND);
    expect("start x http://x/\n");
}

/* ---- budgets ---- */

/* Nothing starts without a share that is valid, and its validity ends. */
static void test_share_needed(void **state)
{
    (void)state;
    task(7, BUDGET, "A B");
    pass(5 * SECOND);
    expect("");
    share(BUDGET, 1, 0, SECOND);
    expect("start A http://b/A\n");
    pass(5 * SECOND);
    expect("");
    share(BUDGET, 1, 0, 10 * SECOND);
    expect("start B http://b/B\n");
}

/* Shares come in the order of their numbers; an older one is late. */
static void test_older_share(void **state)
{
    (void)state;
    task(7, BUDGET, "A");
    share(BUDGET, 0, -1, 10 * SECOND);
    struct message message = {.type = MESSAGE_SHARE};
    message.share = (struct share){BUDGET, 1, 0, 0, 10 * SECOND, 1};
    master_says(&message);
    expect("");
}

/* A share that answers no heartbeat of ours, or one of long ago, is void. */
static void test_late_share(void **state)
{
    (void)state;
    task(7, BUDGET, "A");
    struct message message = {.type = MESSAGE_SHARE};
    message.share = (struct share){BUDGET, 1, 0, 0, 10 * SECOND, 99};
    master_says(&message);
    pass(100 * SECOND);
    message.share = (struct share){BUDGET, 2, 0, 0, 100 * SECOND, 1};
    master_says(&message);
    expect("");
}

/* A share is acknowledged when no more is in flight than it allows. */
static void test_share_is_obeyed(void **state)
{
    (void)state;
    share(BUDGET, 0, 2, 60 * SECOND);
    task(7, BUDGET, "A B");
    pass(SECOND);
    assert_int_equal(script.heartbeat.n_shares, 1);
    share(BUDGET, 0, 1, 60 * SECOND);
    pass(SECOND);
    assert_int_equal(script.heartbeat.n_shares, 0);
    record("A", "1");
    pass(SECOND);
    assert_int_equal(script.heartbeat.n_shares, 1);
}

/* Keys that wait for the budget wait on in the child that is kept. */
static void test_waiting_keys_are_kept(void **state)
{
    (void)state;
    share(BUDGET, 0, 2, 20 * SECOND);
    task(7, BUDGET, "A B C D");
    share(BUDGET, 0, -1, 20 * SECOND);
    record("A", "1");
    record("B", "1");
    forget_transcript();
    pass(2 * SECOND);
    expect("close 7: store A=1 B=1; kept budget [C D]; done 2\n");
    share(BUDGET, 0, 1, 20 * SECOND);
    expect("start C http://b/C\n");
    won(7);
    record("C", "1");
    expect("report 7 closed 2 0 700+\nstart D http://b/D\n");
}

/* The rate is kept from start to start: a bucket of one. */
static void test_rate(void **state)
{
    (void)state;
    task(7, BUDGET, "A B C D E F");
    pass(3 * SECOND);
    share(BUDGET, 2, 0, 20 * SECOND);
    expect("start A http://b/A\n");
    assert_int_equal(pass_until_effect(5 * SECOND), 500 * MS);
    expect("start B http://b/B\n");
    pass(1000 * MS);
    expect("start C http://b/C\nstart D http://b/D\n");
    /* A share that is larger counts at once. */
    share(BUDGET, 10, 0, 20 * SECOND);
    assert_int_equal(pass_until_effect(5 * SECOND), 100 * MS);
}

/* What asked nobody gives its turn back; but not where another had its turn
 * meanwhile, which it took no sooner than it may. */
static void test_unasked(void **state)
{
    (void)state;
    task(7, BUDGET, "A B C D");
    share(BUDGET, 2, 0, 60 * SECOND);
    expect("start A http://b/A\n");
    unasked("A", "1");
    expect("start B http://b/B\n");
    assert_int_equal(pass_until_effect(5 * SECOND), 500 * MS);
    expect("start C http://b/C\n");
    unasked("B", "1");
    assert_int_equal(pass_until_effect(5 * SECOND), 500 * MS);
    expect("start D http://b/D\n");
}

/* What asked nobody does not say that a host has stopped refusing. */
static void test_unasked_of_who_refuses(void **state)
{
    (void)state;
    task(7, BUDGET, "A");
    share(BUDGET, 0, 0, 500 * SECOND);
    refused("A", -1);
    task(8, BUDGET, "B");
    pass_until_effect(60 * SECOND);
    unasked("B", "1");
    forget_transcript();
    pass_until_effect(60 * SECOND);
    refused("A", -1);
    expect("start A http://b/A\nhold b:80 15000 ms\n");
}

/* A host's Crawl-delay is kept as the part of it that the share is of the
 * whole rate, here a fifth; and what was sent back is no try. */
static void test_crawl_delay(void **state)
{
    (void)state;
    task(7, BUDGET, "A B");
    share(BUDGET, 2, 0, 60 * SECOND);
    expect("start A http://b/A\n");
    sent_back("A", SECOND);
    assert_int_equal(pass_until_effect(20 * SECOND), 5 * SECOND);
    expect("start B http://b/B\n");
    assert_int_equal(pass_until_effect(20 * SECOND), 5 * SECOND);
    expect("start A http://b/A\n");
    record("B", "2");
    failed("A", REASON_NOT_FOUND);
    expect("close 7: store B=2; failed A not_found 1; done 2\n");
}

/* Retries and redirects count against the rate too. */
static void test_rate_counts_all(void **state)
{
    (void)state;
    task(7, BUDGET, "A");
    share(BUDGET, 0.5, 0, 100 * SECOND);
    redirected("A", "http://b/1");
    expect("start A http://b/A\n");
    assert_int_equal(pass_until_effect(5 * SECOND), 2 * SECOND);
    expect("start A http://b/1\n");
    failed("A", REASON_TIMEOUT);
    assert_int_equal(pass_until_effect(5 * SECOND), 2 * SECOND);
}

/* Where the rate is higher than the loop's turns, what it brings in 5 ms may
 * start at once, and on the average the rate holds. */
static void test_high_rate(void **state)
{
    (void)state;
    static char keys[2 * 100 + 1];
    for (size_t i = 0; i < 100; i++)
        memcpy(keys + 2 * i, "k ", 3);
    task(7, BUDGET, keys);
    share(BUDGET, 1000, 0, 20 * SECOND);
    assert_int_equal(starts(), 5);
    script.now += 20 * MS;
    happens(NODE_EVENT_TICK);
    assert_int_equal(starts(), 10);
    forget_transcript();
    pass(10 * MS);
    assert_int_equal(starts(), 10);
}

/* So many and no more in flight at the host, whatever the worker may. */
static void test_in_flight(void **state)
{
    (void)state;
    share(BUDGET, 0, 2, 20 * SECOND);
    task(7, BUDGET, "A B C");
    expect("start A http://b/A\nstart B http://b/B\n");
    record("A", "1");
    expect("start C http://b/C\n");
    share(BUDGET, 0, -1, 20 * SECOND);
    record("B", "1");
    task(8, BUDGET, "D");
    expect("");
}

/* The budget is for each host: two hosts, twice the rate. */
static void test_rate_for_each_host(void **state)
{
    (void)state;
    share(HOSTS, 1, 0, 20 * SECOND);
    task(7, HOSTS, "a a b");
    expect("start a http://a/\nstart b http://b/\n");
}

/* Names "h0 h1 ..." from `first` on. */
static char *many_hosts(int first, int n)
{
    static char keys[8 * 512];
    char *at = keys;
    for (int i = first; i < first + n; i++)
        at += sprintf(at, "h%d ", i);
    at[-1] = '\0';
    return keys;
}

/* As many hosts as a node remembers, each asked just now; h3 has answered. */
static void fill_lanes(void)
{
    share(HOSTS, 1, 0, 500 * SECOND);
    task(1, HOSTS, many_hosts(0, 512));
    task(2, HOSTS, many_hosts(512, 512));
    assert_int_equal(starts(), NODE_LANES_MAX);
    record("h3", "1");
    forget_transcript();
}

/* Hosts beyond those share one budget, as long as all others must be
 * remembered; a host that need not be makes room. */
static void test_lanes_max(void **state)
{
    (void)state;
    fill_lanes();
    task(3, HOSTS, "x y");
    expect("start x http://x/\n");
    refused("x", 2 * SECOND); /* no host to tell of */
    expect("");
    assert_int_equal(pass_until_effect(10 * SECOND), 2 * SECOND);
    expect("start y http://y/\n");
    task(4, HOSTS, "z z");
    expect("start z http://z/\n");
}

/* A host that is held back must be remembered. */
static void test_held_lane_is_remembered(void **state)
{
    (void)state;
    fill_lanes();
    hold(HOSTS, "h3:80", 100 * SECOND);
    pass(5 * SECOND);
    task(3, HOSTS, "x y");
    expect("start x http://x/\n");
}

/* ---- sources ---- */

/* A source's key is its URL; how many keys are wanted is said. */
static void test_source(void **state)
{
    (void)state;
    task(7, LIST, "http://w/1 nonsense");
    expect("start http://w/1\n");
    found("http://w/1", "A", false);
    assert_non_null(strstr(transcript(), "failed nonsense bad_key 0;"));
    script.options.key_limit = 3;
    script_new();
    welcome();
    task(7, LIST, "http://w/1");
    expect("start http://w/1 max 3\n");
}

/* A transfer that is not known any more, or never was, changes nothing. */
static void test_unknown_transfer(void **state)
{
    (void)state;
    task(7, QUOTES, "A");
    record("A", "1");
    forget_transcript();
    record("A", "2");
    expect("");
    task(8, QUOTES, "B"); /* in A's place */
    forget_transcript();
    record("A", "2");
    expect("");
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_instances),
        TEST(test_a_program),
        TEST(test_store_waits),
        TEST(test_closings_stop_starts),
        TEST(test_hosts_take_turns),
        TEST(test_bad_key),
        TEST(test_backoff),
        TEST(test_no_retry),
        TEST(test_attempts_carry_on),
        TEST(test_detail_is_cut),
        TEST(test_redirect),
        TEST(test_bad_redirects),
        TEST(test_redirect_is_one_try),
        TEST(test_refusals),
        TEST(test_retry_after),
        TEST(test_refusals_at_a_time),
        TEST(test_hold_is_told_seldom),
        TEST(test_hold_is_cut),
        TEST(test_refused_for_good),
        TEST(test_hold_from_master),
        TEST(test_share_needed),
        TEST(test_older_share),
        TEST(test_late_share),
        TEST(test_share_is_obeyed),
        TEST(test_waiting_keys_are_kept),
        TEST(test_rate),
        TEST(test_unasked),
        TEST(test_unasked_of_who_refuses),
        TEST(test_crawl_delay),
        TEST(test_rate_counts_all),
        TEST(test_high_rate),
        TEST(test_in_flight),
        TEST(test_rate_for_each_host),
        TEST(test_lanes_max),
        TEST(test_held_lane_is_remembered),
        TEST(test_source),
        TEST(test_unknown_transfer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
