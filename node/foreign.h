/*
 * foreign.h: whether a redirect has led away from where a request was meant to
 * go, so that its headers, which may hold secrets, stay here.
 */
#ifndef NODE_FOREIGN_H
#define NODE_FOREIGN_H

#include "base/buffer.h"
#include "pipeline/pipeline.h"

/* Memory that is used again from call to call; zeroed at first. */
struct foreign {
    struct buffer own_url, hosts[2];
};

void foreign_free(struct foreign *foreign);

/* Whether `url`, which is asked for `key` of a worker, is at another host or
 * port than the key's own, or leads away from TLS. From http to https at their
 * usual ports is the same host. */
bool foreign_is(struct foreign *foreign, const struct worker *worker,
                struct slice key, struct slice url);

#endif
