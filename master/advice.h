/* advice.h: what to do about a run in which nothing was stored. */
#ifndef MASTER_ADVICE_H
#define MASTER_ADVICE_H

#include "ledger/ledger.h"
#include "pipeline/pipeline.h"

/* Whether the same pipeline may well fare better with the keys that failed. It
 * does not where nothing was stored, and all that failed did so for what the
 * answers hold, or where the sources were asked, and gave nothing. */
bool advice_is_retry(const struct run_row *row,
                     const struct reason_count *reasons, size_t n_reasons);

/* Appends the command that shows what is wrong then: `windrow try` of the first
 * failure, or, where there is none, `windrow plan`. `pipeline` is the run's, or
 * NULL: it can't be read. */
MUSTCHECK
int advice_look(struct ledger *ledger, const struct run_row *row,
                const struct pipeline *pipeline, struct buffer *ret,
                struct error *err);

#endif
