/*
 * exec_keys.h: the keys that one program is asked for, and whose fault it is
 * when it ends with some of them unanswered.
 *
 * A key:  WAITING --> SENT --> gone
 *            ^_________|  put back, when the program ended
 *
 * Where one key alone may be to blame, it is. Where several may be, each of
 * them becomes a suspect, and is sent alone, with no other key unanswered: then
 * only the one that is to blame is there when the program ends again. A line
 * that is no answer may also be about a key that was answered before: then one
 * that was not alone is a suspect too. What a key is put back for is no try of
 * it: it can happen once on its own account, and otherwise only with a blame of
 * another key, or an answer of one. Keys that were blamed are remembered, so
 * that they go out alone at their later tries too.
 *
 * Pure: no process, no clock.
 */
#ifndef NODE_EXEC_KEYS_H
#define NODE_EXEC_KEYS_H

#include <stdbool.h>
#include <stdint.h>
#include <uthash.h>

#include "base/clock.h"
#include "base/slice.h"

#define EXEC_BLAMED_KEPT 64 /* keys that are remembered */

struct exec_key {
    uint64_t id;    /* in its line */
    uint64_t fetch; /* the core's name for its try */
    bool sent;
    bool suspect;
    bool cancelled; /* SENT, and its answer is not wanted */
    usec_t sent_at, due;
    struct exec_key *prev, *next; /* in waiting, suspects or sent */
    UT_hash_handle by_id, by_fetch;
    size_t len;
    char text[];
};

/* Zeroed: none. */
struct exec_keys {
    struct exec_key *waiting, *suspects;
    struct exec_key *sent; /* in the order of `due`: all have one timeout */
    struct exec_key *ids, *fetches; /* hashes; the latter without cancelled */
    size_t n_sent;
    uint64_t last_id;
    uint64_t blamed[EXEC_BLAMED_KEPT]; /* hashes of keys; 0: none */
    size_t next_blamed;
};

void exec_keys_free(struct exec_keys *keys);

/* False when memory is out. */
bool exec_keys_add(struct exec_keys *keys, uint64_t fetch, struct slice key);
/* Not wanted any more; an unknown one is ignored. */
void exec_keys_cancel(struct exec_keys *keys, uint64_t fetch);
void exec_keys_cancel_all(struct exec_keys *keys);

/* Whether any waits. */
bool exec_keys_wait(const struct exec_keys *keys);

/* The next one that may be sent where at most `most` may be unanswered; it is
 * SENT then. NULL: none may. */
struct exec_key *exec_keys_next(struct exec_keys *keys, size_t most, usec_t now,
                                usec_t timeout);

/* All that were sent are due then. */
void exec_keys_put_off(struct exec_keys *keys, usec_t due);

/* The one that was sent with this id; NULL: none, or it was answered. */
struct exec_key *exec_keys_find(const struct exec_keys *keys, uint64_t id);
/* Takes it out; the caller frees it. It was answered, and is not remembered. */
void exec_keys_take(struct exec_keys *keys, struct exec_key *key);

enum exec_cause {
    EXEC_ENDED, /* by itself */
    EXEC_DUE,   /* keys were due: only these may be to blame */
    EXEC_WRONG, /* a line was no answer */
};

/*
 * The program has ended, or is to end: what was unanswered is put back, but for
 * the one that is to blame, which is taken out, for the caller to free. NULL:
 * it is not known yet, or nobody wants to know.
 */
struct exec_key *exec_keys_settle(struct exec_keys *keys, enum exec_cause cause,
                                  usec_t now);

#endif
