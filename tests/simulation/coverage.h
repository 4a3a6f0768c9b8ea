/*
 * coverage.h: which moves of the state machines were made after which fault.
 *
 * The cores say each move (base/transition.h), the ledger's actor each of its
 * answers, and whoever plays a fault says that. Counted is each pair of a move
 * and a kind of fault that happened in the COVERAGE_SPAN before it, or "none".
 * A pair that can't be stands in the list of moves, with the reason; a move
 * that is not in the list breaks a rule.
 */
#ifndef SIMULATION_COVERAGE_H
#define SIMULATION_COVERAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "scenario.h"

/* What went wrong: nothing, a fault, or a noise. */
enum cause {
    CAUSE_NONE,
    CAUSE_FAULT, /* + enum fault_type */
    CAUSE_LOST = CAUSE_FAULT + FAULT_TYPE_COUNT,
    CAUSE_DOUBLED,
    CAUSE_LATE,
    CAUSE_CUT_SHORT,
    CAUSE_STRANGER,
    CAUSE_MEMORY,
    CAUSE_LOST_ANSWER,
    CAUSE_HICCUP,
    CAUSE_BAD_ANSWER, /* of a site */
    CAUSE_POISON,
    CAUSE_DATA,
    CAUSE_COUNT
};
_Static_assert(CAUSE_COUNT <= 64, "one bit for each");

#define COVERAGE_MOVES_MAX 128
#define COVERAGE_SPAN (5 * USEC_PER_SEC) /* "just before" */

/* Pairs with causes that are in `never` can't be: `why`. */
struct move {
    const char *machine;
    int from, to;
    const char *text;
    uint64_t never;
    const char *why;
};
#define AFTER(fault) (1ull << (CAUSE_FAULT + (fault)))
#define AFTER_CAUSE(cause) (1ull << (cause))

extern const struct move coverage_node_moves[];
extern const size_t coverage_node_n;
extern const struct move coverage_master_moves[];
extern const size_t coverage_master_n;

struct outcome;
struct world;

/* From now on it is counted in the world's outcome. */
void coverage_begin(struct world *world);
/* Moves count only between these: not while a core is freed. */
void coverage_watch(bool on);
void coverage_cause(enum cause cause);
void coverage_ledger(const char *answer);

/* In Markdown. */
void coverage_print_table(const struct outcome *sum);
/* How many pairs that can be were not reached. */
int coverage_missing(const struct outcome *sum);
/* Prints how many were reached, and which one that can't be; with `names`,
 * those that were not too. False where one was reached that can't be. */
bool coverage_sum_up(const struct outcome *sum, bool names);

#endif
