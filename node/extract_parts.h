/*
 * extract_parts.h: the parts of a JSON answer to several keys, each with its
 * key. A part is a document of its own, where its bytes are: what is wanted of
 * it is read as of an answer to one key. The C side of extract_parts.cc.
 *
 * The document is gone through once, and checked as extract_json.h says.
 */
#ifndef NODE_EXTRACT_PARTS_H
#define NODE_EXTRACT_PARTS_H

#include "extract_json.h"

#ifdef __cplusplus
extern "C" {
#endif

struct extract_parts;

/* A reader of the elements of the array or object at the pointer `each`; `key`
 * is the pointer of each one's key, NULL: the name of the member. Both must be
 * valid and outlive the reader. NULL when memory is out. */
MUSTCHECK
struct extract_parts *extract_parts_new(const char *each, const char *key);
void extract_parts_free(struct extract_parts **parts);

/* Called with each part that has a key, a text or a number, which is valid
 * until the next reading; the part lies in the body. */
typedef void extract_parts_each(void *context, struct slice key,
                                struct slice part);

/* Reads the document, which EXTRACT_PADDING readable bytes must follow. Returns
 * NULL, and what lies at `each` (EXTRACT_ABSENT where nothing does), or what is
 * wrong, as extract_json_read() does. */
MUSTCHECK
const char *extract_parts_read(struct extract_parts *parts, struct slice body,
                               enum extract_kind *ret_kind,
                               extract_parts_each *each, void *context);

#ifdef __cplusplus
}
#endif

#endif
