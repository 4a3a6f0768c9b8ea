/*
 * ledger_sqlite_page.c: what the dashboard's page shows of a run and of the
 * rows, by a ledger that only looks.
 */
#include "ledger/ledger_dump.h"
#include "ledger/ledger_sqlite_private.h"

int lite_pace(struct ledger *ledger, int64_t run, size_t n, struct pace *ret,
              struct error *err)
{
    struct ledger_sqlite *lite = ledger_sqlite(ledger);
    AUTO_STATEMENT *row = NULL;
    int rc = lite_prepare(
        lite,
        "WITH t AS (SELECT min(closed_at) AS a, max(closed_at) AS z"
        " FROM windrow_batches WHERE run = ?1 AND NOT open)"
        " SELECT (closed_at - a) * ?2 / (z - a + 1), a, z,"
        " coalesce(sum(done) FILTER (WHERE fetcher), 0), sum(failed)"
        " FROM windrow_batches, t WHERE run = ?1 AND NOT open GROUP BY 1",
        &row, err);
    if (rc)
        return rc;
    sqlite3_bind_int64(row, 1, run);
    sqlite3_bind_int64(row, 2, (int64_t)n);
    bool more = false;
    while (!(rc = lite_step(lite, row, &more, err)) && more) {
        int64_t part = sqlite3_column_int64(row, 0);
        if (part < 0 || part >= (int64_t)n)
            continue;
        ret->began = sqlite3_column_int64(row, 1);
        ret->ended = sqlite3_column_int64(row, 2);
        ret->done[part] = sqlite3_column_int64(row, 3);
        ret->failed[part] = sqlite3_column_int64(row, 4);
    }
    return rc;
}

static void rows_sql(const struct row_query *query, struct buffer *sql)
{
    const struct sink *sink = query->sink;
    const struct column *key = ledger_dump_column(sink, COLUMN_KEY);
    for (size_t i = 0; i < sink->n_columns; i++) {
        buffer_append_text(sql, i == 0 ? "SELECT " : ", ");
        ledger_quote_name(slice_of(sink->columns[i].name), sql);
    }
    buffer_append_text(sql, " FROM ");
    ledger_quote_table(sink->table, sql);
    if (key && (query->key || query->part)) {
        buffer_append_text(sql, query->key ? " WHERE " : " WHERE instr(lower(");
        ledger_quote_name(slice_of(key->name), sql);
        buffer_append_text(sql, query->key ? " = ?1" : "), lower(?1)) > 0");
    }
    buffer_printf(sql, " ORDER BY rowid DESC LIMIT %d", query->limit);
}

int lite_rows(struct ledger *ledger, const struct row_query *query,
              ledger_on_row *each, void *context, struct error *err)
{
    struct ledger_sqlite *lite = ledger_sqlite(ledger);
    struct slice values[PIPELINE_FIELDS_MAX + 2];
    struct buffer sql = BUFFER_EMPTY;
    AUTO_STATEMENT *row = NULL;
    rows_sql(query, &sql);
    int rc = sql.failed ? ledger_no_memory(err)
                        : lite_prepare(lite, buffer_text(&sql), &row, err);
    buffer_free(&sql);
    if (rc)
        return rc;
    if (query->key || query->part)
        lite_text(row, 1, slice_of(query->key ? query->key : query->part));
    bool more = false;
    while (!(rc = lite_step(lite, row, &more, err)) && more) {
        for (size_t i = 0; i < query->sink->n_columns; i++) {
            const char *text = (const char *)sqlite3_column_text(row, (int)i);
            values[i] =
                (struct slice){text, (size_t)sqlite3_column_bytes(row, (int)i)};
        }
        each(context, values);
    }
    return rc;
}
