/*
 * ledger_fixture.h: a ledger over a fresh database, a pipeline to go with it,
 * and a second way into the database, past the ledger, to look at what it
 * holds.
 *
 * The pipeline: `list` (html_table) feeds `quotes` (http_json, with fields of
 * all types), whose records go to two sinks, `prices` and `audit`; its row set
 * `ticks` goes to a third, `tick`.
 */
#ifndef TESTS_LEDGER_FIXTURE_H
#define TESTS_LEDGER_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "ledger/ledger.h"
#include "pg_cluster.h"

enum { W_LIST, W_QUOTES, W_STORE, W_AUDIT, W_TICK };
enum { F_PRICE, F_VOLUME, F_NOTE, F_LIVE, FIELDS };
enum { T_SIZE, T_MARK, TICK_FIELDS };

struct fixture {
    struct pg_cluster *cluster; /* NULL: SQLite */
    char url[200];
    char file[64]; /* SQLite's */
    struct pipeline *pipeline;
    struct ledger *ledger;
    void *raw; /* PGconn or sqlite3 */
};

/* An empty database; the ledger is not opened yet. `cluster` NULL: SQLite. */
void fixture_init(struct fixture *f, struct pg_cluster *cluster);
void fixture_fini(struct fixture *f);
void fixture_open(struct fixture *f); /* with the pipeline in use */

/* Fails the test with the error's text unless rc is 0. */
#define ok(rc, err) fixture_ok(rc, err, __FILE__, __LINE__)
void fixture_ok(int rc, const struct error *err, const char *file, int line);

/* Runs SQL past the ledger; rows as "a|b|c\n" in a static text, NULL as "-". */
const char *fixture_sql(struct fixture *f, const char *sql);

/* A run with `n` root batches for `quotes`, of keys "<batch>.<number>", whose
 * numbers are put in `ret_batches`. */
int64_t fixture_run(struct fixture *f, size_t n, size_t keys_each,
                    int64_t *ret_batches);
struct run_spec fixture_spec(void);

#define FIXTURE_RECORDS_MAX 600
/* A closing that stores a record each of `n` keys in both sinks; the texts
 * live in the struct. */
struct fixture_closing {
    struct closing closing;
    struct closing_rows rows[2];
    const struct record *pointers[FIXTURE_RECORDS_MAX];
    struct record records[FIXTURE_RECORDS_MAX];
    struct slice fields[FIXTURE_RECORDS_MAX][FIELDS];
    char keys[FIXTURE_RECORDS_MAX][48];
};
void fixture_closing(struct fixture_closing *c, int64_t run, int64_t batch,
                     size_t n, const char *closer);

#endif
