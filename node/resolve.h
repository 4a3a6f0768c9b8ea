/*
 * resolve.h: host names to addresses, off the loop.
 *
 * One thread calls getaddrinfo(), so that the loop never waits for DNS, and
 * so that a host asked for by a thousand transfers at once is looked up once.
 * Answers are kept for RESOLVE_KEEP; one that has failed for RESOLVE_KEEP_BAD.
 */
#ifndef NODE_RESOLVE_H
#define NODE_RESOLVE_H

#include <event2/event.h>

#include "base/clock.h"
#include "base/slice.h"

#define RESOLVE_KEEP (60 * USEC_PER_SEC)
#define RESOLVE_KEEP_BAD (1 * USEC_PER_SEC)
#define RESOLVE_HOSTS_MAX 4096    /* known at once; the oldest is forgotten */
#define RESOLVE_ADDRESSES_MAX 8   /* of one host */
#define RESOLVE_ADDRESS_BYTES 400 /* "addr,addr,…" */

struct resolver;

struct resolved {
    int64_t number;        /* another one after each new look-up */
    const char *addresses; /* "93.184.215.14,[2606:…]"; NULL: failed */
    const char *error;     /* why it failed */
};

/* NULL when memory or threads are out. `on_ready` is called in the loop,
 * after one or more answers have come: ask again then. */
struct resolver *resolver_new(struct event_base *base,
                              void (*on_ready)(void *context), void *context);
void resolver_free(struct resolver **resolver);

/*
 * Whether the answer for `host` is there; then it is in *ret, valid until the
 * next call. If not, a look-up is under way and on_ready will follow. An IP
 * address is its own answer.
 */
bool resolver_ask(struct resolver *resolver, struct slice host, usec_t now,
                  struct resolved *ret);

#endif
