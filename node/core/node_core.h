/*
 * node_core.h: what a node decides, with no I/O.
 *
 * The life of a batch in a node and of the keys in it: when a transfer
 * starts, when it is tried again, when the batch closes and with what, when
 * everything is dropped. Events go in with the time, effects come out; there
 * is no socket, clock or random source in here, and the only failure that is
 * not passed in is malloc's. The shell (node.c) and the simulation drive the
 * same code.
 *
 *   node_core_event(core, now, &event);            any number of times
 *   while (node_core_effect(core, &effect)) ...    until there is no more
 *   node_core_deadline(core)                       when to send a TICK
 *
 * Effects are data, valid until the next node_core_event(), except where a
 * longer life is promised below.
 *
 * A batch:   WORKING --> CLOSING --> gone
 *   WORKING   its keys wait, fly, or are done. It closes when no key waits or
 *             flies; early, when half of its keys are done and none ended for
 *             `close_after`; when its records have 8 MiB; at the end of
 *             `batch_time`; when draining.
 *   CLOSING   its closing is with the store. What was not done lives on in
 *             child batches: kept ones here (UNBORN until the closing won),
 *             others in the ledger, for any node.
 * A key:     WAITING (may be due later) --> FLYING --> DONE (record, failure)
 *            or LATER (goes into a child that is not kept).
 *
 * In its closings: n_keys_done counts, of a fetcher, the keys that are DONE,
 * stored or failed; of a source, only those that failed. A source fails under
 * its URL, a query under "query". `closer` is NAME/INCARNATION/NUMBER, the
 * numbers in hexadecimal.
 *
 * Where a worker has keys_per_request, keys that wait in a lane fly together,
 * as many as are there: one START, one of the instances, one of the budget. Its
 * end is told of all its keys at once, or of one after another. A failure that
 * will not pass of a request for several is none of theirs: they are asked for
 * again, in halves, which is no further try.
 *
 * Budgets: a worker's rate is kept by a bucket of one request for each host;
 * at more than 200 a second, of what 5 ms bring. Every START counts. A host's
 * Crawl-delay, where the shell tells one, is kept with the part of it that the
 * node's share is of the whole rate.
 */
#ifndef CORE_NODE_CORE_H
#define CORE_NODE_CORE_H

#include "base/clock.h"
#include "ledger/closing.h"
#include "pipeline/pipeline.h"
#include "wire/message.h"

#define NODE_BATCHES_MAX 256 /* held at once; more tasks are handed back */
#define NODE_CLOSINGS_MAX 32 /* with the store at once; then nothing starts */
#define NODE_LANES_MAX 1024  /* hosts with a state of their own, per worker */

struct node_core;

enum node_event_type {
    NODE_EVENT_TICK,    /* time has passed; at the latest at the deadline */
    NODE_EVENT_MESSAGE, /* from the master, decoded */
    NODE_EVENT_FETCHED, /* a transfer ended */
    NODE_EVENT_CLOSED,  /* the store's answer to a closing */
    NODE_EVENT_STORE,   /* the store waits for its database, or no longer */
    NODE_EVENT_STOP,    /* SIGTERM: drain, then exit */
    NODE_EVENT_STORE_GAVE_UP, /* database_wait has passed: exit with 4 */
};

enum fetch_outcome {
    FETCH_RECORD,   /* `fields`, in the order of the worker's fields, and
                       `rows`, in that of its row sets */
    FETCH_KEYS,     /* of a source: `keys`, checked and each once */
    FETCH_FAILED,   /* `reason`, and whatever else is known */
    FETCH_REDIRECT, /* to `url`; counts against the budget of its host */
    FETCH_AGAIN,    /* it did not begin: when `crawl_delay` lets it */
};

/* Everything it points at is only valid during the call. */
struct fetched {
    uint64_t fetch; /* of the START effect; a cancelled one is ignored */
    unsigned nth;   /* of a START for several keys: RECORD or FAILED of this
                       one, from 1; 0: of all that were not told of yet */
    enum fetch_outcome outcome;
    usec_t wall; /* wall clock, for extracted_time */
    const struct slice *fields;
    const struct record_rows *rows; /* NULL where the worker has no sets */
    /* RECORD: what is to be remembered of it, but for its fields and time;
     * NULL: nothing. */
    const struct last_answer *answer;
    bool unasked; /* no request was made: what START spent is given back */
    const struct slice *keys;
    size_t n_keys;
    bool more; /* sql: there is another page, after the last key */
    enum reason reason;
    int http_status;
    usec_t retry_after; /* already cut to RETRY_AFTER_MAX; -1: none sent */
    usec_t crawl_delay; /* AGAIN: between two requests to the host; 0: none */
    struct slice detail;
    struct slice url;
};

struct node_event {
    enum node_event_type type;
    union {
        const struct message *message;
        struct fetched fetched;
        struct {
            uint64_t closing;
            struct close_result result;
        } closed;
        bool store_waiting;
    };
    /* NODE_EVENT_MESSAGE with a welcome: the pipeline in it. The core may
     * take it, or go on with the one it has (a welcome that is repeated, or
     * not for us): after the event the shell frees the one that is not
     * node_core_pipeline(). NULL where the shell could not read it: then the
     * welcome is ignored. */
    const struct pipeline *pipeline;
};

enum node_effect_type {
    NODE_EFFECT_SEND,   /* message, to the master */
    NODE_EFFECT_START,  /* a transfer */
    NODE_EFFECT_CANCEL, /* a transfer; no FETCHED is wanted for it */
    NODE_EFFECT_CLOSE,  /* a closing, to the store */
    NODE_EFFECT_FORGET, /* all transfers are cancelled, all closings that the
                           store has not begun are to be dropped; answers to
                           the others are ignored */
    NODE_EFFECT_EXIT,   /* the process ends with `exit.status`; the last one */
};

struct node_start {
    uint64_t fetch;
    const struct worker *worker;
    struct slice key; /* sql sources: "N:KEY", N keys so far, the page after
                         KEY ("0:" is the first) */
    const struct slice *keys; /* keys_per_request: all of them, `key` the
                                 first; valid as the effect */
    size_t n_keys;            /* elsewhere 1 */
    struct slice url;         /* what to ask; empty for sql and exec */
    size_t keys_max;          /* sources: how many keys are wanted; 0: all */
    usec_t crawl_delay;       /* what the core knows of the host's */
    bool redirected;          /* `url` is where a redirect led */
};

struct node_effect {
    enum node_effect_type type;
    union {
        struct message message; /* heartbeats: the shell adds bytes, cpu,
                                   uptime, turns and memory */
        struct node_start start;
        uint64_t cancel;
        struct {
            uint64_t id;
            /* Lives until the CLOSED event for `id`, or until the store has
             * dropped it after FORGET: see node_core_closing_done(). */
            const struct closing *closing;
        } close;
        struct {
            int status;
            const char *why; /* the core's; "": there is nothing to say */
        } exit;
    };
};

struct node_core_config {
    const char *name;      /* the node's identity */
    int64_t incarnation;   /* larger than any before of that name */
    uint64_t seed;         /* for jitter */
    const char *ledger_id; /* of the node's database */
    const char *program;   /* version, host, pid, core: for the hello */
    const char *host;
    int64_t pid;
    int core;
    const int64_t *crashed_batches;
    size_t n_crashed;
    bool serve;  /* goes on after a run's end */
    usec_t wall; /* wall clock at `now`: for failures that no transfer made;
                    set right by each FETCHED */
};

/* NULL when memory is out. `config` is copied. */
MUSTCHECK
struct node_core *node_core_new(const struct node_core_config *config,
                                usec_t now);
void node_core_free(struct node_core **core);

/* ERR_MEMORY leaves the core in a state in which everything it holds is
 * dropped and it says hello anew: nothing is lost, since nothing that is not
 * committed counts. The return value is for the log. */
int node_core_event(struct node_core *core, usec_t now,
                    const struct node_event *event, struct error *err);

/* The next effect, or false. */
bool node_core_effect(struct node_core *core, struct node_effect *ret);

/* The pipeline that the core works by, NULL before the first welcome. */
const struct pipeline *node_core_pipeline(const struct node_core *core);

/* When the core wants a TICK at the latest; always in the future of the last
 * event, and never USEC_NEVER. */
usec_t node_core_deadline(const struct node_core *core);

/* After FORGET: closings that the core still keeps for the store's sake.
 * The shell calls this for each when the store has let go of it; a CLOSED
 * event does the same. */
void node_core_closing_done(struct node_core *core, uint64_t closing);

/* Checks every invariant (for tests and the simulation): CHECKs, returns. */
void node_core_check(const struct node_core *core);

/* The keys of a START that wait for its end, and which of it they are (`nth`),
 * into arrays of PIPELINE_REQUEST_KEYS_MAX; returns how many. The keys are
 * valid until the next event. */
size_t node_core_asked(const struct node_core *core, uint64_t fetch,
                       struct slice *ret_keys, unsigned *ret_nth);

/* The numbers of the batches that have a transfer in flight or behind them, at
 * most `max`; returns how many. */
size_t node_core_begun(const struct node_core *core, int64_t *ret, size_t max);

struct node_core_counts {
    size_t batches, keys, waiting, flying, closings;
};
struct node_core_counts node_core_counts(const struct node_core *core);

#endif
