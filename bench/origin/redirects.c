/* redirects.c: see redirects.h. */
#include "redirects.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "route.h"

/* How many redirects of a chain led to `target`. */
static uint64_t hop_of(const char *target)
{
    const char *hop = strstr(target, "?hop=");
    return hop ? strtoull(hop + strlen("?hop="), NULL, 10) : 0;
}

bool redirects_over(const struct options *options, enum fault_kind kind,
                    const char *target)
{
    if (kind == FAULT_REDIRECT)
        return route_query_has(target, "r=1");
    return kind == FAULT_REDIRECT_CHAIN &&
           hop_of(target) >= options->redirect_hops;
}

void redirects_head(const struct options *options, enum fault_kind kind,
                    const char *target, struct buffer *to)
{
    buffer_append_text(to, "Location: ");
    switch (kind) {
    case FAULT_REDIRECT:
        buffer_printf(to, "%s%s", target,
                      strchr(target, '?') ? "&r=1" : "?r=1");
        break;
    case FAULT_REDIRECT_CHAIN:
        buffer_printf(to, "%.*s?hop=%llu", (int)strcspn(target, "?"), target,
                      (unsigned long long)hop_of(target) + 1);
        break;
    case FAULT_REDIRECT_AWAY:
        buffer_printf(to, "%s%s", options->redirect_url, target);
        break;
    case FAULT_REDIRECT_FILE:
        buffer_append_text(to, "file:///etc/passwd");
        break;
    default:
        CHECK(kind == FAULT_REDIRECT_LOOP);
        buffer_append_text(to, target);
    }
    buffer_append_text(to, "\r\n");
}
