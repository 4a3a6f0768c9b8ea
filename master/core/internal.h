/*
 * internal.h: what the files of the master's core share. Nobody else
 * includes it.
 *
 *   master_core.c  events in, the phases of a run, when the next thing is due
 *   outbox.c       effects, until they are fetched
 *   nodes.c        who is there: hello, heartbeat, silence, end
 *   batches.c      what is known of open batches, and who holds them
 *   reports.c      what a node says of a batch
 *   window.c       what is asked of the ledger
 *   handout.c      which batch goes to which node, and second hand-outs
 *   budgets.c      shares of host budgets
 *   holds.c        hosts that want to be left alone
 *   view.c         what people are shown
 *   check.c        the invariants of all this
 *
 * Memory may run out anywhere. Then core->memory_out is set, the event
 * returns ERR_MEMORY, and whatever was not done is found out again: a node
 * repeats its hello, the next heartbeat names what is held, the next sweep
 * finds what is open.
 */
#ifndef CORE_INTERNAL_H
#define CORE_INTERNAL_H

#define HASH_NONFATAL_OOM 1 /* hh.tbl is NULL after an addition that failed */
#include <uthash.h>
#include <utlist.h>

#include "base/transition.h"
#include "core/heap.h"
#include "core/master_core.h"

#define NODE_BATCHES_MIN 2   /* a node may always hold so many, by credit, */
#define NODE_BATCHES_FULL 64 /* and never more than so many */
#define KEYS_PER_INSTANCE                                                      \
    4               /* (or what one request asks for) one in flight, others    \
                       behind it, and those that wait for the slowest of       \
                       their batch */
#define KILLS_MAX 2 /* alone; then a key is blamed */
#define LEDGER_RETRY_MIN (500 * USEC_PER_MSEC)
#define LEDGER_RETRY_MAX (5 * USEC_PER_SEC)
#define HOLD_EVERY (200 * USEC_PER_MSEC)   /* for one host, unless longer */
#define HOLDS_MAX 4096                     /* hosts; more aren't remembered */
#define BUDGET_EVERY (100 * USEC_PER_MSEC) /* shares are dealt out anew */

struct node;
struct budget;

/* ---- batches ---- */

/* A place for a node that holds a batch. */
struct holder {
    struct node *node; /* NULL: the place is free */
    struct batch *batch;
    usec_t since;
    uint64_t beat;              /* the node's heartbeat that named it last */
    int unnamed;                /* heartbeats in a row that did not */
    struct holder *prev, *next; /* of the node */
};

#define HOLDERS_MAX 2

/*
 *              page, answer          given
 *   unknown ------------> PENDING ----------> HELD ----> closed: unknown
 *      |  ^                  ^     named       | ^
 *      |  | closed           | open            | | named by a heartbeat
 *      |  +--------------- LOOKING <-----------+ |
 *      |                      |    taken back,   |
 *      +----------------------+    returned      |
 *      | told of, not its keys +-----------------+
 *      +-----------------------------------------+
 *        kept child, or named by a heartbeat
 *
 * PENDING  its keys are here; in pending[worker] or, if it must run alone, in
 *          `alone`. No holder.
 * HELD     one or two holders, no keys.
 * LOOKING  no holder, no keys; its state is to be asked of the ledger.
 */
enum known_state { KNOWN_NEW, KNOWN_PENDING, KNOWN_HELD, KNOWN_LOOKING };

/* NONE --> WANTED (in core->looks) --> ASKED (in core->asked) --> NONE. A HELD
 * batch is looked up for its keys, to be given to a second node as well; an
 * answer to an older question is ignored there. */
enum look_state { LOOK_NONE, LOOK_WANTED, LOOK_ASKED };

struct batch {
    int64_t number;
    int worker, attempt;
    size_t n_keys;
    enum known_state state;
    enum look_state look;
    usec_t due;
    int taken_back;  /* how often its last holder went */
    char *keys_json; /* PENDING */
    struct holder holders[HOLDERS_MAX];
    usec_t held_at;     /* HELD: since, or last passed over for a second node */
    bool second;        /* HELD: looked up for a second node */
    bool second_given;  /* once is enough */
    bool crashed;       /* a node died of itself while holding it */
    bool alone;         /* half of one that did: runs alone, as its test */
    int kills;          /* nodes that died of themselves with it, alone */
    struct heap *queue; /* PENDING: where it waits, ... */
    struct heap_item order;              /* ... and its place there */
    struct batch *prev, *next;           /* in core->held */
    struct batch *look_prev, *look_next; /* in core->looks */
    UT_hash_handle hh;
};

/* ---- nodes ---- */

/*
 *            hello             heartbeat
 *   (none) ---------> WELCOMED ---------> ALIVE
 *                      ^  |                 |
 *       hello, or, from|  +-----------------+--> SILENT   nothing for a lease
 *       SILENT, a beat |                    +--> LEFT     bye, or its process
 *                      |                    |             ended
 *                      +--- SILENT, LEFT    +--> REFUSED  another database;
 *                                                         for good
 */
enum node_state {
    NODE_WELCOMED,
    NODE_ALIVE,
    NODE_SILENT,
    NODE_LEFT,
    NODE_REFUSED,
};

/* A part of a budget. Where the budget has no rate, or no limit in flight,
 * that member stays 0; both 0 is "none at all". */
struct grant {
    double rate;
    int in_flight;
};

/* What a node has of one budget. */
struct user {
    struct node *node;
    bool member;         /* counts when the budget is divided */
    bool fresh;          /* has not been told its share since it became one */
    int n_batches;       /* held of the budget's worker */
    usec_t idle_since;   /* when it held none any more */
    int64_t number;      /* of the last share sent; 0: none */
    struct grant last;   /* what that said */
    usec_t sent_at;      /* when */
    int64_t steady_from; /* the first share that said so */
    struct grant spent;  /* the most that may be in force */
    bool listed;         /* in budget->users: member or spent */
    struct heap_item order; /* in budget->ready */
    struct user *prev, *next;
};

struct node {
    char name[NODE_NAME_BYTES];
    int64_t incarnation;
    enum node_state state;
    char host[64];
    int64_t pid;
    int core;
    usec_t heard;
    uint64_t beat;      /* heartbeats so far */
    bool store_waiting; /* its database is away: gets nothing, loses nothing */
    bool full;          /* handed a task back: nothing until it beats again */
    bool crash_told;    /* its process crashed, as the shell saw */
    int64_t alone;      /* the batch that it runs alone; 0: none */
    struct holder *holders;
    int n_batches;
    int64_t n_keys, keys_done;
    struct heartbeat last;    /* counters only */
    struct heap_item order;   /* in core->ready */
    uint64_t turn;            /* when it was given something last */
    bool idle;                /* counted in core->n_idle */
    struct user *users;       /* one for each budget */
    struct node *prev, *next; /* in core->listening */
    UT_hash_handle hh;
};

/* ---- budgets ---- */

struct budget {
    int worker;
    double rate;    /* 0: none; at this moment, where it adapts */
    double ceiling; /* the most that rate may be */
    bool adaptive;  /* adaptive.c */
    usec_t adapted_at, halved_at;
    int max_in_flight;  /* 0: none */
    struct user *users; /* in the order in which they became members */
    struct heap ready;  /* members that may be given something; least held
                           first */
    int n_members;
    bool dirty; /* to be divided anew */
    usec_t divided_at;
    struct grant spent; /* the sum over the users */
};

/* ---- effects ---- */

struct outbox_entry {
    struct master_effect effect;
    void *owned; /* freed when the next effect is fetched */
};

struct outbox {
    struct outbox_entry *entries;
    size_t head, n, room;
};

/* ---- the whole ---- */

/* RUNNING --> DRAINING (STOP) --> OVER; RUNNING --> OVER. */
enum phase { PHASE_RUNNING, PHASE_DRAINING, PHASE_OVER };

/* One question to the ledger at a time. */
enum asking { ASKING_NOTHING, ASKING_PAGE, ASKING_LOOK };

struct hold_entry {
    char *key; /* WORKER HOST */
    int worker;
    const char *host; /* in `key` */
    usec_t until, sent_at;
    UT_hash_handle hh;
};

struct master_core {
    struct master_core_config config;
    char *ledger_id;
    enum phase phase;
    bool memory_out;
    usec_t now, started_at;
    usec_t awake_at; /* when we were last found to have stood still */
    usec_t beat_at;  /* of the next ping */
    usec_t drain_until;

    /* nodes */
    struct node *by_name;
    struct node **nodes; /* in the order of their first welcome */
    size_t n_nodes;
    struct node *listening; /* WELCOMED, ALIVE; longest not heard first */
    int n_alive, n_idle;
    usec_t alive_at;   /* when a node was last known to be alive */
    struct heap ready; /* those that may be given something; least held first */
    uint64_t turn;
    int64_t key_credit; /* keys that a node may hold */

    /* batches */
    struct batch *known;
    size_t n_new, n_pending, n_held, n_looking; /* by state */
    int64_t open_keys;
    struct heap *pending; /* one for each worker; by due time and number */
    struct heap alone;
    struct batch *held;  /* one holder and no second one yet; oldest first */
    size_t n_second;     /* batches being looked up for a second node */
    struct batch *looks; /* LOOK_WANTED */

    /* the ledger */
    enum asking asking;
    int64_t asked_after;
    int64_t asked[MASTER_LOOK_MAX];
    size_t n_asked;
    usec_t retry_at, retry_wait;
    bool sweep_wanted, sweeping;
    int64_t cursor;
    usec_t sweep_began_at;
    usec_t sweep_at; /* when a batch that was too early is to be found again */
    usec_t empty_at; /* when the ledger had nothing open; USEC_NEVER: not yet */

    /* budgets and holds */
    struct budget *budgets;
    size_t n_budgets;
    int *budget_of; /* by worker; -1: it has none */
    int64_t share_number;
    struct hold_entry *holds;

    /* effects: control goes out before tasks, so that a share is there before
     * the first task that needs it */
    struct outbox control, tasks;
    void *fetched; /* what the effect that was fetched last points at */

    int64_t stored, failed;
    struct ended {
        int64_t stored, failed;
    } * ended; /* the same by worker */
};

/* outbox.c: NULL, and memory_out, where there is no room. A slot takes over
 * `owned` only if there is one. */
MUSTCHECK
bool outbox_reserve(struct master_core *core, struct outbox *outbox, size_t n);
struct master_effect *outbox_add(struct master_core *core,
                                 enum master_effect_type type);
struct task *outbox_task(struct master_core *core, const struct node *node,
                         char *keys_json);
/* A SEND to `node`, or to all where it is NULL. */
struct message *outbox_send(struct master_core *core, enum message_type type,
                            const struct node *node);
/* The last effect added to `control` owns `memory` from now on. */
void outbox_own(struct master_core *core, void *memory);
void outbox_let_go(struct master_core *core); /* of what was fetched last */
void outbox_free(struct master_core *core);

/* nodes.c */
struct node *nodes_find(const struct master_core *core, const char *name);
void nodes_message(struct master_core *core, const struct message *message);
void nodes_exited(struct master_core *core, const char *name, bool crashed);
void nodes_turn(struct master_core *core); /* buries the silent */
/* Its place among those that may be given something, after any change. */
void nodes_refresh(struct master_core *core, struct node *node);
/* Of two that may be given something: whether `a` is to get it. */
bool nodes_before(const struct node *a, const struct node *b);
bool nodes_here(const struct node *node); /* WELCOMED or ALIVE */
void nodes_refuse(struct master_core *core, struct node *node,
                  const char *reason);
usec_t nodes_deadline(const struct master_core *core);
void nodes_init(struct master_core *core);
void nodes_fini(struct master_core *core);

/* batches.c: a pointer to a batch is void after any call that may forget it. */
struct batch *batches_find(const struct master_core *core, int64_t number);
/* A new one, NEW: to be filled, held, looked up or forgotten at once. NULL
 * where memory is out. */
struct batch *batches_add(struct master_core *core, int64_t number, int worker,
                          size_t n_keys);
/* The one that is known, or a new one. */
struct batch *batches_meet(struct master_core *core, int64_t number, int worker,
                           size_t n_keys);
/* PENDING, with the row's keys, which are taken over; false where memory is
 * out. */
bool batches_fill(struct master_core *core, struct batch *batch,
                  struct batch_row *row);
/* LOOKING. */
void batches_look(struct master_core *core, struct batch *batch);
/* The only one that changes `look`, and core->looks with it. */
void batches_look_set(struct master_core *core, struct batch *batch,
                      enum look_state state);
/* Asks for it, unless that is done already; takes the question back. */
void batches_look_want(struct master_core *core, struct batch *batch);
void batches_look_end(struct master_core *core, struct batch *batch);
/* The node's place among the holders (a free one for NULL), or NULL. */
struct holder *batches_holder(struct batch *batch, const struct node *node);
int batches_holders(const struct batch *batch);
/* HELD, by this node too; false where it has its two holders already. */
bool batches_hold(struct master_core *core, struct batch *batch,
                  struct node *node);
/* The node holds it no more; what becomes of it is the caller's concern, or,
 * with take_back: held by nobody, it is looked up (forgotten when draining). */
void batches_release(struct master_core *core, struct batch *batch,
                     struct node *node);
void batches_take_back(struct master_core *core, struct batch *batch,
                       struct node *node);
/* A HELD one is looked up for a second node; the end of that. */
void batches_second(struct master_core *core, struct batch *batch);
void batches_second_end(struct master_core *core, struct batch *batch,
                        bool never_again);
/* `node` died of itself while it held the batch. */
void batches_suspect(struct master_core *core, struct batch *batch,
                     const struct node *node);
enum task_action batches_action(const struct batch *batch);
/* It is closed: forgotten, and dropped by whoever holds it but `closer`. */
void batches_closed(struct master_core *core, struct batch *batch,
                    const struct node *closer);
void batches_forget(struct master_core *core, struct batch *batch);
void batches_forget_unheld(struct master_core *core);
bool batches_init(struct master_core *core);
void batches_fini(struct master_core *core);

/* reports.c */
void reports_take(struct master_core *core, struct node *node,
                  const struct report *report);

/* window.c */
size_t window_size(const struct master_core *core);
void window_page(struct master_core *core, const struct master_event *event);
void window_looked(struct master_core *core, const struct master_event *event);
void window_away(struct master_core *core);
void window_turn(struct master_core *core);
usec_t window_deadline(const struct master_core *core);

/* handout.c */
void handout_turn(struct master_core *core);
void handout_second(struct master_core *core, struct batch *batch,
                    struct batch_row *row);
usec_t handout_deadline(const struct master_core *core);

/* budgets.c */
bool budgets_init(struct master_core *core);
void budgets_fini(struct master_core *core);
/* The node holds one batch of the worker more or less. */
void budgets_held(struct master_core *core, struct node *node, int worker,
                  int change);
/* The worker's budget, if it is too small for this node to have a part too. */
struct budget *budgets_full(const struct master_core *core,
                            const struct node *node, int worker);
/* Room for one node more; false where memory is out. */
MUSTCHECK
bool budgets_reserve(struct master_core *core, size_t n_nodes);
/* The node's place among the members that may be given something. */
void budgets_refresh(struct master_core *core, struct node *node);
/* Of those that have a part of it and may be given something, or NULL. */
struct node *budgets_least_loaded(const struct budget *budget);
void budgets_acked(struct master_core *core, struct node *node,
                   const struct share_ack *ack);
/* The node gets no shares any more; those that it had are void (`gone`), or
 * in force until they expire. */
void budgets_leave(struct master_core *core, struct node *node, bool gone);
void budgets_turn(struct master_core *core, bool beat);
usec_t budgets_deadline(const struct master_core *core);
void budgets_check(const struct master_core *core);

/* adaptive.c: of a budget with a ceiling */
void adaptive_init(struct budget *budget, usec_t now);
void adaptive_grow(struct budget *budget, usec_t now);
/* A host has refused the worker's requests. */
void adaptive_refused(struct master_core *core, int worker);

/* holds.c */
void holds_take(struct master_core *core, const struct hold *hold);
void holds_tell(struct master_core *core, const struct node *node);
void holds_expire(struct master_core *core);
void holds_free(struct master_core *core);

/* master_core.c */
void core_give_up(struct master_core *core, const char *format, ...)
    PRINTF_LIKE(2, 3);

static inline usec_t sooner(usec_t a, usec_t b)
{
    return a < b ? a : b;
}

/* A point in time that has passed is no deadline: what was due then has been
 * done, or waits for an event. */
static inline usec_t still_ahead(const struct master_core *core, usec_t when)
{
    return when > core->now ? when : USEC_NEVER;
}

#endif
