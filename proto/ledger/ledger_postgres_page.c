/*
 * ledger_postgres_page.c: what the dashboard's page shows of a run and of the
 * rows, by a ledger that only looks.
 */
#include "ledger/ledger_dump.h"
#include "ledger/ledger_postgres_private.h"

int pg_pace(struct ledger *ledger, int64_t run, size_t n, struct pace *ret,
            struct error *err)
{
    struct ledger_postgres *pg = ledger_postgres(ledger);
    struct pg_args args = {.n = 0};
    pg_arg_int(&args, run);
    pg_arg_int(&args, (int64_t)n);
    AUTO_RESULT *result = NULL;
    int rc = pg_ready(pg, err);
    if (rc == 0)
        rc = pg_query(
            pg,
            "WITH b AS (SELECT " PG_MICROSECONDS(
                "closed_at") " AS at, done,"
                             " failed, fetcher FROM windrow_batches"
                             " WHERE run = $1::bigint AND NOT open),"
                             " t AS (SELECT min(at) AS a, max(at) AS z FROM b)"
                             " SELECT (at - a) * $2::bigint / (z - a + 1), a, "
                             "z,"
                             " coalesce(sum(done) FILTER (WHERE fetcher), 0), "
                             "sum(failed)"
                             " FROM b, t GROUP BY 1, 2, 3",
            &args, &result, err);
    for (int row = 0; rc == 0 && row < PQntuples(result); row++) {
        int64_t part = pg_int(result, row, 0);
        if (part < 0 || part >= (int64_t)n)
            continue;
        ret->began = pg_int(result, row, 1);
        ret->ended = pg_int(result, row, 2);
        ret->done[part] = pg_int(result, row, 3);
        ret->failed[part] = pg_int(result, row, 4);
    }
    return rc;
}

/* By what the newest rows are known; "" where by nothing. */
static int find_order(struct ledger_postgres *pg, const struct sink *sink,
                      struct buffer *order, struct error *err)
{
    const struct column *time = ledger_dump_column(sink, COLUMN_FETCHED_AT);
    struct buffer table = BUFFER_EMPTY;
    ledger_quote_table(sink->table, &table);
    struct pg_args args = {.n = 0};
    pg_arg_text(&args, buffer_slice(&table));
    AUTO_RESULT *result = NULL;
    int rc = table.failed
                 ? ledger_no_memory(err)
                 : pg_query(pg,
                            "SELECT 1 FROM pg_attribute WHERE attrelid ="
                            " to_regclass($1::text) AND attname = 'id'"
                            " AND attnum > 0 AND NOT attisdropped",
                            &args, &result, err);
    buffer_free(&table);
    if (rc)
        return rc;
    if (PQntuples(result) == 1)
        ledger_quote_name(slice_of("id"), order);
    else if (time)
        ledger_quote_name(slice_of(time->name), order);
    return 0;
}

static void rows_sql(const struct row_query *query, const struct buffer *order,
                     struct buffer *sql)
{
    const struct sink *sink = query->sink;
    const struct column *key = ledger_dump_column(sink, COLUMN_KEY);
    for (size_t i = 0; i < sink->n_columns; i++) {
        buffer_append_text(sql, i == 0 ? "SELECT " : ", ");
        ledger_quote_name(slice_of(sink->columns[i].name), sql);
        buffer_append_text(sql, "::text");
    }
    buffer_append_text(sql, " FROM ");
    ledger_quote_table(sink->table, sql);
    if (key && query->key) {
        buffer_append_text(sql, " WHERE ");
        ledger_quote_name(slice_of(key->name), sql);
        buffer_append_text(sql, " = $1");
    } else if (key && query->part) {
        buffer_append_text(sql, " WHERE strpos(lower(");
        ledger_quote_name(slice_of(key->name), sql);
        buffer_append_text(sql, "::text), lower($1)) > 0");
    }
    if (order->len)
        buffer_printf(sql, " ORDER BY %s DESC", order->data);
    buffer_printf(sql, " LIMIT %d", query->limit);
}

static void pass_row(const PGresult *result, int row, size_t n,
                     ledger_on_row *each, void *context)
{
    struct slice values[PIPELINE_FIELDS_MAX + 2];
    for (size_t i = 0; i < n; i++) {
        int column = (int)i;
        values[i] = (struct slice){0};
        if (!PQgetisnull(result, row, column))
            values[i] =
                (struct slice){PQgetvalue(result, row, column),
                               (size_t)PQgetlength(result, row, column)};
    }
    each(context, values);
}

int pg_rows(struct ledger *ledger, const struct row_query *query,
            ledger_on_row *each, void *context, struct error *err)
{
    struct ledger_postgres *pg = ledger_postgres(ledger);
    struct buffer sql = BUFFER_EMPTY, order = BUFFER_EMPTY;
    struct pg_args args = {.n = 0};
    AUTO_RESULT *result = NULL;
    int rc = pg_ready(pg, err);
    if (rc == 0)
        rc = find_order(pg, query->sink, &order, err);
    if (rc == 0)
        rows_sql(query, &order, &sql);
    if (query->key || query->part)
        pg_arg_text(&args, slice_of(query->key ? query->key : query->part));
    if (rc == 0 && (sql.failed || order.failed))
        rc = ledger_no_memory(err);
    if (rc == 0)
        rc = pg_query(pg, buffer_text(&sql), &args, &result, err);
    for (int row = 0; rc == 0 && row < PQntuples(result); row++)
        pass_row(result, row, query->sink->n_columns, each, context);
    buffer_free(&sql);
    buffer_free(&order);
    return rc;
}
