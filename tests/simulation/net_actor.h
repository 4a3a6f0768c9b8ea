/*
 * net_actor.h: the sockets.
 *
 * Every message is encoded and decoded, as on a wire. Control and reports may
 * be lost, repeated, late and out of order. Tasks go through one PUSH for a
 * node: in order and once, but what is under way or queued is gone when the
 * socket closes or the process at the other end dies.
 */
#ifndef SIMULATION_NET_ACTOR_H
#define SIMULATION_NET_ACTOR_H

#include "wire/message.h"

struct world;
struct sim_node;
struct sim_master;

/* For the history: the batch that the message is about; 0: about none. */
int64_t net_batch_of(const struct message *message);

/* To the master that can be reached when it arrives. */
void net_report(struct world *world, struct sim_node *node,
                const struct message *message);

/* To one node, or to all. */
void net_control(struct world *world, struct sim_master *master,
                 const struct message *message);

/* The same, for strangers: without others of theirs. */
void net_deliver_report(struct world *world, struct sim_node *node,
                        const struct message *message);
void net_deliver_control(struct world *world, struct sim_master *master,
                         const struct message *message);
void net_task(struct world *world, struct sim_master *master,
              const struct message *message);

/* The endpoint's text of a node's task socket, and back. */
void net_endpoint(const struct sim_master *master, int node, char text[64]);
bool net_endpoint_parse(const char *text, int *ret_master, int *ret_socket);

#endif
