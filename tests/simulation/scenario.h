/*
 * scenario.h: everything that a seed decides beforehand.
 *
 * The shape of the pipeline, the nodes and keys, how bad the network, the web
 * and the ledger are, and a list of faults with their times. A scenario can
 * be narrowed (fewer nodes, fewer keys, faults and kinds of noise left out)
 * without the rest changing: so a failing one can be shortened.
 */
#ifndef SIMULATION_SCENARIO_H
#define SIMULATION_SCENARIO_H

#include <stdint.h>
#include <stdio.h>

#include "base/buffer.h"
#include "base/clock.h"

#define SCENARIO_NODES_DRAWN 8 /* what a seed gives at most, ... */
#define SCENARIO_KEYS_DRAWN 300
#define SCENARIO_NODES_MAX 64 /* ... and --nodes, --keys */
#define SCENARIO_KEYS_MAX 10000
#define SCENARIO_FAULTS_MAX 16
#define SCENARIO_RUNS_MAX 3

enum fault_type {
    FAULT_KILL,        /* kill -9 of a node, which comes back after `length`,
                          or never (faults.c) */
    FAULT_CRASH,       /* the same by SIGSEGV */
    FAULT_PAUSE,       /* SIGSTOP, SIGCONT after `length` */
    FAULT_SLOW,        /* each event costs the node milliseconds */
    FAULT_LEAVE,       /* SIGTERM; back after `length` */
    FAULT_JOIN,        /* the node is not there before `at` */
    FAULT_CUT_LOSING,  /* partition: what is sent meanwhile is lost */
    FAULT_CUT_LATE,    /* partition: it arrives when that is over */
    FAULT_MASTER_KILL, /* and resumed after `length` */
    FAULT_MASTER_PAUSE,
    FAULT_TAKEOVER,    /* the master stands still; another takes the run; then
                          the first one wakes */
    FAULT_STOP,        /* SIGINT to the master; resumed after `length` */
    FAULT_LEDGER_AWAY, /* the database is away for `length` */
    FAULT_SLEEP,    /* all processes stand still, as in a suspended machine */
    FAULT_WRONG_DB, /* the node's database is a copy without the run */
    FAULT_TYPE_COUNT
};

/* What goes wrong all the time rather than at one time. */
enum noise_type {
    NOISE_LOSS,
    NOISE_DUPLICATE,
    NOISE_REORDER,
    NOISE_DELAY,
    NOISE_CUT_SHORT,     /* a message arrives without its end */
    NOISE_STRANGER,      /* messages of others, or of a life that is over */
    NOISE_MEMORY,        /* an allocation in a core fails */
    NOISE_LOST_ANSWER,   /* a commit's answer does not come */
    NOISE_LEDGER_HICCUP, /* a page or look fails */
    NOISE_WEB_PERMANENT, /* keys whose every answer is bad */
    NOISE_WEB_TRANSIENT, /* keys whose first answers are bad */
    NOISE_WEB_REDIRECT,
    NOISE_WEB_SLOW,
    NOISE_POISON, /* keys that kill the node (a number of keys) */
    NOISE_DATA,   /* keys whose rows the database refuses (a number) */
    NOISE_SOURCE, /* sources that fail */
    NOISE_TYPE_COUNT
};

/* Rules broken on purpose, to see that the simulation notices. */
enum plant { PLANT_NONE, PLANT_NO_CLOSING_RULE, PLANT_NO_TAKEOVER };

struct fault {
    enum fault_type type;
    usec_t at;
    usec_t length;
    int node;
};

struct scenario {
    uint64_t seed;
    int nodes;
    int keys;
    int shape;
    bool local; /* the master starts the nodes, and they end with it */
    bool serve; /* remote nodes outlive a run's end, ... */
    int runs;   /* ... and there are so many, one after another */
    double rate;
    bool adaptive;
    usec_t crawl_delay; /* hosts ask for up to so much; 0: no robots.txt */
    int in_flight;
    int attempts;
    int instances;
    int batch_keys;
    int key_limit;
    bool new_keys; /* fetchers give the key for the next one */
    bool many_hosts;
    int together;  /* keys_per_request; 0: one key a request */
    bool refusals; /* most bad answers are refusals */
    usec_t timeout;
    usec_t backoff;
    usec_t hold;
    usec_t heartbeat, lease;
    usec_t batch_time, close_after, speculate_after, database_wait;
    usec_t latency_max; /* of an ordinary answer */
    usec_t net_delay_max;
    int noise[NOISE_TYPE_COUNT]; /* per mille, or a number of keys */
    struct fault faults[SCENARIO_FAULTS_MAX];
    size_t n_faults;
    enum plant plant;
};

/* What makes a scenario harder to read than it need be. */
enum frill {
    FRILL_SHAPE,      /* more than list, fetcher, store */
    FRILL_BUDGET,     /* rate, in flight */
    FRILL_INSTANCES,  /* more than 4 transfers at once */
    FRILL_LIMIT,      /* of keys */
    FRILL_NEW_KEYS,   /* fetchers that give other keys */
    FRILL_HOSTS,      /* a host for each key */
    FRILL_RUNS,       /* more than one run */
    FRILL_SERVE,      /* nodes that outlive it */
    FRILL_LATENCY,    /* answers of more than 50 ms */
    FRILL_SHORT_TIME, /* batch times below 60 s */
    FRILL_ADAPTIVE,
    FRILL_CRAWL_DELAY,
    FRILL_TOGETHER, /* several keys in one request */
    FRILL_COUNT
};

/* How a scenario is changed. Bit f of `without` leaves out fault f; bit
 * (16 + n) noise n; bit (48 + f) frill f. Nodes and keys: so many; 0: as the
 * seed has it. */
struct narrowing {
    int nodes;
    int keys;
    uint64_t without;
};
#define NARROWING_NOISE_BIT 16
#define NARROWING_FRILL_BIT 48

void scenario_make(uint64_t seed, const struct narrowing *narrowing,
                   enum plant plant, struct scenario *ret);

/* How much larger it is than a seed can make it; 1 for what a seed gives. */
uint64_t scenario_size(const struct scenario *scenario);

/* The pipeline's text. */
void scenario_yaml(const struct scenario *scenario, struct buffer *ret);

/* One paragraph for people. */
void scenario_print(const struct scenario *scenario, FILE *out);

const char *fault_type_name(enum fault_type type);
const char *noise_type_name(enum noise_type type);

#endif
