/*
 * near_html.c: see near.h: HTML.
 *
 * An XPath is cut between its steps, at each '/' outside brackets, quotes and
 * parentheses; the parts are tried, the longest first.
 */
#include <libxml/xpath.h>
#include <stdlib.h>

#include "base/buffer.h"
#include "extract_html.h"
#include "extract_text.h"
#include "near.h"
#include "near_text.h"
#include "pipeline/xpath.h"

#define STEPS_MAX 64
#define HEADERS_MAX 12
#define HEADER_BYTES_MAX 40

/* What the path finds; NULL where it is none, or finds no nodes. */
static xmlXPathObjectPtr find(xmlDocPtr page, struct slice path)
{
    xmlXPathContextPtr context = xmlXPathNewContext(page);
    char *text = strndup(path.data, path.len);
    xmlXPathObjectPtr object = NULL;
    int code;
    if (context && text) {
        xpath_listen(context, &code);
        context->opLimit = EXTRACT_XPATH_OPS_MAX;
        object = xmlXPathEval((const xmlChar *)text, context);
    }
    free(text);
    xmlXPathFreeContext(context);
    if (object && (object->type != XPATH_NODESET ||
                   xmlXPathNodeSetIsEmpty(object->nodesetval))) {
        xmlXPathFreeObject(object);
        object = NULL;
    }
    return object;
}

static int count(xmlDocPtr page, struct slice path)
{
    xmlXPathObjectPtr object = find(page, path);
    int n = object ? object->nodesetval->nodeNr : 0;
    xmlXPathFreeObject(object);
    return n;
}

/* Where a character stands: in quotes, or how deep in brackets. */
struct nesting {
    char quote;
    int depth;
};

static void pass(struct nesting *nesting, char c)
{
    if (nesting->quote)
        nesting->quote = c == nesting->quote ? '\0' : nesting->quote;
    else if (c == '"' || c == '\'')
        nesting->quote = c;
    else if (c == '[' || c == '(')
        nesting->depth++;
    else if (c == ']' || c == ')')
        nesting->depth--;
}

/* The lengths of the path's parts that end with a step, the shortest first. */
static size_t cut(const char *xpath, size_t ends[STEPS_MAX])
{
    struct nesting nesting = {0};
    size_t n = 0, i = 0;
    for (; xpath[i] && n < STEPS_MAX - 1; i++) {
        bool outside = !nesting.quote && !nesting.depth;
        if (xpath[i] == '/' && outside && i && xpath[i - 1] != '/')
            ends[n++] = i;
        pass(&nesting, xpath[i]);
    }
    ends[n++] = strlen(xpath);
    return n;
}

/* The step without what stands in brackets. */
static void append_bare(struct buffer *path, struct slice step)
{
    struct nesting nesting = {0};
    for (size_t i = 0; i < step.len; i++) {
        bool outside = !nesting.quote && !nesting.depth;
        pass(&nesting, step.data[i]);
        if (outside && step.data[i] != '[')
            buffer_append_char(path, step.data[i]);
    }
}

/* ---- values of attributes ---- */

/* In a condition, the first attribute's name and the text it is compared
 * with: @id="x", contains(@class, 'x'). */
static bool condition_of(struct slice step, struct slice *name,
                         struct slice *value)
{
    const char *end = step.data + step.len;
    const char *at = memchr(step.data, '@', step.len);
    if (!at)
        return false;
    name->data = ++at;
    while (at < end && !strchr(" \t=,])", *at))
        at++;
    name->len = (size_t)(at - name->data);
    while (at < end && *at != '"' && *at != '\'' && *at != '@')
        at++;
    if (at >= end || *at == '@' || !name->len)
        return false;
    value->data = at + 1;
    const char *close = memchr(at + 1, *at, (size_t)(end - at - 1));
    value->len = close ? (size_t)(close - at - 1) : 0;
    return close;
}

static void add_word(const char *word, size_t len, struct arena *arena,
                     const char **names, size_t *n)
{
    for (size_t i = 0; i < *n; i++)
        if (!strncmp(names[i], word, len) && !names[i][len])
            return;
    if (len && *n < NEAR_NAMES_MAX &&
        (names[*n] = arena_copy(arena, word, len)))
        ++*n;
}

/* Each value once; of a class each word. */
static size_t values_of(xmlDocPtr page, struct slice name, struct arena *arena,
                        const char **names)
{
    struct buffer path = BUFFER_EMPTY;
    size_t n = 0;
    buffer_printf(&path, "//@%.*s", SLICE_ARGS(name));
    xmlXPathObjectPtr object = find(page, buffer_slice(&path));
    bool words = slice_equal(name, slice_of("class"));
    for (int i = 0; object && i < object->nodesetval->nodeNr; i++) {
        xmlChar *content = xmlNodeGetContent(object->nodesetval->nodeTab[i]);
        const char *p = content ? (const char *)content : "";
        while (words && *p) {
            size_t len = strcspn(p, " \t\r\n\f");
            add_word(p, len, arena, names, &n);
            p += len;
            p += strspn(p, " \t\r\n\f");
        }
        add_word(p, strlen(p), arena, names, &n);
        xmlFree(content);
    }
    xmlXPathFreeObject(object);
    buffer_free(&path);
    return n;
}

static void tell_values(xmlDocPtr page, struct slice step, json_t *ret,
                        struct buffer *text)
{
    const char *names[NEAR_NAMES_MAX];
    struct arena arena = ARENA_EMPTY;
    struct slice name, value;
    if (condition_of(step, &name, &value)) {
        char *word = arena_copy(&arena, value.data, value.len);
        size_t n = values_of(page, name, &arena, names);
        near_rank(word, names, n);
        json_object_set_new(ret, "attribute",
                            json_stringn(name.data, name.len));
        json_object_set_new(ret, "names", near_names(names, n));
        json_object_set_new(ret, "nearest", near_nearest(word, names, n));
        buffer_printf(text, "; @%.*s on the page: ", SLICE_ARGS(name));
        if (n)
            near_append_names(text, "", names, n);
        else
            buffer_append_text(text, "none");
        near_append_nearest(text, word, names, n);
    }
    arena_free(&arena);
}

/* ---- the path ---- */

static json_t *tell_path(xmlDocPtr page, const char *xpath, size_t good,
                         size_t bad)
{
    struct slice up_to = {xpath, good}, step = {xpath + good, bad - good};
    struct buffer bare = BUFFER_EMPTY, text = BUFFER_EMPTY;
    int n = good ? count(page, up_to) : 0;
    buffer_append_slice(&bare, up_to);
    append_bare(&bare, step);
    int n_bare = count(page, buffer_slice(&bare));
    json_t *ret = json_pack("{s:s%, s:i, s:s%, s:s, s:i}", "up_to", up_to.data,
                            up_to.len, "n", n, "missing", step.data, step.len,
                            "without", buffer_text(&bare), "n_without", n_bare);
    if (good)
        buffer_printf(&text, "%.*s finds %d, then %.*s none", SLICE_ARGS(up_to),
                      n, SLICE_ARGS(step));
    else
        buffer_printf(&text, "already %.*s finds none", SLICE_ARGS(step));
    if (bare.len < bad)
        buffer_printf(&text, "; %s finds %d", buffer_text(&bare), n_bare);
    tell_values(page, step, ret, &text);
    json_object_set_new(ret, "text", near_text(buffer_slice(&text)));
    buffer_free(&bare);
    buffer_free(&text);
    return ret;
}

json_t *near_xpath(struct slice body, const char *xpath)
{
    struct extract_result result = {.reason = REASON_NONE};
    size_t ends[STEPS_MAX];
    xmlDocPtr page = extract_html_parse(body, &result);
    if (!page)
        return NULL;
    size_t n = cut(xpath, ends), good = n;
    while (good && !count(page, (struct slice){xpath, ends[good - 1]}))
        good--;
    json_t *ret = good == n ? NULL
                            : tell_path(page, xpath, good ? ends[good - 1] : 0,
                                        ends[good]);
    xmlFreeDoc(page);
    return ret;
}

/* ---- tables ---- */

static json_t *attribute_of(xmlNodePtr node, const char *name)
{
    xmlChar *text = xmlGetProp(node, (const xmlChar *)name);
    json_t *ret = text ? json_string((const char *)text) : json_null();
    xmlFree(text);
    return ret;
}

/* How many nodes `path` finds below `table`, and the texts of the first. */
static size_t texts_below(xmlDocPtr page, xmlNodePtr table, const char *path,
                          json_t *texts)
{
    xmlXPathContextPtr context = xmlXPathNewContext(page);
    int code;
    if (!context)
        return 0;
    context->node = table;
    xpath_listen(context, &code);
    xmlXPathObjectPtr object = xmlXPathEval((const xmlChar *)path, context);
    xmlNodeSetPtr found = object ? object->nodesetval : NULL;
    for (int i = 0; texts && found && i < found->nodeNr && i < HEADERS_MAX;
         i++) {
        char *text = (char *)xmlNodeGetContent(found->nodeTab[i]);
        size_t len = text ? extract_text_squeeze(text, strlen(text)) : 0;
        json_array_append_new(
            texts, near_text((struct slice){
                       text ? text : "",
                       len < HEADER_BYTES_MAX ? len : HEADER_BYTES_MAX}));
        xmlFree(text);
    }
    size_t n = found ? (size_t)found->nodeNr : 0;
    xmlXPathFreeObject(object);
    xmlXPathFreeContext(context);
    return n;
}

static json_t *table_of(xmlDocPtr page, xmlNodePtr table)
{
    json_t *headers = json_array();
    texts_below(page, table, "(.//tr)[1]/*[self::th or self::td]", headers);
    return json_pack("{s:o, s:o, s:o, s:I}", "id", attribute_of(table, "id"),
                     "class", attribute_of(table, "class"), "headers", headers,
                     "rows",
                     (json_int_t)texts_below(page, table, ".//tr", NULL));
}

static void append_table(struct buffer *text, size_t i, const json_t *table)
{
    const char *id = json_string_value(json_object_get(table, "id"));
    const char *class = json_string_value(json_object_get(table, "class"));
    json_t *headers = json_object_get(table, "headers"), *header;
    size_t k;
    buffer_printf(text, "%stable %zu%s%.40s%s%.40s:", i ? "; " : "", i + 1,
                  id ? " id " : "", id ? id : "", class ? " class " : "",
                  class ? class : "");
    json_array_foreach(headers, k, header)
    {
        buffer_printf(text, "%s%s", k ? ", " : " ", json_string_value(header));
    }
}

json_t *near_tables(struct slice body)
{
    struct extract_result result = {.reason = REASON_NONE};
    struct buffer text = BUFFER_EMPTY;
    xmlDocPtr page = extract_html_parse(body, &result);
    if (!page)
        return NULL;
    json_t *tables = json_array();
    xmlXPathObjectPtr object = find(page, slice_of("//table"));
    int n = object ? object->nodesetval->nodeNr : 0;
    for (int i = 0; i < n && i < NEAR_TABLES_MAX; i++) {
        json_t *table = table_of(page, object->nodesetval->nodeTab[i]);
        append_table(&text, (size_t)i, table);
        json_array_append_new(tables, table);
    }
    if (!n)
        buffer_append_text(&text, "there is no table on the page");
    json_t *ret = json_pack("{s:o, s:i, s:o}", "tables", tables, "n", n, "text",
                            near_text(buffer_slice(&text)));
    xmlXPathFreeObject(object);
    buffer_free(&text);
    xmlFreeDoc(page);
    return ret;
}
