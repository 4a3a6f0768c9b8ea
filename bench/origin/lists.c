/*
 * lists.c: see lists.h.
 *
 * The article has what makes the real one hard to read for a careless reader:
 * links in cells, line breaks before </td>, a header cell with a link, and a
 * second table, `changes`, with tickers that are no longer in the list.
 */
#include "lists.h"

#include <limits.h>
#include <stdlib.h>
#include <zlib.h>

#include "text.h"

#define CHANGES_ROWS 12 /* of the second table */

struct lists {
    struct symbols *symbols;
    struct buffer pages[LIST_KINDS][2]; /* plain, gzip; empty until asked for */
};

int lists_new(struct symbols *symbols, struct lists **ret_lists,
              struct error *err)
{
    struct lists *lists = calloc(1, sizeof *lists);
    if (!lists)
        return error_set(err, ERR_MEMORY, "out of memory");
    lists->symbols = symbols;
    *ret_lists = lists;
    return 0;
}

void lists_free(struct lists **lists)
{
    if (!*lists)
        return;
    for (int kind = 0; kind < LIST_KINDS; kind++)
        for (int gzip = 0; gzip < 2; gzip++)
            buffer_free(&(*lists)->pages[kind][gzip]);
    free(*lists);
    *lists = NULL;
}

void lists_take_wiki(struct lists *lists, struct buffer *page)
{
    buffer_free(&lists->pages[LIST_WIKI][false]);
    lists->pages[LIST_WIKI][false] = *page;
    *page = BUFFER_EMPTY;
}

static void append_row(struct buffer *page, const struct symbol *symbol)
{
    buffer_append_text(page,
                       "<tr>\n<td><a rel=\"nofollow\" class=\"external text\" "
                       "href=\"https://www.nyse.com/quote/XNYS:");
    text_append_html(page, symbol->symbol);
    buffer_append_text(page, "\">");
    text_append_html(page, symbol->symbol);
    buffer_append_text(page, "</a>\n</td>\n<td><a href=\"/wiki/");
    text_append_html(page, symbol->name);
    buffer_append_text(page, "\" title=\"");
    text_append_html(page, symbol->name);
    buffer_append_text(page, "\">");
    text_append_html(page, symbol->name);
    buffer_append_text(page, "</a></td>\n<td>");
    text_append_html(page, symbol->sector);
    buffer_append_text(page, "\n</td></tr>\n");
}

static void append_constituents(struct buffer *page, struct symbols *symbols,
                                bool rows)
{
    buffer_append_text(
        page, "<table class=\"wikitable sortable sticky-header\" "
              "id=\"constituents\">\n<tbody><tr>\n"
              "<th><a href=\"/wiki/Ticker_symbol\" title=\"Ticker symbol\">"
              "Symbol</a>\n</th>\n<th>Security</th>\n"
              "<th><a href=\"/wiki/Global_Industry_Classification_Standard\">"
              "GICS</a> Sector\n</th></tr>\n");
    for (size_t i = 0; rows && i < symbols_count(symbols); i++) {
        struct symbol symbol = symbols_at(symbols, i);
        append_row(page, &symbol);
    }
    buffer_append_text(page, "</tbody></table>\n");
}

/* What left (GONE1, GONE2, ...) is not in the list above. */
static void append_changes(struct buffer *page, struct symbols *symbols)
{
    buffer_append_text(
        page, "<h2 id=\"Selected_changes\">Selected changes</h2>\n"
              "<table class=\"wikitable sortable\" id=\"changes\">\n"
              "<tbody><tr>\n<th rowspan=\"2\">Date\n</th>\n"
              "<th colspan=\"2\">Added\n</th>\n"
              "<th colspan=\"2\">Removed\n</th>\n"
              "<th rowspan=\"2\">Reason\n</th></tr>\n<tr>\n<th>Ticker</th>\n"
              "<th>Security</th>\n<th>Ticker</th>\n<th>Security\n</th></tr>\n");
    size_t count = symbols_count(symbols);
    for (size_t i = 0; i < CHANGES_ROWS && i < count; i++) {
        struct symbol added = symbols_at(symbols, i * (count / CHANGES_ROWS));
        buffer_printf(page, "<tr>\n<td>June %zu, 2026</td>\n<td>", i + 1);
        text_append_html(page, added.symbol);
        buffer_append_text(page, "</td>\n<td>");
        text_append_html(page, added.name);
        buffer_printf(page,
                      "</td>\n<td>GONE%zu</td>\n<td>Gone No. %zu</td>\n"
                      "<td>Market capitalization change.<sup>"
                      "<a href=\"#note-%zu\">&#91;%zu&#93;</a></sup>\n"
                      "</td></tr>\n",
                      i + 1, i + 1, i + 1, i + 1);
    }
    buffer_append_text(page, "</tbody></table>\n");
}

static void make_wiki(struct buffer *page, struct symbols *symbols,
                      enum list_kind kind)
{
    buffer_append_text(
        page, "<!DOCTYPE html>\n<html lang=\"en\" dir=\"ltr\">\n<head>\n"
              "<meta charset=\"UTF-8\">\n"
              "<title>List of S&amp;P 500 companies</title>\n</head>\n"
              "<body>\n<h1 id=\"firstHeading\">List of S&amp;P 500 companies"
              "</h1>\n<p>A page made by windrow-origin, for tests.</p>\n"
              "<h2 id=\"Components\">Components</h2>\n");
    if (kind != LIST_WIKI_NO_TABLE)
        append_constituents(page, symbols, kind == LIST_WIKI);
    append_changes(page, symbols);
    buffer_append_text(page, "</body>\n</html>\n");
}

static void make_json(struct buffer *page, struct symbols *symbols)
{
    for (size_t i = 0; i < symbols_count(symbols); i++) {
        struct symbol symbol = symbols_at(symbols, i);
        buffer_append_text(page, i ? ",\n{\"symbol\":\"" : "[{\"symbol\":\"");
        text_append_json(page, symbol.symbol);
        buffer_append_text(page, "\",\"name\":\"");
        text_append_json(page, symbol.name);
        buffer_append_text(page, "\",\"sector\":\"");
        text_append_json(page, symbol.sector);
        buffer_append_text(page, "\"}");
    }
    buffer_append_text(page, symbols_count(symbols) ? "]\n" : "[]\n");
}

static void make_text(struct buffer *page, struct symbols *symbols)
{
    for (size_t i = 0; i < symbols_count(symbols); i++) {
        buffer_append_text(page, symbols_at(symbols, i).symbol);
        buffer_append_char(page, '\n');
    }
}

static void make_csv(struct buffer *page, struct symbols *symbols)
{
    buffer_append_text(page, "Symbol,Security,GICS Sector\r\n");
    for (size_t i = 0; i < symbols_count(symbols); i++) {
        struct symbol symbol = symbols_at(symbols, i);
        text_append_csv(page, symbol.symbol);
        buffer_append_char(page, ',');
        text_append_csv(page, symbol.name);
        buffer_append_char(page, ',');
        text_append_csv(page, symbol.sector);
        buffer_append_text(page, "\r\n");
    }
}

static void make_page(struct buffer *page, struct symbols *symbols,
                      enum list_kind kind)
{
    switch (kind) {
    case LIST_WIKI:
    case LIST_WIKI_NO_TABLE:
    case LIST_WIKI_NO_ROWS:
        make_wiki(page, symbols, kind);
        break;
    case LIST_JSON:
        make_json(page, symbols);
        break;
    case LIST_TEXT:
        make_text(page, symbols);
        break;
    case LIST_CSV:
        make_csv(page, symbols);
        break;
    case LIST_KINDS:
        break; /* lists_page() checked */
    }
}

/* Leaves `packed` failed where that is not possible. */
static void compress_page(struct slice page, struct buffer *packed)
{
    enum { GZIP_WINDOW_BITS = 15 + 16 }; /* zlib.h: 16 more means gzip */
    z_stream stream = {0};
    if (page.len > UINT_MAX ||
        deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED,
                     GZIP_WINDOW_BITS, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
        packed->failed = true;
        return;
    }
    uLong bound = deflateBound(&stream, page.len);
    if (bound <= UINT_MAX && buffer_reserve(packed, bound)) {
        stream.next_in = (z_const Bytef *)page.data;
        stream.avail_in = (uInt)page.len;
        stream.next_out = (Bytef *)packed->data;
        stream.avail_out = (uInt)bound;
        if (deflate(&stream, Z_FINISH) == Z_STREAM_END)
            packed->len = stream.total_out;
    }
    packed->failed |= !packed->len;
    deflateEnd(&stream);
}

int lists_page(struct lists *lists, enum list_kind kind, bool gzip,
               struct slice *ret_page, struct error *err)
{
    CHECK(kind < LIST_KINDS);
    struct buffer *page = &lists->pages[kind][gzip];
    if (!page->len && gzip) {
        struct slice plain;
        if (lists_page(lists, kind, false, &plain, err))
            return (int)err->code;
        compress_page(plain, page);
    } else if (!page->len) {
        if (symbols_count(lists->symbols) > LIST_ROWS_MAX)
            return error_set(err, ERR_LIMIT,
                             "the list has more than %d symbols; ask for them "
                             "without it",
                             LIST_ROWS_MAX);
        make_page(page, lists->symbols, kind);
    }
    if (page->failed) {
        buffer_free(page);
        return error_set(err, ERR_MEMORY, "out of memory");
    }
    *ret_page = buffer_slice(page);
    return 0;
}
