/*
 * The ledger over SQLite: what both backends do (ledger_body.c), and what is
 * SQLite's own: tables that are there already, several writers, the file.
 */
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "ledger_body.h"

/* A table is accepted if its columns' affinities keep what is stored. */
static void test_tables(void **state)
{
    static const struct table_case cases[] = {
        {"CREATE TABLE prices (id INTEGER PRIMARY KEY, symbol TEXT NOT NULL,"
         " price TEXT NOT NULL, extracted_time TEXT NOT NULL)",
         NULL},
        {"CREATE TABLE prices (symbol VARCHAR(20), price NUMERIC,"
         " extracted_time TIMESTAMP, more TEXT, other NOT NULL DEFAULT 1)",
         NULL},
        {"CREATE TABLE prices (symbol, price DOUBLE, extracted_time)", NULL},
        {"CREATE TABLE prices (symbol TEXT, price TEXT)",
         "table prices has no column extracted_time: add it, as TEXT"},
        {"CREATE TABLE prices (symbol INTEGER, price TEXT,"
         " extracted_time TEXT)",
         "column symbol of table prices is INTEGER; to hold what the pipeline "
         "stores it would have to be TEXT"},
        {"CREATE TABLE prices (symbol TEXT, price BIGINT,"
         " extracted_time TEXT)",
         "column price of table prices is BIGINT"},
        {"CREATE TABLE prices (symbol TEXT, price TEXT, extracted_time TEXT,"
         " volume INTEGER NOT NULL)",
         "column volume of table prices is INTEGER not null without a "
         "default"},
        {"CREATE TABLE prices (symbol TEXT, extracted_time TEXT,"
         " price TEXT AS (symbol))",
         "column price of table prices is generated"},
        {"CREATE TABLE base (symbol TEXT, price TEXT, extracted_time TEXT);"
         "CREATE VIEW prices AS SELECT * FROM base",
         "table prices takes no rows"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        body_check_table(*state, &cases[i]);
}

/* A constraint of the table refuses the row, not the run. */
static void test_constraint(void **state)
{
    struct fixture *f = *state;
    struct error err = ERROR_NONE;
    fixture_sql(f, "DROP TABLE prices; CREATE TABLE prices (symbol TEXT,"
                   " price TEXT CHECK (price <> '12.50'),"
                   " extracted_time TEXT)");
    ok(ledger_use_pipeline(f->ledger, f->pipeline, &err), &err);
    int64_t batch = 0;
    int64_t run = fixture_run(f, 1, 1, &batch);
    struct fixture_closing c;
    struct close_result result = {.children = NULL};
    fixture_closing(&c, run, batch, 1, "n/1/1");
    ok(ledger_close_batch(f->ledger, &c.closing, &result, &err), &err);
    assert_int_equal(result.outcome, CLOSE_REFUSED);
    assert_non_null(strstr(result.detail, "CHECK constraint failed"));
}

/* Several processes write one file: each batch is stored once. */
static void test_race(void **state)
{
    body_race(*state, 4, 60);
}

static void *release_soon(void *argument)
{
    usleep(300 * 1000);
    fixture_sql(argument, "COMMIT");
    return NULL;
}

/* Who meets another's transaction waits for its end. */
static void test_waits(void **state)
{
    struct fixture *f = *state;
    struct error err = ERROR_NONE;
    int64_t batch = 0;
    int64_t run = fixture_run(f, 1, 1, &batch);
    struct fixture_closing c;
    struct close_result result = {.children = NULL};
    fixture_closing(&c, run, batch, 1, "n/1/1");
    fixture_sql(f, "BEGIN IMMEDIATE");
    pthread_t other;
    assert_int_equal(pthread_create(&other, NULL, release_soon, f), 0);
    ok(ledger_close_batch(f->ledger, &c.closing, &result, &err), &err);
    pthread_join(other, NULL);
    assert_int_equal(result.outcome, CLOSE_WON);
}

/* `sqlite:///abs` and `sqlite:FILE` name the same file; a folder that is not
 * there is an error that says so. */
static void test_urls(void **state)
{
    struct fixture *f = *state;
    struct error err = ERROR_NONE;
    struct ledger *other = NULL;
    char url[100];
    snprintf(url, sizeof url, "sqlite://%s", f->file);
    ok(ledger_open(url, &other, &err), &err);
    assert_string_equal(ledger_id(other), ledger_id(f->ledger));
    ledger_close(&other);
    assert_int_equal(ledger_open("sqlite:/nowhere/at/all.db", &other, &err),
                     ERR_DATABASE_AWAY);
    assert_non_null(strstr(err.text, "/nowhere/at/all.db: unable to open"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_tables, body_setup, body_teardown),
        cmocka_unit_test_setup_teardown(test_constraint, body_setup,
                                        body_teardown),
        cmocka_unit_test_setup_teardown(test_race, body_setup, body_teardown),
        cmocka_unit_test_setup_teardown(test_waits, body_setup, body_teardown),
        cmocka_unit_test_setup_teardown(test_urls, body_setup, body_teardown),
    };
    int failed = ledger_body_run();
    return failed + cmocka_run_group_tests_name("SQLite", tests, NULL, NULL);
}
