/*
 * store_actor.h: a node's store, between its core and the ledger.
 *
 * A closing waits for a connection, is begun (from then on it may commit even
 * though the node dies), is executed, and is answered. An answer that is lost
 * is asked for again with the same closing.
 */
#ifndef SIMULATION_STORE_ACTOR_H
#define SIMULATION_STORE_ACTOR_H

#include "core/node_core.h"

struct world;
struct sim_node;

void store_add(struct world *world, struct sim_node *node, uint64_t id,
               const struct closing *closing);

/* FORGET: what was not begun will not be. When the effects are drained, the
 * core is told that the store has let go of it. */
void store_forget(struct sim_node *node);
void store_let_go(struct sim_node *node);

/* The process has died: what was begun goes on without it. */
void store_orphan(struct world *world, struct sim_node *node);

void store_fini(struct world *world);

#endif
