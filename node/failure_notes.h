/*
 * failure_notes.h: keys that failed, for the log.
 *
 * Each is recorded in the ledger; here one is told in FAILURE_NOTES_INTERVAL of
 * those that failed for one reason at one host, with how many were left out.
 */
#ifndef NODE_FAILURE_NOTES_H
#define NODE_FAILURE_NOTES_H

#include "base/buffer.h"
#include "base/log_limit.h"
#include "ledger/closing.h"
#include "pipeline/pipeline.h"

#define FAILURE_NOTES_INTERVAL (10 * USEC_PER_SEC)

struct failure_notes {
    struct log_limit limit;  /* its interval is set by failure_notes_init() */
    struct buffer url, host; /* scratch */
    void (*on_note)(void *context, const char *note);
    void *context;
};

void failure_notes_init(struct failure_notes *notes,
                        void (*on_note)(void *context, const char *note),
                        void *context);
void failure_notes_fini(struct failure_notes *notes);

/* The closing's failures, of `worker`. */
void failure_notes_add(struct failure_notes *notes, const struct worker *worker,
                       const struct closing *closing, usec_t now);
/* What was left out since the last line of its kind. */
void failure_notes_end(struct failure_notes *notes);

#endif
