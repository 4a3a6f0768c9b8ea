/*
 * ledger_dump.c: the statement that reads a table, and the kinds of its
 * columns; alike for both databases but for what they can't spell alike.
 */
#include "ledger/ledger_dump.h"

#include <string.h>

#include "ledger/ledger_backend.h"

const struct column *ledger_dump_column(const struct sink *sink,
                                        enum column_source source)
{
    for (size_t i = 0; i < sink->n_columns; i++)
        if (sink->columns[i].source == source)
            return &sink->columns[i];
    return NULL;
}

static void append_column(const struct sink *sink, enum column_source source,
                          struct buffer *sql)
{
    const struct column *column = ledger_dump_column(sink, source);
    CHECK(column);
    ledger_quote_name(slice_of(column->name), sql);
}

/* Text is compared by its bytes, as SQLite does. */
static void append_key(const struct sink *sink,
                       const struct dump_dialect *dialect, struct buffer *sql)
{
    append_column(sink, COLUMN_KEY, sql);
    buffer_append_text(sql, dialect->collate);
}

static void append_columns(const struct dump_query *query, struct buffer *sql)
{
    buffer_append_text(sql, "SELECT ");
    if (!query->sink)
        buffer_append_char(sql, '*');
    for (size_t i = 0; query->sink && i < query->sink->n_columns; i++) {
        buffer_append_text(sql, i ? ", " : "");
        ledger_quote_name(slice_of(query->sink->columns[i].name), sql);
    }
}

static void append_where(const struct dump_query *query,
                         const struct dump_dialect *dialect, struct buffer *sql)
{
    const char *word = " WHERE ";
    if (query->n_keys) {
        buffer_append_text(sql, word);
        append_column(query->sink, COLUMN_KEY, sql);
        buffer_append_text(sql, dialect->in_keys);
        word = " AND ";
    }
    for (int until = 0; until <= 1; until++) {
        if (!(until ? query->until : query->since))
            continue;
        buffer_append_text(sql, word);
        append_column(query->sink, COLUMN_FETCHED_AT, sql);
        buffer_append_text(sql, until ? dialect->until : dialect->since);
        word = " AND ";
    }
}

/* The newest of a key may be several: an answer can give several rows. */
void ledger_dump_sql(const struct dump_query *query,
                     const struct dump_dialect *dialect, struct buffer *sql)
{
    append_columns(query, sql);
    buffer_append_text(sql, " FROM ");
    if (query->latest) {
        buffer_append_text(sql, "(SELECT *, rank() OVER (PARTITION BY ");
        append_column(query->sink, COLUMN_KEY, sql);
        buffer_append_text(sql, " ORDER BY ");
        append_column(query->sink, COLUMN_FETCHED_AT, sql);
        buffer_append_text(sql, " DESC) AS windrow_rank FROM ");
    }
    ledger_quote_table(query->table, sql);
    append_where(query, dialect, sql);
    if (query->latest)
        buffer_append_text(sql, ") AS ranked WHERE windrow_rank = 1");
    if (!query->latest && !query->sorted)
        return;
    buffer_append_text(sql, " ORDER BY ");
    append_key(query->sink, dialect, sql);
    if (!ledger_dump_column(query->sink, COLUMN_FETCHED_AT))
        return;
    buffer_append_text(sql, ", ");
    append_column(query->sink, COLUMN_FETCHED_AT, sql);
}

static const struct column *column_of(const struct dump_query *query, size_t i,
                                      const char *name)
{
    const struct sink *types = query->types;
    if (query->sink)
        return &query->sink->columns[i];
    for (size_t k = 0; types && k < types->n_columns; k++)
        if (!strcmp(types->columns[k].name, name))
            return &types->columns[k];
    return NULL;
}

enum dump_kind ledger_dump_kind(const struct dump_query *query, size_t i,
                                const char *name)
{
    const struct column *column = column_of(query, i, name);
    if (!column)
        return DUMP_TEXT;
    switch (ledger_column_kind(column)) {
    case KIND_NUMBER:
    case KIND_INTEGER:
        return DUMP_NUMBER;
    case KIND_BOOLEAN:
        return DUMP_BOOLEAN;
    default:
        return DUMP_TEXT;
    }
}

int ledger_dump(struct ledger *ledger, const struct dump_query *query,
                const struct dump *dump, struct error *err)
{
    CHECK(query->n_keys <= DUMP_KEYS_MAX);
    return ledger->ops->dump(ledger, query, dump, err);
}
