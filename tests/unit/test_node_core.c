/* The node's core: the node and its master, and which tasks it takes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "node_script.h"

#define LIST 0
#define QUOTES 1
#define STORE 2

static const char pipeline[] =
    "version: 1\n"
    "name: test\n"
    "queues: [{name: keys}, {name: prices}]\n"
    "workers:\n"
    "  - {name: list, class: html_table, output_queues: [keys],\n"
    "     input_values: ['http://w/list'], options: {column: Symbol}}\n"
    "  - {name: quotes, class: http_json, input_queue: keys,\n"
    "     output_queues: [prices], instances: 4,\n"
    "     options: {url: 'http://h/{key}', fields: {price: /p},\n"
    "               rate: 10/s}}\n"
    "  - {name: store, class: store, input_queue: prices,\n"
    "     options: {table: prices, columns: {symbol: key, price: price}}}\n"
    "  - {name: free, class: http_json, input_queue: keys,\n"
    "     output_queues: [prices], instances: 2,\n"
    "     options: {url: 'http://f/{key}', fields: {price: /p}}}\n";

#define FREE 3

static int begin(void **state)
{
    (void)state;
    script_begin(pipeline);
    return 0;
}

static int begin_welcomed(void **state)
{
    begin(state);
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

static size_t held(void)
{
    return node_core_counts(script.core).batches;
}

static size_t lines_of(const char *line)
{
    size_t n = 0;
    for (const char *at = transcript(); (at = strstr(at, line)); at++)
        n++;
    return n;
}

/* The whole way of a batch: hello, welcome, task, transfers, closing, report.
 */
static void test_whole_way(void **state)
{
    (void)state;
    expect("hello 5\n");
    welcome();
    task(7, FREE, "A B");
    expect("start A http://f/A\n"
           "start B http://f/B\n");
    record("A", "1.5");
    expect("");
    failed("B", REASON_NOT_FOUND);
    expect("close 7: store A=1.5; failed B not_found 1; done 2\n");
    won(7);
    expect("report 7 closed 1 1\n");
    assert_int_equal(held(), 0);
}

/* ---- hello ---- */

/* Hello is said about each 100 ms for a second, then about each second. */
static void test_hello_is_repeated(void **state)
{
    (void)state;
    script.verbose = true;
    pass(SECOND);
    assert_in_range(lines_of("hello 5\n"), 9, 11);
    forget_transcript();
    pass(10 * SECOND);
    assert_in_range(lines_of("hello 5\n"), 9, 10);
}

/* The hello names the batches that a former incarnation died of, and no more
 * once the master has heard it. */
static void test_hello_tells_of_crashes(void **state)
{
    (void)state;
    script.options.crashed = 3;
    script_new();
    expect("hello 5 crashed 3\n");
    welcome();
    stand_still(10 * SECOND);
    expect("hello 6 last 1\n");
}

/* A welcome is answered by a heartbeat, a repeated one too, and ends hello. */
static void test_welcome_is_answered(void **state)
{
    (void)state;
    script.verbose = true;
    welcome();
    expect("hello 5\nheartbeat\n");
    welcome();
    expect("heartbeat\n");
    pass(2500 * MS);
    expect("heartbeat\nheartbeat\n");
}

/* A welcome of another node, incarnation, or without a pipeline is none. */
static void test_foreign_welcome(void **state)
{
    (void)state;
    struct message message = {.type = MESSAGE_WELCOME, .incarnation = 5};
    strcpy(message.node, "node-2");
    master_says(&message);
    strcpy(message.node, "node-1");
    message.incarnation = 4;
    master_says(&message);
    message.incarnation = 5;
    node_core_event(
        script.core, script.now,
        &(struct node_event){.type = NODE_EVENT_MESSAGE, .message = &message},
        NULL);
    assert_null(node_core_pipeline(script.core));
}

/* A refused node says why and ends with 4; once welcomed, it is not refused. */
static void test_refuse(void **state)
{
    (void)state;
    struct message message = {.type = MESSAGE_REFUSE};
    message.refuse.reason = "another database";
    master_says(&message);
    expect("hello 5\nexit 4 another database\n");
    script_new();
    welcome();
    master_says(&message);
    expect("");
    happens(NODE_EVENT_TICK);
}

/* ---- what is old is dropped ---- */

/* Tasks of another epoch, incarnation or node are ignored. */
static void test_old_messages(void **state)
{
    (void)state;
    struct message message = {.type = MESSAGE_TASK};
    message.epoch = 9;
    master_says(&message);
    message.epoch = 0;
    message.incarnation = 4;
    master_says(&message);
    message = (struct message){.type = MESSAGE_TASK, .incarnation = 5};
    strcpy(message.node, "node-2");
    master_says(&message);
    expect("");
    assert_int_equal(held(), 0);
}

/* A new master of the run: all of the older epoch is dropped; the host's
 * hold-back goes on. */
static void test_new_epoch(void **state)
{
    (void)state;
    task(7, FREE, "A");
    hold(FREE, "f:80", 20 * SECOND);
    script.silent = true;
    pass(4 * SECOND);
    expect("start A http://f/A\n");
    script.options.epoch = 2;
    welcome();
    expect("forget\n");
    script.silent = false;
    task(8, FREE, "B");
    expect("");
    assert_in_range(pass_until_effect(30 * SECOND), 15 * SECOND, 17 * SECOND);
    expect("start B http://f/B\n");
}

/* A late welcome of an older epoch is ignored, and one of another run too,
 * unless the node is asking. */
static void test_late_welcome(void **state)
{
    (void)state;
    task(7, FREE, "A");
    forget_transcript();
    script.verbose = true;
    script.options.epoch = 0;
    struct message message = {.type = MESSAGE_WELCOME};
    message.welcome.run = 1;
    master_says(&message);
    expect("");
    script.verbose = false;
    message.welcome.run = 2;
    message.epoch = 3;
    master_says(&message);
    assert_int_equal(held(), 1);
    script.silent = true;
    pass(4 * SECOND);
    forget_transcript();
    script.options.run = 2;
    script.options.epoch = 3;
    welcome();
    expect("forget\n");
}

/* ---- silence ---- */

/* A master that is silent for the lease is asked again, while the node goes
 * on; its welcome drops nothing. Pings keep the node content. */
static void test_silence(void **state)
{
    (void)state;
    script.verbose = true;
    task(7, FREE, "A");
    pass(10 * SECOND);
    assert_int_equal(lines_of("hello"), 0);
    forget_transcript();
    script.silent = true;
    pass(3500 * MS);
    assert_in_range(lines_of("hello 5 last 1\n"), 2, 8);
    ping();
    forget_transcript();
    pass(SECOND);
    assert_true(lines_of("hello") > 0);
    script.silent = false;
    welcome();
    forget_transcript();
    pass(1500 * MS);
    expect("heartbeat 7\n");
    record("A", "1");
    expect("close 7: store A=1; done 1\n");
}

/* A loop that stood still for longer than the lease drops what is not
 * committed and says hello under a new incarnation; the store may still read
 * the closing it has, and what it answers is ignored. */
static void test_stand_still(void **state)
{
    (void)state;
    task(7, FREE, "A");
    record("A", "1");
    task(8, FREE, "B");
    forget_transcript();
    stand_still(3001 * MS);
    expect("forget\nhello 6 last 1\n");
    happens(NODE_EVENT_TICK);
    won(7);
    record("B", "2");
    expect("");
    welcome();
    task(8, FREE, "B");
    expect("start B http://f/B\n");
}

/* Late by less than the lease is only late. */
static void test_short_pause(void **state)
{
    (void)state;
    task(7, FREE, "A");
    forget_transcript();
    ping();
    stand_still(2999 * MS);
    expect("");
    assert_int_equal(held(), 1);
}

/* A node that stands still while draining has nothing to hand back. */
static void test_stand_still_draining(void **state)
{
    (void)state;
    task(7, FREE, "A");
    record("A", "1");
    happens(NODE_EVENT_STOP);
    forget_transcript();
    stand_still(10 * SECOND);
    expect("forget\nbye\nexit 0 \n");
    let_go(7);
}

/* ---- heartbeats ---- */

/* A heartbeat names what is held and the shares in force, counts what was
 * done, and says that the store waits. */
static void test_heartbeat(void **state)
{
    (void)state;
    script.verbose = true;
    task(7, FREE, "A B");
    task(8, FREE, "C");
    share(QUOTES, 1, 0, SECOND);
    forget_transcript();
    store_waits(true);
    pass(1100 * MS);
    assert_non_null(strstr(transcript(), "heartbeat 7 8 share "));
    assert_non_null(strstr(transcript(), " waiting\n"));
    assert_int_equal(script.heartbeat.in_flight, 2);
    assert_int_equal(script.heartbeat.fetches, 2);
    record("A", "1");
    failed("B", REASON_NOT_FOUND);
    won(7);
    pass(SECOND);
    assert_int_equal(script.heartbeat.interval, SECOND);
    assert_int_equal(script.heartbeat.keys_done, 2);
    assert_int_equal(script.heartbeat.keys_failed, 1);
    assert_int_equal(script.heartbeat.n_held, 1);
}

/* ---- tasks ---- */

/* A batch that is held already is not taken twice. */
static void test_repeated_task(void **state)
{
    (void)state;
    task(7, FREE, "A");
    task(7, FREE, "A");
    expect("start A http://f/A\n");
    record("A", "1");
    task(7, FREE, "A");
    expect("close 7: store A=1; done 1\n");
}

/* A worker that there is not, or that is no node's work, is handed back. */
static void test_bad_worker(void **state)
{
    (void)state;
    task(7, -1, "A");
    task(8, 99, "A");
    task(9, STORE, "A");
    expect("report 7 returned\nreport 8 returned\nreport 9 returned\n");
}

/* More batches than a node may hold are handed back. */
static void test_too_many_batches(void **state)
{
    (void)state;
    for (int i = 1; i <= NODE_BATCHES_MAX; i++)
        task(i, FREE, "A");
    forget_transcript();
    task(1000, FREE, "A");
    expect("report 1000 returned\n");
    assert_int_equal(held(), NODE_BATCHES_MAX);
}

/* A suspected batch is split: two halves for others, at once. One key has no
 * halves. */
static void test_split(void **state)
{
    (void)state;
    struct task split = {
        .batch = 7, .worker = FREE, .action = TASK_SPLIT, .attempt = 2};
    task_with(&split, "A B C");
    expect("close 7: child free a2 [A B]; child free a2 [C]; done 0\n");
    split.batch = 8;
    task_with(&split, "A");
    expect("close 8: child free a2 [A]; done 0\n");
}

/* A blamed key is recorded as a failure without being asked for. */
static void test_blame(void **state)
{
    (void)state;
    task_with(
        &(struct task){
            .batch = 7, .worker = FREE, .action = TASK_BLAME, .attempt = 2},
        "A");
    expect("close 7: failed A killed_node 2; done 1\n");
    won(7);
    expect("report 7 closed 0 1\n");
}

/* What another node has closed is dropped, unless it is closing here. */
static void test_drop(void **state)
{
    (void)state;
    task(7, FREE, "A B C");
    forget_transcript();
    drop(7);
    expect("cancel A\ncancel B\n");
    record("A", "1");
    drop(8);
    expect("");
    task(9, FREE, "D");
    record("D", "1");
    drop(9);
    won(9);
    expect("start D http://f/D\n"
           "close 9: store D=1; done 1\n"
           "report 9 closed 1 0\n");
}

/* A hold or share for a worker that there is not is ignored; so are messages
 * that are not for nodes. */
static void test_nonsense(void **state)
{
    (void)state;
    hold(-1, "f:80", SECOND);
    share(77, 1, 1, SECOND);
    master_says(&(struct message){.type = MESSAGE_BYE});
    expect("");
}

/* ---- the end ---- */

/* At the run's end everything is dropped and the node goes. */
static void test_end(void **state)
{
    (void)state;
    task(7, FREE, "A");
    forget_transcript();
    end_of_run(false);
    expect("forget\nbye\nexit 0 \n");
    task(8, FREE, "A");
    happens(NODE_EVENT_TICK);
    expect("");
}

/* A hello to a run that is over is answered by its end: a node of one run
 * goes, one that serves waits on. That of all nodes is of a run that a node
 * who was not welcomed never knew. */
static void test_end_before_welcome(void **state)
{
    (void)state;
    script_new();
    forget_transcript();
    end_of_run(false);
    expect("");
    master_says(&(struct message){.type = MESSAGE_END, .end = {false, "over"}});
    expect("exit 0 \n");
    script.options.serve = true;
    script_new();
    forget_transcript();
    master_says(&(struct message){.type = MESSAGE_END, .end = {false, "over"}});
    expect("");
}

/* A node that serves says hello for the next run, a second later. */
static void test_end_serving(void **state)
{
    (void)state;
    script.options.serve = true;
    script_new();
    welcome();
    end_of_run(false);
    expect("bye\n");
    assert_in_range(pass_until_effect(5 * SECOND), SECOND, SECOND);
    expect("hello 6 last 1\n");
    script.options.run = 2;
    welcome();
    task(7, FREE, "A");
    expect("start A http://f/A\n");
}

/* Draining: transfers stop, what is done is committed with the rest as
 * children for others, what has nothing done is handed back, then bye. A
 * cancelled try does not count. */
static void test_stop(void **state)
{
    (void)state;
    task(7, FREE, "A B C");
    task(8, FREE, "D");
    record("A", "1");
    failed("B", REASON_TIMEOUT);
    forget_transcript();
    happens(NODE_EVENT_STOP);
    expect("cancel C\n"
           "cancel D\n"
           "report 8 returned\n"
           "close 7: store A=1; child free a1 later [B]; child free [C]; "
           "done 1\n");
    task(9, FREE, "E");
    expect("report 9 returned\n");
    won(7);
    expect("report 7 closed 1 0 700 701\nbye\nexit 0 \n");
}

/* A pause of the run drains as well; a node that serves then waits for the
 * next master. */
static void test_pause(void **state)
{
    (void)state;
    script.options.serve = true;
    script_new();
    welcome();
    task(7, FREE, "A");
    end_of_run(true);
    end_of_run(true);
    expect("start A http://f/A\nreport 7 returned\nforget\nbye\n");
    happens(NODE_EVENT_STOP);
    expect("exit 0 \n");
}

/* A kept child that is born while draining is drained too. */
static void test_stop_with_unborn(void **state)
{
    (void)state;
    task(7, FREE, "A B");
    record("A", "1");
    pass(2 * SECOND);
    forget_transcript();
    happens(NODE_EVENT_STOP);
    expect("cancel B\n");
    won(7);
    expect("report 7 closed 1 0 700+\n"
           "report 700 returned\n"
           "bye\nexit 0 \n");
}

/* A split that waits for room when the node stops is not lost. */
static void test_stop_with_split(void **state)
{
    (void)state;
    for (int i = 1; i <= NODE_CLOSINGS_MAX + 1; i++)
        task_with(
            &(struct task){.batch = i, .worker = FREE, .action = TASK_SPLIT},
            "A");
    forget_transcript();
    happens(NODE_EVENT_STOP);
    won(1);
    expect("report 1 closed 0 0 100\n"
           "close 33: child free [A]; done 0\n");
}

/* A node that was never welcomed has nothing to say when it stops. */
static void test_stop_before_welcome(void **state)
{
    (void)state;
    happens(NODE_EVENT_STOP);
    expect("hello 5\nexit 0 \n");
}

/* A database that stays away ends the node with 4. */
static void test_store_gave_up(void **state)
{
    (void)state;
    task(7, FREE, "A");
    record("A", "1");
    forget_transcript();
    happens(NODE_EVENT_STORE_GAVE_UP);
    expect("forget\nexit 4 nothing more can be stored, for the reason above; "
           "what is not stored stays open\n");
    won(7);
}

/* Events may come faster than effects are taken. */
static void test_effects_wait(void **state)
{
    (void)state;
    struct slice keys[] = {slice_of("A"), slice_of("B")};
    struct message message = {
        .type = MESSAGE_TASK, .node = "node-1", .epoch = 1, .incarnation = 5};
    message.task =
        (struct task){.batch = 7, .worker = FREE, .keys = keys, .n_keys = 2};
    struct node_event event = {.type = NODE_EVENT_MESSAGE, .message = &message};
    struct error err = ERROR_NONE;
    assert_int_equal(node_core_event(script.core, script.now, &event, &err), 0);
    message.type = MESSAGE_DROP;
    message.drop.batch = 7;
    assert_int_equal(node_core_event(script.core, script.now, &event, &err), 0);
    happens(NODE_EVENT_TICK);
    expect("start A http://f/A\n"
           "start B http://f/B\n"
           "cancel A\n"
           "cancel B\n");
}

/* What nobody has taken yet is not done at all once it is forgotten. */
static void test_effects_purged(void **state)
{
    (void)state;
    task_with(&(struct task){.batch = 7, .worker = FREE, .action = TASK_SPLIT},
              "A B");
    forget_transcript();
    struct slice keys[] = {slice_of("A"), slice_of("B")};
    struct message message = {
        .type = MESSAGE_TASK, .node = "node-1", .epoch = 1, .incarnation = 5};
    message.task =
        (struct task){.batch = 8, .worker = FREE, .keys = keys, .n_keys = 2};
    struct node_event event = {.type = NODE_EVENT_MESSAGE, .message = &message};
    struct error err = ERROR_NONE;
    assert_int_equal(node_core_event(script.core, script.now, &event, &err), 0);
    message.task.batch = 9;
    message.task.action = TASK_BLAME;
    assert_int_equal(node_core_event(script.core, script.now, &event, &err), 0);
    happens(NODE_EVENT_STORE_GAVE_UP);
    expect("forget\nexit 4 nothing more can be stored, for the reason above; "
           "what is not stored stays open\n");
    let_go(7);
}

#define FRESH(test) cmocka_unit_test_setup_teardown(test, begin, end)
#define WELCOMED(test)                                                         \
    cmocka_unit_test_setup_teardown(test, begin_welcomed, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FRESH(test_whole_way),
        FRESH(test_hello_is_repeated),
        FRESH(test_hello_tells_of_crashes),
        FRESH(test_welcome_is_answered),
        FRESH(test_foreign_welcome),
        FRESH(test_refuse),
        WELCOMED(test_old_messages),
        WELCOMED(test_new_epoch),
        WELCOMED(test_late_welcome),
        WELCOMED(test_silence),
        WELCOMED(test_stand_still),
        WELCOMED(test_short_pause),
        WELCOMED(test_stand_still_draining),
        WELCOMED(test_heartbeat),
        WELCOMED(test_repeated_task),
        WELCOMED(test_bad_worker),
        WELCOMED(test_too_many_batches),
        WELCOMED(test_split),
        WELCOMED(test_blame),
        WELCOMED(test_drop),
        WELCOMED(test_nonsense),
        WELCOMED(test_end),
        FRESH(test_end_before_welcome),
        FRESH(test_end_serving),
        WELCOMED(test_stop),
        FRESH(test_pause),
        WELCOMED(test_stop_with_unborn),
        WELCOMED(test_stop_with_split),
        FRESH(test_stop_before_welcome),
        WELCOMED(test_store_gave_up),
        WELCOMED(test_effects_wait),
        WELCOMED(test_effects_purged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
