/*
 * run.h: what a node has of one run: its pipeline, an extractor for each
 * worker, transfers, and the store.
 *
 * It carries out the core's START, CANCEL, CLOSE and FORGET, and tells their
 * ends to its owner.
 */
#ifndef NODE_RUN_H
#define NODE_RUN_H

#include <event2/event.h>

#include "core/node_core.h"
#include "ledger/ledger.h"
#include "pipeline/settings.h"

struct run;
struct launcher;

/* What the owner is told, in the loop. */
struct run_callbacks {
    void *context;
    void (*on_event)(void *context, const struct node_event *event);
    void (*on_closing_dropped)(void *context, uint64_t closing);
    /* Asks for the keys of a START: node_core_asked(). */
    size_t (*asked)(void *context, uint64_t fetch, struct slice *ret_keys,
                    unsigned *ret_nth);
    void (*on_note)(void *context, const char *note); /* for the log */
    /* The process ends, since memory is out at a point where nothing can be put
     * off, or a program is not to be had; `again`: another one may do the work.
     */
    void (*on_stuck)(void *context, bool again, const char *why);
};

/* Everything the welcome says, with this node's own settings, and `launcher`
 * (NULL: none) for programs. ERR_PIPELINE where the pipeline can't be used with
 * them, and what store_new() and exec_pool_new() say. */
MUSTCHECK
int run_new(struct event_base *base, const struct welcome *welcome,
            const struct settings *settings, struct launcher *launcher,
            const struct run_callbacks *callbacks, struct run **ret,
            struct error *err);
void run_free(struct run **run);

/* Whether it is the run of this welcome. */
bool run_is(const struct run *run, const struct welcome *welcome);
const struct pipeline *run_pipeline(const struct run *run);
int64_t run_bytes(const struct run *run);

void run_start(struct run *run, const struct node_effect *start);
void run_cancel(struct run *run, uint64_t fetch);
void run_close(struct run *run, const struct node_effect *close);
void run_forget(struct run *run);

/* The run has a successor: all is forgotten, and only the closings that the
 * store has begun go on to their ends. Once run_is_done() it may be freed. */
void run_retire(struct run *run);
bool run_is_done(const struct run *run);

/* The id of the database that the settings name. */
MUSTCHECK
int run_ledger_id(const struct settings *settings, char ret[LEDGER_ID_BYTES],
                  struct error *err);

#endif
