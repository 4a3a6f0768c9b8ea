/*
 * store.h: closings to the database, without holding up the loop.
 *
 * Two ways behind one interface: PostgreSQL by non-blocking connections in
 * pipeline mode, in the loop itself (store_postgres.c); SQLite by a thread
 * (store_thread.c), since SQLite can only block.
 *
 * A database that is away (restarted, full, locked, read-only) is waited for:
 * the store says so through on_waiting, tries again with backoff, and sends
 * every closing whose answer it has not seen once more; the ledger knows the
 * ones that were committed. After `database_wait` without any answer it gives
 * up, once.
 */
#ifndef NODE_STORE_H
#define NODE_STORE_H

#include <event2/event.h>
#include <stdint.h>

#include "base/error.h"
#include "ledger/closing.h"
#include "pipeline/pipeline.h"

#define STORE_RETRY_MIN (100 * USEC_PER_MSEC) /* between tries, doubling, */
#define STORE_RETRY_MAX (5 * USEC_PER_SEC)    /* up to this */
#define STORE_PIPELINE_MAX 8 /* closings sent on one connection, unanswered */
#define STORE_CONNECTIONS_MAX 64
/* The look at the tables, before the first closing. */
#define STORE_LOOK_TRIES 20
#define STORE_LOOK_PAUSE (500 * USEC_PER_MSEC)
/* How often a connection that says nothing is looked at. */
#define STORE_SILENCE (15 * USEC_PER_SEC)

struct store;

/* All are called in the loop, never inside store_submit() or
 * store_forget(). */
struct store_callbacks {
    void *context;
    /* The answer; result->children has the closing's n_children numbers. */
    void (*on_closed)(void *context, uint64_t id,
                      const struct close_result *result);
    /* The closing was dropped by store_forget(); it may be freed now. */
    void (*on_dropped)(void *context, uint64_t id);
    void (*on_waiting)(void *context, bool waiting, const char *why);
    /* It was away for longer than database_wait, or something is wrong that
     * waiting won't mend. */
    void (*on_gave_up)(void *context, const char *why);
};

/*
 * `pipeline` must outlive the store. `connections` is how many the
 * pipeline's stores ask for. ERR_SETTING, ERR_MEMORY, ERR_SYSTEM, and what
 * ledger_open() says; it may block until the first connection is there.
 */
MUSTCHECK
int store_new(struct event_base *base, const char *url,
              const struct pipeline *pipeline, usec_t database_wait,
              const struct store_callbacks *callbacks, struct store **ret,
              struct error *err);

/* Closings begun are waited for, at most a second; none is reported. */
void store_free(struct store **store);

/* The closing must live until on_closed or on_dropped. ERR_MEMORY. */
MUSTCHECK
int store_submit(struct store *store, uint64_t id,
                 const struct closing *closing, struct error *err);

/* Drops closings that were not begun; the others still get on_closed. */
void store_forget(struct store *store);

#endif
