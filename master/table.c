/*
 * table.c: see table.h.
 *
 * The cells of the rows that are measured lie one behind the other in `cells`,
 * their texts in `arena`. A row behind them is printed when it is whole.
 */
#include "table.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "base/arena.h"
#include "base/utf8.h"

struct cell {
    struct slice text;
    enum output_style style;
    size_t width;
};

struct table {
    struct output *output;
    size_t n_columns;
    struct table_title titles[TABLE_COLUMNS_MAX];
    size_t widths[TABLE_COLUMNS_MAX];
    struct arena arena;
    struct cell *cells;
    size_t n_cells;
    bool measured; /* the titles are out, and the widths stay */
};

struct table *table_new(struct output *output, const struct table_title *titles,
                        size_t n)
{
    CHECK(n > 0 && n <= TABLE_COLUMNS_MAX);
    struct table *table = calloc(1, sizeof *table);
    struct cell *cells = calloc(n * TABLE_ROWS_MEASURED, sizeof *cells);
    if (!table || !cells) {
        output->failed = true;
        free(table);
        free(cells);
        return NULL;
    }
    table->output = output;
    table->cells = cells;
    table->n_columns = n;
    for (size_t i = 0; i < n; i++) {
        table->titles[i] = titles[i];
        table->widths[i] = table_text_width(slice_of(titles[i].text));
    }
    return table;
}

/* The character that `rest` begins with, and how many bytes it has; 0: none
 * that a terminal should get. */
static wchar_t next_character(struct slice rest, size_t *ret_len)
{
    wchar_t c = 0;
    mbstate_t state = {0};
    size_t len = utf8_len(rest);
    *ret_len = len ? len : 1;
    if (!len || mbrtowc(&c, rest.data, len, &state) != len || wcwidth(c) < 0)
        return 0;
    return c;
}

size_t table_text_width(struct slice text)
{
    size_t width = 0, len;
    for (; text.len; text = (struct slice){text.data + len, text.len - len}) {
        wchar_t c = next_character(text, &len);
        width += c ? (size_t)wcwidth(c) : 1;
    }
    return width;
}

static void print_text(struct table *table, struct slice text)
{
    FILE *out = table->output->file;
    size_t len;
    for (; text.len; text = (struct slice){text.data + len, text.len - len}) {
        if (next_character(text, &len))
            fwrite(text.data, 1, len, out);
        else
            putc('?', out);
    }
}

static void pad(struct table *table, size_t n)
{
    fprintf(table->output->file, "%*s", (int)n, "");
}

/* One row; what stands last on the left is not padded. */
static void print_row(struct table *table, const struct cell *cells)
{
    for (size_t i = 0; i < table->n_columns; i++) {
        const struct cell *cell = &cells[i];
        size_t width = table->widths[i];
        size_t missing = cell->width < width ? width - cell->width : 0;
        bool right = table->titles[i].right;
        if (i > 0)
            pad(table, 2);
        if (right)
            pad(table, missing);
        fputs(output_on(table->output, cell->style), table->output->file);
        print_text(table, cell->text);
        fputs(output_off(table->output, cell->style), table->output->file);
        if (!right && i + 1 < table->n_columns)
            pad(table, missing);
    }
    putc('\n', table->output->file);
}

static void print_measured(struct table *table)
{
    struct cell titles[TABLE_COLUMNS_MAX];
    for (size_t i = 0; i < table->n_cells; i++) {
        size_t *width = &table->widths[i % table->n_columns];
        size_t cell = table->cells[i].width;
        if (cell > TABLE_WIDTH_MAX)
            cell = TABLE_WIDTH_MAX;
        *width = cell > *width ? cell : *width;
    }
    for (size_t i = 0; i < table->n_columns; i++) {
        struct slice text = slice_of(table->titles[i].text);
        titles[i] = (struct cell){text, STYLE_TITLE, table_text_width(text)};
    }
    print_row(table, titles);
    for (size_t i = 0; i < table->n_cells; i += table->n_columns)
        print_row(table, &table->cells[i]);
    table->measured = true;
    table->n_cells = 0;
    arena_reset(&table->arena);
}

void table_cell_styled(struct table *table, enum output_style style,
                       struct slice text)
{
    char *copy = table && !table->output->failed
                     ? arena_copy(&table->arena, text.data, text.len)
                     : NULL;
    if (!copy) {
        if (table)
            table->output->failed = true;
        return;
    }
    struct cell *cell = &table->cells[table->n_cells++];
    *cell = (struct cell){.text = {copy, text.len}, .style = style};
    cell->width = table_text_width(cell->text);
    if (!table->measured &&
        table->n_cells == table->n_columns * TABLE_ROWS_MEASURED) {
        print_measured(table);
    } else if (table->measured && table->n_cells == table->n_columns) {
        print_row(table, table->cells);
        table->n_cells = 0;
        arena_reset(&table->arena);
    }
}

void table_cell(struct table *table, struct slice text)
{
    table_cell_styled(table, STYLE_PLAIN, text);
}

void table_cell_int(struct table *table, int64_t number)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRId64, number);
    table_cell(table, slice_of(text));
}

void table_end(struct table **table)
{
    struct table *t = *table;
    if (t && !t->measured && !t->output->failed)
        print_measured(t);
    table_free(table);
}

void table_free(struct table **table)
{
    struct table *t = *table;
    if (!t)
        return;
    arena_free(&t->arena);
    free(t->cells);
    free(t);
    *table = NULL;
}
