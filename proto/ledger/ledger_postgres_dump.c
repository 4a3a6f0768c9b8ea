/*
 * ledger_postgres_dump.c: rows of a table from PostgreSQL, one by one (libpq's
 * single-row mode), in one read-only transaction.
 */
#include <stdio.h>

#include "ledger/ledger_postgres_private.h"

/* From pg_type.dat: the server's own types have fixed numbers. */
enum {
    OID_BOOL = 16,
    OID_INT8 = 20,
    OID_INT2 = 21,
    OID_INT4 = 23,
    OID_FLOAT4 = 700,
    OID_FLOAT8 = 701,
    OID_TIMESTAMP = 1114,
    OID_TIMESTAMPTZ = 1184,
    OID_NUMERIC = 1700,
};

#define TIME_SQL(compare, n)                                                   \
    "::timestamptz " compare " 'epoch'::timestamptz + $" n                     \
    "::bigint * interval '1 microsecond'"

static const struct dump_dialect dialect = {
    .collate = "::text COLLATE \"C\"",
    .in_keys = "::text IN (SELECT json_array_elements_text($1::json))",
    .since = TIME_SQL(">=", "2"),
    .until = TIME_SQL("<", "3"),
};

static enum dump_kind kind_of(const PGresult *result, int column,
                              const struct dump_query *query)
{
    switch (PQftype(result, column)) {
    case OID_BOOL:
        return DUMP_BOOLEAN;
    case OID_INT2:
    case OID_INT4:
    case OID_INT8:
    case OID_FLOAT4:
    case OID_FLOAT8:
    case OID_NUMERIC:
        return DUMP_NUMBER;
    default:
        break;
    }
    /* A number in a column of text is told by the pipeline. */
    enum dump_kind kind =
        ledger_dump_kind(query, (size_t)column, PQfname(result, column));
    return kind == DUMP_NUMBER ? kind : DUMP_TEXT;
}

/* "2026-11-22 19:47:12.1+00" as "2026-11-22T19:47:12.100000Z"; what is no such
 * time (infinity, a year of five digits) stays as it is. */
static struct slice iso_time(struct slice text, char room[CLOCK_TEXT_BYTES])
{
    size_t len = text.len;
    if (len > 3 && !memcmp(text.data + len - 3, "+00", 3))
        len -= 3;
    if (len < 19 || len > 26 || text.data[4] != '-' || text.data[10] != ' ')
        return text;
    snprintf(room, CLOCK_TEXT_BYTES, "%.10sT%.8s.000000Z", text.data,
             text.data + 11);
    if (len > 20)
        memcpy(room + 20, text.data + 20, len - 20);
    return slice_of(room);
}

static struct dump_value value_of(const PGresult *result, int row, int column,
                                  enum dump_kind kind,
                                  char room[CLOCK_TEXT_BYTES])
{
    struct slice text = {PQgetvalue(result, row, column),
                         (size_t)PQgetlength(result, row, column)};
    if (PQgetisnull(result, row, column))
        return (struct dump_value){DUMP_NULL, slice_of("")};
    Oid type = PQftype(result, column);
    if (type == OID_TIMESTAMPTZ || type == OID_TIMESTAMP)
        text = iso_time(text, room);
    if (type == OID_BOOL)
        text = slice_of(text.data[0] == 't' ? "true" : "false");
    return (struct dump_value){kind, text};
}

static bool give_columns(const PGresult *result, const struct dump_query *query,
                         const struct dump *dump)
{
    const char *names[DUMP_COLUMNS_MAX];
    enum dump_kind kinds[DUMP_COLUMNS_MAX];
    int n = PQnfields(result);
    for (int i = 0; i < n; i++) {
        names[i] = PQfname(result, i);
        kinds[i] = kind_of(result, i, query);
    }
    return dump->on_columns(dump->context, names, kinds, (size_t)n);
}

static bool give_rows(const PGresult *result, const struct dump_query *query,
                      const struct dump *dump)
{
    struct dump_value values[DUMP_COLUMNS_MAX];
    char rooms[DUMP_COLUMNS_MAX][CLOCK_TEXT_BYTES];
    int n = PQnfields(result);
    bool go_on = true;
    for (int row = 0; go_on && row < PQntuples(result); row++) {
        for (int i = 0; i < n; i++)
            values[i] =
                value_of(result, row, i, kind_of(result, i, query), rooms[i]);
        go_on = dump->on_row(dump->context, values, (size_t)n);
    }
    return go_on;
}

static int bad_result(struct ledger_postgres *pg, const PGresult *result,
                      struct error *err)
{
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    bool no_such = state && (!strcmp(state, "42P01") || /* table */
                             !strcmp(state, "42703") || /* column */
                             !strcmp(state, "3F000") || /* schema */
                             !strcmp(state, "42501"));  /* right */
    int rc = ledger_postgres_error(pg->connection, result, err);
    if (no_such)
        rc = err->code = ERR_TABLE;
    return rc;
}

/* Reads the answer. What is left of it when nobody wants more ends with the
 * connection. */
static int read_rows(struct ledger_postgres *pg, const struct dump_query *query,
                     const struct dump *dump, struct error *err)
{
    bool go_on = true, begun = false;
    int rc = 0;
    for (PGresult *result;
         rc == 0 && go_on && (result = PQgetResult(pg->connection));) {
        ExecStatusType status = PQresultStatus(result);
        if (status != PGRES_SINGLE_TUPLE && status != PGRES_TUPLES_OK)
            rc = bad_result(pg, result, err);
        else if (PQnfields(result) > DUMP_COLUMNS_MAX)
            rc = error_set(err, ERR_LIMIT, "it has more than %d columns",
                           DUMP_COLUMNS_MAX);
        else if (!begun)
            go_on = give_columns(result, query, dump);
        begun = true;
        if (rc == 0 && go_on)
            go_on = give_rows(result, query, dump);
        PQclear(result);
    }
    if (rc == 0 && go_on)
        return pg_execute(pg, "COMMIT", err);
    PQfinish(pg->connection);
    pg->connection = NULL;
    return rc;
}

static int send_query(struct ledger_postgres *pg, const char *sql,
                      const struct dump_query *query, struct error *err)
{
    struct buffer keys = BUFFER_EMPTY;
    char since[24], until[24];
    ledger_keys_json(query->keys, query->n_keys, &keys);
    snprintf(since, sizeof since, "%lld", (long long)query->since);
    snprintf(until, sizeof until, "%lld", (long long)query->until);
    const char *values[] = {buffer_text(&keys), since, until};
    const Oid types[] = {114, OID_INT8, OID_INT8}; /* json */
    bool sent = !keys.failed &&
                PQsendQueryParams(pg->connection, sql, 3, types, values, NULL,
                                  NULL, 0) &&
                PQsetSingleRowMode(pg->connection);
    buffer_free(&keys);
    return sent ? 0 : ledger_postgres_error(pg->connection, NULL, err);
}

int pg_dump(struct ledger *ledger, const struct dump_query *query,
            const struct dump *dump, struct error *err)
{
    struct ledger_postgres *pg = ledger_postgres(ledger);
    struct buffer sql = BUFFER_EMPTY;
    ledger_dump_sql(query, &dialect, &sql);
    int rc = sql.failed ? ledger_no_memory(err) : pg_ready(pg, err);
    if (rc == 0)
        rc = pg_begin(pg, err);
    /* Who reads slowly, in a pager, makes a long statement. */
    if (rc == 0)
        rc = pg_execute(pg,
                        "SET TRANSACTION READ ONLY; SET LOCAL statement_timeout"
                        " = 0; SET LOCAL datestyle = 'ISO'; SET LOCAL"
                        " extra_float_digits = 1",
                        err);
    if (rc == 0)
        rc = send_query(pg, buffer_text(&sql), query, err);
    if (rc == 0)
        rc = read_rows(pg, query, dump, err);
    buffer_free(&sql);
    return rc;
}
