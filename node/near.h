/*
 * near.h: where a pointer or an XPath found nothing, what is there instead:
 * how far it led, what stands there, and the nearest spelling. For
 * `windrow try`; nothing here is fast.
 *
 * Each returns an object, whose "text" says it in one line for people, or
 * NULL: the body can't be read, the path leads nowhere that could be told, or
 * memory is out.
 */
#ifndef NODE_NEAR_H
#define NODE_NEAR_H

#include <jansson.h>

#include "base/slice.h"
#include "pipeline/pipeline.h"

#define NEAR_NAMES_MAX 1000 /* among which the nearest is looked for */
#define NEAR_NAMES_SHOWN_MAX 12
#define NEAR_PLACES_MAX 3  /* where the same name is elsewhere */
#define NEAR_DEPTH_MAX 64  /* down to which it is looked for */
#define NEAR_TABLES_MAX 30 /* of a page */

/*
 * JSON. up_to: the longest part of the pointer that is there; kind: what
 * stands there ("an object"); names: of its members, the likest to the missing
 * one first; nearest: the one that is spelt like it, or null; elsewhere:
 * pointers to members of the missing name, or, where there is none and no
 * member is like it, of names that are like it.
 */
json_t *near_pointer(struct slice body, const char *pointer);

/* The same in the first element of the array at `list`. */
json_t *near_element(struct slice body, const char *list, const char *pointer);

/*
 * HTML. up_to, n: the longest part of the XPath that finds something, and how
 * many; missing: the step that finds nothing; without, n_without: the path
 * with that step but without its conditions; attribute, names, nearest: of the
 * attribute that a condition compares, values that are on the page.
 */
json_t *near_xpath(struct slice body, const char *xpath);

/* The tables of a page: {tables: [{id, class, headers, rows}], text}. */
json_t *near_tables(struct slice body);

#endif
