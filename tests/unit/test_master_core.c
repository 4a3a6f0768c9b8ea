/*
 * test_master_core.c: a run as a whole: its end, its pause, what the master
 * asks of the ledger, and what becomes of a batch by a report.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

/* A run with nothing open ends without any node; later events are ignored. */
static void test_nothing_open(void **state)
{
    (void)state;
    begin();
    last_page("");
    expect("END done", "FINISHED");
    assert_true(master_core_deadline(the_core()) == USEC_NEVER);
    struct master_event page = {.type = MASTER_EVENT_PAGE};
    struct master_event stop = {.type = MASTER_EVENT_STOP};
    assert_int_equal(master_core_event(the_core(), now(), &page, NULL), 0);
    assert_int_equal(master_core_event(the_core(), now(), &stop, NULL), 0);
    expect_nothing();
}

/* An empty page is proof that nothing is open: what a node still claims to
 * hold is waited for as long as a lease, not for ever. */
static void test_done_though_held(void **state)
{
    (void)state;
    begin();
    arrive("a");
    last_page("1 2");
    closed("a", 1, "");
    closed_many("a", 2);
    beat_naming("a", "9");
    ignore();
    last_page("");
    expect_nothing();
    live(SECONDS(2));
    expect_nothing();
    live(SECONDS(1));
    expect("END done", "FINISHED");
}

/* Children that the node does not keep are looked up at once, and handed out
 * with their keys. */
static void test_children_are_looked_up(void **state)
{
    (void)state;
    begin();
    arrive("a");
    last_page("1*1@0");
    expect("TASK a 1 work");
    closed("a", 1, "2 3");
    expect("LOOK 2 3");
    looked("2 3");
    expect("TASK a 2 work", "TASK a 3 work");
}

/* A child that the node keeps is held by it: nobody else gets it. */
static void test_kept_child(void **state)
{
    (void)state;
    begin();
    arrive("a");
    last_page("1");
    ignore();
    arrive("b");
    closed("a", 1, "2k");
    expect_nothing();
    live(SECONDS(2));
    expect_nothing();
    closed("a", 2, "");
    expect("LOAD 0");
}

/* A kept child of a node that is gone is looked up like any other. */
static void test_kept_child_of_the_gone(void **state)
{
    (void)state;
    begin();
    arrive("a");
    last_page("1");
    ignore();
    exited("a", false);
    expect("CLOSE a", "LOOK 1");
    closed("a", 1, "2k");
    looked("1!");
    expect("LOOK 2");
}

/* Children that the report does not list, or that it lists for a worker that
 * is not there, are found by a sweep. */
static void test_more_children(void **state)
{
    (void)state;
    begin();
    arrive("a");
    last_page("1 2 3");
    ignore();
    closed_many("a", 1);
    expect("LOAD 0");
    last_page("2 3 4");
    expect("TASK a 4 work");
    live(SECONDS(1));
    closed("a", 2, "9@44");
    expect("LOAD 0");
}

/* A child of which the ledger had seen all the keys has no number. */
static void test_child_without_keys(void **state)
{
    (void)state;
    begin();
    arrive("a");
    last_page("1 2");
    ignore();
    closed("a", 1, "0");
    expect_nothing();
}

/* A repeated report is not counted twice. */
static void test_repeated_report(void **state)
{
    (void)state;
    begin();
    arrive("a");
    last_page("1 2");
    closed("a", 1, "");
    closed("a", 1, "");
    assert_int_equal(master_core_view(the_core()).stored, 2);
    assert_int_equal(master_core_view(the_core()).failed, 1);
}

/* ALREADY from the only holder: someone closed it, whose children are known to
 * nobody here. */
static void test_already_closed(void **state)
{
    (void)state;
    begin();
    arrive("a");
    last_page("1 2");
    ignore();
    report("a", 1, REPORT_ALREADY);
    expect("LOAD 0");
    assert_int_equal(master_core_view(the_core()).held_batches, 1);
    report("a", 77, REPORT_ALREADY);
    expect_nothing();
}

/* ALREADY from one of two holders: the other one's report will come. ALREADY
 * about a batch that waits here: it is not handed out. */
static void test_already_closed_by_another(void **state)
{
    (void)state;
    begin(.expected = 2);
    arrive("a");
    last_page("1*2 2*600+5000");
    arrive("b");
    beat_naming("b", "1");
    ignore();
    report("b", 1, REPORT_ALREADY);
    expect_nothing();
    assert_int_equal(master_core_view(the_core()).pending_batches, 1);
    report("b", 2, REPORT_ALREADY);
    expect("LOAD 0");
    assert_int_equal(master_core_view(the_core()).pending_batches, 0);
}

/* ALREADY about a batch that is being looked up: the answer will tell. */
static void test_already_closed_looking(void **state)
{
    (void)state;
    begin();
    arrive("a");
    last_page("1");
    exited("a", false);
    ignore();
    report("a", 1, REPORT_ALREADY);
    expect_nothing();
}

/* A batch that a node hands back goes out again; to that node only after its
 * next heartbeat, or the two would play ball. */
static void test_returned(void **state)
{
    (void)state;
    begin();
    arrive("a");
    last_page("1");
    ignore();
    report("a", 1, REPORT_RETURNED);
    expect("LOOK 1");
    looked("1");
    expect_nothing();
    beat("a");
    expect("TASK a 1 work");
    report("a", 55, REPORT_RETURNED);
    expect_nothing();
}

/* A batch that is not in the node's database: the node is refused for good. */
static void test_unknown_batch(void **state)
{
    (void)state;
    begin();
    arrive("a");
    last_page("1");
    ignore();
    report("a", 1, REPORT_UNKNOWN);
    expect("REFUSE a/1: a batch of the run is not in the node's database",
           "CLOSE a", "LOOK 1");
    beat("a");
    expect_nothing();
    exited("a", false);
    expect_nothing();
    hello("a", 2);
    assert_int_equal(count("REFUSE a/2: a met a batch"), 1);
}

/* ---- the ledger ---- */

/* A sweep goes on page by page while the window has room. */
static void test_sweep_goes_on(void **state)
{
    (void)state;
    begin();
    page("1 2");
    expect("LOAD 2");
    page(series(3, 58, ""));
    expect_nothing(); /* the window is full: there is no node */
    hello("a", 1);
    beat("a");
    assert_int_equal(count("LOAD 60"), 1);
}

/* An empty page is no end where it is not the first of its sweep. */
static void test_empty_later_page(void **state)
{
    (void)state;
    begin();
    arrive("a");
    page("1");
    last_page("");
    ignore();
    live(SECONDS(9));
    expect_nothing();
}

/* Rows that are known already are skipped. */
static void test_known_rows_are_skipped(void **state)
{
    (void)state;
    begin();
    arrive("a");
    page("1 2");
    expect("LOAD 2", "TASK a 1 work", "TASK a 2 work");
    last_page("1 2 3");
    expect("TASK a 3 work");
}

/* When the ledger is away it is asked again, after 500 ms, then less and less
 * often; an answer makes it quick again. */
static void test_ledger_away(void **state)
{
    (void)state;
    begin();
    away();
    pass(500 * USEC_PER_MSEC - 1);
    expect_nothing();
    pass(1);
    expect("LOAD 0");
    away();
    away(); /* nothing was asked: means nothing */
    pass(SECONDS(1) - 1);
    expect_nothing();
    pass(1);
    expect("LOAD 0");
    for (int i = 0; i < 5; i++) {
        away();
        pass(SECONDS(5));
    }
    expect("LOAD 0", "LOAD 0", "LOAD 0", "LOAD 0", "LOAD 0");
    page("1");
    ignore();
    away();
    pass(500 * USEC_PER_MSEC);
    expect("LOAD 1");
}

/* What was to be looked up when the ledger went away is looked up later, and
 * so is what the answer left out. */
static void test_look_is_repeated(void **state)
{
    (void)state;
    begin();
    arrive("a");
    last_page("1");
    closed("a", 1, "2 3");
    ignore();
    away();
    pass(500 * USEC_PER_MSEC);
    expect("LOOK 2 3");
    looked("3");
    expect("LOOK 2", "TASK a 3 work");
    last_page("9"); /* nobody asked for a page */
    looked("8 2?");
    expect("LOAD 0");
    looked("4"); /* nor for this */
    expect_nothing();
}

/* A batch that is not due waits; nothing else does. */
static void test_delay(void **state)
{
    (void)state;
    begin();
    arrive("a");
    last_page("1+2000 2 3+2500");
    expect("TASK a 2 work");
    live(SECONDS(2));
    expect("TASK a 1 work");
    live(SECONDS(0.5));
    expect("TASK a 3 work");
}

/* Half the window at most is for batches that are not due: a sweep finds the
 * others when they are. */
static void test_too_early_for_the_window(void **state)
{
    (void)state;
    begin();
    page(series(1, 32, "+9000"));
    expect("LOAD 32");
    last_page(series(33, 8, "+4000"));
    assert_int_equal(master_core_view(the_core()).pending_batches, 32);
    expect_nothing();
    pass(SECONDS(4) - 1);
    expect_nothing();
    pass(1);
    expect("LOAD 0");
}

/* Children beyond the window are left to a sweep. */
static void test_too_many_children(void **state)
{
    (void)state;
    begin();
    arrive("a");
    last_page("1 2 3");
    ignore();
    closed("a", 1, series(100, 60, ""));
    assert_int_equal(count("LOOK 100 101"), 1);
    ignore();
    closed("a", 2, series(200, 60, ""));
    away();
    pass(SECONDS(0.5));
    assert_int_equal(count("LOOK 200 201 202 203 204 205 206 207 100 "), 1);
}

/* The ledger's rows are of the run's pipeline, or the run can't go on. */
static void test_row_for_no_worker(void **state)
{
    (void)state;
    begin();
    last_page("1 2@4 3");
    expect("GIVE UP: batch 2 of the ledger is for worker 4, which the "
           "pipeline does not have");
}

/* A batch that was closed by nobody known may have children that nobody here
 * knows. */
static void test_closed_by_someone(void **state)
{
    (void)state;
    begin();
    arrive("a");
    last_page("1 2");
    ignore();
    exited("a", false);
    expect("CLOSE a", "LOOK 1 2");
    looked("1! 2");
    expect_nothing();
    pass(SECONDS(1)); /* as long as there is other work, once a heartbeat */
    expect("LOAD 0");
}

/* ---- pause and giving up ---- */

/* STOP: the nodes drain; when all have said bye the run is paused. */
static void test_stop(void **state)
{
    (void)state;
    begin();
    arrive("a");
    arrive("b");
    last_page("1*9 2*9 3+9000 4+9000");
    ignore();
    event_of(MASTER_EVENT_STOP);
    expect("END drain");
    assert_true(master_core_view(the_core()).draining);
    assert_int_equal(master_core_view(the_core()).pending_batches, 0);
    hello("c", 1);
    closed("a", 1, "5");
    report("b", 2, REPORT_RETURNED);
    expect_nothing();
    live(SECONDS(1));
    expect("END drain"); /* who did not hear it hears it now */
    bye("a");
    expect("CLOSE a");
    exited("b", false);
    expect("CLOSE b", "PAUSED");
}

/* A node that does not drain in time is not waited for. */
static void test_drain_time(void **state)
{
    (void)state;
    begin();
    arrive("a");
    last_page("1");
    event_of(MASTER_EVENT_STOP);
    live(SECONDS(10) - 1);
    assert_int_equal(count("PAUSED"), 0);
    live(1);
    assert_int_equal(count("PAUSED"), 1);
}

/* A second STOP pauses at once; so does the first where nobody is there. */
static void test_stop_twice(void **state)
{
    (void)state;
    begin();
    arrive("a");
    event_of(MASTER_EVENT_STOP);
    expect("END drain");
    event_of(MASTER_EVENT_STOP);
    expect("PAUSED");
    begin();
    event_of(MASTER_EVENT_STOP);
    expect("END drain", "PAUSED");
}

/* Answers of the ledger that come while draining are of no use. */
static void test_answers_while_draining(void **state)
{
    (void)state;
    begin();
    arrive("a");
    event_of(MASTER_EVENT_STOP);
    ignore();
    last_page("1 2");
    expect_nothing();
    begin();
    arrive("a");
    last_page("1");
    closed("a", 1, "2");
    event_of(MASTER_EVENT_STOP);
    ignore();
    looked("2");
    beat_naming("a", "3");
    expect_nothing();
}

/* A run that nobody works on gives up after a minute; a node that never beats
 * does not count. */
static void test_no_node(void **state)
{
    (void)state;
    begin();
    last_page("1");
    for (int i = 0; i < 59; i++) {
        hello("a", 1);
        pass(SECONDS(1));
    }
    ignore();
    pass(SECONDS(1));
    expect("GIVE UP: no node for 60 s, and batches are open");
}

static void test_lease_lost(void **state)
{
    (void)state;
    begin();
    arrive("a");
    event_of(MASTER_EVENT_LEASE_LOST);
    expect("GIVE UP: the run belongs to another master now");
}

/* A task that was decided for a node which is gone before the shell fetches
 * it is not sent; nor is one after STOP. */
static void test_stale_tasks(void **state)
{
    struct master_effect effect;
    static struct batch_row row = {.batch = 1, .worker = 1, .n_keys = 1};
    const struct master_event page = {
        .type = MASTER_EVENT_PAGE,
        .page = {.rows = &row, .n = 1, .last = true}};
    const struct master_event gone = {.type = MASTER_EVENT_NODE_EXITED,
                                      .exited = {.node = "a"}};
    struct error err = ERROR_NONE;
    (void)state;
    begin();
    arrive("a");
    row.keys_json = strdup("[\"A\"]");
    assert_int_equal(master_core_event(the_core(), now(), &page, &err), 0);
    assert_int_equal(master_core_event(the_core(), now(), &gone, &err), 0);
    assert_true(master_core_effect(the_core(), &effect));
    assert_int_equal(effect.type, MASTER_EFFECT_CLOSE_NODE);
    assert_true(master_core_effect(the_core(), &effect));
    assert_int_equal(effect.type, MASTER_EFFECT_LOOK);
    assert_false(master_core_effect(the_core(), &effect));
}

/* What people see of a node. */
static void test_view(void **state)
{
    struct node_view view;
    (void)state;
    begin();
    arrive("a");
    last_page("1 2");
    closed("a", 1, "");
    assert_true(master_core_node(the_core(), 0, &view));
    assert_string_equal(view.name, "a");
    assert_string_equal(view.host, "here");
    assert_true(view.alive);
    assert_int_equal(view.pid, 42);
    assert_int_equal(view.held_batches, 1);
    assert_int_equal(view.held_keys, 2);
    assert_int_equal(view.keys_done, 3);
    assert_int_equal(view.last.fetches, 5);
    assert_null(view.last.held);
    assert_false(master_core_node(the_core(), 1, &view));
    assert_int_equal(master_core_view(the_core()).nodes_alive, 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_teardown(name, end_test)
    const struct CMUnitTest tests[] = {
        TEST(test_simple_run),
        TEST(test_nothing_open),
        TEST(test_done_though_held),
        TEST(test_children_are_looked_up),
        TEST(test_kept_child),
        TEST(test_kept_child_of_the_gone),
        TEST(test_more_children),
        TEST(test_child_without_keys),
        TEST(test_repeated_report),
        TEST(test_already_closed),
        TEST(test_already_closed_by_another),
        TEST(test_already_closed_looking),
        TEST(test_returned),
        TEST(test_unknown_batch),
        TEST(test_sweep_goes_on),
        TEST(test_empty_later_page),
        TEST(test_known_rows_are_skipped),
        TEST(test_ledger_away),
        TEST(test_look_is_repeated),
        TEST(test_delay),
        TEST(test_too_early_for_the_window),
        TEST(test_too_many_children),
        TEST(test_row_for_no_worker),
        TEST(test_closed_by_someone),
        TEST(test_stop),
        TEST(test_drain_time),
        TEST(test_stop_twice),
        TEST(test_answers_while_draining),
        TEST(test_no_node),
        TEST(test_lease_lost),
        TEST(test_stale_tasks),
        TEST(test_view),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
