/*
 * node_script.h: a dialogue with a node's core, for tests.
 *
 * The test plays master, web and store; what the core does is written down,
 * one effect a line, and read by expect(). Time stands still unless pass() is
 * called, which lets the core have its ticks and pings it each second.
 *
 *   script_begin(PIPELINE);
 *   welcome();
 *   task(7, 1, "A B");      expect("start A http://h/A\n"
 *                                  "start B http://h/B\n");
 *   record("A", "1.5");     expect("");
 *   failed("B", REASON_NOT_FOUND);
 *   expect("close 7: store A=1.5; failed B not_found 1; done 2\n");
 *   won(7);                 expect("report 7 closed 1 1\n");
 *   script_end();
 *
 * Heartbeats, hellos after the first, and failures' details are
 * written down only while `script.verbose`. All invariants are checked after
 * each event.
 */
#ifndef UNIT_NODE_SCRIPT_H
#define UNIT_NODE_SCRIPT_H

#include "core/node_core.h"

#define MS USEC_PER_MSEC
#define SECOND USEC_PER_SEC

/* Set by script_begin() to what is said here; a test may change them before
 * welcome() or script_new(). */
struct script_options {
    bool serve;
    int64_t key_limit;
    usec_t batch_time;  /* 60 s */
    usec_t close_after; /* 2 s */
    int64_t run, epoch; /* 1, 1 */
    int64_t crashed;    /* a batch number; 0: none */
};

extern struct script {
    struct script_options options;
    struct node_core *core; /* NULL: making it failed */
    usec_t now;
    int64_t incarnation; /* of the last hello */
    bool verbose;
    bool silent;                /* the master does not ping */
    bool gone;                  /* EXIT came */
    bool memory_failed;         /* an event returned ERR_MEMORY */
    struct heartbeat heartbeat; /* the last one */
} script;

void script_begin(const char *pipeline);
void script_new(void); /* a core anew, with the options as they are */
void script_end(void);

/* What happened since the last call. */
void expect(const char *lines);
const char *transcript(void); /* without reading it */
void forget_transcript(void);

/* The master */
void welcome(void);
void master_says(struct message *message); /* fills in who and when */
void ping(void);
void task(int64_t batch, int worker, const char *keys);
void task_with(const struct task *task, const char *keys);
void share(int worker, double rate, int in_flight, usec_t valid);
void drop(int64_t batch);
void hold(int worker, const char *host, usec_t length);
void end_of_run(bool drain);

/* The web: about the transfer of the key that was started last. Of one for
 * several keys record() and part_failed() are of this key alone, all others of
 * all its keys. */
void record(const char *key, const char *price);
/* With something to ask again with: the URL's last part and the price. */
void dated(const char *key, const char *price);
void unasked(const char *key, const char *price); /* it was known */
void failed(const char *key, enum reason reason);
void part_failed(const char *key, enum reason reason);
void refused(const char *key, usec_t retry_after);
void redirected(const char *key, const char *url);
void sent_back(const char *key, usec_t crawl_delay);
void found(const char *key, const char *keys, bool more);

/* The store: about the closing of the batch. won() gives its children the
 * numbers from 100 times the batch's on. */
void won(int64_t batch);
void let_go(int64_t batch); /* after a forget: the store is done with it */
void answered(int64_t batch, enum close_outcome outcome, const char *detail);

/* The process and its clock */
void happens(enum node_event_type type);
void store_waits(bool waits);
void pass(usec_t length);
/* As pass(), until something is written down, at most `length`; how long. */
usec_t pass_until_effect(usec_t length);
void stand_still(usec_t length); /* no ticks, then one */

#endif
