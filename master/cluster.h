/*
 * cluster.h: a run, from its first batch to its end, with all its nodes.
 *
 * The core decides (core/master_core.h); this shell carries out. In: messages
 * from nodes, ends of their processes, answers of the ledger, time, signals.
 * Out: what the core's effects say.
 */
#ifndef MASTER_CLUSTER_H
#define MASTER_CLUSTER_H

#include "core/master_core.h"
#include "ledger/ledger.h"
#include "listen.h"
#include "pipeline/pipeline.h"
#include "pipeline/settings.h"

struct cluster_options {
    const struct pipeline *pipeline;
    struct slice pipeline_text; /* unexpanded, as in the ledger */
    const char *pipeline_path;
    const struct settings *settings;
    struct ledger *ledger; /* used by the cluster alone until it returns */
    int64_t run, epoch;
    bool resumed;
    int64_t key_limit;
    struct listen listen;
    int n_nodes;                 /* local nodes to start */
    int nodes_least, nodes_most; /* local nodes, as the work wants them */
    int nodes_told;              /* what ledger_run_scale() had said before */
    int64_t stored_before, failed_before; /* keys, before this master's time */
    int batch_keys; /* 0: by the number of keys and nodes */
    const char *const *env_files;
    size_t n_env_files;
    bool log_json, log_file;
    /* Called about four times a second, and at the end. `open_keys`: those
     * known not to have ended, by the ledger and what was heard since;
     * `nodes_wanted`: local nodes, at this moment. */
    void (*on_progress)(void *context, const struct master_core *core,
                        int64_t open_keys, int nodes_wanted);
    void *context;
};

enum cluster_end {
    CLUSTER_FINISHED, /* nothing of the run is open */
    CLUSTER_PAUSED,   /* interrupted; resumable */
    CLUSTER_GAVE_UP,  /* `why`; resumable */
};

struct cluster_result {
    enum cluster_end end;
    char why[ERROR_TEXT_BYTES];
    struct node_view *nodes; /* malloc'ed, the caller's: all ever welcomed */
    size_t n_nodes;
    bool signalled; /* SIGINT or SIGTERM came, be it too late to matter */
};

/* ERR_…: it could not even begin. */
MUSTCHECK
int cluster_run(const struct cluster_options *options,
                struct cluster_result *ret, struct error *err);

#endif
