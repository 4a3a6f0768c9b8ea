/*
 * ledger_sqlite_schema.c: the tables of the ledger and of the sinks.
 *
 * Times of the ledger are microseconds since 1970, exact and comparable; a
 * sink's fetched_at is ISO 8601 text in UTC. A number's column is TEXT: with
 * any other affinity SQLite would make a double of it.
 */
#include <stdio.h>
#include <stdlib.h>

#include "ledger/ledger_sqlite_private.h"

static const char create_sql[] =
    "CREATE TABLE IF NOT EXISTS windrow_ledger ("
    " id TEXT NOT NULL, version INTEGER NOT NULL);"
    "CREATE TABLE IF NOT EXISTS windrow_runs ("
    " run INTEGER PRIMARY KEY, pipeline_name TEXT NOT NULL,"
    " pipeline_path TEXT NOT NULL, pipeline_text TEXT NOT NULL,"
    " pipeline_hash TEXT NOT NULL, settings TEXT NOT NULL,"
    " owner TEXT NOT NULL, epoch INTEGER NOT NULL, lease_until INTEGER,"
    " state TEXT NOT NULL, key_limit INTEGER NOT NULL,"
    " started_at INTEGER NOT NULL, ended_at INTEGER,"
    " run_name TEXT, nodes_wanted INTEGER, retry_of INTEGER);"
    "CREATE UNIQUE INDEX IF NOT EXISTS windrow_runs_name"
    " ON windrow_runs (run_name);"
    "CREATE UNIQUE INDEX IF NOT EXISTS windrow_runs_retry"
    " ON windrow_runs (retry_of);"
    "CREATE TABLE IF NOT EXISTS windrow_batches ("
    " batch INTEGER PRIMARY KEY, run INTEGER NOT NULL, parent INTEGER,"
    " child_no INTEGER, worker INTEGER NOT NULL, fetcher INTEGER NOT NULL,"
    " attempt INTEGER NOT NULL, not_before INTEGER, n_keys INTEGER NOT NULL,"
    " keys TEXT, open INTEGER NOT NULL DEFAULT 1, closed_by TEXT,"
    " closed_at INTEGER, stored INTEGER NOT NULL DEFAULT 0,"
    " failed INTEGER NOT NULL DEFAULT 0, done INTEGER NOT NULL DEFAULT 0);"
    "CREATE UNIQUE INDEX IF NOT EXISTS windrow_batches_child"
    " ON windrow_batches (run, parent, child_no);"
    "CREATE INDEX IF NOT EXISTS windrow_batches_open"
    " ON windrow_batches (run, batch) WHERE open;"
    "CREATE TABLE IF NOT EXISTS windrow_failures ("
    " failure INTEGER PRIMARY KEY, run INTEGER NOT NULL,"
    " batch INTEGER NOT NULL, worker TEXT NOT NULL, key TEXT NOT NULL,"
    " reason TEXT NOT NULL, http_status INTEGER NOT NULL,"
    " attempts INTEGER NOT NULL, failed_at INTEGER NOT NULL,"
    " detail TEXT NOT NULL);"
    "CREATE INDEX IF NOT EXISTS windrow_failures_run"
    " ON windrow_failures (run, failure);"
    "CREATE TABLE IF NOT EXISTS windrow_keys ("
    " run INTEGER NOT NULL, queue INTEGER NOT NULL, key TEXT NOT NULL,"
    " PRIMARY KEY (run, queue, key)) WITHOUT ROWID";

static const char upgrade_1_sql[] =
    "ALTER TABLE windrow_runs ADD COLUMN run_name TEXT;"
    "ALTER TABLE windrow_runs ADD COLUMN nodes_wanted INTEGER;"
    "CREATE UNIQUE INDEX windrow_runs_name ON windrow_runs (run_name)";

static const char upgrade_2_sql[] =
    "ALTER TABLE windrow_runs ADD COLUMN retry_of INTEGER;"
    "CREATE UNIQUE INDEX windrow_runs_retry ON windrow_runs (retry_of);"
    "UPDATE windrow_ledger SET version = 3";

const struct table_dialect ledger_sqlite_dialect = {
    .id_column = "id INTEGER PRIMARY KEY",
    .types = {[KIND_TEXT] = "TEXT",
              [KIND_TIME] = "TEXT",
              [KIND_NUMBER] = "TEXT",
              [KIND_INTEGER] = "INTEGER",
              [KIND_BOOLEAN] = "INTEGER"},
    .accepted = {[KIND_TEXT] = "TEXT",
                 [KIND_TIME] = "TEXT or TIMESTAMP",
                 [KIND_NUMBER] = "TEXT (or NUMERIC or REAL, which round)",
                 [KIND_INTEGER] = "INTEGER, NUMERIC or TEXT",
                 [KIND_BOOLEAN] = "INTEGER or BOOLEAN"},
};

static int exists(struct ledger_sqlite *lite, const char *table, bool *ret,
                  struct error *err)
{
    AUTO_STATEMENT *statement = NULL;
    int rc = lite_prepare(lite,
                          "SELECT 1 FROM sqlite_master WHERE type = 'table'"
                          " AND name = ?",
                          &statement, err);
    if (rc)
        return rc;
    lite_text(statement, 1, slice_of(table));
    return lite_step(lite, statement, ret, err);
}

static int create_ledger(struct ledger_sqlite *lite, struct error *err)
{
    char id[LEDGER_ID_BYTES];
    int rc = ledger_random_id(id, err);
    if (rc)
        return rc;
    char insert[200];
    snprintf(insert, sizeof insert,
             "INSERT INTO windrow_ledger (id, version) SELECT '%s', %d"
             " WHERE NOT EXISTS (SELECT 1 FROM windrow_ledger)",
             id, LEDGER_VERSION);
    rc = lite_begin(lite, err);
    if (rc == 0)
        rc = lite_execute(lite, create_sql, err);
    if (rc == 0)
        rc = lite_execute(lite, insert, err);
    if (rc == 0)
        return lite_commit(lite, err);
    lite_rollback(lite);
    return rc;
}

/* The ledger's id and version; an id of "" where the row is missing. */
static int read_ledger(struct ledger_sqlite *lite, char id[LEDGER_ID_BYTES + 1],
                       int64_t *ret_version, struct error *err)
{
    AUTO_STATEMENT *row = NULL;
    bool there = false;
    int rc =
        lite_prepare(lite, "SELECT id, version FROM windrow_ledger", &row, err);
    if (rc == 0)
        rc = lite_step(lite, row, &there, err);
    if (rc)
        return rc;
    const char *text = there ? (const char *)sqlite3_column_text(row, 0) : NULL;
    snprintf(id, LEDGER_ID_BYTES + 1, "%s", text ? text : "");
    *ret_version = there ? sqlite3_column_int64(row, 1) : LEDGER_VERSION;
    return 0;
}

/* Another program may be at it at this moment: so look again in the
 * transaction. */
static int upgrade(struct ledger_sqlite *lite, struct error *err)
{
    char id[LEDGER_ID_BYTES + 1];
    int64_t version = 0;
    int rc = lite_begin(lite, err);
    if (rc)
        return rc;
    rc = read_ledger(lite, id, &version, err);
    if (rc == 0 && version == 1)
        rc = lite_execute(lite, upgrade_1_sql, err);
    if (rc == 0 && version <= 2)
        rc = lite_execute(lite, upgrade_2_sql, err);
    if (rc == 0)
        return lite_commit(lite, err);
    lite_rollback(lite);
    return rc;
}

int lite_schema_open(struct ledger_sqlite *lite, struct error *err)
{
    char id[LEDGER_ID_BYTES + 1];
    int64_t version = 0;
    bool there = false;
    int rc = exists(lite, "windrow_ledger", &there, err);
    if (rc == 0 && !there)
        rc = lite->to_look ? ledger_not_there(err) : create_ledger(lite, err);
    if (rc == 0)
        rc = read_ledger(lite, id, &version, err);
    if (rc == 0)
        rc = (version == 1 || version == 2) && !lite->to_look
                 ? upgrade(lite, err)
                 : ledger_check_version(version, err);
    return rc ? rc : ledger_take_id(&lite->base, id, err);
}

/* https://www.sqlite.org/datatype3.html, 3.1: which affinity a declared type
 * has; what it can hold without turning it into something else. */
static unsigned type_holds(const char *type)
{
    unsigned all = (1u << KIND_COUNT) - 1;
    if (strcasestr(type, "INT"))
        return 1u << KIND_INTEGER | 1u << KIND_BOOLEAN;
    if (strcasestr(type, "CHAR") || strcasestr(type, "CLOB") ||
        strcasestr(type, "TEXT"))
        return all & ~(1u << KIND_BOOLEAN);
    if (strcasestr(type, "BLOB") || !*type)
        return all;
    if (strcasestr(type, "REAL") || strcasestr(type, "FLOA") ||
        strcasestr(type, "DOUB"))
        return 1u << KIND_NUMBER;
    return all & ~(1u << KIND_TEXT);
}

/* A single INTEGER PRIMARY KEY is the row's number, which comes by itself. */
static const char columns_sql[] =
    "SELECT name, type, hidden > 1, \"notnull\" AND dflt_value IS NULL AND NOT"
    " (pk = 1 AND upper(type) = 'INTEGER')"
    " FROM pragma_table_xinfo(?1, coalesce(?2, 'main')) WHERE hidden <> 1";

#define COLUMNS_MAX 2000 /* SQLite's own limit */

/* The columns of a table; none where there is no such table. */
static int read_columns(struct ledger_sqlite *lite, const char *table,
                        struct arena *arena, struct table_column **ret,
                        size_t *ret_n, struct error *err)
{
    struct table_column *columns =
        arena_alloc(arena, COLUMNS_MAX * sizeof *columns);
    if (!columns)
        return ledger_no_memory(err);
    AUTO_STATEMENT *row = NULL;
    int rc = lite_prepare(lite, columns_sql, &row, err);
    if (rc)
        return rc;
    const char *dot = strchr(table, '.');
    lite_text(row, 1, slice_of(dot ? dot + 1 : table));
    if (dot)
        lite_text(row, 2, (struct slice){table, (size_t)(dot - table)});
    size_t n = 0;
    bool more = false;
    while (!(rc = lite_step(lite, row, &more, err)) && more &&
           n < COLUMNS_MAX) {
        const char *name = (const char *)sqlite3_column_text(row, 0);
        const char *type = (const char *)sqlite3_column_text(row, 1);
        columns[n] = (struct table_column){
            .name = name ? arena_copy_text(arena, name) : NULL,
            .type = type ? arena_copy_text(arena, type) : NULL,
            .generated = sqlite3_column_int(row, 2) != 0,
            .needs_value = sqlite3_column_int(row, 3) != 0,
        };
        if (!columns[n].name || !columns[n].type)
            return ledger_no_memory(err);
        columns[n].holds = type_holds(columns[n].type);
        n++;
    }
    *ret = columns;
    *ret_n = n;
    return rc;
}

static int create_table(struct ledger_sqlite *lite,
                        const struct pipeline *pipeline,
                        const struct worker *store, struct error *err)
{
    struct buffer sql = BUFFER_EMPTY;
    ledger_table_create_sql(pipeline, store, &ledger_sqlite_dialect, &sql);
    int rc = sql.failed ? ledger_no_memory(err)
                        : lite_execute(lite, buffer_text(&sql), err);
    buffer_free(&sql);
    if (rc == ERR_DATABASE) {
        err->code = ERR_TABLE;
        rc = error_context(err, "creating table %s", store->sink.table);
    }
    return rc;
}

/* Prepares the sink's INSERT, which is the last check of its table. */
static int prepare_sink(struct ledger_sqlite *lite, const struct worker *store,
                        struct error *err)
{
    const struct sink *sink = &store->sink;
    struct buffer sql = BUFFER_EMPTY;
    buffer_append_text(&sql, "INSERT INTO ");
    ledger_quote_table(sink->table, &sql);
    for (size_t i = 0; i < sink->n_columns; i++) {
        buffer_append_text(&sql, i == 0 ? " (" : ", ");
        ledger_quote_name(slice_of(sink->columns[i].name), &sql);
    }
    for (size_t i = 0; i < sink->n_columns; i++)
        buffer_append_text(&sql, i == 0 ? ") VALUES (?" : ", ?");
    buffer_append_char(&sql, ')');

    sqlite3_finalize(lite->sinks[store->index]);
    lite->sinks[store->index] = NULL;
    int rc = sql.failed ? ledger_no_memory(err)
                        : lite_prepare(lite, buffer_text(&sql),
                                       &lite->sinks[store->index], err);
    buffer_free(&sql);
    if (rc == ERR_DATABASE) {
        err->code = ERR_TABLE;
        rc = error_context(err, "table %s takes no rows", sink->table);
    }
    return rc;
}

static int use_store(struct ledger_sqlite *lite,
                     const struct pipeline *pipeline,
                     const struct worker *store, struct error *err)
{
    struct arena arena = ARENA_EMPTY;
    struct table_column *columns = NULL;
    size_t n = 0;
    int rc = read_columns(lite, store->sink.table, &arena, &columns, &n, err);
    if (rc == 0 && n == 0) {
        rc = create_table(lite, pipeline, store, err);
        if (rc == 0)
            rc = read_columns(lite, store->sink.table, &arena, &columns, &n,
                              err);
    }
    if (rc == 0)
        rc = ledger_table_check(store, &ledger_sqlite_dialect, columns, n, err);
    if (rc == 0)
        rc = prepare_sink(lite, store, err);
    arena_free(&arena);
    return rc;
}

/* Only for pipelines that make use of it. */
static const char answers_sql[] =
    "CREATE TABLE IF NOT EXISTS windrow_answers ("
    " shape INTEGER NOT NULL, url_hash INTEGER NOT NULL, url TEXT NOT NULL,"
    " etag TEXT, last_modified TEXT, fetched_at INTEGER NOT NULL,"
    " fresh_until INTEGER, fields TEXT NOT NULL,"
    " PRIMARY KEY (shape, url_hash)) WITHOUT ROWID";

static int use_answers(struct ledger_sqlite *lite, struct error *err)
{
    bool there = false;
    int rc = exists(lite, "windrow_answers", &there, err);
    return rc || there ? rc : lite_execute(lite, answers_sql, err);
}

int lite_use_pipeline(struct ledger *ledger, const struct pipeline *pipeline,
                      struct error *err)
{
    struct ledger_sqlite *lite = ledger_sqlite(ledger);
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < pipeline->n_workers; i++) {
        if (pipeline->workers[i].request.cache != CACHE_IGNORE)
            rc = use_answers(lite, err);
        else if (pipeline->workers[i].class == CLASS_STORE)
            rc = use_store(lite, pipeline, &pipeline->workers[i], err);
    }
    return rc;
}
