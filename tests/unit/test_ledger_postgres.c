/*
 * The ledger over PostgreSQL: what both backends do (ledger_body.c), and what
 * is PostgreSQL's own: tables that are there already, the session's time
 * zone, lost connections, plans. Skips where there is no server.
 */
#include <pthread.h>
#include <stdlib.h>

#include "ledger/ledger_postgres.h"
#include "ledger_body.h"

/* A table is accepted if its columns' types can hold what is stored. */
static void test_tables(void **state)
{
    static const struct table_case cases[] = {
        {"CREATE TABLE prices (id serial PRIMARY KEY, symbol text NOT NULL,"
         " price numeric NOT NULL, extracted_time timestamptz NOT NULL)",
         NULL},
        {"CREATE TABLE prices (id serial, symbol text, price float,"
         " extracted_time timestamp)",
         NULL},
        {"CREATE TABLE prices (symbol varchar(20), price text,"
         " extracted_time text, more int, other int NOT NULL DEFAULT 1)",
         NULL},
        {"CREATE DOMAIN amount AS numeric CHECK (VALUE > 0);"
         "CREATE TABLE prices (symbol text, price amount,"
         " extracted_time timestamptz)",
         NULL},
        {"CREATE TABLE prices (symbol text, price numeric)",
         "table prices has no column extracted_time: add it, as timestamp"},
        {"CREATE TABLE prices (symbol integer, price numeric,"
         " extracted_time timestamptz)",
         "column symbol of table prices is integer; to hold what the pipeline "
         "stores it would have to be text"},
        {"CREATE TABLE prices (symbol text, price money,"
         " extracted_time timestamptz)",
         "column price of table prices is money"},
        {"CREATE TABLE prices (symbol text, price real,"
         " extracted_time timestamptz)",
         "numeric, double precision or text"},
        {"CREATE TABLE prices (symbol text, price numeric,"
         " extracted_time date)",
         "column extracted_time of table prices is date"},
        {"CREATE TABLE prices (symbol text, price numeric, extracted_time"
         " timestamptz, volume bigint NOT NULL)",
         "column volume of table prices is bigint not null without a "
         "default"},
        {"CREATE TABLE prices (symbol text, price numeric GENERATED ALWAYS AS"
         " (1) STORED, extracted_time timestamptz)",
         "column price of table prices is generated"},
        {"CREATE SEQUENCE prices", "prices is not a table"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        body_check_table(*state, &cases[i]);
}

/* A role without the right to insert is told so before the run. */
static void test_privilege(void **state)
{
    struct fixture *f = *state;
    struct error err = ERROR_NONE;
    struct ledger *ledger = NULL;
    fixture_sql(f, "DROP ROLE IF EXISTS reader; CREATE ROLE reader LOGIN;"
                   "GRANT USAGE ON SCHEMA public TO reader;"
                   "GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader");
    char url[200];
    snprintf(url, sizeof url, "postgresql://reader@%s",
             strchr(f->url, '@') + 1);
    ok(ledger_open(url, &ledger, &err), &err);
    assert_int_equal(ledger_use_pipeline(ledger, f->pipeline, &err), ERR_TABLE);
    assert_non_null(strstr(err.text, "no right to insert into table prices"));
    ledger_close(&ledger);
    fixture_sql(f, "DROP OWNED BY reader; DROP ROLE reader");
}

static void close_one(struct fixture *f, const char *closer)
{
    struct error err = ERROR_NONE;
    int64_t batch = 0;
    int64_t run = fixture_run(f, 1, 1, &batch);
    struct fixture_closing c;
    struct close_result result = {.children = NULL};
    fixture_closing(&c, run, batch, 1, closer);
    ok(ledger_close_batch(f->ledger, &c.closing, &result, &err), &err);
    assert_int_equal(result.outcome, CLOSE_WON);
}

/* A column without time zone gets UTC, whatever the server's zone; a double
 * the nearest to what was sent. */
static void test_utc(void **state)
{
    struct fixture *f = *state;
    struct error err = ERROR_NONE;
    fixture_sql(f, "ALTER ROLE postgres SET timezone = 'Asia/Kolkata'");
    fixture_sql(f, "DROP TABLE prices; CREATE TABLE prices (symbol text,"
                   " price double precision, extracted_time timestamp)");
    ledger_close(&f->ledger);
    fixture_open(f);
    ok(ledger_use_pipeline(f->ledger, f->pipeline, &err), &err);
    close_one(f, "n/1/1");
    fixture_sql(f, "ALTER ROLE postgres RESET timezone");
    assert_string_equal(fixture_sql(f, "SELECT * FROM prices") + strlen("1.0"),
                        "|12.5|2023-11-14 22:13:20.123456\n");
}

/* A trigger's RAISE and a row too large for an index refuse the row. */
static void test_refusals(void **state)
{
    struct fixture *f = *state;
    struct error err = ERROR_NONE;
    fixture_sql(f, "CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS"
                   " $$BEGIN RAISE 'not so'; END$$;"
                   "CREATE TRIGGER no BEFORE INSERT ON prices"
                   " FOR EACH ROW EXECUTE FUNCTION no()");
    int64_t batch = 0;
    int64_t run = fixture_run(f, 1, 1, &batch);
    struct fixture_closing c;
    struct close_result result = {.children = NULL};
    fixture_closing(&c, run, batch, 1, "n/1/1");
    ok(ledger_close_batch(f->ledger, &c.closing, &result, &err), &err);
    assert_int_equal(result.outcome, CLOSE_REFUSED);
    assert_non_null(strstr(result.detail, "not so"));
}

/* After the server crashed: one call says that it is away, later ones work
 * again, and what was committed is there. */
static void test_crash(void **state)
{
    struct fixture *f = *state;
    struct error err = ERROR_NONE;
    close_one(f, "n/1/1");
    int64_t batch = 0;
    int64_t run = fixture_run(f, 1, 1, &batch);
    struct fixture_closing c;
    struct close_result result = {.children = NULL};
    fixture_closing(&c, run, batch, 1, "n/1/2");

    PQfinish(f->raw);
    assert_true(pg_cluster_crash(f->cluster));
    assert_int_equal(ledger_close_batch(f->ledger, &c.closing, &result, &err),
                     ERR_DATABASE_AWAY);
    err = ERROR_NONE;
    assert_int_equal(ledger_close_batch(f->ledger, &c.closing, &result, &err),
                     ERR_DATABASE_AWAY);
    assert_true(pg_cluster_start_again(f->cluster));
    err = ERROR_NONE;
    f->raw = PQconnectdb(f->url);
    ok(ledger_close_batch(f->ledger, &c.closing, &result, &err), &err);
    assert_int_equal(result.outcome, CLOSE_WON);
    assert_string_equal(fixture_sql(f, "SELECT count(*) FROM prices"), "2\n");
}

/* What may be asked of the ledger; each connects anew by itself. */
enum call { RENEW, PAGE, LOOK, ROW, RUNS, COUNTS, FAILURES, END, BEGIN, CALLS };

static void ignore_failure(void *context, const struct failure_row *row)
{
    (void)context;
    (void)row;
}

static int call_ledger(struct ledger *ledger, enum call call, int64_t run,
                       int64_t batch, struct error *err)
{
    struct arena arena = ARENA_EMPTY;
    struct run_row row, *rows;
    struct batch_row page[1] = {{.keys_json = NULL}};
    struct batch_look look = {.row = {.keys_json = NULL}};
    struct reason_count counts[REASON_COUNT];
    struct run_spec spec = fixture_spec();
    int64_t other, epoch;
    size_t n;
    int rc = 0;
    switch (call) {
    case RENEW:
        rc = ledger_run_renew(ledger, run, 1, USEC_PER_SEC, err);
        break;
    case PAGE:
        rc = ledger_open_batches(ledger, run, 0, 1, page, &n, err);
        break;
    case LOOK:
        rc = ledger_look(ledger, run, &batch, 1, &look, err);
        break;
    case ROW:
        rc = ledger_run_row(ledger, run, &arena, &row, err);
        break;
    case RUNS:
        rc = ledger_runs(ledger, 10, &arena, &rows, &n, err);
        break;
    case COUNTS:
        rc = ledger_failure_counts(ledger, run, counts, &n, err);
        break;
    case FAILURES:
        rc = ledger_failures(ledger, run, NULL, ignore_failure, NULL, err);
        break;
    case BEGIN:
        rc = ledger_run_begin(ledger, &spec, &other, &epoch, err);
        ledger_run_rollback(ledger);
        break;
    default:
        rc = ledger_run_end(ledger, run, 1, RUN_DONE, err);
    }
    free(page[0].keys_json);
    free(look.row.keys_json);
    arena_free(&arena);
    return rc;
}

/* Stopped with -m immediate and started again between any two calls: the
 * first call after that says that the database was away, the next one works.
 */
static void test_switched_between_calls(void **state)
{
    struct fixture *f = *state;
    int64_t batch = 0;
    int64_t run = fixture_run(f, 1, 1, &batch);
    for (enum call call = RENEW; call < CALLS; call++) {
        struct error err = ERROR_NONE;
        assert_true(pg_cluster_crash(f->cluster));
        assert_true(pg_cluster_start_again(f->cluster));
        if (call_ledger(f->ledger, call, run, batch, &err) != ERR_DATABASE_AWAY)
            fail_msg("call %d: %s", (int)call, err.text);
        err = ERROR_NONE;
        ok(call_ledger(f->ledger, call, run, batch, &err), &err);
    }
    PQreset(f->raw);
    assert_string_equal(
        fixture_sql(f, "SELECT count(*), min(state) FROM windrow_runs"),
        "1|done\n");
}

/* A connection that ends in mid-run ends the run's transaction; nothing of it
 * stays, and the next run works. */
static void test_lost_in_run(void **state)
{
    struct fixture *f = *state;
    struct error err = ERROR_NONE;
    struct run_spec spec = fixture_spec();
    int64_t run = 0, epoch = 0;
    struct slice key = slice_of("A");
    struct closing_child root = {
        .worker = W_QUOTES, .queue = -1, .keys = &key, .n_keys = 1};
    ok(ledger_run_begin(f->ledger, &spec, &run, &epoch, &err), &err);
    ok(ledger_run_add_batch(f->ledger, run, &root, &err), &err);
    fixture_sql(f, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                   " WHERE application_name = 'windrow'");
    assert_int_equal(ledger_run_commit(f->ledger, &err), ERR_DATABASE_AWAY);
    assert_string_equal(fixture_sql(f, "SELECT count(*) FROM windrow_runs"),
                        "0\n");
    close_one(f, "n/1/1");
}

/* Sixteen connections close the same batches: each is stored once. */
static void test_race(void **state)
{
    body_race(*state, 16, 200);
}

static void *open_and_use(void *argument)
{
    struct fixture *f = argument;
    struct error err = ERROR_NONE;
    struct ledger *ledger = NULL;
    int rc = ledger_open(f->url, &ledger, &err);
    if (rc == 0)
        rc = ledger_use_pipeline(ledger, f->pipeline, &err);
    if (rc)
        print_error("%s\n", err.text);
    ledger_close(&ledger);
    return rc ? argument : NULL;
}

/* Programs that start at once create the tables once. */
static void test_create_race(void **state)
{
    struct fixture *f = *state;
    for (int round = 0; round < 5; round++) {
        fixture_sql(f, "DROP SCHEMA public CASCADE; CREATE SCHEMA public");
        pthread_t threads[8];
        for (size_t i = 0; i < 8; i++)
            assert_int_equal(pthread_create(&threads[i], NULL, open_and_use, f),
                             0);
        for (size_t i = 0; i < 8; i++) {
            void *failed = NULL;
            pthread_join(threads[i], &failed);
            assert_null(failed);
        }
    }
}

/* Every word of a password stays out of the error, however it is broken. */
static void test_password(void **state)
{
    (void)state;
    static const char *const urls[] = {
        "postgresql://u:hun/ter2@127.0.0.1:1/d",
        "postgresql://u:hun@ter2@127.0.0.1:1/d",
        "postgresql://u:hunter2@127.0.0.1:1/d",
        "postgresql://u:hunter2@[::1/d",
        "postgresql://u:hun%zzter2@127.0.0.1:1/d",
    };
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
        struct error err = ERROR_NONE;
        struct ledger *ledger = NULL;
        assert_int_not_equal(ledger_open(urls[i], &ledger, &err), 0);
        if (strstr(err.text, "hun") || strstr(err.text, "ter2"))
            fail_msg("%s: %s", urls[i], err.text);
    }
}

/* The plan that serves all closings never joins the children's keys by a
 * loop over the fresh ones: that would take a source's keys squared. */
static void test_plan(void **state)
{
    struct fixture *f = *state;
    struct error err = ERROR_NONE;
    struct buffer sql = BUFFER_EMPTY;
    int n = 0;
    buffer_append_text(&sql, "PREPARE p AS ");
    ok(ledger_close_statement(f->pipeline, &f->pipeline->workers[W_LIST], &sql,
                              &n, &err),
       &err);
    fixture_sql(f, "SET plan_cache_mode = force_generic_plan");
    fixture_sql(f, buffer_text(&sql));
    buffer_clear(&sql);
    buffer_append_text(&sql, "EXPLAIN EXECUTE p(NULL");
    for (int i = 1; i < n; i++)
        buffer_append_text(&sql, ", NULL");
    buffer_append_char(&sql, ')');
    const char *plan = fixture_sql(f, buffer_text(&sql));
    assert_non_null(strstr(plan, "hashed SubPlan"));
    buffer_free(&sql);
}

int main(void)
{
#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, body_setup, body_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_tables),
        TEST(test_privilege),
        TEST(test_utc),
        TEST(test_refusals),
        TEST(test_lost_in_run),
        TEST(test_race),
        TEST(test_password),
        TEST(test_create_race),
        TEST(test_plan),
        TEST(test_crash),
        TEST(test_switched_between_calls),
    };
    body_cluster = pg_cluster_start(false);
    if (!body_cluster)
        return 0;
    int failed = ledger_body_run();
    failed += cmocka_run_group_tests_name("PostgreSQL", tests, NULL, NULL);
    pg_cluster_stop(&body_cluster);
    return failed;
}
