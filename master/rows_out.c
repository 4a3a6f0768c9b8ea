/* rows_out.c: see rows_out.h. */
#include "rows_out.h"

#include <string.h>

#include "base/utf8.h"

/* ---- CSV ---- */

static void csv_text(FILE *file, struct slice text, bool is_null)
{
    bool quoted = text.len == 0 && !is_null;
    for (size_t i = 0; i < text.len && !quoted; i++)
        quoted = strchr(",\"\r\n", text.data[i]) != NULL;
    if (!quoted) {
        fwrite(text.data, 1, text.len, file);
        return;
    }
    putc('"', file);
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] == '"')
            putc('"', file);
        putc(text.data[i], file);
    }
    putc('"', file);
}

static void csv_end(FILE *file, size_t i, size_t n)
{
    fputs(i + 1 < n ? "," : "\r\n", file);
}

/* ---- JSON ---- */

/* What is no UTF-8, which only an SQLite file can hold, is U+FFFD. */
static void json_text(FILE *file, struct slice text)
{
    putc('"', file);
    while (text.len) {
        size_t len = utf8_len(text);
        unsigned char c = (unsigned char)text.data[0];
        if (c == '"' || c == '\\')
            fprintf(file, "\\%c", c);
        else if (c < 0x20)
            fprintf(file, "\\u%04x", c);
        else if (!len)
            fputs("\xEF\xBF\xBD", file);
        else
            fwrite(text.data, 1, len, file);
        len += len == 0;
        text = (struct slice){text.data + len, text.len - len};
    }
    putc('"', file);
}

static size_t skip_digits(struct slice text, size_t at)
{
    while (at < text.len && text.data[at] >= '0' && text.data[at] <= '9')
        at++;
    return at;
}

/* RFC 8259, 6; NaN and Infinity, which databases have, are none. */
static bool is_json_number(struct slice text)
{
    size_t at = text.len && text.data[0] == '-', from = at;
    at = skip_digits(text, at);
    if (at == from || (text.data[from] == '0' && at > from + 1))
        return false;
    if (at < text.len && text.data[at] == '.') {
        from = at + 1;
        at = skip_digits(text, from);
        if (at == from)
            return false;
    }
    if (at < text.len && (text.data[at] == 'e' || text.data[at] == 'E')) {
        from = at + 1;
        from += from < text.len && strchr("+-", text.data[from]);
        at = skip_digits(text, from);
        if (at == from)
            return false;
    }
    return at == text.len;
}

static void json_value(FILE *file, const struct dump_value *value)
{
    if (value->kind == DUMP_NULL)
        fputs("null", file);
    else if (value->kind == DUMP_BOOLEAN ||
             (value->kind == DUMP_NUMBER && is_json_number(value->text)))
        fwrite(value->text.data, 1, value->text.len, file);
    else
        json_text(file, value->text);
}

static void json_row(struct rows_out *out, const struct dump_value *values,
                     size_t n)
{
    FILE *file = out->output->file;
    for (size_t i = 0; i < n; i++) {
        putc(i ? ',' : '{', file);
        json_text(file, slice_of(out->names[i]));
        putc(':', file);
        json_value(file, &values[i]);
    }
    fputs("}\n", file);
}

/* ---- all of them ---- */

static bool goes_well(const struct rows_out *out)
{
    return !out->output->failed && !ferror(out->output->file);
}

static bool on_columns(void *context, const char *const *names,
                       const enum dump_kind *kinds, size_t n)
{
    struct rows_out *out = context;
    struct table_title titles[DUMP_COLUMNS_MAX];
    for (size_t i = 0; i < n; i++) {
        out->names[i] = arena_copy_text(&out->arena, names[i]);
        if (!out->names[i]) {
            out->output->failed = true;
            return false;
        }
        titles[i] =
            (struct table_title){out->names[i], kinds[i] == DUMP_NUMBER};
        if (out->format == ROWS_CSV) {
            csv_text(out->output->file, slice_of(names[i]), false);
            csv_end(out->output->file, i, n);
        }
    }
    if (out->format == ROWS_TABLE)
        out->table = table_new(out->output, titles, n);
    return goes_well(out);
}

static bool on_row(void *context, const struct dump_value *values, size_t n)
{
    struct rows_out *out = context;
    if (out->on_row)
        out->on_row(out->context, values, n);
    out->n_rows++;
    if (out->format == ROWS_JSON)
        json_row(out, values, n);
    for (size_t i = 0; i < n && out->format != ROWS_JSON; i++) {
        if (out->format == ROWS_TABLE) {
            table_cell(out->table, values[i].text);
            continue;
        }
        csv_text(out->output->file, values[i].text,
                 values[i].kind == DUMP_NULL);
        csv_end(out->output->file, i, n);
    }
    return goes_well(out);
}

int rows_out_dump(struct rows_out *out, struct ledger *ledger,
                  const struct dump_query *query, struct error *err)
{
    const struct dump dump = {out, on_columns, on_row};
    int rc = ledger_dump(ledger, query, &dump, err);
    if (out->no_titles_alone && !out->n_rows)
        table_free(&out->table);
    table_end(&out->table);
    arena_free(&out->arena);
    return rc;
}
