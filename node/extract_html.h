/*
 * extract_html.h: HTML through libxml2: parsing within limits, and fields by
 * XPath. What extract.c calls, and what extract_table.c builds on.
 */
#ifndef NODE_EXTRACT_HTML_H
#define NODE_EXTRACT_HTML_H

#include <libxml/tree.h>
#include <libxml/xpath.h>

#include "base/buffer.h"
#include "extract.h"

struct extract_html {
    const struct worker *worker;
    xmlXPathCompExprPtr *paths; /* of each field; of a table, if by XPath */
    size_t n_paths;
    struct arena values; /* of the last page's fields */
    struct buffer text;  /* a cell's */
    bool no_memory;      /* for a cell's text */
};

/* For an http_html or html_table worker, whose XPaths must be valid. NULL
 * when memory is out. */
MUSTCHECK
struct extract_html *extract_html_new(const struct worker *worker);
void extract_html_free(struct extract_html **html);

/* The parsed page, to be freed with xmlFreeDoc(); NULL sets `result`. */
MUSTCHECK
xmlDocPtr extract_html_parse(struct slice body, struct extract_result *result);

/* What the path number `path` gives on the page; NULL sets `result`. To be
 * freed with xmlXPathFreeObject(). libxml2 gives nodes in document order. */
MUSTCHECK
xmlXPathObjectPtr extract_html_evaluate(const struct extract_html *html,
                                        size_t path, xmlDocPtr page,
                                        struct extract_result *result);

/* As extract_fields(). */
bool extract_html_fields(struct extract_html *html, struct slice body,
                         struct slice *ret_fields,
                         struct extract_result *result);

#endif
