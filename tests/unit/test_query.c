/* Keys out of a database: query.h, over SQLite and PostgreSQL. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>
#include <libpq-fe.h>
#include <sqlite3.h>

#include "base/buffer.h"
#include "pg_cluster.h"
#include "query.h"

static struct pg_cluster *cluster;
static struct event_base *base;
static struct queries *queries;
static char url[200], file[64];

/* The last answer. */
static struct {
    int n;
    enum reason reason;
    size_t n_keys;
    bool more, sorted;
    char last[32];
    struct buffer keys; /* "a b c" of few */
    char detail[CLOSING_DETAIL_BYTES_MAX];
} got;

static void on_done(void *context, uint64_t id,
                    const struct query_answer *answer)
{
    (void)context;
    assert_int_equal(id, 7);
    got.n++;
    got.reason = answer->reason;
    got.n_keys = answer->n_keys;
    got.more = answer->more;
    got.sorted = true;
    memcpy(got.detail, answer->detail, sizeof got.detail);
    buffer_clear(&got.keys);
    for (size_t i = 0; i < answer->n_keys; i++) {
        const struct slice *keys = answer->keys;
        if (i < 10)
            buffer_printf(&got.keys, "%s%.*s", i ? " " : "",
                          SLICE_ARGS(keys[i]));
        got.sorted &= !i || strcmp(keys[i - 1].data, keys[i].data) < 0;
    }
    if (answer->n_keys)
        snprintf(got.last, sizeof got.last, "%.*s",
                 SLICE_ARGS(answer->keys[answer->n_keys - 1]));
}

static void run_sql(const char *sql)
{
    if (cluster) {
        PGconn *pq = PQconnectdb(url);
        PGresult *result = PQexec(pq, sql);
        assert_int_equal(PQresultStatus(result), PGRES_COMMAND_OK);
        PQclear(result);
        PQfinish(pq);
        return;
    }
    sqlite3 *database = NULL;
    assert_int_equal(sqlite3_open(file, &database), SQLITE_OK);
    assert_int_equal(sqlite3_exec(database, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(database);
}

static int setup(void **state)
{
    (void)state;
    struct error err = ERROR_NONE;
    base = event_base_new();
    if (cluster) {
        snprintf(url, sizeof url, "%s", pg_cluster_url(cluster));
        run_sql("SET client_min_messages = warning;"
                "DROP SCHEMA public CASCADE; CREATE SCHEMA public");
    } else {
        strcpy(file, "/tmp/windrow-query-XXXXXX");
        close(mkstemp(file));
        snprintf(url, sizeof url, "sqlite:%s", file);
    }
    assert_int_equal(queries_new(base, url, on_done, NULL, &queries, &err), 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    queries_free(&queries);
    event_base_free(base);
    buffer_free(&got.keys);
    if (!cluster)
        unlink(file);
    return 0;
}

/* Asks for the page of `sql` at `place`. */
static void ask(const char *sql, const char *place, size_t keys_max)
{
    struct error err = ERROR_NONE;
    struct worker worker = {.class = CLASS_SQL, .sql = {.query = sql}};
    got.n = 0;
    assert_int_equal(
        queries_start(queries, 7, &worker, slice_of(place), keys_max, &err), 0);
    assert_int_equal(got.n, 0);
    usec_t until = clock_monotonic() + 30 * USEC_PER_SEC;
    while (!got.n && clock_monotonic() < until) {
        event_base_loopexit(base, &(struct timeval){0, 2000});
        event_base_loop(base, 0);
    }
    assert_int_equal(got.n, 1);
}

static void assert_keys(const char *sql, const char *expected)
{
    ask(sql, "0:", 0);
    if (got.reason != REASON_NONE)
        fail_msg("%s: %s", sql, got.detail);
    assert_string_equal(buffer_text(&got.keys), expected);
    assert_false(got.more);
}

/* The first column's values, each once, as text, in the order of their
 * bytes; what can be no key is left out. */
static void test_values(void **state)
{
    (void)state;
    run_sql("CREATE TABLE t (s text, n integer)");
    run_sql("INSERT INTO t VALUES ('b', 2), ('a', 10), ('B', 2), ('b', 1),"
            " (NULL, 3), ('', 3), ('c  ', 3)");
    assert_keys("SELECT s FROM t", "B a b c");
    assert_keys("SELECT n FROM t ORDER BY n -- a comment", "1 10 2 3");
    assert_keys("SELECT s FROM t WHERE s = 'a'", "a");
}

/* A page has at most QUERY_PAGE_KEYS; the place of the next one is the number
 * of keys so far and the last of them. */
static void test_pages(void **state)
{
    (void)state;
    static const char all[] = "SELECT k FROM t";
    char place[80];
    run_sql("CREATE TABLE t (k text)");
    run_sql("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n"
            " WHERE i < 120000) INSERT INTO t SELECT 'k' || i FROM n");
    size_t total = 0;
    strcpy(place, "0:");
    for (int page = 0; page < 3; page++) {
        ask(all, place, 0);
        assert_int_equal(got.reason, REASON_NONE);
        assert_int_equal(got.n_keys, page < 2 ? QUERY_PAGE_KEYS : 20000);
        assert_int_equal(got.more, page < 2);
        assert_true(got.sorted);
        total += got.n_keys;
        snprintf(place, sizeof place, "%zu:%s", total, got.last);
    }
    assert_string_equal(place, "120000:k99999");
    ask(all, place, 0); /* a page after the last one is empty, no error */
    assert_int_equal(got.reason, REASON_NONE);
    assert_int_equal(got.n_keys, 0);
    ask(all, "0:", 5);
    assert_int_equal(got.n_keys, 5);
    assert_false(got.more);
    ask(all, "50000:k2", 50003);
    assert_int_equal(got.n_keys, 3);
    assert_false(got.more);
}

/* No rows at all, and a query that is none. */
static void test_failures(void **state)
{
    (void)state;
    run_sql("CREATE TABLE t (k text)");
    ask("SELECT k FROM t", "0:", 0);
    assert_int_equal(got.reason, REASON_NO_KEYS);
    ask("SELECT 1 FROM nowhere", "0:", 0);
    assert_int_equal(got.reason, REASON_QUERY);
    assert_non_null(strstr(got.detail, "nowhere"));
    assert_null(strchr(got.detail, '\n'));
    ask("SELEKT", "0:", 0);
    assert_int_equal(got.reason, REASON_QUERY);
}

/* A source only reads. */
static void test_read_only(void **state)
{
    (void)state;
    run_sql("CREATE TABLE t (k text)");
    ask("DELETE FROM t RETURNING k", "0:", 0);
    assert_int_equal(got.reason, REASON_QUERY);
}

/* Freed while it works, nothing is told any more. */
static void test_end_in_between(void **state)
{
    (void)state;
    struct error err = ERROR_NONE;
    struct worker worker = {.class = CLASS_SQL, .sql = {.query = "SELECT 1"}};
    for (int i = 0; i < 5; i++)
        assert_int_equal(
            queries_start(queries, 7, &worker, slice_of("0:"), 0, &err), 0);
    got.n = 0;
    queries_free(&queries);
    assert_null(queries);
    assert_int_equal(got.n, 0);
}

#define asked(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        asked(test_values),    asked(test_pages),          asked(test_failures),
        asked(test_read_only), asked(test_end_in_between),
    };
    int status = cmocka_run_group_tests_name("sqlite", tests, NULL, NULL);
    cluster = pg_cluster_start(false);
    if (cluster)
        status += cmocka_run_group_tests_name("postgres", tests, NULL, NULL);
    pg_cluster_stop(&cluster);
    return status;
}
