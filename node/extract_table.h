/*
 * extract_table.h: the keys in one column of a page's table.
 */
#ifndef NODE_EXTRACT_TABLE_H
#define NODE_EXTRACT_TABLE_H

#include "extract_html.h"
#include "extract_keyset.h"

#define EXTRACT_COLUMNS_MAX 256   /* of a table; cells beyond are not seen */
#define EXTRACT_ROWSPAN_MAX 65534 /* HTML's own limit */

/*
 * Adds to `keys` what stands in the worker's column. False sets `result`:
 * NO_TABLE, NO_COLUMN, NO_KEYS, or the page could not be read.
 *
 * The table: worker->table says how it is found. Tables inside its cells are
 * no part of it.
 *
 * The column, by header text: the first row, further rows of nothing but th,
 * and those in a thead are header rows. White space and footnote marks
 * ("Symbol[a]") do not count; a header that agrees in case comes before one
 * that does not. By number: from 1, counting columns that cells above or to
 * the left span.
 *
 * The keys: of every other row with a td, the cell in that column; not where
 * a cell spans more columns than the header does (a heading between rows),
 * nor where it began in a row above. Of its text, scripts, styles, footnote
 * references (sup class="reference") and hidden elements are left out.
 */
bool extract_table_keys(struct extract_html *html, struct slice body,
                        struct extract_keyset *keys,
                        struct extract_result *result);

/* Which table of the page that is, from 1 in the page's order, and which of its
 * columns, from 1. False where extract_table_keys() would find none. */
bool extract_table_place(struct extract_html *html, struct slice body,
                         size_t *ret_table, size_t *ret_column);

#endif
