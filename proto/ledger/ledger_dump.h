/*
 * ledger_dump.h: rows of a sink's table, or of any table, as a stream.
 *
 * Whatever their number, one row is in memory at a time; the database keeps its
 * snapshot meanwhile. Values come as texts, with the digits that are stored;
 * times in ISO 8601 as "2026-11-22T18:17:49.123456Z" from both databases.
 */
#ifndef LEDGER_LEDGER_DUMP_H
#define LEDGER_LEDGER_DUMP_H

#include "ledger/ledger.h"

#define DUMP_COLUMNS_MAX 128
#define DUMP_KEYS_MAX 1000 /* that may be asked for by name */

enum dump_kind { DUMP_NULL, DUMP_TEXT, DUMP_NUMBER, DUMP_BOOLEAN };

struct dump_value {
    enum dump_kind kind;
    struct slice text; /* a boolean: "true" or "false"; NULL: "" */
};

struct dump_query {
    const char *table;        /* "name" or "schema.name" */
    const struct sink *sink;  /* its columns are given; NULL: all there are */
    const struct sink *types; /* of those, by their names; NULL: not known */
    const struct slice *keys;
    size_t n_keys; /* only rows of these; 0: of all */
    usec_t since;  /* only rows fetched then and later; 0: all */
    usec_t until;  /* only those fetched before; 0: all */
    bool latest;   /* only the newest row of each key, or rows: those of its
                      last answer */
    bool sorted;   /* by key, then by time */
};

struct dump {
    void *context;
    /* Once, before the first row, also where there is none. The kind is that
     * which most values have. */
    bool (*on_columns)(void *context, const char *const *names,
                       const enum dump_kind *kinds, size_t n);
    bool (*on_row)(void *context, const struct dump_value *values, size_t n);
};

/*
 * Calls `dump`'s functions until one says false: enough. All but `table` of
 * the query needs a sink with the column that it names: the key's or the
 * time's, which the caller has looked for (ledger_dump_column). ERR_TABLE where
 * there is no such table or column.
 */
MUSTCHECK
int ledger_dump(struct ledger *ledger, const struct dump_query *query,
                const struct dump *dump, struct error *err);

/* The sink's column for the key, or for the time; NULL: it has none. */
const struct column *ledger_dump_column(const struct sink *sink,
                                        enum column_source source);

#endif
