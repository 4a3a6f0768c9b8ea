/*
 * recall.h: what a key's URL answered before, before it is asked again.
 *
 * Between the core's START and the transfer, for fetchers with the option
 * `cache`: the URLs of one turn of the loop are looked up at once, by a thread
 * with a connection of its own. What is still fresh is given back without a
 * request; the others are asked for, with what the site needs to say that
 * nothing has changed. Where the database does not answer in time, they are
 * asked for as if nothing were known: a look-up can only save something.
 */
#ifndef NODE_RECALL_H
#define NODE_RECALL_H

#include <event2/event.h>

#include "core/node_core.h"
#include "fetch.h"

#define RECALL_URLS_MAX 512            /* of one look-up */
#define RECALL_TIME (2 * USEC_PER_SEC) /* for one; then do without */

struct recalls;

/* Called in the loop, never inside recall_start(). */
struct recall_callbacks {
    void *context;
    /* To be asked for; recall_known() says what is known. */
    void (*on_ask)(void *context, const struct node_effect *start);
    /* Fresh: there is nothing to ask. */
    void (*on_fresh)(void *context, uint64_t fetch,
                     const struct last_answer *answer);
};

/* `url` is that of the ledger. ERR_MEMORY, ERR_SYSTEM. */
MUSTCHECK
int recalls_new(struct event_base *base, const char *url,
                const struct recall_callbacks *callbacks, struct recalls **ret,
                struct error *err);
void recalls_free(struct recalls **recalls);

/* The START effect, whose texts are copied. A call follows, and until
 * recall_end() what is known is kept. False when memory is out: then neither.
 */
MUSTCHECK
bool recall_start(struct recalls *recalls, const struct node_effect *effect);

/* What is known of a transfer's URL; NULL: nothing, or not yet. It is good
 * until recall_end(). `recalls` may be NULL. */
const struct last_answer *recall_known(const struct recalls *recalls,
                                       uint64_t fetch);

/* What there is to remember of an answer that makes a record, but for its
 * fields and time: in `ret`, or NULL, nothing. `known` is that of its URL; of
 * an answer that is unchanged, what it does not say again still holds. */
const struct last_answer *recall_remember(const struct fetch_answer *answer,
                                          const struct last_answer *known,
                                          struct last_answer *ret);

/* The transfer has ended, or is not wanted any more; an unknown one is
 * ignored. May be called inside a callback. `recalls` may be NULL. */
void recall_end(struct recalls *recalls, uint64_t fetch);
void recall_end_all(struct recalls *recalls);

#endif
