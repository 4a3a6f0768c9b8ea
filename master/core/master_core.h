/*
 * master_core.h: what the master decides, with no I/O.
 *
 * Who gets which batch when: nodes and their credit, the window of open
 * batches, who holds what, death and return of nodes, shares of host budgets,
 * second hand-outs near the end, suspicion of batches that kill nodes, and
 * whether the run is done. Events go in with the time, effects come out;
 * there is no socket, clock, random source or database in here. The shell
 * (master.c) and the simulation drive the same code.
 *
 *   master_core_event(core, now, &event);            any number of times
 *   while (master_core_effect(core, &effect)) ...    until there is no more
 *   master_core_deadline(core)                       when to send a TICK
 *
 * The master closes and creates nothing in the ledger. What it holds in
 * memory is a cache: a batch is PENDING (its keys are here), HELD (by one
 * node, or two), or LOOKING (its state is being asked of the ledger), or it is
 * not known here and will be found by the next sweep over the open batches.
 * The run is done when the first page of a sweep is empty: only the closing of
 * an open batch creates batches, so where none is open none ever will be.
 *
 * What an effect points at lives until the next call of master_core_effect()
 * or master_core_event(); the batches of a LOOK, until it is answered. Tasks
 * come after all other effects.
 */
#ifndef CORE_MASTER_CORE_H
#define CORE_MASTER_CORE_H

#include "base/clock.h"
#include "ledger/ledger.h"
#include "pipeline/pipeline.h"
#include "wire/message.h"

#define MASTER_NODES_MAX 16384
#define MASTER_WINDOW_MIN 64     /* pending batches kept at hand, at least, */
#define MASTER_WINDOW_PER_NODE 4 /* and for each node */
#define MASTER_PAGE 256          /* batches read from the ledger at once */
#define MASTER_LOOK_MAX 256      /* batches asked for at once */
#define MASTER_DELAY_MAX                                                       \
    (3600 * USEC_PER_SEC) /* of a batch not due yet: backoff_max's limit */
#define MASTER_GATHER USEC_PER_SEC /* keys wait so long for expected nodes */

struct master_core;

enum master_event_type {
    MASTER_EVENT_TICK,
    MASTER_EVENT_MESSAGE,     /* from a node, decoded */
    MASTER_EVENT_NODE_EXITED, /* a local node's process ended */
    MASTER_EVENT_PAGE,        /* the answer to LOAD */
    MASTER_EVENT_LOOKED,      /* the answer to LOOK */
    MASTER_EVENT_LEDGER_AWAY, /* LOAD or LOOK failed for now: ask again */
    MASTER_EVENT_LEASE_LOST,  /* the run has another master: exit */
    MASTER_EVENT_STOP,        /* SIGINT, SIGTERM: drain, then pause the run */
    MASTER_EVENT_EXPECT,      /* so many nodes are expected from now on */
};

struct master_event {
    enum master_event_type type;
    union {
        const struct message *message;
        struct {
            const char *node;
            bool crashed; /* SIGSEGV, SIGABRT, SIGBUS, SIGILL, SIGFPE, or its
                             memory limit; not SIGKILL, SIGTERM or an exit */
        } exited;
        struct {
            int64_t after;          /* of the LOAD */
            struct batch_row *rows; /* keys_json is taken over by the core */
            size_t n;
            bool last; /* there are no more */
        } page;
        struct {
            struct batch_look *looks; /* keys_json is taken over */
            size_t n;
        } looked;
        int expect;
    };
};

enum master_effect_type {
    MASTER_EFFECT_SEND,       /* message: WELCOME, REFUSE, SHARE, HOLD, PING,
                                 END go out on control, TASK and DROP on the
                                 node's own socket. In a WELCOME the shell
                                 fills in all but run, ledger_id, heartbeat
                                 and lease. */
    MASTER_EFFECT_OPEN_NODE,  /* bind a PUSH for the node, before its WELCOME;
                                 an older one of that name is closed first */
    MASTER_EFFECT_CLOSE_NODE, /* close its PUSH without linger */
    MASTER_EFFECT_LOAD,       /* open batches after `after` */
    MASTER_EFFECT_LOOK,       /* the state of these batches. One LOAD or LOOK
                                 at a time: answered, or LEDGER_AWAY */
    MASTER_EFFECT_FINISH,     /* nothing is open any more, or `paused` */
    MASTER_EFFECT_GIVE_UP,    /* the run can't go on: `why`; resumable */
};

struct master_effect {
    enum master_effect_type type;
    union {
        struct message message;
        char node[NODE_NAME_BYTES];
        struct {
            int64_t after;
            size_t limit;
        } load;
        struct {
            const int64_t *batches;
            size_t n;
        } look;
        bool paused;
        char why[ERROR_TEXT_BYTES];
    };
};

struct master_core_config {
    const struct pipeline *pipeline; /* outlives the core */
    const char *ledger_id;
    int64_t run, epoch;
    bool resumed;           /* shares of a former master may be in force still:
                               none are granted for two leases */
    int nodes_expected;     /* --scale; 0: whoever comes */
    int batch_keys;         /* --batch; 0: by the number of keys and nodes */
    usec_t heartbeat;       /* default 1 s */
    usec_t lease;           /* default 2.5 s: silence that is death, and the
                               longest validity of a share */
    usec_t node_wait;       /* default 60 s: how long to wait with no node */
    usec_t speculate_after; /* default 3 s: a batch held longer near the end
                               goes to a second node */
    usec_t drain_time; /* after STOP: how long nodes may take to hand back */
    bool trust_crash;  /* whether suspicion (split, blame) is on */
};

/* NULL when memory is out. The first TICK is due at once. */
MUSTCHECK
struct master_core *master_core_new(const struct master_core_config *config,
                                    usec_t now);
void master_core_free(struct master_core **core);

/* `now` never goes back. ERR_MEMORY: the event was not taken in full; what it
 * said will be learnt again (a hello is repeated, a report is looked up). For
 * the log. */
int master_core_event(struct master_core *core, usec_t now,
                      const struct master_event *event, struct error *err);
bool master_core_effect(struct master_core *core, struct master_effect *ret);
/* USEC_NEVER after FINISH or GIVE_UP: then every event is ignored. */
usec_t master_core_deadline(const struct master_core *core);

/* What the progress line, the summary and the dashboard show of a node. */
struct node_view {
    char name[NODE_NAME_BYTES];
    char host[64];
    int64_t pid;
    int core;
    bool alive;
    bool store_waiting;
    int held_batches;
    int64_t held_keys;
    int64_t keys_done;     /* closed by it: stored + failed, by its reports */
    struct heartbeat last; /* counters only; its pointers are NULL */
};

struct master_view {
    int nodes_alive;
    int64_t stored, failed; /* by reports of this master's time */
    int64_t pending_batches, held_batches;
    int64_t open_keys; /* in those two, of fetchers */
    bool draining;
};
struct master_view master_core_view(const struct master_core *core);

/* The same of one worker, and its budget for each host. Batches are those at
 * hand, of all that the ledger has. */
struct worker_view {
    int64_t stored, failed; /* keys of its batches, by reports */
    int64_t pending_batches, pending_keys;
    int64_t held_batches, held_keys;
    double rate; /* at this moment; 0: unlimited, as in the next two */
    double rate_ceiling;
    int max_in_flight;
};
/* `ret` has room for each of the pipeline's workers. */
void master_core_workers(const struct master_core *core,
                         struct worker_view *ret);

/* Hosts that are held back, at most `n`: how many were written. `host` lives
 * until the next event. */
struct hold_view {
    int worker;
    const char *host;
    usec_t left;
};
size_t master_core_holds(const struct master_core *core, usec_t now,
                         struct hold_view *ret, size_t n);

/* Nodes ever welcomed, in that order, dead ones too; false past the last. */
bool master_core_node(const struct master_core *core, size_t index,
                      struct node_view *ret);

/* Checks every invariant (for tests and the simulation): CHECKs, returns. */
void master_core_check(const struct master_core *core);

#endif
