/*
 * extract_json.h: values at JSON Pointers (RFC 6901), out of a document that
 * is read once. The C side of extract_json.cc; see
 * docs/decisions/0001-simdjson-behind-c.md.
 *
 * What is checked: all of the document is UTF-8, has its strings closed and
 * no control characters in them, and its brackets balanced up to its last
 * byte, so a document that was cut off is refused even where the cut comes
 * after the values; on the way to a wanted value all of the grammar is
 * checked, and so is the value itself. What is not: scalars and commas inside
 * values that are passed over, and there '[' may be closed by '}'.
 *
 * Of several members of one name the first counts. Names are compared after
 * unescaping.
 */
#ifndef NODE_EXTRACT_JSON_H
#define NODE_EXTRACT_JSON_H

#include <stdbool.h>
#include <stddef.h>

#include "base/check.h"
#include "base/slice.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The same two as in extract.h, which is not for C++. */
#define EXTRACT_PADDING 64 /* readable bytes that must follow a body */
#define EXTRACT_JSON_DEPTH_MAX 256
#define EXTRACT_NUMBERS_MAX 20000 /* of one array: eighty years of days */
#define EXTRACT_NUMBER_BYTES 32   /* of a double as text, at most 24 */

enum extract_kind {
    EXTRACT_ABSENT,
    EXTRACT_NULL,
    EXTRACT_BOOLEAN,    /* text: "true" or "false" */
    EXTRACT_NUMBER,     /* text: as it was sent, checked against the grammar */
    EXTRACT_STRING,     /* text: unescaped; may hold NULs */
    EXTRACT_BAD_STRING, /* a bad escape, or half a surrogate pair */
    EXTRACT_OBJECT,
    EXTRACT_ARRAY,
};
const char *extract_kind_name(enum extract_kind kind); /* "a string", ... */

struct extract_value {
    enum extract_kind kind;
    struct slice text; /* into the body or the reader's memory, until the next
                          call or the body's end */
};

/* The numbers of an array, without its nulls. */
struct extract_numbers {
    double *values;
    struct slice *texts;   /* the same, as they were sent */
    size_t n;              /* at most EXTRACT_NUMBERS_MAX */
    bool more;             /* the array has more than that */
    enum extract_kind odd; /* of the first element that is neither null nor
                              a number that a double holds; else ABSENT */
    size_t odd_at;         /* its place */
    size_t room;           /* of the reader */
};

struct extract_json;

/*
 * A reader of `n` values. With `list` NULL the pointers begin at the
 * document; else `list` points at an array and the others begin at each of
 * its elements. The pointers must be valid and outlive the reader. NULL when
 * memory is out.
 */
MUSTCHECK
struct extract_json *extract_json_new(const char *list,
                                      const char *const *pointers, size_t n);
/* The same, but the list may be an object too, whose members are then its
 * elements. */
MUSTCHECK
struct extract_json *
extract_json_new_each(const char *list, const char *const *pointers, size_t n);
/* A reader of arrays: `n` values, no two at one place, of which those that are
 * arrays are gone through. NULL when memory is out. */
MUSTCHECK
struct extract_json *extract_json_new_arrays(const char *const *pointers,
                                             size_t n);
void extract_json_free(struct extract_json **json);

/*
 * Called with an element's values; false ends the calls, not the checking of
 * the document.
 */
typedef bool extract_json_each(void *context,
                               const struct extract_value *values);
/* The same for an element of array number `array`. */
typedef bool extract_json_item(void *context, size_t array,
                               const struct extract_value *value);

/*
 * Reads the document, which EXTRACT_PADDING readable bytes must follow, and
 * sets `ret_values` (room for n; for a list the first is what lies at `list`).
 * Returns NULL, or in a few words what is wrong with the document; it is
 * extract_json_no_memory when memory is out. Allocates nothing once it has
 * seen a document as long as this one. `each` and `context` are for lists.
 */
MUSTCHECK
const char *extract_json_read(struct extract_json *json, struct slice body,
                              struct extract_value *ret_values,
                              extract_json_each *each, void *context);
extern const char extract_json_no_memory[];
/* The same of a reader of arrays; an array's value is EXTRACT_ARRAY. */
MUSTCHECK
const char *extract_json_read_arrays(struct extract_json *json,
                                     struct slice body,
                                     struct extract_value *ret_values,
                                     extract_json_item *item, void *context);

/*
 * From here on the reader keeps the numbers of the array at pointer `i`; not
 * for lists. False when memory is out. extract_json_numbers() are those of the
 * last document, where its value `i` was an array.
 */
MUSTCHECK
bool extract_json_keep_numbers(struct extract_json *json, size_t i);
const struct extract_numbers *
extract_json_numbers(const struct extract_json *json, size_t i);

/* A finite double as a JSON number, the shortest that is read as the same
 * double again. Returns the length; no NUL is written. */
size_t extract_json_print(double value, char ret[EXTRACT_NUMBER_BYTES]);

/* Whether all of `text` is UTF-8 (without surrogates, RFC 3629). */
bool extract_json_is_utf8(struct slice text);

#ifdef __cplusplus
}
#endif

#endif
