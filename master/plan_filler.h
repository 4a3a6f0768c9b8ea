/*
 * plan_filler.h: keys on their way into a new run's root batches.
 *
 * Of plan*.c alone. A filler's batches are of one size; the keys of the one
 * that is being filled are all that it keeps in memory.
 */
#ifndef MASTER_PLAN_FILLER_H
#define MASTER_PLAN_FILLER_H

#include "plan.h"
#include "wire/message.h"

#define PLAN_SQL_FIRST_PAGE                                                    \
    "0:" /* node_core.h: no keys so far, no last one                           \
          */

struct plan_filler {
    const struct plan_options *options;
    plan_on_key *each; /* gets the keys, instead of the ledger; NULL: none */
    void *context;
    struct ledger *ledger;
    int64_t run;
    int queue;   /* whose consumers get the batches in turn; -1: ... */
    int worker;  /* ... this one gets them all */
    bool shared; /* the ledger makes the queue's keys unique */
    size_t batch_keys;
    size_t n_batches;
    int64_t n_keys;
    struct arena arena; /* of the keys of one batch */
    struct slice keys[TASK_KEYS_MAX];
    size_t n;
};

/* Copies the key, and writes the batch when it is full. */
MUSTCHECK
int plan_add_key(struct plan_filler *filler, struct slice key,
                 struct error *err);
/* Writes what is left. */
int plan_flush(struct plan_filler *filler, struct error *err);

/* How many keys a batch for `worker` should have, of so many in all. */
size_t plan_batch_keys(const struct plan_options *options,
                       const struct worker *worker, int64_t keys);

#endif
