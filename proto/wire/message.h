/*
 * message.h: what master and node say to each other.
 *
 * PROTOCOL.md is the specification; this is its C form. A message is one
 * ZeroMQ part holding one JSON object. message_decode() checks everything it
 * returns: types, ranges, lengths, counts. Both cores take and give these
 * structs directly.
 *
 * Text and arrays of a decoded message live in the arena given to
 * message_decode(); of a message to be encoded, wherever its maker likes.
 */
#ifndef WIRE_MESSAGE_H
#define WIRE_MESSAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/histogram.h"
#include "base/slice.h"

#define PROTOCOL_VERSION 1
#define MESSAGE_EPOCHS_OF_A_RUN (1 << 24) /* "epoch": PROTOCOL.md */
#define MESSAGE_BYTES_MAX (1024 * 1024)
#define NODE_NAME_BYTES 64 /* with its NUL; [A-Za-z0-9._-]+ */
#define MESSAGE_TEXT_BYTES_MAX 512
#define MESSAGE_PIPELINE_BYTES_MAX (256 * 1024)
#define TASK_KEYS_MAX 512
#define TASK_KEY_BYTES_MAX 4096 /* a source's key is a URL */
#define HEARTBEAT_HELD_MAX 512
#define HEARTBEAT_SHARES_MAX 64
#define REPORT_CHILDREN_MAX 64 /* with more, `children_more` is set */

enum message_type {
    MESSAGE_HELLO,     /* node to master: here I am */
    MESSAGE_WELCOME,   /* master to node: the run, and where tasks come from */
    MESSAGE_REFUSE,    /* master to node: not you, and why */
    MESSAGE_TASK,      /* master to node: a batch */
    MESSAGE_DROP,      /* master to node: a batch is closed; stop working */
    MESSAGE_SHARE,     /* master to node: its part of a host budget */
    MESSAGE_REPORT,    /* node to master: what became of a batch */
    MESSAGE_HEARTBEAT, /* node to master, each second */
    MESSAGE_HOLD,      /* both ways: a host wants to be left alone */
    MESSAGE_PING,      /* master to all nodes, each second */
    MESSAGE_BYE,       /* node to master: I stop; all is handed back */
    MESSAGE_END,       /* master to all nodes: the run is over, or paused */
    MESSAGE_TYPE_COUNT
};

const char *message_type_name(enum message_type type);

struct hello {
    int version;         /* PROTOCOL_VERSION */
    const char *program; /* WINDROW_VERSION, for people */
    const char *host;
    int64_t pid;
    int core;              /* pinned to; -1: not */
    const char *ledger_id; /* "" before the node has seen a database */
    int64_t last_epoch;    /* of the last welcome; 0: none */
    /* Batches that the node's former incarnation had begun when it died of
     * itself (crash or memory limit); empty otherwise. */
    const int64_t *crashed_batches;
    size_t n_crashed;
};

struct welcome {
    int64_t run;
    const char *ledger_id;
    const char *task_endpoint; /* the node's own PULL connects here */
    struct slice pipeline;     /* the file's text, unexpanded */
    const char *pipeline_path;
    const char *settings; /* public ones that the pipeline names, as the master
                             has them (run_settings.h); "": not told */
    int64_t key_limit;    /* for sources; 0: none */
    usec_t heartbeat;     /* between heartbeats */
    usec_t lease;         /* silence after which a node counts as dead */
    usec_t batch_time;    /* of a batch in a node, then it closes */
    usec_t close_after;   /* no key ended for this long: close early */
    usec_t database_wait; /* for a database that is away */
};

struct refuse {
    const char *reason;
};

enum task_action {
    TASK_WORK,  /* fetch its keys */
    TASK_SPLIT, /* close it at once with two halves as children */
    TASK_BLAME, /* close it at once: each key failed with killed_node */
};

struct task {
    int64_t batch;
    int worker;
    int attempt; /* tries already spent on its keys */
    enum task_action action;
    int nodes;      /* in the run now: for the size of child batches */
    int batch_keys; /* --batch; 0: clamp(keys / (4 nodes), 1, 512) */
    const struct slice *keys;
    size_t n_keys;
    /* In place of `keys`, to encode only: the JSON array of the ledger. */
    const char *keys_json;
};

struct drop {
    int64_t batch;
};

/* The node's part of a worker's budget, for each host. It is void `valid`
 * after the node sent its heartbeat number `beat`, the newest that the master
 * had: so it is never in force for longer than the master thinks, however late
 * it arrives. Nothing may start without a valid share where the worker has a
 * budget. */
struct share {
    int worker;
    int64_t number; /* grows; the heartbeat says which one is in force */
    double rate;    /* requests a second; 0: unlimited */
    int in_flight;  /* 0: unlimited; -1: none at all */
    usec_t valid;
    int64_t beat;
};

enum report_outcome {
    REPORT_CLOSED,   /* by this node, now */
    REPORT_ALREADY,  /* it was closed by another */
    REPORT_UNKNOWN,  /* not in this node's database: the node stops */
    REPORT_RETURNED, /* handed back untouched */
};

struct report_child {
    int64_t batch;
    int worker;
    size_t n_keys;
    bool kept; /* the node goes on with it */
};

struct report {
    int64_t batch;
    enum report_outcome outcome;
    int64_t stored; /* keys whose rows are stored */
    int64_t failed; /* keys recorded as failures */
    const struct report_child *children;
    size_t n_children;
    bool children_more; /* there are more, to be read from the ledger */
};

struct held_batch {
    int64_t batch;
    int worker;
    size_t n_keys;
};

struct share_ack {
    int worker;
    int64_t number;
};

/*
 * What a node counts, as the one list from which struct, message, status,
 * metrics and page are made: name, kind (counter: it only grows; gauge), the
 * metric's name, what one of it is in the metric's unit, and help.
 */
#define HEARTBEAT_COUNTERS(X)                                                  \
    X(keys_done, counter, "windrow_node_keys_ended_total", 1,                  \
      "Keys that ended in a node, stored or failed.")                          \
    X(keys_failed, counter, "windrow_node_keys_failed_total", 1,               \
      "Keys that a node recorded as failures.")                                \
    X(fetches, counter, "windrow_node_fetches_total", 1,                       \
      "Transfers that a node began.")                                          \
    X(retries, counter, "windrow_node_retries_total", 1,                       \
      "Transfers that were not the first try of their key.")                   \
    X(bytes, counter, "windrow_node_received_bytes_total", 1,                  \
      "Bytes of bodies as they came over the network.")                        \
    X(in_flight, gauge, "windrow_node_in_flight", 1, "Transfers in flight.")   \
    X(cpu, counter, "windrow_node_cpu_seconds_total", 1e-6,                    \
      "Processor time of the node's process.")                                 \
    X(uptime, gauge, "windrow_node_uptime_seconds", 1e-6,                      \
      "Time since the node's process began.")                                  \
    X(busy, counter, "windrow_node_busy_seconds_total", 1e-6,                  \
      "Time in turns of the loop, not waiting for events.")                    \
    X(worst_turn, gauge, "windrow_node_worst_turn_seconds", 1e-6,              \
      "The longest turn of the node's loop.")                                  \
    X(long_turns, counter, "windrow_node_long_turns_total", 1,                 \
      "Turns of the loop that took more than 5 ms.")                           \
    X(memory_peak, gauge, "windrow_node_memory_peak_bytes", 1,                 \
      "The most memory that the node's process had resident.")

/* What a node times: name, the metric's name, and help. */
#define HEARTBEAT_TIMES(X)                                                     \
    X(fetch, "windrow_fetch_seconds",                                          \
      "One transfer, from its start to its last byte, or its failure.")        \
    X(extract, "windrow_extract_seconds",                                      \
      "Taking the fields, or a list's keys, out of one answer.")               \
    X(commit, "windrow_commit_seconds",                                        \
      "One batch's closing, from the store's queue to the commit.")            \
    X(turn, "windrow_turn_seconds", "One turn of a node's loop.")

struct heartbeat_times {
#define X(name, ...) struct histogram name;
    HEARTBEAT_TIMES(X)
#undef X
};

struct heartbeat {
    int64_t number;     /* from 1, one more each time */
    usec_t interval;    /* since the one before, by the node's clock */
    bool store_waiting; /* the database is away */
    const struct held_batch *held;
    size_t n_held;
    const struct share_ack *shares;
    size_t n_shares;
    /* since the node's start */
#define X(name, ...) int64_t name;
    HEARTBEAT_COUNTERS(X)
#undef X
    const struct heartbeat_times *times; /* NULL: not told */
};

struct hold {
    int worker;
    const char *host; /* "host:port" */
    usec_t length;    /* from now */
};

struct end {
    bool drain; /* hand back what is unfinished, then stop */
    const char *reason;
};

struct message {
    enum message_type type;
    int64_t epoch;              /* of the run; 0 in a hello */
    char node[NODE_NAME_BYTES]; /* from or to whom; "" to all */
    int64_t incarnation;        /* of that node; 0 to all */
    union {
        struct hello hello;
        struct welcome welcome;
        struct refuse refuse;
        struct task task;
        struct drop drop;
        struct share share;
        struct report report;
        struct heartbeat heartbeat;
        struct hold hold;
        struct end end;
    };
};

/* Appends the JSON text of `message`. ERR_MEMORY; ERR_LIMIT if it would be
 * longer than MESSAGE_BYTES_MAX. */
MUSTCHECK
int message_encode(const struct message *message, struct buffer *ret,
                   struct error *err);

/* ERR_MESSAGE says which field is wrong and how; ERR_VERSION for a hello of
 * another protocol version (then node, incarnation and hello.version are set
 * in `ret`, so that it can be refused by name). */
MUSTCHECK
int message_decode(struct slice data, struct arena *arena, struct message *ret,
                   struct error *err);

#endif
