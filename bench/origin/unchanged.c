/*
 * unchanged.c: see unchanged.h.
 *
 * Both validators come from the body alone, so they say the same after a
 * restart, and another thing as soon as the body is another.
 */
#include "unchanged.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "text.h"

#define FIRST_DATE 1735689600 /* 2025-01-01; all dates are of that year */
#define DATES (365 * 86400)

static uint64_t hash_of(struct slice body)
{
    uint64_t hash = 0;
    for (size_t i = 0; i < body.len; i++)
        hash = text_mix(hash + (unsigned char)body.data[i] + 1);
    return hash;
}

/* Of If-None-Match only the forms "X" and W/"X" in a list, and *. */
static bool knows_tag(const char *if_none_match, const char *tag)
{
    return !strcmp(if_none_match, "*") || strstr(if_none_match, tag);
}

static bool concerns(const struct options *options, const struct visit *visit,
                     const struct answer *answer)
{
    return (options->etag || options->last_modified ||
            options->cache_control) &&
           (visit->page == PAGE_CHART || visit->page == PAGE_QUOTE) &&
           (visit->fault == FAULT_NONE || visit->fault == FAULT_SLOW) &&
           answer->status == 200;
}

bool unchanged_apply(const struct options *options,
                     const struct http_request *request,
                     const struct visit *visit, struct buffer *extra,
                     struct answer *answer)
{
    if (!concerns(options, visit, answer))
        return false;
    char tag[32], date[64];
    uint64_t hash = hash_of(answer->body);
    time_t at = FIRST_DATE + (time_t)(hash % DATES);
    struct tm tm;
    snprintf(tag, sizeof tag, "\"%016" PRIx64 "\"", hash);
    strftime(date, sizeof date, "%a, %d %b %Y %T GMT", gmtime_r(&at, &tm));
    if (options->cache_control)
        buffer_printf(extra, "Cache-Control: %s\r\n", options->cache_control);
    if (options->etag)
        buffer_printf(extra, "ETag: %s\r\n", tag);
    if (options->last_modified)
        buffer_printf(extra, "Last-Modified: %s\r\n", date);
    /* RFC 9110, 13.2.2: the second one counts only without the first. */
    bool known = *request->if_none_match
                     ? options->etag && knows_tag(request->if_none_match, tag)
                     : options->last_modified &&
                           !strcmp(request->if_modified_since, date);
    if (!known)
        return false;
    answer->status = 304;
    answer->body = slice_of("");
    answer->body_lasts = true;
    answer->gzip = false;
    return true;
}
