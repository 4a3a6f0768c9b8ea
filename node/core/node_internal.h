/*
 * node_internal.h: what the files of the node's core share.
 *
 *   node_core.c    events in, deadline, making and ending a core
 *   node_session.c handshake, heartbeats, silence, draining, the end
 *   node_batch.c   the life of a batch, and its place in the lists
 *   node_slot.c    the life of a key: its states, its lane, its move
 *   node_flight.c  requests: which keys go together, and when one is over
 *   node_answer.c  what the end of a transfer means: record, retry, failure
 *   node_copy.c    deep copies of results
 *   node_lane.c    who may ask a host when: shares, buckets, hold-backs
 *   node_build.c   from done keys to a closing
 *   node_close.c   closings to the store, and what its answers mean
 *   node_effect.c  the queue of effects
 *   node_timer.c   the heap of everything that waits for a time
 *   node_check.c   all invariants
 *
 * Memory: a function that runs out of it sets core->no_memory, returns false
 * or NULL, and leaves things such that node_batch_drop_all() can clear them;
 * node_core_event() does so at its end. Nobody else has to undo anything.
 *
 * Nothing is freed while an event is worked on: effects in the queue may point
 * into a batch that is gone. Such a batch is DEAD, and is reaped at the
 * beginning of the first event that finds the queue empty.
 */
#ifndef CORE_NODE_INTERNAL_H
#define CORE_NODE_INTERNAL_H

#include <inttypes.h>
#include <stdlib.h>
#include <utlist.h>

#include "base/transition.h"
#include "core/node_core.h"
#include "pipeline/template.h"

#define BATCH_BUCKETS 512
#define LANE_BUCKETS 256
#define BATCHES_SPARE_MAX 64 /* emptied batches kept for the next tasks */
#define RATE_TURN (5 * USEC_PER_MSEC)      /* see node_lane.c */
#define BATCH_BYTES_RIPE ((size_t)8 << 20) /* of records; then it closes */
#define HOLD_SEND_PAUSE (200 * USEC_PER_MSEC)
#define BEATS_KEPT 64 /* a share that answers an older one is void */

struct node_timer {
    usec_t due;
    size_t index; /* in the heap, from 1; 0: not running */
    enum { TIMER_SLOT, TIMER_LANE, TIMER_BATCH } kind;
};

struct node_timers {
    struct node_timer **heap;
    size_t n, capacity;
};

/* What a source's page gave. */
struct found {
    const struct slice *keys;
    size_t n;
    bool more;
};

/*
 * A key:
 *   NEW ----> READY     in its lane's queue
 *   READY --> FLYING    node_lane_run
 *   FLYING -> DELAYED   a retry in time; a timer makes it READY
 *   FLYING -> READY     a redirect, in the lane of its host
 *   any ----> LATER     due after the batch's time, or draining; it goes into
 *                       a child that is not kept
 *   any ----> DONE      a record, keys, or a failure
 *   any ----> MOVED     it lives on in a child batch; only while CLOSING, or
 *                       in a batch to be split
 */
enum slot_state {
    SLOT_NEW,
    SLOT_READY,
    SLOT_DELAYED,
    SLOT_FLYING,
    SLOT_LATER,
    SLOT_DONE,
    SLOT_MOVED,
    SLOT_STATE_COUNT
};

struct slot {
    struct batch *batch;
    enum slot_state state;
    uint32_t flight;          /* FLYING: index in core->flights, ... */
    uint16_t nth;             /* ... and which of its keys, from 1 */
    uint16_t company;         /* how many keys its next request may have */
    struct lane *lane;        /* READY, FLYING */
    struct slot *prev, *next; /* READY: in the lane's queue; FLYING: in the
                                 flight */
    struct node_timer timer;  /* DELAYED; its `due` holds for LATER too */
    struct slice key;
    struct slice redirect; /* where to ask in place of the key's URL */
    int redirects;         /* followed in this try */
    int attempts;          /* tries begun, those before this batch too */
    /* DONE: one of them. */
    const struct record *record;
    const struct last_answer *answer; /* of the record; NULL: not remembered */
    const struct found *found;
    struct closing_failure *failure;
};

/* A request. It is over when the last of its keys has left it. */
struct flight {
    struct slot *slots; /* those that wait for its end; NULL: free */
    size_t n_asked;     /* so many keys it asks for */
    bool again;         /* one of them was tried before */
    usec_t spent[2];    /* the lane's, before its start and after */
    uint32_t generation;
    uint32_t next_free; /* index + 1; 0: the last */
};

/* Keys that have left a flight together: they are in no place until their
 * states change. */
struct landed {
    struct slot *slots[PIPELINE_REQUEST_KEYS_MAX];
    size_t n;
    struct lane *lane;
    size_t n_asked; /* of the flight, as the next two */
    bool again;
    usec_t spent[2];
};

/*
 * A batch:
 *   UNBORN --> WORKING   its parent's closing won         (node_close.c)
 *   WORKING -> RIPE      see node_batch_judge; waits for room among closings
 *   RIPE ----> CLOSING   its closing is with the store    (node_close.c)
 *   CLOSING -> CLOSING   the data was refused; another closing
 *   any -----> DEAD      closed, dropped, or handed back
 *   DEAD ----> KEPT      but the store may still read its closing
 */
enum batch_state {
    BATCH_UNBORN,
    BATCH_WORKING,
    BATCH_RIPE,
    BATCH_CLOSING,
    BATCH_DEAD,
    BATCH_KEPT,
};

#define UNBORN_MAX 3 /* what was not done, and two halves */

struct children {
    struct closing_child *items;
    size_t n, capacity;
};

struct batch {
    enum batch_state state;
    struct batch *prev, *next; /* core->batches, dead, kept or spare */
    struct batch *queue_prev, *queue_next; /* core->ripe, core->closing */
    struct batch *bucket_next;
    int64_t number; /* 0: UNBORN */
    int worker;
    int attempt;
    int nodes, batch_keys; /* of the task */
    usec_t deadline;       /* arrival + batch_time */
    usec_t last_end;       /* when a key ended last */
    struct node_timer timer;
    struct arena arena; /* keys, results, closing */
    struct slot *slots;
    size_t n_slots, slots_capacity;
    size_t n[SLOT_STATE_COUNT]; /* slots in each state */
    /* UNBORN: whose closing bears it, as which child. */
    struct batch *parent;
    size_t child_index;
    /* CLOSING */
    struct batch *unborn[UNBORN_MAX];
    size_t n_unborn;
    struct children carried; /* children that are there in any case */
    struct closing closing;
    uint64_t closing_id;
    bool delivered; /* the CLOSE effect has been taken */
    bool cleaned;   /* its failure's detail has been made ASCII */
    bool half;      /* of refused data: all its keys are done */
    int64_t stored; /* keys whose rows the closing stores */
    size_t bytes;   /* of its keys' records */
};

/*
 * A lane: the keys of one worker for one host, and what it may ask of it.
 *   IDLE     no key is ready
 *   READY    in the worker's ring
 *   TIMED    held back, or out of tokens: its timer makes it READY
 *   BLOCKED  until a transfer ends or a share comes
 */
enum lane_state { LANE_IDLE, LANE_READY, LANE_TIMED, LANE_BLOCKED };

struct lane {
    enum lane_state state;
    struct crew *crew;
    struct lane *prev, *next;           /* crew->lanes, the oldest first */
    struct lane *ring_prev, *ring_next; /* READY: crew->ring */
    struct lane *bucket_next;
    struct slot *slots; /* READY ones, first come first served */
    size_t n_ready, in_flight;
    struct node_timer timer;
    usec_t spent; /* when the bucket was last emptied */
    usec_t hold_until, hold_sent;
    int refusals;       /* one after another */
    usec_t crawl_delay; /* of the host, for all nodes; 0: none */
    char host[];
};

/* A worker of the pipeline, and what its budget is here. */
struct crew {
    const struct worker *worker;
    bool can_work;
    bool has_budget;
    bool feeds_store, feeds_fetcher;
    int key_field; /* of the key for the next fetcher; -1: the same key */
    size_t in_flight;
    int64_t share_number; /* 0: none came yet */
    double share_rate;
    int share_in_flight;
    usec_t share_end;
    struct lane *ring; /* READY, the next to be served first */
    struct lane *lanes;
    size_t n_lanes;
    struct lane *fixed;    /* where all keys ask the same host */
    struct lane *overflow; /* hosts beyond NODE_LANES_MAX, together */
    struct lane *buckets[LANE_BUCKETS];
};

/*
 * GREETING: hello is repeated, nothing is held. WORKING (and hello_at set:
 * the master has been silent, it is asked anew). DRAINING: what is done is
 * committed, the rest handed back. GONE: after EXIT.
 */
enum node_state { NODE_GREETING, NODE_WORKING, NODE_DRAINING, NODE_GONE };

struct effect_queue {
    struct node_effect *items;
    size_t head, n, capacity;
};

struct node_core {
    enum node_state state;
    usec_t now;
    usec_t wall_offset; /* wall clock minus `now` */
    bool no_memory;
    uint64_t random;

    char name[NODE_NAME_BYTES];
    char ledger_id[64];
    char program[MESSAGE_TEXT_BYTES_MAX];
    char host[MESSAGE_TEXT_BYTES_MAX];
    int64_t pid;
    int cpu_core;
    int64_t incarnation;
    int64_t crashed[64];
    size_t n_crashed;
    bool serve;

    int64_t run, epoch; /* of the last welcome */
    int64_t key_limit;
    usec_t heartbeat, lease, batch_time, close_after, database_wait;
    const struct pipeline *pipeline;

    usec_t hello_at; /* USEC_NEVER: not asking */
    int hellos;
    usec_t heartbeat_at, heartbeat_last;
    int64_t beats;                /* heartbeats of this incarnation */
    usec_t beat_sent[BEATS_KEPT]; /* when, by number modulo */
    usec_t heard_at;
    bool stopping; /* drained because of STOP: exits even if it serves */
    bool store_waiting;
    int exit_status;
    bool exit_told;
    char exit_why[ERROR_TEXT_BYTES];

    struct crew *crews;
    size_t n_crews;
    struct batch *batches; /* UNBORN to CLOSING, the oldest first */
    size_t n_batches;
    struct batch *ripe, *closing;
    size_t n_closing;
    struct batch *dead, *kept, *spare;
    size_t n_spare;
    struct batch *buckets[BATCH_BUCKETS];
    uint64_t closings; /* number of the last closing */
    struct flight *flights;
    uint32_t n_flights, flights_capacity, free_flight;
    struct node_timers timers;
    struct effect_queue effects;
    struct node_effect lost_effect; /* written to where memory is out */
    struct arena scratch;           /* what effects point at */
    struct buffer url;

    int64_t keys_done, keys_failed, fetches, retries;
};

/* node_timer.c */
MUSTCHECK
bool node_timer_set(struct node_timers *timers, struct node_timer *timer,
                    usec_t due);
void node_timer_clear(struct node_timers *timers, struct node_timer *timer);
/* `to`, a copy of the running `from`, takes its place. */
void node_timer_move(struct node_timers *timers, struct node_timer *from,
                     struct node_timer *to);
void node_timer_check(const struct node_timers *timers);

/* node_effect.c. Never NULL: where memory is out, it is one to throw away. */
struct node_effect *node_effect_add(struct node_core *core,
                                    enum node_effect_type type);
struct message *node_effect_send(struct node_core *core,
                                 enum message_type type);
/* All START, CANCEL and CLOSE that nobody has taken; whether there were any,
 * since what they were about must then be forgotten in another way. */
bool node_effect_purge(struct node_core *core);
/* Memory for what an effect points at. */
void *node_effect_alloc(struct node_core *core, size_t bytes);

/* node_session.c */
void node_session_greet(struct node_core *core, usec_t first);
void node_session_message(struct node_core *core,
                          const struct node_event *event);
void node_session_turn(struct node_core *core);
void node_session_restart(struct node_core *core);
void node_session_stop(struct node_core *core);
void node_session_drained(struct node_core *core);
void node_session_recover(struct node_core *core);
void node_session_exit(struct node_core *core, int status, const char *format,
                       ...) PRINTF_LIKE(3, 4);

/* node_batch.c */
struct batch *node_batch_new(struct node_core *core, int worker,
                             size_t n_slots);
struct batch *node_batch_find(struct node_core *core, int64_t number);
void node_batch_set_number(struct node_core *core, struct batch *batch,
                           int64_t number);
void node_batch_set_state(struct node_core *core, struct batch *batch,
                          enum batch_state state);
void node_batch_task(struct node_core *core, const struct task *task);
void node_batch_judge(struct node_core *core, struct batch *batch);
void node_batch_drain(struct node_core *core, struct batch *batch);
void node_batch_drop(struct node_core *core, struct batch *batch);
void node_batch_drop_all(struct node_core *core);
void node_batch_recycle(struct node_core *core, struct batch *batch);
void node_batch_reap(struct node_core *core);
void node_batch_free(struct batch *batch);

/* node_slot.c */
void node_slot_set_state(struct slot *slot, enum slot_state state);
void node_slot_ready(struct node_core *core, struct slot *slot);
/* DONE, with a result that is set already. */
void node_slot_end(struct node_core *core, struct slot *slot);
/* How many keys a source's page may give; 0: all. */
size_t node_slot_keys_wanted(const struct node_core *core,
                             const struct worker *worker, struct slice key);
void node_slot_later(struct node_core *core, struct slot *slot);
/* Takes the slot out of lane, heap and flights; `cancel`: says so. */
void node_slot_leave(struct node_core *core, struct slot *slot, bool cancel);
/* `to`, NEW and in another batch, goes on in place of `from`. */
void node_slot_move(struct node_core *core, struct slot *from, struct slot *to);
/* Ends the slot with a failure; a DONE one becomes one. */
void node_slot_fail(struct node_core *core, struct slot *slot,
                    enum reason reason, int http_status, struct slice detail);
bool node_slot_waits(const struct slot *slot);
/* Tries that are over: a cancelled one does not count. */
int node_slot_tries(const struct slot *slot);
/* Of a page "N:KEY" of a query: N. */
int64_t node_slot_page(struct slice key);

/* node_flight.c */
/* A request for the first keys in the lane. NULL: nothing was started, and the
 * first one has failed. */
struct flight *node_flight_start(struct node_core *core, struct lane *lane);
/* The slot leaves its flight; `cancel`: where that ends it, says so. */
void node_flight_leave(struct node_core *core, struct slot *slot, bool cancel);
/* The keys of a request that an answer is about, `nth` of it alone or (0) all,
 * leave it; none: they are not under way any more. */
void node_flight_land(struct node_core *core, uint64_t fetch, unsigned nth,
                      struct landed *ret);
/* It did not begin: that was no try, and no request. */
void node_flight_back(struct node_core *core, struct landed *landed);

/* node_answer.c */
void node_answer(struct node_core *core, const struct fetched *fetched);

/* node_copy.c; NULL when memory is out. */
const struct record *node_copy_record(struct arena *arena,
                                      const struct worker *worker,
                                      const struct record *from);
/* What that takes. */
size_t node_record_bytes(const struct worker *worker,
                         const struct record *record);
/* Its fields and time are those of `record`; the fields are not copied
 * again. */
const struct last_answer *node_copy_answer(struct arena *arena,
                                           const struct last_answer *from,
                                           const struct record *record);
const struct found *node_copy_found(struct arena *arena,
                                    const struct found *from);
struct closing_failure *node_copy_failure(struct arena *arena,
                                          const struct closing_failure *from,
                                          struct slice key);

/* node_lane.c */
bool node_lane_open_crews(struct node_core *core,
                          const struct pipeline *pipeline, bool same_run);
void node_lane_free_crews(struct node_core *core);
/* The lane for a host; NULL when memory is out. */
struct lane *node_lane_get(struct node_core *core, struct crew *crew,
                           struct slice host);
void node_lane_add(struct lane *lane, struct slot *slot);
void node_lane_remove(struct node_core *core, struct lane *lane,
                      struct slot *slot);
void node_lane_landed(struct node_core *core, struct lane *lane);
/* The flight did not ask the host: what it spent is given back, unless another
 * has started since. That one waited for no longer than it would have had to,
 * and a bucket of one keeps nothing for later. */
void node_lane_unasked(struct node_core *core, const struct landed *landed);
void node_lane_due(struct node_core *core, struct lane *lane);
/* Whether the share may be acknowledged. */
bool node_lane_obeys(const struct crew *crew);
void node_lane_share(struct node_core *core, const struct share *share);
void node_lane_hold(struct node_core *core, const struct hold *hold);
void node_lane_refused(struct node_core *core, struct lane *lane,
                       usec_t retry_after);
void node_lane_run(struct node_core *core);

/* node_build.c */
/* The batch's slots that are in one of `states` (a set of bits); the array
 * lives in the batch's arena. */
struct slot **node_build_pick(struct node_core *core, struct batch *batch,
                              unsigned states, size_t *ret_n);
/* A child that is there in any case, of `n` slots, which become MOVED; `kept`:
 * they live on here, in a new UNBORN batch. */
bool node_build_part(struct node_core *core, struct batch *batch,
                     struct slot **slots, size_t n, bool kept);
/* The children for what is not done. */
bool node_build_rest(struct node_core *core, struct batch *batch);
/* The closing, from those children and what is done. */
bool node_build_closing(struct node_core *core, struct batch *batch);

/* node_close.c */
void node_close_run(struct node_core *core);
void node_close_result(struct node_core *core, uint64_t id,
                       const struct close_result *result);
bool node_close_let_go(struct node_core *core, uint64_t id);
void node_close_report(struct node_core *core, int64_t batch,
                       enum report_outcome outcome);

/* node_core.c */
uint64_t node_core_random(struct node_core *core);
usec_t node_core_jitter(struct node_core *core, usec_t span); /* 0 to span */

static inline usec_t node_core_wall(const struct node_core *core)
{
    return core->now + core->wall_offset;
}

static inline struct crew *node_crew(struct node_core *core,
                                     const struct batch *batch)
{
    return &core->crews[batch->worker];
}

#endif
