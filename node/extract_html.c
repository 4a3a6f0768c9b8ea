/*
 * extract_html.c: see extract_html.h.
 *
 * libxml2's HTML parser mends whatever it gets, so the limits stand around
 * it: the body's encoding is UTF-8 or it is refused (libxml2 would guess
 * another one), extract_tags.h bounds tags, and a page nested deeper than
 * EXTRACT_HTML_DEPTH_MAX, which libxml2 cuts off, is refused rather than read
 * half. A parser context lives for one page: its dictionary of names would
 * grow with every page else. Nothing is loaded, nothing is printed.
 */
#include "extract_html.h"

#include <libxml/HTMLparser.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "extract_json.h"
#include "extract_result.h"
#include "extract_tags.h"
#include "extract_text.h"
#include "pipeline/xpath.h"

#define HTML_OPTIONS                                                           \
    (HTML_PARSE_RECOVER | HTML_PARSE_NOERROR | HTML_PARSE_NOWARNING |          \
     HTML_PARSE_NONET | HTML_PARSE_COMPACT | HTML_PARSE_IGNORE_ENC)

static xmlXPathCompExprPtr compile(const char *path)
{
    xmlXPathContextPtr context = xmlXPathNewContext(NULL);
    int code;
    if (!context)
        return NULL;
    xpath_listen(context, &code);
    xmlXPathCompExprPtr compiled =
        xmlXPathCtxtCompile(context, (const xmlChar *)path);
    xmlXPathFreeContext(context);
    return compiled;
}

static size_t count_paths(const struct worker *worker)
{
    if (worker->class == CLASS_HTTP_HTML)
        return worker->n_fields;
    return worker->table.xpath ? 1 : 0;
}

struct extract_html *extract_html_new(const struct worker *worker)
{
    xmlInitParser();
    struct extract_html *html = calloc(1, sizeof *html);
    if (!html)
        return NULL;
    html->worker = worker;
    size_t n = count_paths(worker);
    html->paths = calloc(n + 1, sizeof(xmlXPathCompExprPtr));
    for (; html->paths && html->n_paths < n; html->n_paths++) {
        const char *path = worker->class == CLASS_HTTP_HTML
                               ? worker->fields[html->n_paths].at
                               : worker->table.xpath;
        /* A field without a place is not looked for. */
        html->paths[html->n_paths] = compile(path ? path : ".");
        if (!html->paths[html->n_paths])
            break;
    }
    if (!html->paths || html->n_paths < n)
        extract_html_free(&html);
    return html;
}

void extract_html_free(struct extract_html **html)
{
    if (!*html)
        return;
    for (size_t i = 0; i < (*html)->n_paths; i++)
        xmlXPathFreeCompExpr((*html)->paths[i]);
    free((*html)->paths);
    buffer_free(&(*html)->text);
    arena_free(&(*html)->values);
    free(*html);
    *html = NULL;
}

/* Whether the body may be given to libxml2. */
static bool is_acceptable(struct slice body, struct extract_result *result)
{
    struct extract_tags tags;
    if (extract_text_trim(body).len == 0)
        return extract_fail(result, REASON_NOT_HTML, "the answer is empty");
    if (body.len > INT_MAX)
        return extract_fail(result, REASON_TOO_LARGE, "%zu bytes of HTML",
                            body.len);
    if (!extract_json_is_utf8(body))
        return extract_fail(result, REASON_NOT_HTML, "not valid UTF-8");
    if (memchr(body.data, '\0', body.len))
        return extract_fail(result, REASON_NOT_HTML, "holds a NUL");
    const char *why = extract_tags_check(body, &tags);
    bool too_many = tags.nodes > EXTRACT_NODES_MAX;
    if (why)
        return extract_fail(
            result, too_many ? REASON_TOO_LARGE : REASON_NOT_HTML, "%s", why);
    return true;
}

/* Whether the parser read all of the page. */
static bool is_whole(xmlParserCtxtPtr parser, struct extract_result *result)
{
    const xmlError *error = xmlCtxtGetLastError(parser);
    if (!error || error->level != XML_ERR_FATAL)
        return true;
    if (error->code == XML_ERR_NO_MEMORY)
        return extract_fail(result, REASON_INTERNAL, "out of memory");
    return extract_fail(result, REASON_NOT_HTML, "line %d: %s", error->line,
                        error->message ? error->message : "unreadable");
}

xmlDocPtr extract_html_parse(struct slice body, struct extract_result *result)
{
    if (body.len >= 3 && !memcmp(body.data, "\xef\xbb\xbf", 3))
        body = (struct slice){body.data + 3, body.len - 3};
    if (!is_acceptable(body, result))
        return NULL;
    htmlParserCtxtPtr parser = htmlNewParserCtxt();
    if (!parser) {
        extract_fail(result, REASON_INTERNAL, "out of memory");
        return NULL;
    }
    xmlDocPtr page = htmlCtxtReadMemory(parser, body.data, (int)body.len, NULL,
                                        "UTF-8", HTML_OPTIONS);
    if (!is_whole(parser, result)) {
        xmlFreeDoc(page);
        page = NULL;
    } else if (!page) {
        extract_fail(result, REASON_NOT_HTML, "no document");
    }
    htmlFreeParserCtxt(parser);
    return page;
}

/* What fails by itself would fail again, on this page and on others. */
static void no_object(int code, struct extract_result *result)
{
    switch (xpath_fault(code)) {
    case XPATH_FAULT_LIMIT:
        extract_fail(result, REASON_NOT_HTML,
                     "the XPath needs more than %d steps on this page",
                     EXTRACT_XPATH_OPS_MAX);
        break;
    case XPATH_FAULT_MEMORY:
        extract_fail(result, REASON_INTERNAL, "out of memory");
        break;
    case XPATH_FAULT_OWN:
        extract_fail(result, REASON_VALUE, "the XPath can't be evaluated: %s",
                     xpath_why(code));
        break;
    }
}

xmlXPathObjectPtr extract_html_evaluate(const struct extract_html *html,
                                        size_t path, xmlDocPtr page,
                                        struct extract_result *result)
{
    xmlXPathContextPtr context = xmlXPathNewContext(page);
    int code;
    if (!context) {
        extract_fail(result, REASON_INTERNAL, "out of memory");
        return NULL;
    }
    xpath_listen(context, &code);
    context->opLimit = EXTRACT_XPATH_OPS_MAX;
    xmlXPathObjectPtr object = xmlXPathCompiledEval(html->paths[path], context);
    if (!object)
        no_object(code, result);
    xmlXPathFreeContext(context);
    return object;
}

/* The text of what an XPath gave, or of its first node; libxml2's memory.
 * NULL where memory is out. */
static xmlChar *text_of(xmlXPathObjectPtr object)
{
    if (object->type == XPATH_NODESET)
        return xmlNodeGetContent(object->nodesetval->nodeTab[0]);
    return xmlXPathCastToString(object);
}

static bool has_type(enum field_type type, struct slice text)
{
    switch (type) {
    case FIELD_NUMBER:
        return extract_text_is_number(text);
    case FIELD_INTEGER:
        return extract_text_is_integer(text);
    case FIELD_BOOLEAN:
        return slice_equal(text, slice_of("true")) ||
               slice_equal(text, slice_of("false"));
    case FIELD_TIME: /* see html_value() */
    case FIELD_TEXT:
        return true;
    }
    return false;
}

/* The value of a field, out of `text`, which may be written to. */
static bool html_value(struct extract_html *html, const struct field *field,
                       char *text, struct slice *ret,
                       struct extract_result *result)
{
    size_t len = extract_text_squeeze(text, strlen(text));
    if (field->type == FIELD_NUMBER || field->type == FIELD_INTEGER)
        len = extract_text_plain_number(text, len);
    struct slice value = {text, len};
    if (!extract_storable(field, value, result))
        return false;
    if (!has_type(field->type, value))
        return extract_fail(result, REASON_FIELD_TYPE, "%s: \"%.*s\" is no %s",
                            field->at, (int)(len > 60 ? 60 : len), text,
                            field_type_name(field->type));
    char time[CLOCK_TEXT_BYTES];
    if (field->type == FIELD_TIME) {
        if (!extract_time(field, value, time, result))
            return false;
        value = (struct slice){time, sizeof time - 1};
    }
    ret->data = arena_copy(&html->values, value.data, value.len);
    ret->len = value.len;
    return ret->data || extract_fail(result, REASON_INTERNAL, "out of memory");
}

/* A function of texts gives one where it finds nothing: no field is absent
 * then. */
static bool is_empty_text(const xmlXPathObject *object)
{
    const char *text = (const char *)object->stringval;
    return object->type == XPATH_STRING && text &&
           extract_text_trim(slice_of(text)).len == 0;
}

static bool tell_empty(struct extract_result *result)
{
    size_t len = strlen(result->detail);
    if (result->reason == REASON_FIELD_TYPE)
        snprintf(result->detail + len, sizeof result->detail - len,
                 ": a function of texts gives an empty one where it finds "
                 "nothing");
    return false;
}

static bool html_field(struct extract_html *html, size_t i, xmlDocPtr page,
                       struct slice *ret, struct extract_result *result)
{
    const struct field *field = &html->worker->fields[i];
    if (!field->at) {
        *ret = (struct slice){0};
        return true;
    }
    xmlXPathObjectPtr object = extract_html_evaluate(html, i, page, result);
    if (!object)
        return false;
    if (object->type == XPATH_NODESET &&
        xmlXPathNodeSetIsEmpty(object->nodesetval)) {
        xmlXPathFreeObject(object);
        return extract_instead(field, REASON_FIELD_MISSING, ret, result);
    }
    xmlChar *text = text_of(object);
    bool empty = is_empty_text(object);
    xmlXPathFreeObject(object);
    bool good = text ? html_value(html, field, (char *)text, ret, result)
                     : extract_fail(result, REASON_INTERNAL, "out of memory");
    xmlFree(text);
    return good || (empty && tell_empty(result));
}

static bool all_fields(struct extract_html *html, xmlDocPtr page,
                       struct slice *ret, struct extract_result *result)
{
    for (size_t i = 0; i < html->worker->n_fields; i++)
        if (!html_field(html, i, page, &ret[i], result))
            return false;
    return true;
}

bool extract_html_fields(struct extract_html *html, struct slice body,
                         struct slice *ret_fields,
                         struct extract_result *result)
{
    xmlDocPtr page = extract_html_parse(body, result);
    if (!page)
        return false;
    arena_reset(&html->values);
    bool good = all_fields(html, page, ret_fields, result);
    xmlFreeDoc(page);
    return good;
}
