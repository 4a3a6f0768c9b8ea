/*
 * exec.h: answers from programs of the user's: for each worker of class exec
 * one process, which is asked for keys and answers records, line by line
 * (exec_line.h).
 *
 * The core sees nothing of it but another place to ask: START, and an answer or
 * a failure. What is decided here is only what concerns the process: when it is
 * started anew, which of several keys is to blame for its end (exec_keys.h),
 * and when it is hopeless.
 */
#ifndef NODE_EXEC_H
#define NODE_EXEC_H

#include <event2/event.h>
#include <stdint.h>

#include "launcher.h"
#include "ledger/reason.h"

#define EXEC_START_MAX (60 * USEC_PER_SEC)   /* until it reads its input */
#define EXEC_START_LOOK (50 * USEC_PER_MSEC) /* whether it does */
#define EXEC_PATIENCE (10 * USEC_PER_SEC)    /* until it has begun, or ended */
#define EXEC_NOTES_INTERVAL (10 * USEC_PER_SEC) /* between two of one kind */

/* What was answered for a key, or why nothing was. Valid during the call. */
struct exec_answer {
    const struct worker *worker;
    enum reason reason;  /* REASON_NONE: `record` is there */
    struct slice record; /* EXTRACT_PADDING bytes may be read and written
                            behind it */
    struct slice line;   /* as it came; empty where none did */
    const char *detail;
};

struct exec_callbacks {
    void *context;
    void (*on_answer)(void *context, uint64_t fetch,
                      const struct exec_answer *answer);
    void (*on_note)(void *context, const char *note); /* for the log */
    /* This node can't go on; `again`: another process may. */
    void (*on_stuck)(void *context, bool again, const char *why);
};

struct exec_pool;

/*
 * For the programs of `pipeline`, which are locked in `launcher`. NULL is a
 * node that may start none: ERR_USAGE where the pipeline has some. What
 * launcher_lock() says, and ERR_MEMORY.
 */
MUSTCHECK
int exec_pool_new(struct event_base *base, struct launcher *launcher,
                  const struct pipeline *pipeline,
                  const struct exec_callbacks *callbacks,
                  struct exec_pool **ret, struct error *err);
void exec_pool_free(struct exec_pool **pool);

/* Asks the worker's program for `key`; on_answer follows, never before this
 * returns. ERR_MEMORY: then no on_answer. */
MUSTCHECK
int exec_start(struct exec_pool *pool, uint64_t fetch,
               const struct worker *worker, struct slice key,
               struct error *err);

/* Without on_answer; an unknown one is ignored. */
void exec_cancel(struct exec_pool *pool, uint64_t fetch);
void exec_cancel_all(struct exec_pool *pool);

#endif
