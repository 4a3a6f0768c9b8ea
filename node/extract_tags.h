/*
 * extract_tags.h: refuses HTML on which libxml2 2.9.14 would compute for
 * minutes, before it sees it.
 */
#ifndef NODE_EXTRACT_TAGS_H
#define NODE_EXTRACT_TAGS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"

/* Of one tag: libxml2 compares each attribute of a tag with all before it
 * (Wikipedia's tags have at most 10, its parser's form included, Yahoo's 23).
 */
#define EXTRACT_ATTRIBUTES_MAX 64
/* Of a page: tags, attributes, comments, and '&'. Each becomes nodes of some
 * 300 bytes, and the slowest kind, a quarter of a million end tags of nothing,
 * is 0.8 s of computing, more than twice that for twice as many (Wikipedia's
 * page of 1.1 MB has 57,000). */
#define EXTRACT_NODES_MAX 500000

struct extract_tags {
    size_t tag_bytes_max;  /* the longest tag seen */
    size_t attributes_max; /* the most attributes in one tag */
    size_t nodes;
};

/*
 * Finds the tags of `body` the way libxml2 does and measures them. Returns
 * NULL, or in a few words what exceeds a limit (EXTRACT_TAG_BYTES_MAX and the
 * two above), or what can't be read with certainty.
 */
const char *extract_tags_check(struct slice body, struct extract_tags *ret);

#endif
