/*
 * master_dialogue.h: scripted dialogues with the master's core.
 *
 * A test says what nodes and ledger say, and expects what the master answers,
 * as lines of text in the order of its effects:
 *
 *     begin();
 *     hello("a", 1);
 *     expect("OPEN a", "WELCOME a/1");
 *
 * There is one core at a time. Every event is followed by
 * master_core_check(). Nodes keep count of what they were given, and name it
 * in their heartbeats; what they do not do is work. Pings and renewals of
 * shares (the same share again) are not shown.
 *
 * The pipeline: worker 0 is a source, 1 and 2 are fetchers (64 and 8
 * instances), 3 is the store.
 *
 * Batches are written NUMBER, then, as needed: *KEYS (default 2), @WORKER
 * (default 1), +DELAY in milliseconds; `!` is closed, `?` unknown, `k` kept.
 */
#ifndef MASTER_DIALOGUE_H
#define MASTER_DIALOGUE_H

#include "core/master_core.h"

#define SECONDS(n) ((usec_t)((n)*USEC_PER_SEC))

struct terms {
    double rate; /* of worker 1 */
    int max_in_flight;
    bool adaptive;
    bool resumed;
    bool no_trust; /* trust_crash off */
    int expected;
    int keys_per_request;
};

/* The core, its first sweep (LOAD 0) expected and not yet answered. */
#define begin(...) begin_on((struct terms){__VA_ARGS__})
void begin_on(struct terms terms);
void end(void); /* frees the core; also a cmocka teardown's work */
int end_test(void **state);

struct master_core *the_core(void);
usec_t now(void);

/* What nodes say. */
void hello(const char *node, int64_t incarnation);
void hello_crashed(const char *node, int64_t incarnation, int64_t batch);
void hello_of(const char *node, int version, const char *ledger_id);
void beat(const char *node);
void beat_naming(const char *node, const char *batches);
void beat_waiting(const char *node); /* its database is away */
void closed(const char *node, int64_t batch, const char *children);
void closed_many(const char *node, int64_t batch); /* children_more */
void report(const char *node, int64_t batch, enum report_outcome outcome);
void hold(const char *node, const char *host, usec_t length);
void bye(const char *node);
void say(const struct message *message); /* anything */
/* hello, welcome, heartbeat; the effects are not shown. */
void arrive(const char *node);
/* It forgets a batch, as if the task had been lost on the way. */
void lose(const char *node, int64_t batch);
/* It says and hears nothing until it is used again. */
void mute(const char *node);

/* What the shell says. */
void tick(void);
void exited(const char *node, bool crashed);
void page(const char *batches);      /* with more to come */
void last_page(const char *batches); /* "" is: nothing is open */
void looked(const char *batches);
void away(void);
void event_of(enum master_event_type type);
void expect_nodes(int n);

/* "FIRST FIRST+1 ...", each followed by `more`: n batches. */
const char *series(int first, int n, const char *more);

/* Time goes by in the steps that the core asks for. */
void pass(usec_t time);
/* The same, with all nodes beating each second. */
void live(usec_t time);

/* The lines since the last expect() are exactly these. */
#define expect(...)                                                            \
    expect_lines((const char *[]){__VA_ARGS__, NULL}, __FILE__, __LINE__)
#define expect_nothing()                                                       \
    expect_lines((const char *[]){NULL}, __FILE__, __LINE__)
/* Among them are these, in any order. */
#define expect_among(...)                                                      \
    expect_some((const char *[]){__VA_ARGS__, NULL}, __FILE__, __LINE__)
void expect_lines(const char **lines, const char *file, int line);
void expect_some(const char **lines, const char *file, int line);
/* They don't matter here. */
void ignore(void);
/* How many of them begin so. */
int count(const char *beginning);

#endif
