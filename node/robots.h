/*
 * robots.h: who asks a site whether it may ask (option `robots: obey`).
 *
 * The first transfer to a host waits while its robots.txt is fetched; then it,
 * and all that follow, are let go, or refused, or sent back to wait for as long
 * as the host's Crawl-delay says. What a host said is kept for a run.
 *
 * No robots.txt (status 4xx) allows everything. One that can't be had for
 * another reason allows nothing: its reason becomes the transfers', which may
 * be tried again.
 */
#ifndef NODE_ROBOTS_H
#define NODE_ROBOTS_H

#include "core/node_core.h"
#include "fetch.h"

#define ROBOTS_HOSTS_MAX 1024     /* whose answer is kept */
#define ROBOTS_REDIRECTS_MAX 5    /* RFC 9309, 2.3.1.2 */
#define ROBOTS_FETCH (1ULL << 63) /* in the number of a transfer of ours */
#define ROBOTS_AGAIN_AFTER (5 * USEC_PER_SEC) /* where it could not be had */

struct robots;

struct robots_callbacks {
    void *context;
    /* To be fetched. */
    void (*on_allowed)(void *context, uint64_t fetch,
                       const struct worker *worker, struct slice url,
                       bool foreign);
    /* It ends without: `fetched` lacks wall only. */
    void (*on_answer)(void *context, struct fetched *fetched);
};

/* NULL when memory is out. */
struct robots *robots_new(struct fetch_pool *fetches,
                          const struct robots_callbacks *callbacks);
void robots_free(struct robots **robots);

/* Asks whether the transfer of a START may begin (`foreign`: as fetch_start()
 * takes it). One of the callbacks follows, now or later. */
void robots_ask(struct robots *robots, const struct node_effect *start,
                bool foreign);
/* What came for a transfer with ROBOTS_FETCH in its number. */
void robots_fetched(struct robots *robots, uint64_t id,
                    const struct fetch_answer *answer);

/* No callback follows any more, for one or for all. */
void robots_cancel(struct robots *robots, uint64_t fetch);
void robots_cancel_all(struct robots *robots);

#endif
