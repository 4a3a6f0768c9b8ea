/*
 * rows_out.h: rows of a table on their way out: for people, as CSV, as JSON.
 *
 * CSV is that of RFC 4180: a line of names, CRLF, quotes where they are needed;
 * NULL is empty, an empty text is "". JSON is an object a line; numbers have
 * the digits that are stored.
 */
#ifndef MASTER_ROWS_OUT_H
#define MASTER_ROWS_OUT_H

#include "base/arena.h"
#include "ledger/ledger_dump.h"
#include "output.h"
#include "table.h"

struct rows_out {
    struct output *output;
    enum rows_format format;
    bool no_titles_alone; /* ROWS_TABLE: without a row nothing is printed */
    struct table *table;  /* ROWS_TABLE */
    const char *names[DUMP_COLUMNS_MAX]; /* in `arena` */
    struct arena arena;
    int64_t n_rows;
    /* Sees each row before it goes out; NULL: nobody does. */
    void (*on_row)(void *context, const struct dump_value *values, size_t n);
    void *context;
};

/* ledger_dump() that writes: an error is the ledger's alone; what can't be
 * written ends it, and output_end() tells of it. */
MUSTCHECK
int rows_out_dump(struct rows_out *out, struct ledger *ledger,
                  const struct dump_query *query, struct error *err);

#endif
