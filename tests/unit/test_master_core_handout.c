/*
 * test_master_core_handout.c: which batch goes to which node, second
 * hand-outs, and the shares of budgets.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "master_dialogue.h"

static int held_by(size_t index)
{
    struct node_view view;
    assert_true(master_core_node(the_core(), index, &view));
    return view.held_batches;
}

/* ---- who gets what ---- */

/* Each node gets as much as any other. */
static void test_even(void **state)
{
    (void)state;
    begin();
    arrive("a");
    arrive("b");
    arrive("c");
    last_page("1 2 3 4 5 6");
    expect("TASK a 1 work", "TASK b 2 work", "TASK c 3 work", "TASK a 4 work",
           "TASK b 5 work", "TASK c 6 work");
}

/* Of those that hold as much, the one whose turn it is. */
static void test_turns(void **state)
{
    (void)state;
    begin();
    arrive("a");
    arrive("b");
    last_page("1");
    expect("TASK a 1 work");
    closed("a", 1, "2");
    looked("2");
    expect("LOOK 2", "TASK b 2 work");
    closed("b", 2, "3");
    looked("3");
    expect("LOOK 3", "TASK a 3 work");
}

/* The earliest first, then by number, over all workers. */
static void test_order(void **state)
{
    (void)state;
    begin();
    last_page("3 2@2 1 4+100 5@2+50");
    pass(SECONDS(1));
    hello("a", 1);
    beat("a");
    expect("OPEN a", "WELCOME a/1", "TASK a 1 work", "TASK a 2 work",
           "TASK a 3 work", "TASK a 5 work", "TASK a 4 work");
}

/* What a dead node held goes out before all that waits; but not a second time,
 * or what ends one node after another would be all that they do. */
static void test_taken_back(void **state)
{
    (void)state;
    begin();
    arrive("a");
    arrive("b");
    last_page("1*200 2*200 3*200 4*200 5*200 6*200");
    expect("TASK a 1 work", "TASK b 2 work", "TASK a 3 work", "TASK b 4 work");
    pass(SECONDS(0.1));
    exited("a", false);
    looked("1*200 3*200");
    ignore();
    closed("b", 2, "");
    expect("TASK b 1 work");
    exited("b", false);
    expect("CLOSE b", "LOOK 4 1");
    looked("1*200 4*200");
    hello("c", 1);
    beat("c");
    expect("OPEN c", "WELCOME c/1", "TASK c 3 work", "TASK c 4 work");
    closed("c", 3, "");
    closed("c", 4, "");
    closed("c", 5, "");
    expect("TASK c 5 work", "TASK c 6 work", "TASK c 1 work");
}

/* Four requests' keys an instance of the largest fetcher, or two batches. */
static void test_credit(void **state)
{
    (void)state;
    for (int keys = 0; keys <= 2; keys += 2) {
        begin(.keys_per_request = keys);
        arrive("a");
        last_page(series(1, 20, "*60"));
        closed("a", 1, "");
        assert_int_equal(held_by(0), keys ? 8 : 4);
    }
    begin();
    arrive("a");
    last_page(series(1, 5, "*300"));
    assert_int_equal(held_by(0), 2);
}

/* Never more than 64 batches, however small. */
static void test_batches_limit(void **state)
{
    (void)state;
    begin();
    arrive("a");
    page(series(1, 60, "*1"));
    last_page(series(61, 60, "*1"));
    assert_int_equal(held_by(0), 64);
}

/* A node gets its fair share of what is open at most, so that those that are
 * expected find something to do. */
static void test_fair_share(void **state)
{
    (void)state;
    begin(.expected = 4);
    arrive("a");
    last_page(series(1, 8, "*10"));
    live(MASTER_GATHER);
    assert_int_equal(held_by(0), 2);
    arrive("b");
    assert_int_equal(held_by(1), 2);
    expect_nodes(2); /* the others will not come */
    assert_int_equal(held_by(0), 4);
    assert_int_equal(held_by(1), 4);
}

/* Keys wait a moment for the nodes that are expected, lists don't. */
static void test_gathering(void **state)
{
    (void)state;
    begin(.expected = 2);
    arrive("a");
    last_page("1 2 3@0");
    expect("TASK a 3 work");
    closed("a", 3, "");
    live(MASTER_GATHER - 1);
    expect_nothing();
    live(1);
    expect("TASK a 1 work");
    begin(.expected = 2);
    arrive("a");
    last_page("1 2");
    expect_nothing();
    hello("b", 1);
    beat("b");
    expect("OPEN b", "WELCOME b/1", "TASK a 1 work", "TASK b 2 work");
}

/* A late node finds its part. */
static void test_late_node(void **state)
{
    (void)state;
    begin();
    arrive("a");
    last_page(series(1, 12, "*120"));
    assert_int_equal(held_by(0), 2);
    arrive("b");
    assert_int_equal(held_by(1), 2);
}

/* A node whose database is away is given nothing, and nothing is taken from
 * it. */
static void test_store_waiting(void **state)
{
    (void)state;
    begin();
    arrive("a");
    last_page(series(1, 5, "*120"));
    ignore();
    arrive("b");
    beat_waiting("a");
    closed("a", 1, "");
    expect_nothing();
    closed("b", 3, "");
    closed("b", 4, "");
    expect("TASK b 5 work");
    closed("b", 5, "");
    for (int i = 0; i < 10; i++) {
        beat_waiting("a");
        beat("b");
        pass(SECONDS(1));
    }
    expect_nothing();
    beat("a");
    live(SECONDS(3));
    expect("LOOK 2");
}

/* The task carries what the node needs to know. */
static void test_task(void **state)
{
    static struct batch_row row = {
        .batch = 9, .worker = 2, .attempt = 3, .n_keys = 1};
    const struct master_event page_event = {
        .type = MASTER_EVENT_PAGE,
        .page = {.rows = &row, .n = 1, .last = true}};
    struct master_effect effect;
    struct error err = ERROR_NONE;
    (void)state;
    begin(.expected = 5);
    arrive("a");
    live(MASTER_GATHER);
    row.keys_json = strdup("[\"KEY\"]");
    assert_int_equal(master_core_event(the_core(), now(), &page_event, &err),
                     0);
    assert_true(master_core_effect(the_core(), &effect));
    assert_int_equal(effect.type, MASTER_EFFECT_SEND);
    assert_string_equal(effect.message.node, "a");
    assert_int_equal(effect.message.epoch, 3);
    assert_int_equal(effect.message.incarnation, 1);
    assert_int_equal(effect.message.task.batch, 9);
    assert_int_equal(effect.message.task.worker, 2);
    assert_int_equal(effect.message.task.attempt, 3);
    assert_int_equal(effect.message.task.nodes, 5);
    assert_int_equal(effect.message.task.n_keys, 1);
    assert_string_equal(effect.message.task.keys_json, "[\"KEY\"]");
    assert_null(row.keys_json);
}

/* ---- second hand-outs ---- */

/* Near the end the batch that was held for longest goes to an idle node too;
 * the first to close wins. */
static void test_second(void **state)
{
    (void)state;
    begin();
    arrive("a");
    arrive("b");
    last_page("1 2");
    closed("b", 2, "");
    ignore();
    live(SECONDS(3) - 1);
    expect_nothing();
    live(1);
    expect("LOOK 1");
    looked("1");
    expect("TASK b 1 work");
    live(SECONDS(9));
    expect_nothing(); /* once is enough */
    closed("b", 1, "");
    expect("DROP a 1", "LOAD 0");
}

/* Not while something is to be handed out, or looked for. */
static void test_no_second_yet(void **state)
{
    (void)state;
    begin();
    arrive("a");
    last_page("1 2+5000");
    arrive("b");
    live(SECONDS(3));
    expect_among("LOOK 1");
    begin();
    arrive("a");
    arrive("b");
    page("1");
    live(SECONDS(9)); /* the next page has not come */
    last_page("2");
    expect("LOAD 1", "TASK a 1 work", "TASK b 2 work");
}

/* If it is closed by then, the report is waited for. */
static void test_second_closed(void **state)
{
    (void)state;
    begin();
    arrive("a");
    arrive("b");
    last_page("1");
    live(SECONDS(3));
    ignore();
    looked("1!");
    live(SECONDS(3));
    expect_nothing();
    closed("a", 1, "");
    expect("LOAD 0");
    assert_int_equal(master_core_view(the_core()).stored, 2);
}

/* If no node is idle by then, it is tried again later. */
static void test_second_too_late(void **state)
{
    (void)state;
    begin();
    arrive("a");
    arrive("b");
    last_page("1");
    live(SECONDS(3));
    expect_among("LOOK 1");
    exited("b", false);
    looked("1");
    expect("CLOSE b");
    arrive("c");
    live(SECONDS(3) - 1);
    expect_nothing();
    live(1);
    expect("LOOK 1");
    exited("a", false);
    looked("1");
    expect("CLOSE a", "TASK c 1 work");
}

/* When one of the two dies, the other goes on. */
static void test_second_dies(void **state)
{
    (void)state;
    begin();
    arrive("a");
    arrive("b");
    last_page("1");
    live(SECONDS(3));
    looked("1");
    ignore();
    exited("a", false);
    expect("CLOSE a");
    live(SECONDS(5));
    closed("b", 1, "");
    expect("LOAD 0");
}

/* A suspect is not given to two nodes: it might kill both. */
static void test_no_second_suspect(void **state)
{
    (void)state;
    begin();
    arrive("a");
    last_page("1*1");
    exited("a", true);
    looked("1*1");
    arrive("b");
    arrive("c");
    live(SECONDS(9));
    expect_nothing();
}

/* ---- budgets ---- */

/* The share goes out before the first task, and all who begin together get
 * equal parts. */
static void test_shares(void **state)
{
    (void)state;
    begin(.rate = 20, .max_in_flight = 10);
    arrive("a");
    arrive("b");
    arrive("c");
    arrive("d");
    last_page("1 2 3 4");
    expect("SHARE a @1 5/s 3", "SHARE b @1 5/s 3", "SHARE c @1 5/s 2",
           "SHARE d @1 5/s 2", "TASK a 1 work", "TASK b 2 work",
           "TASK c 3 work", "TASK d 4 work");
    live(SECONDS(9));
    expect_nothing();
}

/* A rate alone, and a number in flight alone. */
static void test_one_of_two(void **state)
{
    (void)state;
    begin(.rate = 20);
    arrive("a");
    last_page("1");
    expect("SHARE a @1 20/s 0", "TASK a 1 work");
    begin(.max_in_flight = 3);
    arrive("a");
    last_page("1 2@2");
    expect("SHARE a @1 0/s 3", "TASK a 1 work", "TASK a 2 work");
}

/* One that comes later gets what the others have acknowledged to be without. */
static void test_newcomer(void **state)
{
    (void)state;
    begin(.rate = 20, .max_in_flight = 10, .expected = 2);
    arrive("a");
    live(MASTER_GATHER);
    last_page("1 2");
    expect("SHARE a @1 20/s 10", "TASK a 1 work");
    live(SECONDS(0.5));
    hello("b", 1);
    beat("b");
    expect("OPEN b", "WELCOME b/1", "SHARE a @1 10/s 5", "SHARE b @1 none",
           "TASK b 2 work");
    live(SECONDS(0.2));
    expect_nothing();
    beat("a");
    pass(SECONDS(0.1));
    expect("SHARE b @1 10/s 5");
}

/* Between two divisions a newcomer is told what is free: perhaps nothing. */
static void test_newcomer_at_once(void **state)
{
    (void)state;
    begin(.rate = 20, .expected = 2);
    arrive("a");
    live(MASTER_GATHER);
    last_page("1 2");
    ignore();
    pass(50 * USEC_PER_MSEC);
    hello("b", 1);
    beat("b");
    expect("OPEN b", "WELCOME b/1", "SHARE b @1 none", "TASK b 2 work");
    pass(50 * USEC_PER_MSEC);
    expect("SHARE a @1 10/s 0");
    beat("a");
    pass(SECONDS(0.1));
    expect("SHARE b @1 10/s 0");
}

/* A silent node's share is in force until it has expired; a dead one's not. */
static void test_share_of_the_silent(void **state)
{
    (void)state;
    begin(.rate = 20);
    arrive("a");
    last_page("1");
    ignore();
    live(SECONDS(0.5));
    mute("a");
    arrive("b");
    live(SECONDS(4));
    ignore();
    looked("1");
    expect("SHARE b @1 none", "TASK b 1 work");
    live(SECONDS(6));
    expect("SHARE b @1 20/s 0");
    arrive("c");
    exited("b", false);
    looked("1");
    expect("CLOSE b", "SHARE c @1 20/s 0", "TASK c 1 work");
}

/* A node that has had nothing of the worker for a lease gives its part up. */
static void test_idle_member(void **state)
{
    (void)state;
    begin(.rate = 20);
    arrive("a");
    arrive("b");
    last_page("1 2");
    expect("SHARE a @1 10/s 0", "SHARE b @1 10/s 0", "TASK a 1 work",
           "TASK b 2 work");
    closed("b", 2, "3@2");
    looked("3@2");
    ignore();
    live(SECONDS(2.5));
    expect_nothing();
    live(SECONDS(2.5));
    expect("SHARE b @1 none", "SHARE a @1 20/s 0");
}

/* With less in flight than nodes, only so many nodes get such batches; others
 * get those of other workers. */
static void test_few_in_flight(void **state)
{
    (void)state;
    begin(.max_in_flight = 2);
    arrive("a");
    arrive("b");
    arrive("c");
    last_page("1*40 2*40 3*40 4*40 5*40 6*60@2");
    expect("SHARE a @1 0/s 1", "SHARE b @1 0/s 1", "TASK a 1 work",
           "TASK b 2 work", "TASK a 3 work", "TASK b 4 work", "TASK a 5 work",
           "TASK c 6 work");
    beat_naming("c", "6*60@2 7"); /* it has one nevertheless */
    pass(SECONDS(0.1));
    expect("SHARE c @1 none");
}

/* After a takeover the shares of the former master may be in force: for two
 * leases nothing is granted. */
static void test_resumed(void **state)
{
    (void)state;
    begin(.rate = 20, .resumed = true);
    arrive("a");
    last_page("1");
    expect("SHARE a @1 none", "TASK a 1 work");
    live(SECONDS(5));
    expect_nothing();
    live(SECONDS(2));
    expect("SHARE a @1 20/s 0");
}

/* Acknowledgements of what was never sent mean nothing. */
static void test_wrong_acks(void **state)
{
    struct share_ack acks[] = {{1, 99}, {1, 0}, {2, 1}, {-1, 1}, {44, 1}};
    struct message message = {.type = MESSAGE_HEARTBEAT,
                              .epoch = 3,
                              .node = "a",
                              .incarnation = 1,
                              .heartbeat = {.shares = acks, .n_shares = 5}};
    (void)state;
    begin(.rate = 20, .expected = 2);
    arrive("a");
    live(MASTER_GATHER);
    last_page("1 2");
    pass(SECONDS(0.1));
    arrive("b");
    message.heartbeat.held = &(struct held_batch){1, 1, 2};
    message.heartbeat.n_held = 1;
    say(&message);
    pass(SECONDS(0.1));
    expect_nothing(); /* b gets nothing yet */
}

/* A rate that adapts begins at a tenth of its ceiling, and grows by a
 * twentieth each second, up to it. */
static void test_adaptive_grows(void **state)
{
    (void)state;
    begin(.rate = 100, .adaptive = true);
    arrive("a");
    last_page("1");
    expect("SHARE a @1 10/s 0", "TASK a 1 work");
    live(SECONDS(1));
    expect_among("SHARE a @1 15/s 0");
    live(SECONDS(2));
    expect_among("SHARE a @1 20/s 0", "SHARE a @1 25/s 0");
    live(SECONDS(30));
    expect_among("SHARE a @1 95/s 0", "SHARE a @1 100/s 0");
    live(SECONDS(5));
    expect_nothing();
}

/* A refusal halves it, for all nodes; those that follow at once do not. */
static void test_adaptive_halves(void **state)
{
    (void)state;
    begin(.rate = 100, .adaptive = true);
    arrive("a");
    arrive("b");
    last_page("1 2");
    live(SECONDS(30));
    ignore();
    hold("a", "h:80", SECONDS(1));
    hold("b", "h:80", SECONDS(3));
    pass(SECONDS(0.2));
    expect_among("SHARE a @1 25/s 0", "SHARE b @1 25/s 0");
    live(SECONDS(1));
    ignore();
    live(SECONDS(2));
    expect_among("SHARE a @1 27.5/s 0", "SHARE b @1 27.5/s 0");
}

/* It never falls so far that it could not come back. */
static void test_adaptive_floor(void **state)
{
    (void)state;
    begin(.rate = 100, .adaptive = true);
    arrive("a");
    last_page("1");
    for (int i = 0; i < 40; i++) {
        hold("a", "h:80", SECONDS(i + 1));
        live(SECONDS(2));
    }
    ignore();
    live(SECONDS(4));
    expect_among("SHARE a @1 5.1/s 0");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_teardown(name, end_test)
    const struct CMUnitTest tests[] = {
        TEST(test_even),
        TEST(test_turns),
        TEST(test_order),
        TEST(test_taken_back),
        TEST(test_credit),
        TEST(test_batches_limit),
        TEST(test_fair_share),
        TEST(test_gathering),
        TEST(test_late_node),
        TEST(test_store_waiting),
        TEST(test_task),
        TEST(test_second),
        TEST(test_no_second_yet),
        TEST(test_second_closed),
        TEST(test_second_too_late),
        TEST(test_second_dies),
        TEST(test_no_second_suspect),
        TEST(test_shares),
        TEST(test_one_of_two),
        TEST(test_newcomer),
        TEST(test_newcomer_at_once),
        TEST(test_share_of_the_silent),
        TEST(test_idle_member),
        TEST(test_few_in_flight),
        TEST(test_resumed),
        TEST(test_wrong_acks),
        TEST(test_adaptive_grows),
        TEST(test_adaptive_halves),
        TEST(test_adaptive_floor),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
