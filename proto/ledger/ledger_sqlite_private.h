/*
 * ledger_sqlite_private.h: shared by ledger_sqlite*.c alone.
 */
#ifndef LEDGER_LEDGER_SQLITE_PRIVATE_H
#define LEDGER_LEDGER_SQLITE_PRIVATE_H

#include <sqlite3.h>

#include "ledger/ledger_backend.h"

/* How long a call waits for other processes' transactions before it fails
 * with ERR_DATABASE_AWAY. */
#define LEDGER_SQLITE_BUSY_MS 10000
#define LEDGER_SQLITE_LOOK_BUSY_MS 1000

/* Every statement that is used more than now and then: id, text. */
#define SQLITE_STATEMENTS(X)                                                   \
    X(ST_BEGIN, "BEGIN IMMEDIATE")                                             \
    X(ST_COMMIT, "COMMIT")                                                     \
    X(ST_BATCH_ADD,                                                            \
      "INSERT INTO windrow_batches (run, parent, child_no, worker, fetcher,"   \
      " attempt, not_before, n_keys, keys) VALUES (?, ?, ?, ?, ?, ?, ?, ?,"    \
      " ?)")                                                                   \
    X(ST_KEY_ADD, "INSERT OR IGNORE INTO windrow_keys (run, queue, key)"       \
                  " VALUES (?, ?, ?)")                                         \
    X(ST_CLOSE,                                                                \
      "UPDATE windrow_batches SET open = 0, keys = NULL, closed_by = ?,"       \
      " closed_at = ?, stored = ?, failed = ?, done = ?"                       \
      " WHERE run = ? AND batch = ? AND open")                                 \
    X(ST_CLOSED_BY,                                                            \
      "SELECT closed_by FROM windrow_batches WHERE run = ? AND batch = ?")     \
    X(ST_CHILDREN, "SELECT child_no, batch FROM windrow_batches"               \
                   " WHERE run = ? AND parent = ? AND child_no <= ?")          \
    X(ST_FAILURE,                                                              \
      "INSERT INTO windrow_failures (run, batch, worker, key, reason,"         \
      " http_status, attempts, failed_at, detail)"                             \
      " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)")                                   \
    X(ST_ANSWER, "INSERT OR REPLACE INTO windrow_answers (shape, url_hash,"    \
                 " url, etag, last_modified, fetched_at, fresh_until,"         \
                 " fields) VALUES (?, ?, ?, ?, ?, ?, ?, ?)")                   \
    X(ST_RECALL, "SELECT url, etag, last_modified, fetched_at, fresh_until,"   \
                 " fields FROM windrow_answers WHERE shape = ?"                \
                 " AND url_hash = ?")                                          \
    X(ST_LOOK, "SELECT batch, worker, attempt, max(coalesce(not_before, 0)"    \
               " - ?, 0), n_keys, keys, open FROM windrow_batches"             \
               " WHERE run = ? AND batch = ?")                                 \
    X(ST_RENEW, "UPDATE windrow_runs SET lease_until = ?"                      \
                " WHERE run = ? AND epoch = ?")

enum sqlite_statement {
#define X(id, sql) id,
    SQLITE_STATEMENTS(X)
#undef X
        ST_COUNT
};

struct ledger_sqlite {
    struct ledger base;
    sqlite3 *db;
    bool to_look;
    usec_t look_until; /* when the statement prepared last must have ended */
    bool in_run;       /* between run_begin and run_commit */
    int64_t run;       /* being written */
    usec_t lease;
    sqlite3_stmt *statements[ST_COUNT];
    sqlite3_stmt *sinks[PIPELINE_WORKERS_MAX];
    struct buffer text; /* for keys as JSON, and cleaned text */
};

static inline struct ledger_sqlite *ledger_sqlite(struct ledger *ledger)
{
    CHECK(!ledger->ops->is_postgres);
    return (struct ledger_sqlite *)ledger;
}

#define AUTO_STATEMENT                                                         \
    __attribute__((cleanup(ledger_statement_finalize))) sqlite3_stmt
static inline void ledger_statement_finalize(sqlite3_stmt **statement)
{
    sqlite3_finalize(*statement);
}

/* ledger_sqlite.c */

/* What the database's last call failed with, sorted as ledger.h says. */
int lite_error(struct ledger_sqlite *lite, struct error *err);
int lite_execute(struct ledger_sqlite *lite, const char *sql,
                 struct error *err);
/* A kept statement, to be bound and given to lite_run() or lite_step(). */
int lite_statement(struct ledger_sqlite *lite, enum sqlite_statement id,
                   sqlite3_stmt **ret, struct error *err);
int lite_prepare(struct ledger_sqlite *lite, const char *sql,
                 sqlite3_stmt **ret, struct error *err);
/* One row more, or *ret_row false. Whoever stops before that resets. */
int lite_step(struct ledger_sqlite *lite, sqlite3_stmt *statement,
              bool *ret_row, struct error *err);
/* Runs a statement that gives no rows, and resets it. */
int lite_run(struct ledger_sqlite *lite, sqlite3_stmt *statement,
             struct error *err);
/* Binds number `index` (from 1); what is pointed at must live until the
 * statement was run. data NULL is SQL NULL. */
void lite_text(sqlite3_stmt *statement, int index, struct slice text);
int lite_begin(struct ledger_sqlite *lite, struct error *err);
/* Commits, or where that fails, rolls back. */
int lite_commit(struct ledger_sqlite *lite, struct error *err);
void lite_rollback(struct ledger_sqlite *lite);

/* ledger_sqlite_schema.c */
int lite_schema_open(struct ledger_sqlite *lite, struct error *err);
int lite_use_pipeline(struct ledger *ledger, const struct pipeline *pipeline,
                      struct error *err);

/* ledger_sqlite_runs.c */
int lite_run_begin(struct ledger *ledger, const struct run_spec *spec,
                   int64_t *ret_run, int64_t *ret_epoch, struct error *err);
int lite_run_add_batch(struct ledger *ledger, int64_t run,
                       const struct closing_child *batch, struct error *err);
int lite_run_commit(struct ledger *ledger, struct error *err);
void lite_run_rollback(struct ledger *ledger);
int lite_run_take(struct ledger *ledger, int64_t run, const char *owner,
                  usec_t lease, bool *ret_taken, struct error *err);
int lite_run_renew(struct ledger *ledger, int64_t run, int64_t epoch,
                   usec_t lease, struct error *err);
int lite_run_scale(struct ledger *ledger, int64_t run, int nodes,
                   bool *ret_scaled, struct error *err);
int lite_run_end(struct ledger *ledger, int64_t run, int64_t epoch,
                 enum run_state state, struct error *err);

/* ledger_sqlite_read.c */
int lite_open_batches(struct ledger *ledger, int64_t run, int64_t after,
                      size_t limit, struct batch_row *ret, size_t *ret_n,
                      struct error *err);
int lite_look(struct ledger *ledger, int64_t run, const int64_t *batches,
              size_t n, struct batch_look *ret, struct error *err);
int lite_run_named(struct ledger *ledger, const char *name, int64_t *ret,
                   struct error *err);
int lite_runs(struct ledger *ledger, int64_t run, size_t limit,
              struct arena *arena, struct run_row **ret, size_t *ret_n,
              struct error *err);
int lite_failure_counts(struct ledger *ledger, int64_t run,
                        struct reason_count *ret, size_t *ret_n,
                        struct error *err);
int lite_recall(struct ledger *ledger, const struct worker *worker,
                const struct slice *urls, size_t n, struct arena *arena,
                struct last_answer *ret, struct error *err);
int lite_failures(struct ledger *ledger, int64_t run,
                  const struct failure_filter *filter,
                  void (*each)(void *context, const struct failure_row *row),
                  void *context, struct error *err);

/* ledger_sqlite_show.c */
int lite_worker_counts(struct ledger *ledger, int64_t run,
                       struct worker_count *ret, size_t *ret_n,
                       struct error *err);

/* ledger_sqlite_page.c */
int lite_pace(struct ledger *ledger, int64_t run, size_t n, struct pace *ret,
              struct error *err);
int lite_rows(struct ledger *ledger, const struct row_query *query,
              ledger_on_row *each, void *context, struct error *err);

/* ledger_sqlite_dump.c */
int lite_dump(struct ledger *ledger, const struct dump_query *query,
              const struct dump *dump, struct error *err);

/* ledger_sqlite_close.c: also for root batches. */

/* ERR_DATABASE_DATA where a key is no text. */
int lite_check_keys(const struct closing_child *child, struct error *err);
/* Inserts a batch with those of its keys that its queue has not had yet;
 * *ret_batch is 0 where none is left. parent 0: a root batch. */
int lite_add_batch(struct ledger_sqlite *lite, int64_t run, int64_t parent,
                   size_t child_no, const struct closing_child *child,
                   int64_t *ret_batch, struct error *err);
int lite_close_batch(struct ledger *ledger, const struct closing *closing,
                     struct close_result *result, struct error *err);

#endif
