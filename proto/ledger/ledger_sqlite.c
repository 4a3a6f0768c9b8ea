/*
 * ledger_sqlite.c: the file, its statements and its errors.
 *
 * Several node processes write one file. WAL lets readers go on while one
 * writes; a writer says so at once (BEGIN IMMEDIATE), so that waiting happens
 * before anything was done; synchronous=FULL makes each commit durable. Every
 * statement is reset as soon as it was read: an open one holds a snapshot,
 * and the WAL could not be emptied.
 */
#include <stdlib.h>
#include <unistd.h>

#include "ledger/ledger_sqlite_private.h"

static const char *const statement_texts[ST_COUNT] = {
#define X(id, sql) [id] = sql,
    SQLITE_STATEMENTS(X)
#undef X
};

static enum error_code code_of(int rc)
{
    switch (rc & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_FULL:
    case SQLITE_IOERR:
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
    case SQLITE_PROTOCOL:
    case SQLITE_INTERRUPT: /* LEDGER_LOOK_MAX */
        return ERR_DATABASE_AWAY;
    case SQLITE_CONSTRAINT:
    case SQLITE_MISMATCH:
    case SQLITE_TOOBIG:
        return ERR_DATABASE_DATA;
    case SQLITE_NOMEM:
        return ERR_MEMORY;
    default:
        return ERR_DATABASE;
    }
}

int lite_error(struct ledger_sqlite *lite, struct error *err)
{
    char text[ERROR_TEXT_BYTES];
    ledger_one_line(sqlite3_errmsg(lite->db), text, sizeof text);
    int rc = sqlite3_extended_errcode(lite->db);
    const char *file = sqlite3_db_filename(lite->db, "main");
    if ((rc & 0xff) == SQLITE_READONLY && file)
        return error_set(err, code_of(rc),
                         "%s (SQLite %d): this user must be able to write %s, "
                         "%s-wal, %s-shm, and into their folder",
                         text, rc, file, file, file);
    return error_set(err, code_of(rc), "%s (SQLite %d)", text, rc);
}

int lite_execute(struct ledger_sqlite *lite, const char *sql, struct error *err)
{
    if (sqlite3_exec(lite->db, sql, NULL, NULL, NULL) != SQLITE_OK)
        return lite_error(lite, err);
    return 0;
}

int lite_prepare(struct ledger_sqlite *lite, const char *sql,
                 sqlite3_stmt **ret, struct error *err)
{
    lite->look_until = clock_monotonic() + LEDGER_LOOK_MAX;
    if (sqlite3_prepare_v3(lite->db, sql, -1, SQLITE_PREPARE_PERSISTENT, ret,
                           NULL) != SQLITE_OK)
        return lite_error(lite, err);
    return 0;
}

int lite_statement(struct ledger_sqlite *lite, enum sqlite_statement id,
                   sqlite3_stmt **ret, struct error *err)
{
    int rc = 0;
    if (!lite->statements[id])
        rc =
            lite_prepare(lite, statement_texts[id], &lite->statements[id], err);
    if (rc == 0)
        *ret = lite->statements[id];
    return rc;
}

int lite_step(struct ledger_sqlite *lite, sqlite3_stmt *statement,
              bool *ret_row, struct error *err)
{
    int step = sqlite3_step(statement);
    *ret_row = step == SQLITE_ROW;
    if (step == SQLITE_ROW)
        return 0;
    int rc = step == SQLITE_DONE ? 0 : lite_error(lite, err);
    sqlite3_reset(statement);
    return rc;
}

int lite_run(struct ledger_sqlite *lite, sqlite3_stmt *statement,
             struct error *err)
{
    bool row = false;
    int rc = lite_step(lite, statement, &row, err);
    if (row)
        sqlite3_reset(statement);
    return rc;
}

void lite_text(sqlite3_stmt *statement, int index, struct slice text)
{
    sqlite3_bind_text64(statement, index, text.data, text.len, SQLITE_STATIC,
                        SQLITE_UTF8);
}

static int run_kept(struct ledger_sqlite *lite, enum sqlite_statement id,
                    struct error *err)
{
    sqlite3_stmt *statement = NULL;
    int rc = lite_statement(lite, id, &statement, err);
    return rc ? rc : lite_run(lite, statement, err);
}

int lite_begin(struct ledger_sqlite *lite, struct error *err)
{
    return run_kept(lite, ST_BEGIN, err);
}

int lite_commit(struct ledger_sqlite *lite, struct error *err)
{
    int rc = run_kept(lite, ST_COMMIT, err);
    if (rc)
        lite_rollback(lite);
    return rc;
}

/* SQLite rolls some failed transactions back by itself. */
void lite_rollback(struct ledger_sqlite *lite)
{
    if (!sqlite3_get_autocommit(lite->db))
        sqlite3_exec(lite->db, "ROLLBACK", NULL, NULL, NULL);
}

static void close_ledger(struct ledger *ledger)
{
    struct ledger_sqlite *lite = ledger_sqlite(ledger);
    for (size_t i = 0; i < ST_COUNT; i++)
        sqlite3_finalize(lite->statements[i]);
    for (size_t i = 0; i < PIPELINE_WORKERS_MAX; i++)
        sqlite3_finalize(lite->sinks[i]);
    sqlite3_close(lite->db);
    buffer_free(&lite->text);
    free(lite);
}

/* Changing to WAL needs the file to itself, and SQLite does not wait for that
 * as it waits for other locks; so this does. */
static int set_wal(struct ledger_sqlite *lite, struct error *err)
{
    const unsigned step_ms = 10;
    for (unsigned waited_ms = 0;; waited_ms += step_ms) {
        struct error busy = ERROR_NONE;
        int rc = lite_execute(lite, "PRAGMA journal_mode = WAL", &busy);
        if (rc == 0)
            return 0;
        if ((sqlite3_errcode(lite->db) & 0xff) != SQLITE_BUSY ||
            waited_ms >= LEDGER_SQLITE_BUSY_MS)
            return error_set(err, busy.code, "%s", busy.text);
        usleep(step_ms * 1000);
    }
}

static int open_file(struct ledger_sqlite *lite, const char *path, int flags,
                     int busy_ms, struct error *err)
{
    if (sqlite3_open_v2(path, &lite->db, flags | SQLITE_OPEN_NOMUTEX, NULL) !=
        SQLITE_OK)
        return lite->db ? lite_error(lite, err) : ledger_no_memory(err);
    sqlite3_extended_result_codes(lite->db, 1);
    sqlite3_busy_timeout(lite->db, busy_ms);
    return 0;
}

static int open_to_write(struct ledger_sqlite *lite, const char *path,
                         struct error *err)
{
    int rc = open_file(lite, path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
                       LEDGER_SQLITE_BUSY_MS, err);
    if (rc == 0)
        rc = set_wal(lite, err);
    return rc ? rc : lite_execute(lite, "PRAGMA synchronous = FULL", err);
}

static int is_too_long(void *context)
{
    const struct ledger_sqlite *lite = context;
    return clock_monotonic() > lite->look_until;
}

static int open_to_look(struct ledger_sqlite *lite, const char *path,
                        struct error *err)
{
    const int instructions = 10000; /* some 100 µs */
    int rc = open_file(lite, path, SQLITE_OPEN_READONLY,
                       LEDGER_SQLITE_LOOK_BUSY_MS, err);
    if (rc == 0)
        sqlite3_progress_handler(lite->db, instructions, is_too_long, lite);
    return rc ? rc : lite_execute(lite, "PRAGMA query_only = ON", err);
}

static const struct ledger_ops ops = {
    .is_postgres = false,
    .close = close_ledger,
    .use_pipeline = lite_use_pipeline,
    .run_begin = lite_run_begin,
    .run_add_batch = lite_run_add_batch,
    .run_commit = lite_run_commit,
    .run_rollback = lite_run_rollback,
    .run_take = lite_run_take,
    .run_renew = lite_run_renew,
    .run_scale = lite_run_scale,
    .run_end = lite_run_end,
    .open_batches = lite_open_batches,
    .look = lite_look,
    .run_named = lite_run_named,
    .runs = lite_runs,
    .failure_counts = lite_failure_counts,
    .failures = lite_failures,
    .worker_counts = lite_worker_counts,
    .dump = lite_dump,
    .pace = lite_pace,
    .rows = lite_rows,
    .close_batch = lite_close_batch,
    .recall = lite_recall,
};

int ledger_sqlite_open(const char *path, bool to_look, struct ledger **ret,
                       struct error *err)
{
    struct ledger_sqlite *lite = calloc(1, sizeof *lite);
    if (!lite)
        return ledger_no_memory(err);
    lite->base.ops = &ops;
    lite->to_look = to_look;
    int rc = to_look ? open_to_look(lite, path, err)
                     : open_to_write(lite, path, err);
    if (rc == 0)
        rc = lite_schema_open(lite, err);
    if (rc) {
        bool other = (sqlite3_errcode(lite->db) & 0xff) == SQLITE_NOTADB;
        close_ledger(&lite->base);
        if (!other)
            return error_context(err, "%s", path);
        *err = ERROR_NONE;
        return error_set(err, ERR_SETTING, "%s is no SQLite database", path);
    }
    *ret = &lite->base;
    return 0;
}
