/*
 * adaptive.c: the rate that a site bears, found by trying.
 *
 * Additive increase, multiplicative decrease, as TCP does: each second without
 * a refusal the rate grows by a part of its ceiling; a refusal halves it. A
 * refusal that comes soon after another answers a request from before: it
 * halves nothing. The ceiling is the worker's `rate`.
 */
#include "core/internal.h"

#define START_PART 10   /* of the ceiling, at the beginning */
#define STEP_PART 20    /* of the ceiling, more each second */
#define FLOOR_PART 1000 /* of the ceiling: it never falls below */
#define HALVE_PAUSE (2 * USEC_PER_SEC)
#define GROW_PAUSE (3 * USEC_PER_SEC) /* longer: going on refused, it falls */

void adaptive_init(struct budget *budget, usec_t now)
{
    budget->adaptive = true;
    budget->rate = budget->ceiling / START_PART;
    budget->adapted_at = now;
    budget->halved_at = now - GROW_PAUSE;
}

void adaptive_grow(struct budget *budget, usec_t now)
{
    usec_t since = now - budget->adapted_at;
    if (!budget->adaptive || since < USEC_PER_SEC)
        return;
    budget->adapted_at = now;
    if (budget->n_members == 0 || now - budget->halved_at < GROW_PAUSE ||
        !(budget->rate < budget->ceiling))
        return;
    budget->rate += budget->ceiling / STEP_PART;
    if (budget->rate > budget->ceiling)
        budget->rate = budget->ceiling;
    budget->dirty = true;
}

void adaptive_refused(struct master_core *core, int worker)
{
    int i = core->budget_of[worker];
    struct budget *budget = i < 0 ? NULL : &core->budgets[i];
    if (!budget || !budget->adaptive ||
        core->now - budget->halved_at < HALVE_PAUSE)
        return;
    budget->halved_at = core->now;
    budget->rate /= 2;
    if (budget->rate < budget->ceiling / FLOOR_PART)
        budget->rate = budget->ceiling / FLOOR_PART;
    budget->dirty = true;
}
