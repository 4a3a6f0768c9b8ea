/*
 * rare.h: scenarios for what chance alone would hardly bring about.
 */
#ifndef SIMULATION_RARE_H
#define SIMULATION_RARE_H

struct rng;
struct scenario;

/* Bends some of the scenarios, as `rng` has it. */
void rare_draw(struct rng *rng, struct scenario *s);

#endif
