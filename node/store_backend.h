/* store_backend.h: what store.c needs of its two backends. */
#ifndef NODE_STORE_BACKEND_H
#define NODE_STORE_BACKEND_H

#include "store.h"

struct store_backend {
    void (*free)(struct store *store);
    int (*submit)(struct store *store, uint64_t id,
                  const struct closing *closing, struct error *err);
    void (*forget)(struct store *store);
};

/* The first member of both backends' structs. */
struct store {
    const struct store_backend *backend;
    struct store_callbacks callbacks;
    const struct pipeline *pipeline;
    usec_t database_wait;
};

int store_thread_new(struct event_base *base, const char *url,
                     const struct store *common, struct store **ret,
                     struct error *err);
int store_postgres_new(struct event_base *base, const char *url,
                       const struct store *common, struct store **ret,
                       struct error *err);

#endif
