/*
 * strangers.h: messages that must have no effect.
 *
 * Well formed, but of a node that nobody knows, of another version or
 * database, of a life of a node that is over, or of a master before. They come
 * with heartbeats and pings, by NOISE_STRANGER.
 */
#ifndef SIMULATION_STRANGERS_H
#define SIMULATION_STRANGERS_H

struct world;
struct sim_node;
struct sim_master;

void strangers_report(struct world *world, struct sim_node *node);
void strangers_control(struct world *world, struct sim_master *master);

#endif
