/*
 * fetch.h: HTTP transfers, thousands at a time, in one loop.
 *
 * A pool owns libcurl handles in shards: each shard is one multi handle with
 * at most FETCH_SHARD_MAX transfers, since libcurl's work for a request grows
 * with the connections of its multi handle (docs/performance.md). Handles,
 * buffers, and the loop's registrations of sockets are all reused.
 *
 * Nothing here decides: retries, budgets, and redirects are the core's.
 */
#ifndef NODE_FETCH_H
#define NODE_FETCH_H

#include <event2/event.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/slice.h"
#include "ledger/answer.h"
#include "ledger/reason.h"
#include "pipeline/pipeline.h"

#define FETCH_SHARD_MAX 128 /* transfers of one multi handle */
#define FETCH_BUFFER_KEEP                                                      \
    (64 * 1024) /* a larger body's memory is given back                        \
                 */
#define FETCH_HEAD_BYTES_MAX (128 * 1024) /* browsers take 256 KB at most */
#define FETCH_DETAIL_BYTES 200

struct fetch_pool;

/* What came, or why nothing did. Valid during the call only. */
struct fetch_answer {
    const struct request *request; /* of fetch_start() */
    enum reason reason; /* REASON_NONE: `body` is a 2xx answer; or a redirect,
                           if `redirect` is not empty */
    int http_status;    /* 0: none came */
    struct slice body;  /* decoded; EXTRACT_PADDING bytes may be read and
                           written behind it */
    struct slice redirect;
    struct slice url; /* that was asked for */
    bool unchanged;   /* since what was `known`: status 304; no `body` */
    bool no_store;    /* nothing may be kept of it */
    struct slice etag, modified;     /* validators; data NULL: none */
    usec_t fresh;                    /* it holds for so long; 0: not said */
    usec_t retry_after;              /* -1: none sent; cut to RETRY_AFTER_MAX */
    char detail[FETCH_DETAIL_BYTES]; /* where it failed: one line */
    void *easy; /* libcurl's handle, to be asked for more; NULL: none */
};

/* May call fetch_start() and fetch_cancel(), but for no other fetch_. */
typedef void fetch_on_done(void *context, uint64_t id,
                           const struct fetch_answer *answer);

/* Initialises libcurl (once a process). `ca_file` holds the certificates that
 * are trusted, NULL or "": the system's. ERR_MEMORY, ERR_SYSTEM. */
MUSTCHECK
int fetch_pool_new(struct event_base *base, const char *ca_file,
                   fetch_on_done *on_done, void *context,
                   struct fetch_pool **ret, struct error *err);
void fetch_pool_free(struct fetch_pool **pool);

/*
 * Asks for `url` with the options of `request` (which must outlive the pool).
 * Where the answer before has led to `url` and that is not where `request`
 * was meant to go (`foreign`), its headers stay here, for they may hold
 * secrets: all but Accept and those that begin so. Where `known` (NULL: not)
 * has validators, the answer is wanted only if it is another one by now.
 * on_done follows, never before this returns. ERR_MEMORY, ERR_SYSTEM: then no
 * on_done.
 */
MUSTCHECK
int fetch_start(struct fetch_pool *pool, uint64_t id,
                const struct request *request, struct slice url, bool foreign,
                const struct last_answer *known, struct error *err);

/* Ends a transfer without on_done; an unknown id is ignored. */
void fetch_cancel(struct fetch_pool *pool, uint64_t id);
void fetch_cancel_all(struct fetch_pool *pool);

/* Bytes received since the pool was made, as they came over the network. */
int64_t fetch_bytes(const struct fetch_pool *pool);

#endif
