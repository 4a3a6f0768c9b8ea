/*
 * test_master_core_nodes.c: who is welcome, who is there, who holds what,
 * who is suspected, and which hosts are left alone.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "master_dialogue.h"

/* ---- hello ---- */

/* Until its first heartbeat a node gets nothing; a hello that is repeated
 * gets its welcome again, and no second socket. */
static void test_hello_repeated(void **state)
{
    (void)state;
    begin();
    last_page("1");
    hello("a", 1);
    hello("a", 1);
    expect("OPEN a", "WELCOME a/1", "WELCOME a/1");
    beat("a");
    expect("TASK a 1 work");
    hello("a", 1);
    expect("WELCOME a/1");
}

/* Another version or another database is refused, by name. */
static void test_refused(void **state)
{
    (void)state;
    begin();
    hello_of("a", 2, "0123456789abcdef");
    expect("REFUSE a/1: the node speaks version 2 of the protocol, the master "
           "1");
    hello_of("a", 1, "feed");
    expect("REFUSE a/1: the node writes to the database with ledger feed, the "
           "run is in 0123456789abcdef: is its DATABASE_URL right?");
    struct node_view view;
    assert_false(master_core_node(the_core(), 0, &view));
}

/* There is a limit to how many nodes a run may have had. */
static void test_too_many_nodes(void **state)
{
    char name[NODE_NAME_BYTES];
    struct master_effect effect;
    struct message message = {.type = MESSAGE_HELLO, .incarnation = 1};
    struct master_event event = {.type = MASTER_EVENT_MESSAGE,
                                 .message = &message};
    struct error err = ERROR_NONE;
    (void)state;
    begin();
    message.hello = (struct hello){
        .version = 1, .host = "", .ledger_id = "0123456789abcdef"};
    for (int i = 0; i < MASTER_NODES_MAX; i++) {
        snprintf(message.node, sizeof(message.node), "node-%d", i);
        assert_int_equal(master_core_event(the_core(), now(), &event, &err), 0);
        while (master_core_effect(the_core(), &effect))
            ;
    }
    snprintf(name, sizeof(name), "one-more");
    hello(name, 1);
    expect("REFUSE one-more/1: the run has had 16384 nodes, and can't have "
           "more");
    hello("node-7", 2);
    expect("CLOSE node-7", "OPEN node-7", "WELCOME node-7/2");
}

/* A newer incarnation: what the old one held is looked up, and its socket is
 * another one. */
static void test_newer_incarnation(void **state)
{
    (void)state;
    begin();
    arrive("a");
    last_page("1");
    ignore();
    hello("a", 2);
    expect("CLOSE a", "OPEN a", "WELCOME a/2", "LOOK 1");
    looked("1");
    beat("a");
    expect("TASK a 1 work");
}

/* What bears an older incarnation, or another epoch, is dropped. */
static void test_old_messages(void **state)
{
    struct message old = {.type = MESSAGE_BYE, .epoch = 3, .node = "a"};
    (void)state;
    begin();
    arrive("a");
    hello("a", 0);
    old.incarnation = 0;
    say(&old);
    old.incarnation = 1;
    old.epoch = 2;
    say(&old);
    old.epoch = 3;
    memcpy(old.node, "x", 2);
    say(&old);
    expect_nothing();
    memcpy(old.node, "a", 2);
    old.type = MESSAGE_TASK; /* not a node's to send */
    say(&old);
    expect_nothing();
    old.type = MESSAGE_BYE;
    say(&old);
    expect("CLOSE a");
    beat("a"); /* sent before the bye */
    expect_nothing();
}

/* ---- silence ---- */

/* Three seconds of silence are death, and what it held goes to others. */
static void test_silent(void **state)
{
    (void)state;
    begin();
    arrive("a");
    last_page("1");
    ignore();
    arrive("b");
    mute("a");
    live(SECONDS(3) - 1);
    expect_nothing();
    live(1);
    expect("CLOSE a", "LOOK 1");
    looked("1");
    expect("TASK b 1 work");
}

/* A node that was only cut off keeps what it holds, and names it when it is
 * heard again. */
static void test_cut_off(void **state)
{
    (void)state;
    begin();
    arrive("a");
    last_page("1");
    ignore();
    pass(SECONDS(3));
    expect("CLOSE a", "LOOK 1");
    looked("1");
    beat("a");
    expect("OPEN a", "WELCOME a/1");
    assert_int_equal(master_core_view(the_core()).held_batches, 1);
    beat("a");
    expect_nothing(); /* it has it already */
    closed("a", 1, "");
    expect("LOAD 0");
}

/* It may say hello as well; and while it is silent a report is believed. */
static void test_cut_off_hello(void **state)
{
    (void)state;
    begin();
    arrive("a");
    last_page("1 2");
    ignore();
    pass(SECONDS(3));
    ignore();
    closed("a", 2, "");
    assert_int_equal(master_core_view(the_core()).stored, 2);
    expect_nothing();
    hello("a", 1);
    expect("OPEN a", "WELCOME a/1");
    beat("a");
    assert_int_equal(master_core_view(the_core()).held_batches, 1);
}

/* A silent node whose process ends is not waited for. */
static void test_silent_then_exited(void **state)
{
    (void)state;
    begin();
    arrive("a");
    last_page("1");
    pass(SECONDS(3));
    ignore();
    exited("a", false);
    exited("nobody", false);
    beat("a");
    expect_nothing();
}

/* If the master itself stood still, nobody is dead for that. */
static void test_master_stood_still(void **state)
{
    struct master_event event = {.type = MASTER_EVENT_TICK};
    struct master_effect effect;
    struct error err = ERROR_NONE;
    (void)state;
    begin();
    arrive("a");
    last_page("1");
    ignore();
    usec_t later = now() + SECONDS(60);
    assert_int_equal(master_core_event(the_core(), later, &event, &err), 0);
    assert_true(master_core_effect(the_core(), &effect));
    assert_int_equal(effect.message.type, MESSAGE_PING);
    assert_false(master_core_effect(the_core(), &effect));
    assert_int_equal(master_core_view(the_core()).nodes_alive, 1);
    event.type = MASTER_EVENT_TICK;
    for (int i = 1; i <= 3; i++)
        assert_int_equal(
            master_core_event(the_core(), later + SECONDS(i), &event, &err), 0);
    assert_int_equal(master_core_view(the_core()).nodes_alive, 0);
}

/* A ping each heartbeat. */
static void test_pings(void **state)
{
    struct master_event event = {.type = MASTER_EVENT_TICK};
    struct master_effect effect;
    int pings = 0;
    struct error err = ERROR_NONE;
    (void)state;
    begin();
    for (int i = 1; i <= 10; i++) {
        assert_int_equal(master_core_event(the_core(), now() + i * SECONDS(0.5),
                                           &event, &err),
                         0);
        while (master_core_effect(the_core(), &effect))
            pings += effect.type == MASTER_EFFECT_SEND &&
                     effect.message.type == MESSAGE_PING;
    }
    assert_int_equal(pings, 5);
}

/* ---- what heartbeats name ---- */

/* A batch that two heartbeats in a row do not name is looked up; and its node
 * is told its socket again, since it may never have heard of it. */
static void test_lost_task(void **state)
{
    (void)state;
    begin();
    arrive("a");
    last_page("1");
    ignore();
    lose("a", 1);
    live(SECONDS(2)); /* at first it may be under way */
    beat("a");
    expect_nothing();
    live(SECONDS(1));
    expect("WELCOME a/1", "LOOK 1");
    looked("1");
    expect("TASK a 1 work");
}

/* A heartbeat has room for 512 batches: one that is full may leave out some. */
static void test_full_heartbeat(void **state)
{
    (void)state;
    begin();
    arrive("a");
    last_page("1");
    ignore();
    beat_naming("a", series(100, HEARTBEAT_HELD_MAX, ""));
    live(SECONDS(9));
    expect_nothing();
}

/* A batch that nobody knew of, named by a heartbeat, is held: the report of
 * its birth was lost. What makes no sense is passed over. */
static void test_named(void **state)
{
    (void)state;
    begin();
    arrive("a");
    last_page("1+9000");
    beat_naming("a", "5 6*9999 0 7@4");
    assert_int_equal(master_core_view(the_core()).held_batches, 2);
    beat_naming("a", "5 6 1"); /* 1 is waiting here: it has it already */
    assert_int_equal(master_core_view(the_core()).held_batches, 3);
    assert_int_equal(master_core_view(the_core()).pending_batches, 0);
    live(SECONDS(9));
    expect_nothing();
}

/* Two nodes may hold a batch; a third one that names it is passed over. */
static void test_third_holder(void **state)
{
    (void)state;
    begin();
    last_page("1+9000");
    arrive("a");
    arrive("b");
    arrive("c");
    beat_naming("a", "1");
    beat_naming("b", "1");
    beat_naming("c", "1");
    closed("a", 1, "");
    expect("DROP b 1", "LOAD 0");
}

/* A named batch that is being looked up is held: the answer is old. */
static void test_named_while_looked_up(void **state)
{
    (void)state;
    begin();
    arrive("a");
    last_page("1");
    pass(SECONDS(3));
    ignore();
    beat("a");
    looked("1");
    assert_int_equal(master_core_view(the_core()).held_batches, 1);
    assert_int_equal(master_core_view(the_core()).pending_batches, 0);
}

/* ---- suspicion ---- */

/* A batch that a node held when it crashed is halved, and each half runs on a
 * node that has nothing else. */
static void test_crash_splits(void **state)
{
    (void)state;
    begin();
    arrive("a");
    last_page("1*4");
    ignore();
    exited("a", true);
    expect("CLOSE a", "LOOK 1");
    looked("1*4");
    hello("b", 1);
    beat("b");
    expect("OPEN b", "WELCOME b/1", "TASK b 1 split");
    closed("b", 1, "10 11");
    expect("LOOK 10 11");
    looked("10 11");
    expect("TASK b 10 work");
    closed("b", 10, "");
    expect("TASK b 11 work");
    closed("b", 11, "12");
    looked("12");
    expect_among("TASK b 12 work");
}

/* A half that crashes its node is what did it: it is halved again. */
static void test_crash_splits_again(void **state)
{
    (void)state;
    begin();
    arrive("a");
    last_page("1*4");
    exited("a", true);
    looked("1*4");
    arrive("b");
    closed("b", 1, "10 11");
    looked("10 11");
    ignore();
    exited("b", true);
    looked("10");
    hello("c", 1);
    beat("c");
    expect("CLOSE b", "LOOK 10", "OPEN c", "WELCOME c/1", "TASK c 11 work");
    closed("c", 11, "");
    expect("TASK c 10 split");
    closed("c", 10, "20*1");
    looked("20*1");
    expect("LOOK 20", "TASK c 20 work");
    exited("c", true);
    looked("20*1");
    hello("d", 1); /* it has killed one alone, as a single key: once more */
    beat("d");
    expect_among("TASK d 20 work");
    exited("d", true);
    looked("20*1");
    ignore();
    hello("e", 1);
    beat("e");
    expect("OPEN e", "WELCOME e/1", "TASK e 20 blame");
}

/* A single key runs alone; when it has killed two nodes so, it is blamed. The
 * first time, it was not alone, or perhaps not. */
static void test_blame(void **state)
{
    (void)state;
    begin();
    arrive("a");
    last_page("1*1");
    exited("a", true);
    looked("1*1");
    ignore();
    for (int life = 2; life <= 3; life++) {
        hello_crashed("a", life, 1); /* that is known already */
        beat("a");
        expect_among("TASK a 1 work");
        exited("a", true);
        expect("CLOSE a", "LOOK 1");
        looked("1*1");
    }
    hello("a", 4);
    beat("a");
    expect_among("TASK a 1 blame");
}

/* Nothing else goes to a node that runs a batch alone. */
static void test_runs_alone(void **state)
{
    (void)state;
    begin();
    arrive("a");
    last_page("1*1");
    exited("a", true);
    looked("1*1");
    arrive("b");
    beat_naming("b", "1*1");
    closed_many("b", 99);
    ignore();
    last_page("1*1 5 6");
    expect_nothing();
    closed("b", 1, "");
    expect("TASK b 5 work", "TASK b 6 work");
}

/* A kept child of a batch that ran alone runs alone too; a child for the next
 * worker is not suspected. */
static void test_suspicion_is_inherited(void **state)
{
    (void)state;
    begin();
    arrive("a");
    last_page("1*1");
    exited("a", true);
    looked("1*1");
    arrive("b");
    beat("b");
    closed("b", 1, "2*1k 3*1@2");
    ignore();
    looked("3*1@2");
    expect_nothing();
    closed("b", 2, "");
    expect("TASK b 3 work");
}

/* Without trust in crashes, and for other deaths, nothing is suspected. */
static void test_no_suspicion(void **state)
{
    (void)state;
    for (int trust = 0; trust < 2; trust++) {
        begin(.no_trust = !trust);
        arrive("a");
        last_page("1");
        exited("a", !trust);
        looked("1");
        ignore();
        hello_crashed("a", 2, trust ? 99 : 1);
        beat("a");
        expect_among("TASK a 1 work");
    }
}

/* A remote node tells itself, when it is back, of what it died; the shell's
 * word for a local one is not counted twice. */
static void test_hello_tells_of_a_crash(void **state)
{
    (void)state;
    begin();
    arrive("a");
    last_page("1*1 2*9");
    ignore();
    hello_crashed("a", 2, 2);
    expect("CLOSE a", "OPEN a", "WELCOME a/2", "LOOK 1 2");
    looked("1*1 2*9");
    beat("a");
    expect("TASK a 1 work", "TASK a 2 split");
    hello_crashed("a", 3, 77);
    expect("CLOSE a", "OPEN a", "WELCOME a/3", "LOOK 1 2 77");
    looked("1*1 2! 77*5");
    beat("a");
    expect("LOAD 0", "TASK a 1 work", "TASK a 77 split");
}

/* A batch that waits here when it turns out to be a suspect must wait for a
 * node of its own. */
static void test_suspected_while_pending(void **state)
{
    (void)state;
    begin();
    arrive("a");
    last_page("1*1");
    pass(SECONDS(3));
    looked("1*1");
    hello_crashed("a", 2, 1);
    ignore();
    beat_naming("a", "8");
    expect_nothing();
    closed("a", 8, "");
    expect("TASK a 1 work");
}

/* A named batch that was looked up for its suspicion gets its worker. */
static void test_suspect_is_named(void **state)
{
    (void)state;
    begin();
    last_page("5+9000");
    hello_crashed("a", 2, 77);
    expect("OPEN a", "WELCOME a/2", "LOOK 77");
    beat_naming("a", "77*3@2");
    struct node_view view;
    assert_true(master_core_node(the_core(), 0, &view));
    assert_int_equal(view.held_keys, 3);
}

/* ---- hosts ---- */

/* A hold goes to all at once, cut to ten minutes; the same again is not worth
 * telling; a longer one is. */
static void test_holds(void **state)
{
    (void)state;
    begin();
    arrive("a");
    hold("a", "h:80", SECONDS(5));
    expect("HOLD * @1 h:80 5000 ms");
    pass(100 * USEC_PER_MSEC);
    hold("a", "h:80", SECONDS(5));
    expect_nothing();
    hold("a", "h:80", SECONDS(6));
    expect("HOLD * @1 h:80 6000 ms");
    pass(200 * USEC_PER_MSEC);
    hold("a", "h:80", SECONDS(5.8));
    expect_nothing();
    hold("a", "h:80", SECONDS(5.9));
    expect("HOLD * @1 h:80 5900 ms");
    hold("a", "i:80", SECONDS(3600));
    expect("HOLD * @1 i:80 600000 ms");
    hold("a", "i:80", 0);
    expect_nothing();
}

/* A node that comes later is told of the holds that are in force. */
static void test_holds_are_remembered(void **state)
{
    (void)state;
    begin();
    arrive("a");
    hold("a", "h:80", SECONDS(5));
    hold("a", "i:80", SECONDS(2));
    live(SECONDS(3));
    ignore();
    hello("b", 1);
    beat("b");
    expect("OPEN b", "WELCOME b/1", "HOLD b @1 h:80 2000 ms");
}

/* More hosts than can be remembered are told on nevertheless. */
static void test_many_holds(void **state)
{
    char host[32];
    (void)state;
    begin();
    arrive("a");
    for (int i = 0; i < 4097; i++) {
        snprintf(host, sizeof(host), "h%d:80", i);
        hold("a", host, SECONDS(1));
    }
    assert_int_equal(count("HOLD *"), 4097);
    pass(SECONDS(1));
    ignore();
    arrive("b");
    hold("a", "h0:80", SECONDS(1));
    expect("HOLD * @1 h0:80 1000 ms");
}

/* The wall clock, from which incarnations come, may have been set back: of a
 * node that is gone, a lower one is taken; of one that is here, it is old. */
static void test_clock_set_back(void **state)
{
    (void)state;
    begin();
    hello("a", 9);
    beat("a");
    expect("OPEN a", "WELCOME a/9");
    hello("a", 5);
    expect_nothing();
    exited("a", false);
    hello("a", 5);
    expect("CLOSE a", "OPEN a", "WELCOME a/5");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_teardown(name, end_test)
    const struct CMUnitTest tests[] = {
        TEST(test_hello_repeated),
        TEST(test_refused),
        TEST(test_too_many_nodes),
        TEST(test_newer_incarnation),
        TEST(test_old_messages),
        TEST(test_silent),
        TEST(test_cut_off),
        TEST(test_cut_off_hello),
        TEST(test_silent_then_exited),
        TEST(test_master_stood_still),
        TEST(test_pings),
        TEST(test_lost_task),
        TEST(test_full_heartbeat),
        TEST(test_named),
        TEST(test_third_holder),
        TEST(test_named_while_looked_up),
        TEST(test_crash_splits),
        TEST(test_crash_splits_again),
        TEST(test_blame),
        TEST(test_runs_alone),
        TEST(test_suspicion_is_inherited),
        TEST(test_no_suspicion),
        TEST(test_hello_tells_of_a_crash),
        TEST(test_suspected_while_pending),
        TEST(test_suspect_is_named),
        TEST(test_holds),
        TEST(test_holds_are_remembered),
        TEST(test_many_holds),
        TEST(test_clock_set_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
