/*
 * table.h: rows under titles, for people.
 *
 * The columns are as wide as their widest cell on the screen, whatever its
 * bytes, but at most TABLE_WIDTH_MAX: a longer cell moves the rest of its row.
 * The first TABLE_ROWS_MEASURED rows are measured before anything is printed;
 * those after them go out as they come, so that memory does not grow with
 * their number. A control character is shown as a question mark: a key could
 * tell the terminal things.
 */
#ifndef MASTER_TABLE_H
#define MASTER_TABLE_H

#include "base/check.h"
#include "output.h"

#define TABLE_COLUMNS_MAX 128
#define TABLE_ROWS_MEASURED 200
#define TABLE_WIDTH_MAX 40

struct table_title {
    const char *text; /* must outlive the table */
    bool right;       /* its cells stand at the right: numbers */
};

struct table;

/* NULL when memory is out. `output` must outlive it. */
struct table *table_new(struct output *output, const struct table_title *titles,
                        size_t n);

/* The next cell, row by row. When memory is out it and what follows is
 * dropped, and output_end() complains. */
void table_cell(struct table *table, struct slice text);
void table_cell_styled(struct table *table, enum output_style style,
                       struct slice text);
void table_cell_int(struct table *table, int64_t number);

/* Prints what is left, or the titles alone. NULL is ignored. */
void table_end(struct table **table);

/* Prints nothing of what is left. NULL is ignored. */
void table_free(struct table **table);

/* How many columns of a terminal `text` takes. */
size_t table_text_width(struct slice text);

#endif
