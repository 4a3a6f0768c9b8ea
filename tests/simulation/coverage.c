/*
 * coverage.c: see coverage.h.
 *
 * There is one world in a process, so what is being counted is kept here: the
 * cores know of no world.
 */
#include "coverage.h"

#include <string.h>

#include "base/transition.h"
#include "world.h"

static const struct move ledger_moves[] = {
    {"ledger", 0, 0, "won", 0, 0},
    {"ledger", 0, 1, "won before, told again", 0, 0},
    {"ledger", 0, 2, "already", 0, 0},
    {"ledger", 0, 3, "unknown", 0, 0},
    {"ledger", 0, 4, "refused", 0, 0},
    {"ledger", 0, 5, "lost answer", 0, 0},
};
#define LEDGER_N (sizeof(ledger_moves) / sizeof(ledger_moves[0]))

static struct world *counted;
static usec_t last[CAUSE_COUNT]; /* when each thing went wrong last */
static bool watching;

static size_t n_moves(void)
{
    return coverage_node_n + coverage_master_n + LEDGER_N;
}

static const struct move *move_at(size_t i)
{
    if (i < coverage_node_n)
        return &coverage_node_moves[i];
    i -= coverage_node_n;
    if (i < coverage_master_n)
        return &coverage_master_moves[i];
    return &ledger_moves[i - coverage_master_n];
}

void coverage_begin(struct world *world)
{
    CHECK(n_moves() <= COVERAGE_MOVES_MAX);
    counted = world;
    for (int c = 0; c < CAUSE_COUNT; c++)
        last[c] = -COVERAGE_SPAN;
    watching = false;
}

void coverage_watch(bool on)
{
    watching = on;
}

void coverage_cause(enum cause cause)
{
    last[cause] = counted->now;
}

static void count(size_t move)
{
    uint32_t *counts = counted->outcome->coverage[move];
    bool any = false;
    for (int c = CAUSE_NONE + 1; c < CAUSE_COUNT; c++) {
        bool before = counted->now - last[c] < COVERAGE_SPAN;
        counts[c] += before;
        any = any || before;
    }
    counts[CAUSE_NONE] += !any;
}

void transition(const char *machine, int from, int to)
{
    if (!counted || !watching)
        return;
    for (size_t i = 0; i < n_moves(); i++) {
        const struct move *move = move_at(i);
        if (move->from == from && move->to == to &&
            !strcmp(move->machine, machine)) {
            count(i);
            return;
        }
    }
    fprintf(stderr, "%s moves from %d to %d, which no list has", machine, from,
            to);
    abort();
}

void coverage_ledger(const char *answer)
{
    for (size_t i = 0; i < LEDGER_N; i++)
        if (!strcmp(ledger_moves[i].text, answer))
            count(coverage_node_n + coverage_master_n + i);
}

/*
 * The table
 */

static const char *cause_name(enum cause cause)
{
    static const char *const names[] = {"lost",        "doubled",  "late",
                                        "cut short",   "stranger", "memory",
                                        "lost answer", "hiccup",   "bad answer",
                                        "poison",      "data"};
    if (cause == CAUSE_NONE)
        return "none";
    if (cause < CAUSE_LOST)
        return fault_type_name((enum fault_type)(cause - CAUSE_FAULT));
    return names[cause - CAUSE_LOST];
}

static bool can_be(const struct move *move, int cause)
{
    return !(move->never >> cause & 1);
}

static void print_count(uint32_t n, bool possible)
{
    if (!possible)
        printf(n ? " **%u** |" : " – |", n);
    else if (n < 10000)
        printf(" %u |", n);
    else
        printf(" %uk |", n / 1000);
}

void coverage_print_table(const struct outcome *sum)
{
    printf("| | |");
    for (int c = 0; c < CAUSE_COUNT; c++)
        printf(" %s |", cause_name((enum cause)c));
    printf("\n|---|---|");
    for (int c = 0; c < CAUSE_COUNT; c++)
        printf("--:|");
    printf("\n");
    for (size_t i = 0; i < n_moves(); i++) {
        const struct move *move = move_at(i);
        printf("| %s | %s |", move->machine, move->text);
        for (int c = 0; c < CAUSE_COUNT; c++)
            print_count(sum->coverage[i][c], can_be(move, c));
        printf("\n");
    }
    printf("\nPairs that can't be (–):\n\n");
    for (size_t i = 0; i < n_moves(); i++)
        if (move_at(i)->never)
            printf("- %s, %s: %s.\n", move_at(i)->machine, move_at(i)->text,
                   move_at(i)->why);
}

int coverage_missing(const struct outcome *sum)
{
    int n = 0;
    for (size_t i = 0; i < n_moves(); i++)
        for (int c = 0; c < CAUSE_COUNT; c++)
            n += can_be(move_at(i), c) && !sum->coverage[i][c];
    return n;
}

bool coverage_sum_up(const struct outcome *sum, bool names)
{
    int reached = 0, possible = 0;
    bool wrong = false;
    for (size_t i = 0; i < n_moves(); i++)
        for (int c = 0; c < CAUSE_COUNT; c++) {
            const struct move *move = move_at(i);
            bool can = can_be(move, c), there = sum->coverage[i][c] > 0;
            possible += can;
            reached += can && there;
            wrong = wrong || (there && !can);
            if ((there && !can) || (can && !there && names))
                printf("coverage: %s, %s, after %s: %s\n", move->machine,
                       move->text, cause_name((enum cause)c),
                       there ? "was said to be impossible" : "not reached");
        }
    printf("coverage: %d of %d pairs of a move (%zu) and a fault (%d) just "
           "before it; %d can't be\n",
           reached, possible, n_moves(), CAUSE_COUNT,
           (int)n_moves() * CAUSE_COUNT - possible);
    return !wrong;
}
