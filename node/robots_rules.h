/*
 * robots_rules.h: what a site's robots.txt says to one crawler (RFC 9309).
 *
 * Of the groups whose User-agent is our product token, or else of those for
 * `*`, all rules count: the longest pattern that matches a path decides, and of
 * two as long the one that allows. Patterns may have `*` and end in `$`.
 * Crawl-delay is no part of the RFC; it is understood as the seconds between
 * two requests.
 */
#ifndef NODE_ROBOTS_RULES_H
#define NODE_ROBOTS_RULES_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/slice.h"

#define ROBOTS_BYTES_MAX (512 * 1024) /* RFC 9309, 2.5: at least 500 KiB */
#define ROBOTS_RULES_MAX 10000        /* more are not looked at */
#define ROBOTS_DELAY_MAX (10 * 60 * USEC_PER_SEC)

struct robots_rule {
    struct slice pattern; /* as normalised */
    bool allow;
    struct robots_rule *next;
};

struct robots_rules {
    struct robots_rule *rules;
    usec_t crawl_delay; /* 0: none */
    struct arena arena; /* of all this */
};

/* `product` is our token, as in User-agent lines. False where memory is out.
 * To be freed in any case. */
MUSTCHECK
bool robots_rules_read(struct slice text, const char *product,
                       struct robots_rules *ret);
void robots_rules_free(struct robots_rules *rules);

/* `target` is a path with its query ("/a?b"). Where memory is out, it is not
 * allowed. */
bool robots_rules_allow(struct robots_rules *rules, struct slice target);

#endif
