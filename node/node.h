/*
 * node.h: one node: its core, and the world around it.
 *
 * The core decides (core/node_core.h); this shell carries out. In: messages
 * from the master, ends of transfers, answers of the store, time. Out: what
 * the core's effects say. The loop is at the end of node.c.
 */
#ifndef NODE_NODE_H
#define NODE_NODE_H

#include "base/error.h"
#include "launcher.h"
#include "pipeline/settings.h"

struct node_options {
    const char *name;          /* identity in the cluster */
    const char *connect;       /* where the cluster is: endpoint.h */
    const char *keys;          /* folder of keys, for TCP; NULL: none */
    const char *key_name;      /* of this node's key in there */
    int core;                  /* this process is pinned to it; -1: it is not */
    bool serve;                /* go on after a run's end */
    struct note *note;         /* NULL: none; its owner is who fills this */
    struct health *health;     /* NULL: none; its owner is who fills this */
    struct launcher *launcher; /* NULL: no programs; as the two above */
    struct settings *settings;
};

/* Works until the run is over, SIGTERM, or a failure; returns the process's
 * exit status: 0, 4 (could not go on, said why), or what error.h's kinds
 * give. */
int node_run(const struct node_options *options);

#endif
