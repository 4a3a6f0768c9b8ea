/*
 * Closings to the database without holding up the loop: store.h, over a
 * PostgreSQL server of the test's own that is crashed in between, and over
 * SQLite without memory.
 */
#include <libpq-fe.h>
#include <sqlite3.h>
#include <stdlib.h>

#include "ledger_fixture.h"
#include "store.h"

#define PATIENCE (30 * USEC_PER_SEC)
enum { BATCHES_MAX = 300, KEYS_EACH = 2 };

static struct pg_cluster *cluster;
static struct fixture f;
static struct event_base *base;
static struct store *store;
static struct fixture_closing *closings[BATCHES_MAX];
static int64_t run, batches[BATCHES_MAX];

/* What the store said. */
static struct {
    int n_closed, n_dropped, n_waiting, n_back, n_gave_up;
    int closed[BATCHES_MAX], dropped[BATCHES_MAX];
    enum close_outcome outcomes[BATCHES_MAX];
    char why[300];
} told;

static void on_closed(void *context, uint64_t id,
                      const struct close_result *result)
{
    (void)context;
    told.n_closed++;
    told.closed[id]++;
    told.outcomes[id] = result->outcome;
}

static void on_dropped(void *context, uint64_t id)
{
    (void)context;
    told.n_dropped++;
    told.dropped[id]++;
}

static void on_waiting(void *context, bool waiting, const char *why)
{
    (void)context;
    assert_int_equal(waiting, told.n_waiting == told.n_back); /* in turns */
    told.n_waiting += waiting;
    told.n_back += !waiting;
    if (waiting)
        snprintf(told.why, sizeof told.why, "%s", why);
}

static void on_gave_up(void *context, const char *why)
{
    (void)context;
    told.n_gave_up++;
    snprintf(told.why, sizeof told.why, "%s", why);
}

static const struct store_callbacks callbacks = {NULL, on_closed, on_dropped,
                                                 on_waiting, on_gave_up};

static void turn(void)
{
    event_base_loopexit(base, &(struct timeval){0, 2000});
    event_base_loop(base, 0);
}

/* Runs the loop until *count is `n` or more. */
static void run_until(const int *count, int n)
{
    usec_t until = clock_monotonic() + PATIENCE;
    while (*count < n && clock_monotonic() < until)
        turn();
    if (*count < n)
        fail_msg("%d, not %d: %s", *count, n, told.why);
}

static void open_store(const char *url, usec_t database_wait)
{
    struct error err = ERROR_NONE;
    ok(store_new(base, url, f.pipeline, database_wait, &callbacks, &store,
                 &err),
       &err);
}

static void submit(int from, int to)
{
    for (int i = from; i < to; i++) {
        struct error err = ERROR_NONE;
        char closer[32];
        closings[i] = calloc(1, sizeof *closings[i]);
        assert_non_null(closings[i]);
        snprintf(closer, sizeof closer, "n/1/%d", i);
        fixture_closing(closings[i], run, batches[i], KEYS_EACH, closer);
        ok(store_submit(store, (uint64_t)i, &closings[i]->closing, &err), &err);
    }
}

static int setup_over(struct pg_cluster *server)
{
    memset(&told, 0, sizeof told);
    fixture_init(&f, server);
    fixture_open(&f);
    base = event_base_new();
    run = fixture_run(&f, BATCHES_MAX, KEYS_EACH, batches);
    return 0;
}

static int setup(void **state)
{
    (void)state;
    return setup_over(cluster);
}

static int setup_sqlite(void **state)
{
    (void)state;
    return setup_over(NULL);
}

static int teardown(void **state)
{
    (void)state;
    store_free(&store);
    event_base_free(base);
    fixture_fini(&f);
    for (int i = 0; i < BATCHES_MAX; i++) {
        free(closings[i]);
        closings[i] = NULL;
    }
    return 0;
}

/* Each of `n` closings was told once, as won, and stored once. */
static void assert_stored_once(int n)
{
    char expected[64];
    assert_int_equal(told.n_closed, n);
    for (int i = 0; i < n; i++) {
        assert_int_equal(told.closed[i], 1);
        assert_int_equal(told.outcomes[i], CLOSE_WON);
    }
    snprintf(expected, sizeof expected, "%d|%d\n", n * KEYS_EACH,
             n * KEYS_EACH);
    assert_string_equal(
        fixture_sql(&f, "SELECT count(*), count(DISTINCT symbol) FROM prices"),
        expected);
}

/* 200 closings over several connections: each is stored once. */
static void test_many(void **state)
{
    (void)state;
    open_store(f.url, PATIENCE);
    submit(0, 200);
    assert_int_equal(told.n_closed, 0); /* never inside store_submit() */
    run_until(&told.n_closed, 200);
    assert_stored_once(200);
    assert_int_equal(told.n_waiting + told.n_gave_up, 0);
}

/* What was closed before, or is of another database, is told as that. */
static void test_outcomes(void **state)
{
    (void)state;
    open_store(f.url, PATIENCE);
    batches[2] = batches[0];
    batches[3] = 1000000;
    submit(0, 4);
    run_until(&told.n_closed, 4);
    assert_int_equal(told.outcomes[0], CLOSE_WON);
    assert_int_equal(told.outcomes[2], CLOSE_ALREADY);
    assert_int_equal(told.outcomes[3], CLOSE_UNKNOWN);
}

/* A server that is crashed among the closings and started again: the store
 * says that it waits, sends again what was not answered, says that it is
 * back; and each closing is stored once and told as won. */
static void test_crash(void **state)
{
    (void)state;
    open_store(f.url, PATIENCE);
    submit(0, 100);
    run_until(&told.n_closed, told.n_closed + 1);
    submit(100, 200);
    assert_true(pg_cluster_crash(cluster));
    run_until(&told.n_waiting, 1);
    assert_true(told.why[0]);
    assert_true(pg_cluster_start_again(cluster));
    submit(200, BATCHES_MAX);
    run_until(&told.n_closed, BATCHES_MAX);
    assert_int_equal(told.n_back, told.n_waiting);
    assert_int_equal(told.n_gave_up, 0);
    ledger_close(&f.ledger);
    PQreset(f.raw);
    assert_stored_once(BATCHES_MAX);
}

/* Forgotten, what was not sent is dropped; what was sent is answered: each
 * closing has one end. */
static void test_forget(void **state)
{
    (void)state;
    open_store(f.url, PATIENCE);
    submit(0, 200);
    run_until(&told.n_closed, told.n_closed + 1);
    store_forget(store);
    usec_t until = clock_monotonic() + PATIENCE;
    while (told.n_closed + told.n_dropped < 200 && clock_monotonic() < until)
        turn();
    assert_true(told.n_dropped > 0);
    for (int i = 0; i < 200; i++)
        assert_int_equal(told.closed[i] + told.dropped[i], 1);
}

/* A server that does not come back is waited for as long as was said, then
 * given up, once. */
static void test_gives_up(void **state)
{
    (void)state;
    open_store(f.url, 50 * USEC_PER_MSEC);
    submit(0, 1);
    run_until(&told.n_closed, 1);
    assert_true(pg_cluster_crash(cluster));
    run_until(&told.n_gave_up, 1);
    assert_int_equal(told.n_waiting, 1);
    for (int i = 0; i < 100; i++)
        turn();
    assert_int_equal(told.n_gave_up, 1);
    assert_true(pg_cluster_start_again(cluster));
}

/* A URL that is none is told before anything is tried. */
static void test_bad_url(void **state)
{
    (void)state;
    struct error err = ERROR_NONE;
    assert_int_equal(store_new(base, "postgresql://h:port/", f.pipeline,
                               PATIENCE, &callbacks, &store, &err),
                     ERR_SETTING);
    assert_null(store);
    assert_true(err.text[0]);
}

/* Memory that is out is waited for, as a database that is away: what holds it
 * ends. */
static void test_no_memory(void **state)
{
    (void)state;
    open_store(f.url, PATIENCE);
    submit(0, 1);
    run_until(&told.n_closed, 1);
    sqlite3_hard_heap_limit64(1);
    submit(1, 3);
    run_until(&told.n_waiting, 1);
    assert_non_null(strstr(told.why, "out of memory"));
    sqlite3_hard_heap_limit64(0);
    run_until(&told.n_closed, 3);
    assert_int_equal(told.n_gave_up, 0);
    assert_stored_once(3);
}

#define stored(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        stored(test_many),     stored(test_outcomes), stored(test_forget),
        stored(test_gives_up), stored(test_bad_url),  stored(test_crash),
    };
    const struct CMUnitTest over_sqlite[] = {
        cmocka_unit_test_setup_teardown(test_no_memory, setup_sqlite, teardown),
    };
    int status = cmocka_run_group_tests(over_sqlite, NULL, NULL);
    if (!(cluster = pg_cluster_start(false)))
        return status;
    status |= cmocka_run_group_tests(tests, NULL, NULL);
    pg_cluster_stop(&cluster);
    return status;
}
