/*
 * closing.h: all that follows from a batch, as one value.
 *
 * A closing is what a node asks of the ledger in one transaction: close this
 * batch and, only if this is what closed it, store the records in their
 * sinks, write the failures, and create the child batches. The node's core
 * makes it; the ledger's backends execute it (ledger.h, DESIGN: "the one rule
 * that closes a batch").
 *
 * A closing owns nothing: what it points at must live until its result came.
 */
#ifndef LEDGER_CLOSING_H
#define LEDGER_CLOSING_H

#include <stdint.h>

#include "base/clock.h"
#include "base/slice.h"
#include "ledger/answer.h"
#include "ledger/reason.h"

#define CLOSING_CLOSER_BYTES 96
#define CLOSING_DETAIL_BYTES_MAX 300 /* of a failure's detail; cut beyond */

/* The rows of one of the worker's row sets: of each field of the set, in their
 * order, `n` packed values (base/packed.h). */
struct record_rows {
    size_t n;
    const struct slice *columns;
};

/* What was taken out of one answer. `fields` are in the order of the worker's
 * fields, `rows` in that of its row sets; a field with data == NULL is SQL
 * NULL. Numbers are the exact text that was sent. */
struct record {
    struct slice key;
    usec_t fetched_at; /* wall clock */
    const struct slice *fields;
    const struct record_rows *rows; /* NULL where the worker has no sets */
};

/* What one sink gets: `worker` is the index of the store. It stores a row for
 * each record or, if it is a sink of rows, for each row of its set in them. */
struct closing_rows {
    int sink_worker;
    const struct record **records;
    size_t n_records;
};

struct closing_failure {
    struct slice key;
    enum reason reason;
    int http_status; /* 0: none came */
    int attempts;
    usec_t failed_at;    /* wall clock */
    struct slice detail; /* one line for people; may be empty */
};

/* A batch to be born. `queue` is -1, or the queue in which each key may
 * appear once a run (the ledger then drops keys that are there already, and
 * creates no batch where none is left). `kept` says that the node goes on
 * with it: it is not to be handed out. */
struct closing_child {
    int worker; /* who works on its keys */
    int queue;
    int attempt;  /* tries already spent on its keys */
    usec_t delay; /* not before now + delay */
    bool kept;
    const struct slice *keys;
    size_t n_keys;
};

/* `answers` are those of its keys that the next run may ask about: written
 * with the rows, and only with them. */
struct closing {
    int64_t run;
    int64_t batch;
    int worker; /* whose batch it is: gives the records' fields */
    char closer[CLOSING_CLOSER_BYTES]; /* node/incarnation/number: tells, after
                                          a lost answer, whether it was us */
    const struct closing_rows *rows;
    size_t n_rows; /* one for each sink */
    const struct closing_failure *failures;
    size_t n_failures;
    const struct closing_child *children;
    size_t n_children;
    const struct last_answer *answers;
    size_t n_answers;
    size_t n_keys_done;   /* keys that end with this closing */
    size_t n_keys_stored; /* of these, the ones whose rows it stores, however
                             many rows and tables that is */
};

enum close_outcome {
    CLOSE_WON,     /* this closing closed the batch */
    CLOSE_ALREADY, /* it was closed before; nothing was written */
    CLOSE_UNKNOWN, /* no such batch in this database */
    CLOSE_REFUSED, /* the data was refused (SQLSTATE 22, 23, 54000, P0001);
                      still open, unless another closing closed it */
};

struct close_result {
    enum close_outcome outcome;
    /* CLOSE_WON: the child batches' numbers, in the order of the closing's
     * children; 0 where the ledger dropped all of its keys. The caller gives
     * room for n_children numbers, or NULL. */
    int64_t *children;
    char detail[CLOSING_DETAIL_BYTES_MAX]; /* CLOSE_REFUSED: what the database
                                              said */
};

#endif
