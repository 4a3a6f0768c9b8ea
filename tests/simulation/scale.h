/*
 * scale.h: the master's core with very many nodes and keys, measured.
 *
 * Nodes and ledger are as little as can be, so that what is measured is the
 * core: its memory for each node and each batch, its time for each batch and
 * each message. Virtual time; nothing fails.
 */
#ifndef SIMULATION_SCALE_H
#define SIMULATION_SCALE_H

#include <stdint.h>

struct scale {
    int nodes;
    int64_t keys;
    int batch_keys;
    double rate;        /* the worker's budget; 0: none */
    int in_flight;      /* the same */
    double key_seconds; /* that a node works on a key */
};

#define SCALE_NODES_MAX 16384
#define SCALE_KEYS_MAX INT32_MAX

/* Prints what it measured. */
void scale_run(const struct scale *scale);

#endif
