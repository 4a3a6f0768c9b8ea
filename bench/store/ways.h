/*
 * ways.h: the same rows into the table `prices`, in three ways, timed.
 *
 *   closing  as a node stores: its store (node/store.h) executes a closing for
 *            each batch of a run in the ledger, several in flight
 *   copy     COPY, one or more, over as many connections, a thread each
 *   insert   one INSERT a row, each its own transaction, over one connection
 *
 * The row of key number n, from 1, is K0000001, 10000.001, the time.
 */
#ifndef BENCH_STORE_WAYS_H
#define BENCH_STORE_WAYS_H

#include "base/clock.h"
#include "base/error.h"

#define WAY_BATCH_MAX 512 /* keys of a batch: a node gets no more */
#define WAY_CONNECTIONS_MAX 64
#define WAY_ROWS_MAX 9999999 /* keys have seven digits */

struct way_plan {
    const char *url; /* postgresql://…; the table need not be there */
    size_t rows;
    size_t batch;       /* rows of a closing, of a COPY; 0: one COPY for all
                           rows of a connection */
    size_t connections; /* closing, copy */
};

#define WAY_KEY_BYTES 16
#define WAY_PRICE_BYTES 24
/* The key and the price of a row. */
void way_row(size_t number, char key[WAY_KEY_BYTES],
             char price[WAY_PRICE_BYTES]);

/* Each stores all rows; *ret is from the first to the last, without what is
 * prepared before: connections, the run with its batches. */
MUSTCHECK
int way_closing(const struct way_plan *plan, usec_t *ret, struct error *err);
MUSTCHECK
int way_copy(const struct way_plan *plan, usec_t *ret, struct error *err);
MUSTCHECK
int way_insert(const struct way_plan *plan, usec_t *ret, struct error *err);

#endif
