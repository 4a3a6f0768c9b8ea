/*
 * ledger_actor.h: the ledger, in memory.
 *
 * It does what ledger/closing.h and ledger/ledger.h promise, with none of the
 * SQL: it is the model. When a closing wins, what it says is checked in full
 * (closing_rules.c), so that a lost or doubled key is found at the step that
 * lost or doubled it.
 */
#ifndef SIMULATION_LEDGER_ACTOR_H
#define SIMULATION_LEDGER_ACTOR_H

#include <uthash.h>

#include "ledger/closing.h"
#include "ledger/ledger.h"

#define LEDGER_ACTOR_ID "0123456789abcdef0123456789abcdef"
#define LEDGER_ACTOR_FIRST_RUN 7
#define LEDGER_ACTOR_FIRST_BATCH 100

struct world;

struct ledger_batch {
    int64_t number;
    int64_t run;
    int worker;
    int attempt;
    usec_t not_before;
    bool open;
    const char **keys; /* world_name()s */
    size_t n_keys;
    char closer[CLOSING_CLOSER_BYTES];
    int64_t *children; /* numbers, in the closing's order */
    size_t n_children;
};

enum item_state { ITEM_OPEN, ITEM_STORED, ITEM_FAILED };

/* A key on its way through one queue; a source's page has the queue
 * -1 - worker. */
struct item_id {
    const char *key;
    int64_t queue;
};
struct ledger_item {
    struct item_id id;
    enum item_state state;
    enum reason reason;
    UT_hash_handle hh;
};

/* A row of a sink: the queue that the sink reads, and the key. */
struct ledger_row {
    struct item_id id;
    UT_hash_handle hh;
};

struct ledger_actor {
    struct ledger_batch *batches; /* by number, less the first's */
    size_t n_batches, capacity;
    size_t n_open;
    size_t first_open; /* none with a lower index is open */
    struct ledger_item *items;
    struct ledger_row *rows;
    usec_t away_until;
};

void ledger_actor_fini(struct ledger_actor *ledger);

/* The root batches of world->run, as the master writes them with the run. */
void ledger_actor_begin(struct world *world);
/* The present run is over: its rows and accounts make room for the next's. */
void ledger_actor_next_run(struct world *world);

bool ledger_actor_is_away(const struct world *world);

/* As ledger_close_batch(); the database must not be away. Room for the
 * children in `ret`. */
void ledger_actor_close(struct world *world, const struct closing *closing,
                        struct close_result *ret);

/* As ledger_open_batches() and ledger_look(), but without the keys, which
 * never change: the second half reads those. */
size_t ledger_actor_open(struct world *world, int64_t run, int64_t after,
                         size_t limit, struct batch_row *ret);
void ledger_actor_look(struct world *world, int64_t batch,
                       struct batch_look *ret);

char *ledger_actor_keys_json(struct world *world, int64_t batch);

/* NULL where there is none of that number. */
struct ledger_batch *ledger_actor_find(struct ledger_actor *ledger,
                                       int64_t number);
struct ledger_item *ledger_actor_item(struct world *world, int64_t queue,
                                      const char *key);

/* The queue of the items of a worker's batches. */
int64_t ledger_actor_queue(const struct world *world, int worker);

/* The key of the batch that failed: a query's page is recorded as "query". */
const char *ledger_actor_failed(struct world *world,
                                const struct ledger_batch *batch,
                                const struct closing_failure *failure);

/* closing_rules.c: whether each key of the batch goes one way, and each
 * record and child comes from such a key. */
void closing_rules_check(struct world *world, const struct ledger_batch *batch,
                         const struct closing *closing);

#endif
