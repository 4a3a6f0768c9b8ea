/* What the master tells of its run: master/status.h, over the real core. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>
#include <jansson.h>

#include "master_dialogue.h"
#include "status.h"

static struct worker workers[] = {
    {.name = "list"}, {.name = "quotes"}, {.name = "more"}, {.name = "store"}};
static const struct pipeline pipeline = {.workers = workers, .n_workers = 4};

static struct status *status_begin(void)
{
    const struct status_run run = {.pipeline = &pipeline,
                                   .ledger_id = "ledger",
                                   .run = 7,
                                   .epoch = 3,
                                   .stored_before = 100,
                                   .failed_before = 10};
    struct status *status = status_new(&run);
    assert_non_null(status);
    return status;
}

/* The last word, which is told whenever it is. */
static json_t *tell(struct status *status)
{
    const struct status_moment moment = {
        .state = "finished", .over = true, .open_keys = 5, .nodes_wanted = 2};
    struct slice text = status_tell(status, the_core(), &moment);
    json_t *object = json_loadb(text.data, text.len, 0, NULL);
    assert_non_null(object);
    return object;
}

static json_int_t number(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);
    if (!json_is_integer(value))
        fail_msg("no number \"%s\"", name);
    return json_integer_value(value);
}

static const json_t *item(const json_t *object, const char *list, size_t index)
{
    const json_t *value = json_array_get(json_object_get(object, list), index);
    if (!value)
        fail_msg("\"%s\" has no item %zu", list, index);
    return value;
}

/* What is at hand, what is held, what has ended, by worker and in all; what
 * ended before this master is counted in all, not by worker. */
static void test_counts(void **state)
{
    (void)state;
    begin();
    struct status *status = status_begin();
    arrive("a");
    last_page("1*3 2*4 3*9@2+60000");
    closed("a", 1, "");
    hold("a", "example.org:443", SECONDS(30));
    json_t *told = tell(status);
    assert_int_equal(number(told, "run"), 7);
    assert_int_equal(number(told, "epoch"), 3);
    assert_int_equal(number(told, "open"), 5);
    assert_int_equal(number(told, "nodes_alive"), 1);
    assert_int_equal(number(told, "before"), 110);
    const json_t *quotes = item(told, "workers", 1);
    const json_t *more = item(told, "workers", 2);
    assert_string_equal(json_string_value(json_object_get(quotes, "name")),
                        "quotes");
    assert_int_equal(number(told, "stored"), 100 + number(quotes, "stored"));
    assert_int_equal(number(told, "failed"), 10 + number(quotes, "failed"));
    assert_true(number(quotes, "stored") + number(quotes, "failed") > 0);
    assert_int_equal(number(quotes, "held_batches"), 1);
    assert_int_equal(number(quotes, "held_keys"), 4);
    assert_int_equal(number(more, "pending_batches"), 1);
    assert_int_equal(number(more, "pending_keys"), 9);
    assert_int_equal(number(more, "stored"), 0);
    const json_t *node = item(told, "nodes", 0);
    assert_string_equal(json_string_value(json_object_get(node, "name")), "a");
    assert_int_equal(number(node, "held_keys"), 4);
    assert_int_equal(number(json_object_get(node, "counters"), "fetches"), 5);
    assert_int_equal(number(json_object_get(told, "counters"), "fetches"), 5);
    json_decref(told);
    status_free(&status);
    end();
}

/* While the run goes on it is told no more often than each interval. */
static void test_interval(void **state)
{
    (void)state;
    begin();
    struct status *status = status_begin();
    const struct status_moment moment = {.state = "running", .open_keys = -1};
    assert_true(status_tell(status, the_core(), &moment).len > 0);
    assert_int_equal(status_tell(status, the_core(), &moment).len, 0);
    json_decref(tell(status));
    status_free(&status);
    end();
}

/* However many nodes there are, so many are named, and all are counted. */
static void test_many_nodes(void **state)
{
    (void)state;
    begin();
    struct status *status = status_begin();
    for (int i = 0; i < STATUS_NODES_MAX + 20; i++) {
        char name[16];
        snprintf(name, sizeof name, "n%d", i);
        arrive(name);
    }
    json_t *told = tell(status);
    assert_int_equal(json_array_size(json_object_get(told, "nodes")),
                     STATUS_NODES_MAX);
    assert_int_equal(number(told, "nodes_alive"), STATUS_NODES_MAX + 20);
    assert_int_equal(number(json_object_get(told, "counters"), "fetches"),
                     5 * (STATUS_NODES_MAX + 20));
    json_decref(told);
    status_free(&status);
    end();
}

static void take(struct status *status, const char *name, usec_t uptime,
                 int64_t commits)
{
    const struct heartbeat_times times = {
        .commit = {.counts = {[3] = commits}, .sum = 90 * commits}};
    struct message message = {.type = MESSAGE_HEARTBEAT};
    snprintf(message.node, sizeof message.node, "%s", name);
    message.heartbeat.uptime = uptime;
    message.heartbeat.times = &times;
    status_take_times(status, &message);
}

/* Times of all nodes are added up: what a node says again is not counted
 * again, and what the process before it said stays counted. */
static void test_times(void **state)
{
    (void)state;
    begin();
    struct status *status = status_begin();
    take(status, "a", SECONDS(1), 4);
    take(status, "a", SECONDS(2), 6);
    take(status, "b", SECONDS(1), 10);
    take(status, "a", SECONDS(1), 1); /* another process */
    json_t *told = tell(status);
    const json_t *times = json_object_get(told, "times");
    assert_int_equal(json_integer_value(item(times, "commit", 0)), 90 * 17);
    assert_int_equal(json_integer_value(item(times, "commit", 1 + 3)), 17);
    assert_int_equal(json_integer_value(item(times, "fetch", 0)), 0);
    json_decref(told);
    status_free(&status);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counts),
        cmocka_unit_test(test_interval),
        cmocka_unit_test(test_many_nodes),
        cmocka_unit_test(test_times),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
