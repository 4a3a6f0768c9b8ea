/*
 * query.h: keys out of a database: the `sql` source.
 *
 * A query can only be waited for, so a thread of its own runs it, a page at a
 * time: the distinct values of the query's column, as text, in their order,
 * at most QUERY_PAGE_KEYS after the last one of the page before. So any
 * number of keys needs little memory, and a page can be asked for again.
 */
#ifndef NODE_QUERY_H
#define NODE_QUERY_H

#include <event2/event.h>
#include <stdint.h>

#include "base/error.h"
#include "ledger/closing.h"
#include "pipeline/pipeline.h"

#define QUERY_PAGE_KEYS 50000
#define QUERY_TIME (10 * 60 * USEC_PER_SEC) /* of one page */

struct queries;

/* Valid during the call only. */
struct query_answer {
    enum reason reason; /* REASON_NONE, REASON_QUERY, REASON_NO_KEYS (first
                           page only), REASON_INTERNAL */
    const struct slice *keys;
    size_t n_keys;
    bool more; /* there may be a page after the last key */
    char detail[CLOSING_DETAIL_BYTES_MAX];
};

typedef void queries_on_done(void *context, uint64_t id,
                             const struct query_answer *answer);

/* `url` is the database of sources that name none. ERR_MEMORY, ERR_SYSTEM. */
MUSTCHECK
int queries_new(struct event_base *base, const char *url,
                queries_on_done *on_done, void *context, struct queries **ret,
                struct error *err);
void queries_free(struct queries **queries);

/* `key` is "N:KEY": the page after KEY, N keys came before. At most
 * `keys_max` keys in all pages together (0: all). on_done follows in the
 * loop. ERR_MEMORY. */
MUSTCHECK
int queries_start(struct queries *queries, uint64_t id,
                  const struct worker *worker, struct slice key,
                  size_t keys_max, struct error *err);

#endif
