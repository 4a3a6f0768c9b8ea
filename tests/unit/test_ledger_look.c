/* A ledger that only looks, and what is shown by it: both backends alike. */
#include "ledger_fixture.h"

#include <stdlib.h>
#include <string.h>

static struct pg_cluster *cluster; /* NULL: SQLite */

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    fixture_init(f, cluster);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    fixture_fini(*state);
    free(*state);
    return 0;
}

/* Two batches of which the second is closed: two rows, and two failures. */
static int64_t half_done(struct fixture *f)
{
    static struct fixture_closing closed;
    const struct closing_failure failures[2] = {
        {.key = slice_of("lost"), .reason = REASON_TIMEOUT, .attempts = 5},
        {.key = slice_of("gone"), .reason = REASON_NOT_FOUND}};
    struct close_result result = {0};
    struct error err = ERROR_NONE;
    int64_t batches[2];
    fixture_open(f);
    int64_t run = fixture_run(f, 2, 4, batches);
    fixture_closing(&closed, run, batches[1], 2, "n/1/1");
    closed.closing.failures = failures;
    closed.closing.n_failures = 2;
    closed.closing.n_keys_done = 4;
    ok(ledger_close_batch(f->ledger, &closed.closing, &result, &err), &err);
    closed.closing.failures = NULL; /* they go, it stays */
    return run;
}

static struct ledger *look(struct fixture *f)
{
    struct ledger *ledger = NULL;
    struct error err = ERROR_NONE;
    ok(ledger_open_to_look(f->url, &ledger, &err), &err);
    return ledger;
}

/* Where there is no ledger none is made: nothing was written. */
static void test_nothing_there(void **state)
{
    struct fixture *f = *state;
    struct ledger *ledger = NULL;
    struct error err = ERROR_NONE;
    fixture_open(f);
    ledger_close(&f->ledger);
    fixture_sql(f, "DROP TABLE windrow_ledger");
    assert_int_equal(ledger_open_to_look(f->url, &ledger, &err), ERR_NOT_FOUND);
    assert_null(ledger);
}

/* What it is asked to write, it refuses. */
static void test_read_only(void **state)
{
    struct fixture *f = *state;
    int64_t run = half_done(f);
    struct ledger *ledger = look(f);
    struct error err = ERROR_NONE;
    assert_string_equal(ledger_id(ledger), ledger_id(f->ledger));
    assert_int_not_equal(ledger_run_scale(ledger, run, 3, &err), 0);
    err = ERROR_NONE;
    assert_int_not_equal(ledger_run_renew(ledger, run, 1, 1, &err), 0);
    struct arena arena = ARENA_EMPTY;
    struct run_row row;
    err = ERROR_NONE;
    ok(ledger_run_row(ledger, run, &arena, &row, &err), &err);
    assert_int_equal(row.nodes_wanted, 0);
    arena_free(&arena);
    ledger_close(&ledger);
}

/* Batches by worker, those that are open and those that were. */
static void test_worker_counts(void **state)
{
    struct fixture *f = *state;
    int64_t run = half_done(f);
    struct ledger *ledger = look(f);
    struct error err = ERROR_NONE;
    struct worker_count counts[PIPELINE_WORKERS_MAX];
    size_t n = 0;
    ok(ledger_worker_counts(ledger, run, counts, &n, &err), &err);
    assert_int_equal(n, 1);
    assert_int_equal(counts[0].worker, W_QUOTES);
    assert_int_equal(counts[0].stored, 2);
    assert_int_equal(counts[0].done, 4);
    assert_int_equal(counts[0].failed, 2);
    assert_int_equal(counts[0].open_keys, 4);
    assert_int_equal(counts[0].open_batches, 1);
    assert_int_equal(counts[0].batches, 2);
    ledger_close(&ledger);
}

/* When keys ended: all in the first part, where all ended at once; nothing of
 * a run that has closed nothing. */
static void test_pace(void **state)
{
    struct fixture *f = *state;
    int64_t batch, run = half_done(f);
    int64_t fresh = fixture_run(f, 1, 1, &batch);
    struct ledger *ledger = look(f);
    struct error err = ERROR_NONE;
    struct pace pace;
    ok(ledger_pace(ledger, run, 10, &pace, &err), &err);
    assert_true(pace.began > 0 && pace.ended == pace.began);
    assert_int_equal(pace.done[0], 4);
    assert_int_equal(pace.failed[0], 2);
    assert_int_equal(pace.done[1], 0);
    ok(ledger_pace(ledger, fresh, 10, &pace, &err), &err);
    assert_int_equal(pace.began, 0);
    ledger_close(&ledger);
}

struct seen {
    char text[400];
};

static void see_row(void *context, const struct slice *values)
{
    struct seen *seen = context;
    size_t len = strlen(seen->text);
    snprintf(seen->text + len, sizeof seen->text - len, "%.*s=%.*s ",
             SLICE_ARGS(values[0]), SLICE_ARGS(values[1]));
}

static const char *rows_of(struct fixture *f, struct ledger *ledger,
                           struct row_query query)
{
    static struct seen seen;
    struct error err = ERROR_NONE;
    seen = (struct seen){0};
    query.sink = &f->pipeline->workers[W_STORE].sink;
    query.limit = query.limit ? query.limit : 10;
    ok(ledger_rows(ledger, &query, see_row, &seen, &err), &err);
    return seen.text;
}

/* A table's rows, the newest first: all, those of a key, those whose key has a
 * part in it, which is text and no pattern. */
static void test_rows(void **state)
{
    struct fixture *f = *state;
    half_done(f);
    struct ledger *ledger = look(f);
    const char *all = rows_of(f, ledger, (struct row_query){0});
    const char *first = strstr(all, ".0=12.50"), *second = strstr(all, ".1=");
    assert_true(first && second && second < first);
    assert_non_null(
        strstr(rows_of(f, ledger, (struct row_query){.limit = 1}), ".1=12.50"));
    assert_null(
        strstr(rows_of(f, ledger, (struct row_query){.limit = 1}), ".0="));
    assert_non_null(
        strstr(rows_of(f, ledger, (struct row_query){.part = ".0"}), ".0="));
    assert_string_equal(rows_of(f, ledger, (struct row_query){.part = "%"}),
                        "");
    assert_string_equal(
        rows_of(f, ledger, (struct row_query){.key = "' OR ''='"}), "");
    ledger_close(&ledger);
}

static int run(const char *name)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_nothing_there), TEST(test_read_only),
        TEST(test_worker_counts), TEST(test_pace),
        TEST(test_rows),
    };
    return cmocka_run_group_tests_name(name, tests, NULL, NULL);
}

int main(void)
{
    int failed = run("SQLite");
    cluster = pg_cluster_start(false);
    if (cluster)
        failed += run("PostgreSQL");
    pg_cluster_stop(&cluster);
    return failed;
}
