/* store.c: which backend a URL means. See store.h. */
#include "store.h"

#include <string.h>

#include "store_backend.h"

int store_new(struct event_base *base, const char *url,
              const struct pipeline *pipeline, usec_t database_wait,
              const struct store_callbacks *callbacks, struct store **ret,
              struct error *err)
{
    struct store common = {.callbacks = *callbacks,
                           .pipeline = pipeline,
                           .database_wait = database_wait};
    bool sqlite = !strncmp(url, "sqlite:", strlen("sqlite:"));
    return (sqlite ? store_thread_new : store_postgres_new)(base, url, &common,
                                                            ret, err);
}

void store_free(struct store **store)
{
    if (*store)
        (*store)->backend->free(*store);
    *store = NULL;
}

int store_submit(struct store *store, uint64_t id,
                 const struct closing *closing, struct error *err)
{
    return store->backend->submit(store, id, closing, err);
}

void store_forget(struct store *store)
{
    store->backend->forget(store);
}
