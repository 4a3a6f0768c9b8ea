/*
 * once.h: one job for a node process of its own, which tells what comes of it
 * and ends (`windrow-node --try`; node/try.h has the job and its events).
 *
 * What comes from the web is read in there, confined as any node; here it is
 * only passed on.
 */
#ifndef MASTER_ONCE_H
#define MASTER_ONCE_H

#include <jansson.h>

#include "base/error.h"

#define ONCE_BYTES_MAX (256 * 1024 * 1024) /* that a node may tell */

struct once_options {
    const char *const *env_files;
    size_t n_env_files;
    bool allow_exec; /* it may start the pipeline's programs */
    int record;      /* where bodies are written to; -1: nowhere */
};

/*
 * Starts a node, gives it `job`, and waits for its end. *ret_events is an array
 * of its events, the last of which is `end`; the caller's. ERR_SYSTEM,
 * ERR_MESSAGE (it told something else, or ended before its end; what it had to
 * say stands on standard error), ERR_LIMIT, ERR_MEMORY.
 */
MUSTCHECK
int once_run(const struct once_options *options, const json_t *job,
             json_t **ret_events, struct error *err);

#endif
