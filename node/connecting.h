/*
 * connecting.h: a PostgreSQL connection, made by a thread.
 *
 * Host names, TLS and authentication take time that the loop does not have,
 * and libpq looks names up blocking. The finished connection is handed over:
 * set up, non-blocking, in pipeline mode.
 */
#ifndef NODE_CONNECTING_H
#define NODE_CONNECTING_H

#include <event2/event.h>
#include <libpq-fe.h>

#include "base/error.h"

struct connecting;

/* In the loop: `pq` is the receiver's, or NULL with `err` saying why.
 * `owns_session`: as ledger_postgres_owns_session(). The connecting object is
 * gone by then. */
typedef void connecting_on_done(void *context, PGconn *pq, bool owns_session,
                                const struct error *err);

/* NULL when memory or threads are out. */
struct connecting *connecting_new(struct event_base *base, const char *url,
                                  connecting_on_done *on_done, void *context);

/* Forgets it; its thread ends by itself. */
void connecting_cancel(struct connecting **connecting);

#endif
