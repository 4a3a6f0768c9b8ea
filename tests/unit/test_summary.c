/* What a run came to: summary.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "ledger_fixture.h"
#include "run_text.h"
#include "summary.h"

static const struct node_view node = {
    .name = "node-1",
    .host = "h",
    .pid = 42,
    .core = 3,
    .keys_done = 12,
    .last = {.cpu = 1500000,
             .uptime = 2000000,
             .worst_turn = 2500,
             .long_turns = 1,
             .memory_peak = 9000000},
};

static const struct summary whole = {
    .run = {.run = 7,
            .state = RUN_FAILED_KEYS,
            .stored = 10,
            .failed = 3,
            .open_keys = 2,
            .open_batches = 1},
    .reasons = {{REASON_TIMEOUT, 2}, {REASON_NOT_FOUND, 1}},
    .n_reasons = 2,
    .seconds = 2,
    .keys_before = 3,
    .exit_status = 3,
    .why = "because",
    .nodes = &node,
    .n_nodes = 1,
};

static char path[64];

static int setup(void **state)
{
    (void)state;
    strcpy(path, "/tmp/windrow-summary-XXXXXX");
    return close(mkstemp(path));
}

static int teardown(void **state)
{
    (void)state;
    return unlink(path);
}

/* The JSON object has each field, numbers as numbers. */
static void test_json(void **state)
{
    (void)state;
    struct error err = ERROR_NONE;
    assert_int_equal(summary_write(&whole, path, &err), 0);
    json_t *written = json_load_file(path, 0, NULL);
    json_t *expected = json_loads(
        "{\"run\":7,\"state\":\"failed_keys\",\"stored\":10,"
        "\"failed\":{\"timed_out\":2,\"not_found\":1},\"failed_total\":3,"
        "\"open\":2,\"seconds\":2.0,\"exit_status\":3,\"why\":\"because\","
        "\"nodes\":[{\"name\":\"node-1\",\"host\":\"h\",\"pid\":42,"
        "\"core\":3,\"keys\":12,\"cpu_seconds\":1.5,\"waiting_share\":0.25,"
        "\"worst_turn_ms\":2.5,\"long_turns\":1,"
        "\"memory_peak_bytes\":9000000}]}",
        0, NULL);
    json_object_set_new(expected, "state",
                        json_string(run_state_name(RUN_FAILED_KEYS)));
    assert_non_null(written);
    if (!json_equal(written, expected))
        json_dumpf(written, stderr, JSON_INDENT(1));
    assert_true(json_equal(written, expected));
    json_decref(written);
    json_decref(expected);
}

/* For people: the counts, the rate of this master's own keys, what failed, and
 * each node. */
static void test_text(void **state)
{
    (void)state;
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    assert_non_null(out);
    summary_print(&whole, out);
    fclose(out);
    assert_non_null(strstr(text, "run 7: 10 stored, 3 failed in 2.00 s "
                                 "(5 keys/s); 2 keys are open\n"));
    assert_non_null(strstr(text, "  2 failed: timed_out ("));
    assert_non_null(strstr(text, "node-1"));
    assert_non_null(strstr(text, "25 %"));
    free(text);
}

/* One key is told as one, and JSON has no digits that nobody measured. */
static void test_small_numbers(void **state)
{
    (void)state;
    struct summary summary = whole;
    char *text = NULL, *json = NULL;
    size_t len = 0;
    struct error err = ERROR_NONE;
    summary.run.open_keys = 1;
    summary.seconds = 0.1;
    FILE *out = open_memstream(&text, &len);
    assert_non_null(out);
    summary_print(&summary, out);
    fclose(out);
    assert_non_null(strstr(text, "; 1 key is open\n"));
    assert_non_null(out = open_memstream(&json, &len));
    assert_int_equal(summary_write_to(&summary, out, &err), 0);
    fclose(out);
    assert_non_null(strstr(json, "\"seconds\": 0.1,"));
    free(text);
    free(json);
}

/* A file that can't be written is an error that names it. */
static void test_unwritable(void **state)
{
    (void)state;
    struct error err = ERROR_NONE;
    assert_int_equal(summary_write(&whole, "/nowhere/s.json", &err), ERR_FILE);
    assert_non_null(strstr(err.text, "/nowhere/s.json"));
    err = ERROR_NONE;
    assert_int_equal(summary_write(&whole, "/dev/full", &err), ERR_FILE);
}

/* What is said of a run comes from the ledger. */
static void test_read(void **state)
{
    (void)state;
    static struct fixture_closing closing;
    struct fixture f;
    struct error err = ERROR_NONE;
    struct arena arena = ARENA_EMPTY;
    int64_t batches[2];
    fixture_init(&f, NULL);
    fixture_open(&f);
    int64_t run = fixture_run(&f, 2, 2, batches);
    fixture_closing(&closing, run, batches[0], 1, "n/1/1");
    static const struct closing_failure failure = {
        .key = {"0.1", 3},
        .reason = REASON_DNS,
        .attempts = 1,
        .detail = {"no", 2},
    };
    closing.closing.failures = &failure;
    closing.closing.n_failures = 1;
    closing.closing.n_keys_done = 2;
    struct close_result result = {0};
    ok(ledger_close_batch(f.ledger, &closing.closing, &result, &err), &err);
    struct summary summary = {.why = ""};
    ok(summary_read(f.ledger, run, &arena, &summary, &err), &err);
    assert_int_equal(summary.run.run, run);
    assert_int_equal(summary.run.failed, 1);
    assert_int_equal(summary.run.open_keys, 2);
    assert_int_equal(summary.n_reasons, 1);
    assert_int_equal(summary.reasons[0].reason, REASON_DNS);
    assert_int_equal(summary_read(f.ledger, run + 1, &arena, &summary, &err),
                     ERR_NOT_FOUND);
    arena_free(&arena);
    fixture_fini(&f);
}

/* What a failure's detail says is not said twice. */
static void test_what_a_detail_says(void **state)
{
    (void)state;
    assert_true(
        run_text_is_said(REASON_NOT_FOUND, slice_of("HTTP status 410")));
    assert_true(run_text_is_said(REASON_BAD_KEY,
                                 slice_of("the key makes no valid URL")));
    assert_false(run_text_is_said(REASON_NOT_FOUND, slice_of("")));
    assert_false(run_text_is_said(REASON_STATUS, slice_of("HTTP status 403")));
    assert_false(run_text_is_said(REASON_DNS, slice_of("the host name")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_small_numbers),
        cmocka_unit_test_setup_teardown(test_json, setup, teardown),
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_unwritable),
        cmocka_unit_test(test_read),
        cmocka_unit_test(test_what_a_detail_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
