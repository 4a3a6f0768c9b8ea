/* route.c: see route.h. */
#include "route.h"

#include <string.h>

#include "base/check.h"
#include "http.h"
#include "text.h"

#define CHART_PATH "/v8/finance/chart/"
#define QUOTE_PATH "/quote/"

static enum page fixed_page(const char *path, const char **ret_key)
{
    static const struct {
        const char *path;
        enum page page;
        const char *key; /* in the journal; "" for ours */
    } pages[] = {
        {"/wiki/List_of_S&P_500_companies", PAGE_WIKI, "wiki"},
        {"/symbols.json", PAGE_SYMBOLS_JSON, "symbols"},
        {"/symbols.txt", PAGE_SYMBOLS_TEXT, "symbols"},
        {"/symbols.csv", PAGE_SYMBOLS_CSV, "symbols"},
        {"/v7/finance/spark", PAGE_SPARK, "spark"},
        {"/v8/finance/spark", PAGE_SPARK_V8, "spark"},
        {"/robots.txt", PAGE_ROBOTS, "robots"},
        {"/origin/log", PAGE_LOG, ""},
        {"/origin/reset", PAGE_RESET, ""},
        {"/origin/health", PAGE_HEALTH, ""},
    };
    for (size_t i = 0; i < sizeof pages / sizeof *pages; i++) {
        if (!strcmp(path, pages[i].path)) {
            *ret_key = pages[i].key;
            return pages[i].page;
        }
    }
    return PAGE_NONE;
}

/* A key is one part of a path; a slash in it must come as %2F. */
static enum page keyed_page(char *path, const char **ret_key)
{
    enum page page;
    char *key;
    if (!strncmp(path, CHART_PATH, strlen(CHART_PATH))) {
        page = PAGE_CHART;
        key = path + strlen(CHART_PATH);
    } else if (!strncmp(path, QUOTE_PATH, strlen(QUOTE_PATH))) {
        page = PAGE_QUOTE;
        key = path + strlen(QUOTE_PATH);
        size_t len = strlen(key);
        if (len && key[len - 1] == '/') /* the real one has it */
            key[len - 1] = '\0';
    } else {
        return PAGE_NONE;
    }
    if (!*key || strchr(key, '/'))
        return PAGE_NONE;
    if (!text_percent_decode(key) || strlen(key) >= SYMBOL_BYTES_MAX)
        return PAGE_BAD_KEY;
    *ret_key = key;
    return page;
}

enum page route_find(const char *target, char key[SYMBOL_BYTES_MAX])
{
    char path[HTTP_TARGET_BYTES_MAX];
    size_t len = strcspn(target, "?#");
    CHECK(len < sizeof path);
    memcpy(path, target, len);
    path[len] = '\0';
    const char *found = "";
    enum page page = keyed_page(path, &found);
    if (page == PAGE_NONE && text_percent_decode(path))
        page = fixed_page(path, &found);
    len = strlen(found);
    CHECK(len < SYMBOL_BYTES_MAX); /* keyed_page() refused longer ones */
    memcpy(key, found, len + 1);
    return page;
}

bool route_query_has(const char *target, const char *part)
{
    const char *query = strchr(target, '?');
    size_t len = strlen(part);
    while (query) {
        query++;
        if (!strncmp(query, part, len) && (!query[len] || query[len] == '&'))
            return true;
        query = strchr(query, '&');
    }
    return false;
}
