/*
 * extract_table.c: see extract_table.h.
 *
 * A table is read row by row with one array that says, of each column, for
 * how many rows a cell from above still reaches down into it. So a cell's
 * column is known although rows have fewer cells than there are columns.
 */
#include "extract_table.h"

#include <stdlib.h>
#include <strings.h>

#include "extract_result.h"
#include "extract_text.h"

#define HEADERS_SHOWN_MAX 8 /* of a table, in a failure's detail */

/* Where the cells of a row stand. */
struct grid {
    unsigned reach[EXTRACT_COLUMNS_MAX]; /* rows still covered from above */
    size_t columns;                      /* seen so far */
};

/* A cell and its place. */
struct cell {
    const xmlNode *node;
    size_t column; /* from 0 */
    size_t width;
};

static bool is_element(const xmlNode *node, const char *name)
{
    return node->type == XML_ELEMENT_NODE &&
           !strcmp((const char *)node->name, name);
}

/* The attribute's text; "" where there is none. */
static const char *attribute(const xmlNode *node, const char *name)
{
    for (const xmlAttr *a = node->properties; a; a = a->next)
        if (!strcmp((const char *)a->name, name))
            return a->children && a->children->content
                       ? (const char *)a->children->content
                       : "";
    return "";
}

static bool has_class(const xmlNode *node, const char *class)
{
    static const char blanks[] = " \t\r\n\f";
    size_t len = strlen(class);
    const char *at = attribute(node, "class");
    for (;;) {
        at += strspn(at, blanks);
        size_t n = strcspn(at, blanks);
        if (n == 0)
            return false;
        if (n == len && !memcmp(at, class, len))
            return true;
        at += n;
    }
}

/* The node after `node` in document order below `top`; where `into` is
 * false, not one inside `node`. NULL at the end. */
static const xmlNode *node_after(const xmlNode *node, const xmlNode *top,
                                 bool into)
{
    if (into && node->type == XML_ELEMENT_NODE && node->children)
        return node->children;
    while (node && node != top && !node->next)
        node = node->parent;
    return !node || node == top ? NULL : node->next;
}

/* The next element `name` after `node` below `top`, not looking into nested
 * tables or, where `into` is false, `node` itself. */
static const xmlNode *row_after(const xmlNode *node, const xmlNode *top,
                                bool into)
{
    while ((node = node_after(node, top, into))) {
        if (is_element(node, "tr"))
            return node;
        into = !is_element(node, "table");
    }
    return NULL;
}

static bool is_left_out(const xmlNode *node)
{
    if (is_element(node, "script") || is_element(node, "style") ||
        is_element(node, "table"))
        return true;
    if (is_element(node, "sup") && has_class(node, "reference"))
        return true;
    const char *style = attribute(node, "style");
    return *style && (strcasestr(style, "display:none") ||
                      strcasestr(style, "display: none"));
}

/* The text of a cell, in html->text; false when memory is out. */
static bool cell_text(struct extract_html *html, const xmlNode *cell,
                      struct slice *ret)
{
    struct buffer *text = &html->text;
    buffer_clear(text);
    bool into = true;
    const xmlNode *node = cell;
    while ((node = node_after(node, cell, into))) {
        into = node->type == XML_ELEMENT_NODE && !is_left_out(node);
        if (node->type == XML_TEXT_NODE || node->type == XML_CDATA_SECTION_NODE)
            buffer_append_text(text, (const char *)node->content);
        else if (is_element(node, "br"))
            buffer_append_char(text, ' ');
    }
    html->no_memory |= text->failed;
    if (text->failed)
        return false;
    if (text->len)
        text->len = extract_text_squeeze(text->data, text->len);
    *ret = buffer_slice(text);
    return true;
}

/* An attribute that counts, from 1 to `max`; 1 where it is none such. */
static unsigned span_of(const xmlNode *cell, const char *name, unsigned max)
{
    unsigned long n = strtoul(attribute(cell, name), NULL, 10);
    if (n == 0 || n > max)
        return n ? max : 1;
    return (unsigned)n;
}

static const xmlNode *next_cell(const xmlNode *node)
{
    while (node && !is_element(node, "td") && !is_element(node, "th"))
        node = node->next;
    return node;
}

static void pass_column(struct grid *grid, size_t column)
{
    if (grid->reach[column])
        grid->reach[column]--;
}

/* Puts the cell `node` at `column`. */
static struct cell grid_put(struct grid *grid, const xmlNode *node,
                            size_t column)
{
    size_t room = EXTRACT_COLUMNS_MAX - column;
    struct cell cell = {
        .node = node,
        .column = column,
        .width = span_of(node, "colspan", (unsigned)room),
    };
    unsigned below = span_of(node, "rowspan", EXTRACT_ROWSPAN_MAX) - 1;
    for (size_t i = column; i < column + cell.width; i++) {
        pass_column(grid, i);
        if (grid->reach[i] < below)
            grid->reach[i] = below;
    }
    if (grid->columns < column + cell.width)
        grid->columns = column + cell.width;
    return cell;
}

/*
 * The next cell of a row, after `cell` (zeroed: the first); false after the
 * last, when the grid stands at the next row. Every row is to be read to its
 * end.
 */
static bool grid_next(struct grid *grid, const xmlNode *row, struct cell *cell)
{
    size_t column = cell->node ? cell->column + cell->width : 0;
    const xmlNode *node =
        next_cell(cell->node ? cell->node->next : row->children);
    while (column < grid->columns && (!node || grid->reach[column]))
        pass_column(grid, column++);
    if (!node || column == EXTRACT_COLUMNS_MAX) {
        *cell = (struct cell){0};
        return false;
    }
    *cell = grid_put(grid, node, column);
    return true;
}

static bool is_header_row(const xmlNode *row, bool first)
{
    bool has_th = false, has_td = false;
    for (const xmlNode *c = next_cell(row->children); c; c = next_cell(c->next))
        *(is_element(c, "th") ? &has_th : &has_td) = true;
    return first || (has_th && !has_td) || is_element(row->parent, "thead");
}

/* The column looked for, once it is found. */
struct column_place {
    const xmlNode *table;
    size_t column;
    size_t width;
};

/* How a header may agree with the name looked for. */
enum agreement { AGREE_NOT, AGREE_BUT_FOR_CASE, AGREE_EXACTLY };

static enum agreement header_agrees(struct slice header, struct slice name)
{
    header = extract_text_without_footnotes(header);
    if (header.len != name.len)
        return AGREE_NOT;
    if (slice_equal(header, name))
        return AGREE_EXACTLY;
    return strncasecmp(header.data, name.data, name.len) ? AGREE_NOT
                                                         : AGREE_BUT_FOR_CASE;
}

/* Looks through the header cells of `table` for the best agreement with the
 * worker's column; the first such cell is the place. */
static enum agreement find_header(struct extract_html *html,
                                  const xmlNode *table,
                                  struct column_place *ret)
{
    struct slice name = slice_of(html->worker->table.column);
    struct grid grid = {0};
    enum agreement best = AGREE_NOT;
    const xmlNode *row = row_after(table, table, true);
    for (bool first = true; row && is_header_row(row, first); first = false) {
        struct cell cell = {0};
        while (grid_next(&grid, row, &cell)) {
            struct slice text;
            if (!cell_text(html, cell.node, &text))
                return AGREE_NOT;
            enum agreement agreement = header_agrees(text, name);
            if (agreement <= best)
                continue;
            best = agreement;
            *ret = (struct column_place){table, cell.column, cell.width};
        }
        row = row_after(row, table, false);
    }
    return best;
}

/* Whether some row of `table` reaches the worker's column number. */
static enum agreement find_number(const struct extract_html *html,
                                  const xmlNode *table,
                                  struct column_place *ret)
{
    size_t number = (size_t)html->worker->table.column_number;
    struct grid grid = {0};
    const xmlNode *row = row_after(table, table, true);
    for (; row && grid.columns < number; row = row_after(row, table, false)) {
        struct cell cell = {0};
        while (grid_next(&grid, row, &cell))
            ;
    }
    *ret = (struct column_place){table, number - 1, 1};
    return grid.columns >= number ? AGREE_EXACTLY : AGREE_NOT;
}

static enum agreement find_column(struct extract_html *html,
                                  const xmlNode *table,
                                  struct column_place *ret)
{
    return html->worker->table.column ? find_header(html, table, ret)
                                      : find_number(html, table, ret);
}

/* Says which headers the table has instead. */
static bool no_column(struct extract_html *html, const xmlNode *table,
                      struct extract_result *result)
{
    const struct table_source *source = &html->worker->table;
    if (!source->column)
        return extract_fail(result, REASON_NO_COLUMN,
                            "the table has no column number %d",
                            source->column_number);
    struct buffer names = BUFFER_EMPTY;
    const xmlNode *row = row_after(table, table, true);
    const xmlNode *cell = row ? next_cell(row->children) : NULL;
    struct slice text;
    for (int i = 0; i < HEADERS_SHOWN_MAX && cell; i++) {
        if (cell_text(html, cell, &text))
            buffer_printf(&names, "%s\"%.*s\"", i ? ", " : "",
                          SLICE_ARGS(text));
        cell = next_cell(cell->next);
    }
    extract_fail(result, REASON_NO_COLUMN,
                 "the table has no column \"%s\"; it has %s%s", source->column,
                 names.len ? buffer_text(&names) : "none", cell ? ", ..." : "");
    buffer_free(&names);
    return false;
}

static bool is_wanted_table(const struct table_source *source,
                            const xmlNode *node)
{
    if (!is_element(node, "table"))
        return false;
    if (source->id)
        return !strcmp(attribute(node, "id"), source->id);
    return !source->class || has_class(node, source->class);
}

static bool is_by_column(const struct table_source *source)
{
    return !source->id && !source->class && !source->xpath;
}

/* The first table of that id or class. */
static const xmlNode *find_by_attribute(const struct table_source *source,
                                        xmlDocPtr page)
{
    const xmlNode *top = (const xmlNode *)page;
    const xmlNode *node = page->children;
    while (node && !is_wanted_table(source, node))
        node = node_after(node, top, true);
    return node;
}

static const xmlNode *find_by_xpath(const struct extract_html *html,
                                    xmlDocPtr page,
                                    struct extract_result *result)
{
    xmlXPathObjectPtr object = extract_html_evaluate(html, 0, page, result);
    if (!object)
        return NULL;
    const xmlNode *node = NULL;
    if (object->type == XPATH_NODESET &&
        !xmlXPathNodeSetIsEmpty(object->nodesetval))
        node = object->nodesetval->nodeTab[0];
    xmlXPathFreeObject(object);
    return node && is_element(node, "table") ? node : NULL;
}

static bool no_table(const struct table_source *source,
                     struct extract_result *result)
{
    if (result->reason)
        return false;
    if (source->xpath)
        return extract_fail(result, REASON_NO_TABLE, "no table at %s",
                            source->xpath);
    if (source->id || source->class)
        return extract_fail(result, REASON_NO_TABLE,
                            "no table with the %s \"%s\"",
                            source->id ? "id" : "class",
                            source->id ? source->id : source->class);
    if (source->column)
        return extract_fail(result, REASON_NO_TABLE,
                            "no table has a column \"%s\"", source->column);
    return extract_fail(result, REASON_NO_TABLE, "no table has %d columns",
                        source->column_number);
}

/* The first table whose header agrees exactly; else the first that agrees but
 * for case. */
static bool find_by_column(struct extract_html *html, xmlDocPtr page,
                           struct column_place *ret,
                           struct extract_result *result)
{
    enum agreement best = AGREE_NOT;
    const xmlNode *top = (const xmlNode *)page;
    for (const xmlNode *node = page->children; node && best < AGREE_EXACTLY;
         node = node_after(node, top, true)) {
        struct column_place place;
        if (!is_element(node, "table"))
            continue;
        enum agreement agreement = find_column(html, node, &place);
        if (agreement <= best)
            continue;
        best = agreement;
        *ret = place;
    }
    return best != AGREE_NOT || no_table(&html->worker->table, result);
}

static bool find_place(struct extract_html *html, xmlDocPtr page,
                       struct column_place *ret, struct extract_result *result)
{
    const struct table_source *source = &html->worker->table;
    if (is_by_column(source))
        return find_by_column(html, page, ret, result);
    const xmlNode *table = source->xpath ? find_by_xpath(html, page, result)
                                         : find_by_attribute(source, page);
    if (!table)
        return no_table(source, result);
    return find_column(html, table, ret) != AGREE_NOT ||
           no_column(html, table, result);
}

/* The cell of this row that holds the key; false where there is none. */
static bool key_cell(struct grid *grid, const xmlNode *row,
                     const struct column_place *place, struct cell *ret)
{
    bool found = false;
    struct cell cell = {0};
    while (grid_next(grid, row, &cell)) {
        if (cell.column > place->column ||
            cell.column + cell.width <= place->column)
            continue;
        *ret = cell;
        found = cell.width <= place->width;
    }
    return found;
}

static void add_keys(struct extract_html *html,
                     const struct column_place *place,
                     struct extract_keyset *keys)
{
    struct grid grid = {0};
    bool first = html->worker->table.column; /* by text: a header row */
    bool more = true;
    const xmlNode *row = row_after(place->table, place->table, true);
    for (; row && more; row = row_after(row, place->table, false)) {
        struct cell cell;
        struct slice text;
        bool found = key_cell(&grid, row, place, &cell);
        if (found && !is_header_row(row, first)) {
            more = cell_text(html, cell.node, &text) &&
                   extract_keyset_add(keys, text);
        }
        first = false;
    }
}

bool extract_table_keys(struct extract_html *html, struct slice body,
                        struct extract_keyset *keys,
                        struct extract_result *result)
{
    struct column_place place = {0};
    html->no_memory = false;
    xmlDocPtr page = extract_html_parse(body, result);
    if (!page)
        return false;
    bool found = find_place(html, page, &place, result);
    if (found) {
        CHECK(place.table);
        add_keys(html, &place, keys);
    }
    xmlFreeDoc(page);
    if (html->no_memory)
        return extract_fail(result, REASON_INTERNAL, "out of memory");
    if (found && keys->n == 0)
        return extract_fail(result, REASON_NO_KEYS,
                            "the column has no usable key (%zu cells are "
                            "empty or hold none)",
                            keys->n_refused);
    return found;
}

bool extract_table_place(struct extract_html *html, struct slice body,
                         size_t *ret_table, size_t *ret_column)
{
    struct column_place place = {0};
    struct extract_result result = {.reason = REASON_NONE};
    xmlDocPtr page = extract_html_parse(body, &result);
    bool found = page && find_place(html, page, &place, &result);
    size_t n = 0;
    const xmlNode *node = found ? page->children : NULL;
    for (; node; node = node_after(node, (const xmlNode *)page, true)) {
        n += is_element(node, "table");
        if (node == place.table)
            break;
    }
    if (found) {
        *ret_table = n;
        *ret_column = place.column + 1;
    }
    xmlFreeDoc(page);
    return found;
}
