/*
 * extract.h: from an answer's bytes to fields or keys.
 *
 * Everything here is pure computing over one body: no I/O, no global state
 * beyond an `extractor`, which holds what is reused from answer to answer
 * (parsers, compiled pointers and XPaths, scratch memory). One extractor
 * serves one worker in one thread.
 */
#ifndef NODE_EXTRACT_H
#define NODE_EXTRACT_H

#include "base/arena.h"
#include "base/slice.h"
#include "ledger/closing.h"
#include "pipeline/pipeline.h"

#define EXTRACT_PADDING 64 /* readable bytes that must follow a body */
#define EXTRACT_JSON_DEPTH_MAX                                                 \
    256 /* levels that a pointer is followed; what                             \
           lies beside it may be deeper */
#define EXTRACT_TAG_BYTES_MAX                                                  \
    (64 * 1024) /* a longer HTML tag is refused                                \
                   before libxml2 sees it */
#define EXTRACT_HTML_DEPTH_MAX 255
#define EXTRACT_XPATH_OPS_MAX 10000000
#define EXTRACT_VALUE_BYTES_MAX (64 * 1024) /* of one field */
#define EXTRACT_KEYS_MAX 5000000            /* of one list */
#define EXTRACT_ROWS_MAX 100000             /* of one row set of an answer */
#define EXTRACT_ROWS_BYTES_MAX (16 << 20)   /* of the same, packed */

struct extractor;

/* For a fetcher, or an html_table or json_list source. NULL when memory is
 * out. The worker must outlive it. */
MUSTCHECK
struct extractor *extractor_new(const struct worker *worker);
void extractor_free(struct extractor **extractor);

/* How an extraction ended; detail says what was looked for and what was found
 * there, in one line ("/chart/result/0/meta/regularMarketPrice: absent"). */
struct extract_result {
    enum reason reason; /* REASON_NONE: all is well */
    char detail[CLOSING_DETAIL_BYTES_MAX];
};

/*
 * The fields of a fetcher's answer, in the order of worker->fields, into
 * `ret_fields` (room for worker->n_fields). They point into the body or into
 * the extractor and are valid until the next call or the body's end.
 * `body.data` is followed by EXTRACT_PADDING bytes, and may be written to.
 */
void extract_fields(struct extractor *extractor, struct slice body,
                    struct slice *ret_fields, struct extract_result *ret);

/*
 * The part of an answer to several keys that is that of each of the `n` keys
 * (as they were asked for), into `ret_parts`; data NULL: there is none. Of
 * several parts for one key the first counts. A part lies in the body. For
 * workers with keys_per_request.
 */
void extract_split(struct extractor *extractor, struct slice body,
                   const struct slice *keys, size_t n, struct slice *ret_parts,
                   struct extract_result *ret);

/* extract_fields() of the part of `key`; where there is none, that is why. */
void extract_part(struct extractor *extractor, struct slice key,
                  struct slice part, struct slice *ret_fields,
                  struct extract_result *ret);

/* The rows that the last extract_fields(), which succeeded, found for each of
 * worker->sets; NULL where there are none. Valid as long as its fields. */
const struct record_rows *extract_rows(const struct extractor *extractor);

/*
 * The keys of a list page, in order, trimmed, checked (key_is_valid), each
 * once, at most `limit` (0: EXTRACT_KEYS_MAX). The array and the keys live in
 * `arena`. A page without a usable key is REASON_NO_KEYS.
 */
void extract_keys(struct extractor *extractor, struct slice body, size_t limit,
                  struct arena *arena, struct slice **ret_keys,
                  size_t *ret_n_keys, struct extract_result *ret);

/* Whether the body holds one of the request's refusals (only bodies of at
 * most REFUSAL_BODY_BYTES are searched). */
bool body_is_refusal(const struct request *request, struct slice body);

#endif
