/*
 * ledger_model.h: the ledger's rules in memory: what a database must do,
 * written as simply as possible, to hold the backends to it. It links no
 * database; everything is looked up by walking a list.
 *
 * What it takes as refused: text with the byte 0xff (always), and a whole
 * number of more than 18 digits (where the batch is open), as the fixture's
 * fields and the databases have it.
 */
#ifndef TESTS_LEDGER_MODEL_H
#define TESTS_LEDGER_MODEL_H

#include "base/buffer.h"
#include "ledger/closing.h"
#include "pipeline/pipeline.h"

#define MODEL_BATCHES_MAX 20000

struct model_batch {
    int64_t batch; /* its place in the list, from 1 */
    int64_t parent;
    int child_no; /* from 1; 0: a root batch */
    int worker;
    int attempt;
    bool open;
    char closer[CLOSING_CLOSER_BYTES];
    char *keys; /* as JSON */
    size_t n_keys;
    size_t stored, failed, done;
};

struct ledger_model {
    const struct pipeline *pipeline;
    int64_t run; /* the one run that it knows */
    struct model_batch *batches;
    size_t n_batches;
    struct buffer seen;     /* keys of shared queues: "queue|key\n" */
    struct buffer rows;     /* "table|value|value…\n" */
    struct buffer failures; /* "batch|worker|key|reason|…\n" */
};

struct ledger_model *ledger_model_new(const struct pipeline *pipeline,
                                      int64_t run);
void ledger_model_free(struct ledger_model **model);
/* A root batch; 0 where its queue had all its keys. */
int64_t ledger_model_add(struct ledger_model *model,
                         const struct closing_child *batch);
void ledger_model_close(struct ledger_model *model,
                        const struct closing *closing,
                        struct close_result *result);

#endif
