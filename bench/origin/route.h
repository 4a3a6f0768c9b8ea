/*
 * route.h: which page a request's target names.
 */
#ifndef ORIGIN_ROUTE_H
#define ORIGIN_ROUTE_H

#include <stdbool.h>

#include "facts.h"

enum page {
    PAGE_WIKI,
    PAGE_SYMBOLS_JSON,
    PAGE_SYMBOLS_TEXT,
    PAGE_SYMBOLS_CSV,
    PAGE_ROBOTS,
    PAGE_CHART,
    PAGE_QUOTE,
    PAGE_SPARK,    /* several symbols: a list of charts */
    PAGE_SPARK_V8, /* the same, newer: an object by symbol */
    PAGE_LOG,
    PAGE_RESET,
    PAGE_HEALTH,
    PAGE_NONE,       /* 404 */
    PAGE_BAD_KEY,    /* 400 */
    PAGE_BAD_METHOD, /* 405 */
    PAGE_BAD_AGENT   /* 403 or 429, as the site does */
};

/* The page that `target` names: one of those up to PAGE_BAD_KEY. Writes under
 * which key it is journaled: the symbol, `wiki`, `symbols`, `spark`; "" for
 * what is not. `target` is shorter than HTTP_TARGET_BYTES_MAX. */
enum page route_find(const char *target, char key[SYMBOL_BYTES_MAX]);

/* Whether the page is that of one symbol, or of several. */
static inline bool page_is_spark(enum page page)
{
    return page == PAGE_SPARK || page == PAGE_SPARK_V8;
}
static inline bool page_is_quote(enum page page)
{
    return page == PAGE_CHART || page == PAGE_QUOTE || page_is_spark(page);
}

/* Does the query of `target` have this part, such as r=1? */
bool route_query_has(const char *target, const char *part);

#endif
