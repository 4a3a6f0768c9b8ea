/*
 * summary.h: what a run came to, at its end: for people and as JSON.
 *
 * Counts are the ledger's; what is said of nodes is theirs.
 */
#ifndef MASTER_SUMMARY_H
#define MASTER_SUMMARY_H

#include <stdio.h>

#include "core/master_core.h"
#include "ledger/ledger.h"

struct summary {
    struct run_row run;
    struct reason_count reasons[REASON_COUNT];
    size_t n_reasons;
    double seconds;      /* of this master's time */
    int64_t keys_before; /* ended before this master took the run */
    int exit_status;
    const char *why; /* it was not finished; "" otherwise */
    const struct node_view *nodes;
    size_t n_nodes;
};

/* Reads run and reasons. Text lives in `arena`. */
MUSTCHECK
int summary_read(struct ledger *ledger, int64_t run, struct arena *arena,
                 struct summary *ret, struct error *err);

void summary_print(const struct summary *summary, FILE *out);

/* One JSON object. ERR_FILE. */
MUSTCHECK
int summary_write(const struct summary *summary, const char *path,
                  struct error *err);
MUSTCHECK
int summary_write_to(const struct summary *summary, FILE *out,
                     struct error *err);

#endif
