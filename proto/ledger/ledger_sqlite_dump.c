/* ledger_sqlite_dump.c: rows of a table from SQLite, step by step. */
#include <stdio.h>
#include <stdlib.h>

#include "ledger/ledger_sqlite_private.h"

static const struct dump_dialect dialect = {
    .collate = "",
    .in_keys = " IN (SELECT value FROM json_each(?1))",
    .since = " >= ?2",
    .until = " < ?3",
};

#define REAL_BYTES 32

/* The fewest digits that give the same number again. */
static struct slice real_text(double number, char room[REAL_BYTES])
{
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(room, REAL_BYTES, "%.*g", digits, number);
        if (strtod(room, NULL) == number)
            break;
    }
    return slice_of(room);
}

static struct dump_value value_of(sqlite3_stmt *row, int column,
                                  enum dump_kind kind, char room[REAL_BYTES])
{
    int type = sqlite3_column_type(row, column);
    if (type == SQLITE_NULL)
        return (struct dump_value){DUMP_NULL, slice_of("")};
    if (type == SQLITE_FLOAT)
        return (struct dump_value){
            DUMP_NUMBER, real_text(sqlite3_column_double(row, column), room)};
    if (type == SQLITE_INTEGER && kind == DUMP_BOOLEAN)
        return (struct dump_value){
            kind, slice_of(sqlite3_column_int(row, column) ? "true" : "false")};
    if (type == SQLITE_INTEGER)
        kind = DUMP_NUMBER;
    else if (kind == DUMP_BOOLEAN)
        kind = DUMP_TEXT;
    const char *text = (const char *)sqlite3_column_text(row, column);
    return (struct dump_value){
        kind, {text ? text : "", (size_t)sqlite3_column_bytes(row, column)}};
}

static void bind(sqlite3_stmt *row, const struct dump_query *query,
                 const struct buffer *keys, char since[CLOCK_TEXT_BYTES],
                 char until[CLOCK_TEXT_BYTES])
{
    clock_format(query->since, since);
    clock_format(query->until, until);
    if (query->n_keys)
        lite_text(row, 1, buffer_slice(keys));
    if (query->since)
        lite_text(row, 2, slice_of(since));
    if (query->until)
        lite_text(row, 3, slice_of(until));
}

static int give_rows(struct ledger_sqlite *lite, sqlite3_stmt *row,
                     const struct dump_query *query, const struct dump *dump,
                     struct error *err)
{
    struct dump_value values[DUMP_COLUMNS_MAX];
    char rooms[DUMP_COLUMNS_MAX][REAL_BYTES];
    const char *names[DUMP_COLUMNS_MAX];
    enum dump_kind kinds[DUMP_COLUMNS_MAX];
    int n =
        query->sink ? (int)query->sink->n_columns : sqlite3_column_count(row);
    if (n > DUMP_COLUMNS_MAX)
        return error_set(err, ERR_LIMIT, "it has more than %d columns",
                         DUMP_COLUMNS_MAX);
    for (int i = 0; i < n; i++) {
        names[i] = sqlite3_column_name(row, i);
        kinds[i] = ledger_dump_kind(query, (size_t)i, names[i]);
    }
    bool go_on = dump->on_columns(dump->context, names, kinds, (size_t)n);
    bool more = false;
    int rc = 0;
    while (go_on && !(rc = lite_step(lite, row, &more, err)) && more) {
        for (int i = 0; i < n; i++)
            values[i] = value_of(row, i, kinds[i], rooms[i]);
        go_on = dump->on_row(dump->context, values, (size_t)n);
    }
    return rc;
}

int lite_dump(struct ledger *ledger, const struct dump_query *query,
              const struct dump *dump, struct error *err)
{
    struct ledger_sqlite *lite = ledger_sqlite(ledger);
    char since[CLOCK_TEXT_BYTES], until[CLOCK_TEXT_BYTES];
    struct buffer sql = BUFFER_EMPTY, keys = BUFFER_EMPTY;
    AUTO_STATEMENT *row = NULL;
    ledger_dump_sql(query, &dialect, &sql);
    ledger_keys_json(query->keys, query->n_keys, &keys);
    int rc = sql.failed || keys.failed
                 ? ledger_no_memory(err)
                 : lite_prepare(lite, buffer_text(&sql), &row, err);
    if (rc == ERR_DATABASE) /* no such table, no such column */
        rc = err->code = ERR_TABLE;
    if (rc == 0) {
        bind(row, query, &keys, since, until);
        rc = give_rows(lite, row, query, dump, err);
    }
    sqlite3_finalize(row); /* before what is bound to it goes */
    row = NULL;
    buffer_free(&sql);
    buffer_free(&keys);
    return rc;
}
