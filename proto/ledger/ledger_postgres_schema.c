/*
 * ledger_postgres_schema.c: the tables of the ledger and of the sinks.
 *
 * Several programs may start at once, and CREATE TABLE IF NOT EXISTS is no
 * protection against itself: two of them can both see no table. An advisory
 * lock lets one create while the others wait. What is there already is only
 * looked at, so that a role without the right to create can be a node's.
 */
#include <stdio.h>
#include <stdlib.h>

#include "ledger/ledger_postgres_private.h"

#define LOCK_SQL "SELECT pg_advisory_xact_lock(33611218440220535)"

static const char create_sql[] =
    "CREATE TABLE IF NOT EXISTS windrow_ledger ("
    " id text NOT NULL, version integer NOT NULL);"
    "CREATE TABLE IF NOT EXISTS windrow_runs ("
    " run bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,"
    " pipeline_name text NOT NULL, pipeline_path text NOT NULL,"
    " pipeline_text text NOT NULL, pipeline_hash text NOT NULL,"
    " settings text NOT NULL, owner text NOT NULL, epoch bigint NOT NULL,"
    " lease_until timestamptz, state text NOT NULL, key_limit bigint NOT NULL,"
    " started_at timestamptz NOT NULL, ended_at timestamptz,"
    " run_name text UNIQUE, nodes_wanted integer, retry_of bigint UNIQUE);"
    "CREATE TABLE IF NOT EXISTS windrow_batches ("
    " run bigint NOT NULL, batch bigint GENERATED ALWAYS AS IDENTITY,"
    " parent bigint, child_no integer, worker integer NOT NULL,"
    " fetcher boolean NOT NULL, attempt integer NOT NULL,"
    " not_before timestamptz, n_keys integer NOT NULL, keys text[],"
    " open boolean NOT NULL DEFAULT true, closed_by text,"
    " closed_at timestamptz, stored bigint NOT NULL DEFAULT 0,"
    " failed bigint NOT NULL DEFAULT 0, done bigint NOT NULL DEFAULT 0,"
    " PRIMARY KEY (run, batch));"
    "CREATE UNIQUE INDEX IF NOT EXISTS windrow_batches_child"
    " ON windrow_batches (run, parent, child_no) WHERE parent IS NOT NULL;"
    "CREATE INDEX IF NOT EXISTS windrow_batches_open"
    " ON windrow_batches (run, batch) WHERE open;"
    "CREATE TABLE IF NOT EXISTS windrow_failures ("
    " run bigint NOT NULL, failure bigint GENERATED ALWAYS AS IDENTITY,"
    " batch bigint NOT NULL, worker text NOT NULL, key text NOT NULL,"
    " reason text NOT NULL, http_status integer NOT NULL,"
    " attempts integer NOT NULL, failed_at timestamptz NOT NULL,"
    " detail text NOT NULL, PRIMARY KEY (run, failure));"
    "CREATE TABLE IF NOT EXISTS windrow_keys ("
    " run bigint NOT NULL, queue integer NOT NULL,"
    " key text COLLATE \"C\" NOT NULL, PRIMARY KEY (run, queue, key))";

/* Only for pipelines that make use of it. */
static const char answers_sql[] =
    "CREATE TABLE IF NOT EXISTS windrow_answers ("
    " shape bigint NOT NULL, url_hash bigint NOT NULL, url text NOT NULL,"
    " etag text, last_modified text, fetched_at timestamptz NOT NULL,"
    " fresh_until timestamptz, fields text NOT NULL,"
    " PRIMARY KEY (shape, url_hash))";

static const char upgrade_sql[] =
    "ALTER TABLE windrow_runs ADD COLUMN IF NOT EXISTS run_name text UNIQUE,"
    " ADD COLUMN IF NOT EXISTS nodes_wanted integer,"
    " ADD COLUMN IF NOT EXISTS retry_of bigint UNIQUE;"
    "UPDATE windrow_ledger SET version = 3";

const struct table_dialect ledger_postgres_dialect = {
    .id_column = "id serial PRIMARY KEY",
    .types = {[KIND_TEXT] = "text",
              [KIND_TIME] = "timestamptz",
              [KIND_NUMBER] = "numeric",
              [KIND_INTEGER] = "bigint",
              [KIND_BOOLEAN] = "boolean"},
    .accepted = {[KIND_TEXT] = "text",
                 [KIND_TIME] = "timestamp with or without time zone, or text",
                 [KIND_NUMBER] = "numeric, double precision or text",
                 [KIND_INTEGER] = "bigint, integer, numeric or text",
                 [KIND_BOOLEAN] = "boolean or text"},
};

static int exists(struct ledger_postgres *pg, const char *table, bool *ret,
                  struct error *err)
{
    struct pg_args args = {.n = 0};
    pg_arg_text(&args, slice_of(table));
    AUTO_RESULT *result = NULL;
    int rc = pg_query(pg, "SELECT to_regclass($1::text) IS NOT NULL", &args,
                      &result, err);
    if (rc == 0)
        *ret = PQgetvalue(result, 0, 0)[0] == 't';
    return rc;
}

/* Runs `sql`, which creates something, in one transaction with the lock. */
static int create_locked(struct ledger_postgres *pg, const char *sql,
                         const char *then, struct error *err)
{
    int rc = pg_begin(pg, err);
    if (rc == 0)
        rc = pg_execute(pg, LOCK_SQL, err);
    if (rc == 0)
        rc = pg_execute(pg, sql, err);
    if (rc == 0 && then)
        rc = pg_execute(pg, then, err);
    if (rc == 0)
        return pg_execute(pg, "COMMIT", err);
    PQclear(PQexec(pg->connection, "ROLLBACK"));
    return rc;
}

static int create_ledger(struct ledger_postgres *pg, struct error *err)
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
    return create_locked(pg, create_sql, insert, err);
}

int pg_schema_open(struct ledger_postgres *pg, struct error *err)
{
    bool there = false;
    int rc = exists(pg, "windrow_ledger", &there, err);
    if (rc == 0 && !there)
        rc = pg->to_look ? ledger_not_there(err) : create_ledger(pg, err);
    if (rc)
        return rc;
    AUTO_RESULT *result = NULL;
    rc = pg_query(pg, "SELECT id, version FROM windrow_ledger", NULL, &result,
                  err);
    if (rc)
        return rc;
    if (PQntuples(result) != 1)
        return error_set(err, ERR_DATABASE,
                         "windrow_ledger holds %d rows instead of one",
                         PQntuples(result));
    int64_t version = pg_int(result, 0, 1);
    rc = (version == 1 || version == 2) && !pg->to_look
             ? create_locked(pg, upgrade_sql, NULL, err)
             : ledger_check_version(version, err);
    return rc ? rc : ledger_take_id(&pg->base, PQgetvalue(result, 0, 0), err);
}

/* The kinds that a type can hold. `real` and `money` would change the digits;
 * types of category S are texts. */
static unsigned type_holds(const char *type, const char *category)
{
    static const struct {
        const char *type;
        unsigned holds;
    } known[] = {
        {"numeric", 1u << KIND_NUMBER | 1u << KIND_INTEGER},
        {"float8", 1u << KIND_NUMBER},
        {"int8", 1u << KIND_INTEGER},
        {"int4", 1u << KIND_INTEGER},
        {"int2", 1u << KIND_INTEGER},
        {"bool", 1u << KIND_BOOLEAN},
        {"timestamp", 1u << KIND_TIME},
        {"timestamptz", 1u << KIND_TIME},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (!strcmp(type, known[i].type))
            return known[i].holds;
    }
    return !strcmp(category, "S") ? (1u << KIND_COUNT) - 1 : 0;
}

static const char columns_sql[] =
    "SELECT a.attname, format_type(a.atttypid, a.atttypmod), b.typname,"
    " b.typcategory, a.attgenerated <> '' OR a.attidentity = 'a',"
    " a.attnotnull AND NOT a.atthasdef AND a.attidentity = ''"
    " FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid"
    " JOIN pg_type b ON b.oid = CASE t.typtype WHEN 'd' THEN t.typbasetype"
    " ELSE t.oid END WHERE a.attrelid = to_regclass($1::text)"
    " AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum";

/* Texts keep a number's digits as they were sent. */
static void note_texts(const struct worker *store, const PGresult *result)
{
    for (size_t i = 0; i < store->sink.n_columns; i++) {
        struct column *column = &store->sink.columns[i];
        for (int row = 0; row < PQntuples(result); row++)
            if (!strcmp(column->name, PQgetvalue(result, row, 0)))
                column->is_text = PQgetvalue(result, row, 3)[0] == 'S';
    }
}

static int check_columns(const struct worker *store, const PGresult *result,
                         struct error *err)
{
    size_t n = (size_t)PQntuples(result);
    struct table_column *columns = calloc(n + 1, sizeof *columns);
    if (!columns)
        return ledger_no_memory(err);
    for (size_t i = 0; i < n; i++) {
        int row = (int)i;
        columns[i] = (struct table_column){
            .name = PQgetvalue(result, row, 0),
            .type = PQgetvalue(result, row, 1),
            .holds = type_holds(PQgetvalue(result, row, 2),
                                PQgetvalue(result, row, 3)),
            .generated = PQgetvalue(result, row, 4)[0] == 't',
            .needs_value = PQgetvalue(result, row, 5)[0] == 't',
        };
    }
    int rc =
        ledger_table_check(store, &ledger_postgres_dialect, columns, n, err);
    free(columns);
    return rc;
}

static int check_table(struct ledger_postgres *pg, const struct worker *store,
                       const char *quoted, struct error *err)
{
    struct pg_args args = {.n = 0};
    pg_arg_text(&args, slice_of(quoted));
    AUTO_RESULT *kind = NULL;
    int rc = pg_query(pg,
                      "SELECT relkind IN ('r', 'p', 'f', 'v'),"
                      " has_table_privilege(oid, 'INSERT') FROM pg_class"
                      " WHERE oid = to_regclass($1::text)",
                      &args, &kind, err);
    if (rc)
        return rc;
    if (PQntuples(kind) != 1 || PQgetvalue(kind, 0, 0)[0] != 't')
        return error_set(err, ERR_TABLE, "%s is not a table",
                         store->sink.table);
    if (PQgetvalue(kind, 0, 1)[0] != 't')
        return error_set(err, ERR_TABLE,
                         "the database's user has no right to insert into "
                         "table %s: grant it INSERT",
                         store->sink.table);
    AUTO_RESULT *columns = NULL;
    rc = pg_query(pg, columns_sql, &args, &columns, err);
    if (rc)
        return rc;
    note_texts(store, columns);
    return check_columns(store, columns, err);
}

static int use_store(struct ledger_postgres *pg,
                     const struct pipeline *pipeline,
                     const struct worker *store, struct error *err)
{
    struct buffer quoted = BUFFER_EMPTY;
    struct buffer sql = BUFFER_EMPTY;
    ledger_quote_table(store->sink.table, &quoted);
    ledger_table_create_sql(pipeline, store, &ledger_postgres_dialect, &sql);
    bool there = false;
    int rc = quoted.failed || sql.failed ? ledger_no_memory(err) : 0;
    if (rc == 0)
        rc = exists(pg, buffer_text(&quoted), &there, err);
    if (rc == 0 && !there) {
        rc = create_locked(pg, buffer_text(&sql), NULL, err);
        if (rc == ERR_DATABASE) {
            err->code = ERR_TABLE;
            error_context(err, "creating table %s", store->sink.table);
            rc = ERR_TABLE;
        }
    }
    if (rc == 0)
        rc = check_table(pg, store, buffer_text(&quoted), err);
    buffer_free(&quoted);
    buffer_free(&sql);
    return rc;
}

static int use_answers(struct ledger_postgres *pg, struct error *err)
{
    bool there = false;
    int rc = exists(pg, "windrow_answers", &there, err);
    return rc || there ? rc : create_locked(pg, answers_sql, NULL, err);
}

int pg_use_pipeline(struct ledger *ledger, const struct pipeline *pipeline,
                    struct error *err)
{
    struct ledger_postgres *pg = ledger_postgres(ledger);
    int rc = pg_ready(pg, err);
    for (size_t i = 0; rc == 0 && i < pipeline->n_workers; i++) {
        if (pipeline->workers[i].request.cache != CACHE_IGNORE)
            rc = use_answers(pg, err);
        else if (pipeline->workers[i].class == CLASS_STORE)
            rc = use_store(pg, pipeline, &pipeline->workers[i], err);
    }
    return rc;
}
