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
    PAGE_LOG,
    PAGE_RESET,
    PAGE_HEALTH,
    PAGE_NONE,       /* 404 */
    PAGE_BAD_KEY,    /* 400 */
    PAGE_BAD_METHOD, /* 405 */
    PAGE_BAD_AGENT   /* 403 or 429, as the site does */
};

/* The page that `target` names: one of those up to PAGE_BAD_KEY. Writes under
 * which key it is journaled: the symbol, `wiki`, `symbols`; "" for what is not.
 * `target` is shorter than HTTP_TARGET_BYTES_MAX. */
enum page route_find(const char *target, char key[SYMBOL_BYTES_MAX]);

/* Does the query of `target` have this part, such as r=1? */
bool route_query_has(const char *target, const char *part);

#endif
