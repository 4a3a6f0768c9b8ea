/*
 * ledger_body.h: what both backends of the ledger must do: the same tests for
 * each. test_ledger_postgres.c and test_ledger_sqlite.c run them.
 */
#ifndef TESTS_LEDGER_BODY_H
#define TESTS_LEDGER_BODY_H

#include "ledger_fixture.h"

/* Set before the tests run; NULL: SQLite. */
extern struct pg_cluster *body_cluster;

/* Set-up and tear-down of a test whose state is a fixture, opened. */
int body_setup(void **state);
int body_teardown(void **state);

/* Runs the body; returns how many tests failed. */
int ledger_body_run(void);

/* A table that is there already, and whether it can be used: `complaint` is
 * part of the error's text, or NULL where it must be accepted. */
struct table_case {
    const char *create;
    const char *complaint;
};
void body_check_table(struct fixture *f, const struct table_case *c);

/* Closes each of `n` batches from several threads with a ledger each; every
 * batch must be stored once. */
void body_race(struct fixture *f, size_t threads, size_t batches);

#endif
