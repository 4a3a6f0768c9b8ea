/*
 * run.h: a run, as its master goes through it.
 *
 *   begin (run_begin.c)    a new one: the run and its root batches, written
 *   retry (run_retry.c)    the same over the keys that failed in another
 *   take (run_take.c)      one that is in the ledger: its lease and epoch
 *   work (command_run.c)   the cluster
 *   finish (run_finish.c)  its state, the summary, the exit status
 *
 * Each step prints its own complaint and returns the exit status that goes
 * with it, or 0 to go on.
 */
#ifndef MASTER_RUN_H
#define MASTER_RUN_H

#include "cluster.h"
#include "context.h"
#include "plan_retry.h"
#include "progress.h"

#define RUN_OWNER_BYTES 96

struct run {
    struct context context;
    int64_t number, epoch;
    bool resumed;
    bool ended; /* it had ended before we came: only its summary is left */
    int64_t key_limit;
    int64_t retry_of; /* the run whose failed keys are tried; 0: none */
    struct plan_retry retry;
    struct ledger *failures; /* where these are read from; NULL: none are */
    struct listen listen;
    int n_nodes, nodes_least, nodes_most;
    usec_t lease, database_wait;
    char owner[RUN_OWNER_BYTES];
    struct run_row before; /* the counts at this master's start */
    struct progress *progress;
    pid_t dashboard; /* its process; 0: none */
    usec_t started;
    struct cluster_result result;
};

/* Settings, log, times, and the pipeline's path: what needs no database. To be
 * freed whatever it returns. */
MUSTCHECK
int run_init(struct run *run, const struct options *options);

/* The pipeline file, checked; its notes are printed. */
MUSTCHECK
int run_read_pipeline(struct run *run);

/* With its database open: the run from its beginning, or the one that the
 * options name, to its end. */
MUSTCHECK
int run_go(struct run *run);

/* The same, but that nothing is kept and nothing is started. */
MUSTCHECK
int run_try(struct run *run);

void run_free(struct run *run);

/* A new run. `ret_name_taken` (or NULL): there is one of this name already,
 * and nothing was written or printed. */
MUSTCHECK
int run_begin(struct run *run, bool *ret_name_taken);

/* The run that the command line names. */
MUSTCHECK
int run_take(struct run *run);

/* A new one over the keys that failed in the run that the command line names.
 * `ret_nothing`: none did, which was said. */
MUSTCHECK
int run_retry(struct run *run, bool *ret_nothing);

/* Whether the settings that the row's pipeline names are as they were then, or
 * --force. */
MUSTCHECK
int run_check_settings(const struct run *run, const struct run_row *row);
/* The row's pipeline becomes the context's. */
MUSTCHECK
int run_copy_pipeline(struct run *run, const struct run_row *row);

/* The run named --name: gone on with where its master is gone; where it lives,
 * this one stands by until it dies or the run has ended. Begun where there is
 * none. */
MUSTCHECK
int run_lead(struct run *run);

/* "windrow: WORDS: windrow COMMAND NUMBER", and how to name the database. */
void run_print_hint(const struct run *run, const char *words,
                    const char *command, int64_t number);

/* The run's state, the summary. Returns the program's exit status. */
int run_finish(struct run *run);

#endif
