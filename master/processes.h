/*
 * processes.h: this machine's node processes.
 *
 * As many as asked for, started with posix_spawn (the master has threads and
 * ZeroMQ: it must never fork), pinned to cores where there is one for each,
 * and started again with backoff when they end before their time. They end
 * with the master, even when that is killed (PR_SET_PDEATHSIG in the node).
 */
#ifndef MASTER_PROCESSES_H
#define MASTER_PROCESSES_H

#include <event2/event.h>
#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

#include "base/error.h"

#define PROCESSES_MAX 1024
#define PROCESS_RESTARTS_MAX                                                   \
    20 /* of one node that neither closes a batch nor lives for a minute */

/* The node's program, which is installed beside our own. ERR_SYSTEM. */
MUSTCHECK
int processes_find_program(char program[PATH_MAX], struct error *err);

struct processes;

struct processes_options {
    int n_nodes;
    const char *connect; /* the cluster's place */
    const char *keys;    /* their folder of keys; NULL: none */
    const char *const *env_files;
    size_t n_env_files;
    bool allow_exec; /* they may start the pipeline's programs */
    bool log_json;
    bool log_pipe; /* what they log goes into the master's log file */
};

struct processes_callbacks {
    void *context;
    /* A node's process ended. `crashed`: by a signal that blames its work
     * (SEGV, ABRT, BUS, ILL, FPE). `why` is for people. */
    void (*on_exit)(void *context, const char *name, bool crashed,
                    bool restarting, const char *why);
    /* A node ended with a status that a restart won't mend (2, 4), or too
     * often: nothing is started again. */
    void (*on_hopeless)(void *context, const char *why);
};

/* Starts them. ERR_SYSTEM where the program can't be found or started. */
MUSTCHECK
int processes_new(struct event_base *base,
                  const struct processes_options *options,
                  const struct processes_callbacks *callbacks,
                  struct processes **ret, struct error *err);

/*
 * From now on so many, at most PROCESSES_MAX: more are started; those that are
 * too many, the last first, are asked to end, hand back what they hold, and are
 * not started again. ERR_SYSTEM where one can't be started.
 */
MUSTCHECK
int processes_scale(struct processes *processes, int n, struct error *err);
int processes_wanted(const struct processes *processes);

/* This node has closed a batch. Whatever ends it now, it is started again soon,
 * and its deaths are counted anew: so a run goes on as long as it gets on. */
void processes_worked(struct processes *processes, const char *name);

/* No more restarts: the run ends. */
void processes_let_end(struct processes *processes);

/* Asks all of them to end (SIGTERM), late ones that know of no run too. */
void processes_ask_to_end(struct processes *processes);

/* How many are running. */
int processes_running(const struct processes *processes);

/* Kills those that still run. */
void processes_free(struct processes **processes);

#endif
