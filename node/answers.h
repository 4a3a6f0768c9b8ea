/*
 * answers.h: what a site's or a program's answer means for its key: fields or
 * keys are taken out of it, and the core is told.
 */
#ifndef NODE_ANSWERS_H
#define NODE_ANSWERS_H

#include "exec.h"
#include "fetch.h"
#include "run.h"

struct answers {
    const struct run_callbacks *callbacks;
    struct extractor *extractors[PIPELINE_WORKERS_MAX];
    size_t keys_max;         /* of one source; 0: all */
    struct arena keys;       /* of a list being extracted */
    struct recalls *recalls; /* the run's; NULL: nothing is remembered */
};

/* Extractors for all of the pipeline's workers. ERR_MEMORY: then it is to be
 * freed all the same. `callbacks` must outlive it. */
MUSTCHECK
int answers_init(struct answers *answers, const struct pipeline *pipeline,
                 size_t keys_max, const struct run_callbacks *callbacks,
                 struct error *err);
void answers_fini(struct answers *answers); /* a zeroed one too */

/* The ends of a transfer and of a program's try. */
void answers_fetched(struct answers *answers, uint64_t id,
                     const struct fetch_answer *answer);
void answers_program(struct answers *answers, uint64_t id,
                     const struct exec_answer *answer);

/* Tells the core; `wall` is now unless it is set. What was known for the
 * transfer is not needed any more. */
void answers_tell(struct answers *answers, struct fetched *fetched);

#endif
