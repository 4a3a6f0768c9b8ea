/*
 * web_actor.h: the sites, and what is to be expected of them.
 *
 * What becomes of a key is decided by the seed, the queue and the key alone:
 * good, bad for good, or bad the first few times it is asked for. So the
 * right end of every key is known beforehand (web_expect), and the run's
 * result is held against it.
 */
#ifndef SIMULATION_WEB_ACTOR_H
#define SIMULATION_WEB_ACTOR_H

#include <uthash.h>

#include "core/node_core.h"
#include "ledger_actor.h"

struct world;
struct sim_node;
struct transfer;

/* How often a key was asked for, over all nodes. */
struct asked {
    struct item_id id;
    int times;
    UT_hash_handle hh;
};

struct web_actor {
    struct asked *asked;
};

void web_actor_fini(struct web_actor *web);

/* A transfer began: its answer will come as an event of the node's. */
void web_ask(struct world *world, struct sim_node *node,
             struct transfer *transfer);

/* How an item must end: REASON_NONE is "stored". */
enum reason web_expect(struct world *world, int64_t queue, const char *key);

/* Whether the database refuses rows of this key. */
bool web_data_refused(const struct world *world, const char *key);
/* Whether working on it kills the process. */
bool web_is_poison(const struct world *world, int64_t queue, const char *key);

/* Whether its answer is known from a run before and still holds; whether the
 * site gives what is needed to ask again. */
bool web_is_fresh(const struct world *world, int64_t queue, const char *key);
bool web_is_remembered(const struct world *world, int64_t queue,
                       const char *key);

/* The key that a fetcher's record gives to the next fetcher. */
const char *web_next_key(struct world *world, const struct worker *worker,
                         const char *key);

/* What the robots.txt of `host` wants between two requests; 0: nothing. */
usec_t web_crawl_delay(const struct world *world, const char *host);

/* The price that the web says a key has. */
void web_price(const char *key, char text[32]);

/* What a source's page holds: keys from..to of the list. For sql, `key` is
 * "N:KEY". False where it is no page of that source. */
struct web_page {
    int from, to;
    bool more;
};
bool web_page(const struct world *world, const struct worker *worker,
              const char *key, size_t keys_max, struct web_page *ret);

#endif
