/*
 * jobs.c: see jobs.h.
 *
 * Each process writes its sums into memory that it shares with the first one,
 * and nothing to the terminal: failures are told at the end, in the order of
 * their seeds, so that the output is the same for any number of processes.
 */
#include "jobs.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shorten.h"

struct part {
    int seeds;
    struct outcome sum;
    int n_failing;
    struct failing_seed failing[JOBS_FAILURES_MAX];
};

static void add_up(struct outcome *sum, const struct outcome *one)
{
    sum->events += one->events;
    sum->ended_at += one->ended_at;
    sum->keys += one->keys;
    sum->stored += one->stored;
    sum->failures += one->failures;
    for (int i = 0; i < FAULT_TYPE_COUNT; i++)
        sum->faults[i] += one->faults[i];
    sum->messages += one->messages;
    sum->lost += one->lost;
    sum->duplicated += one->duplicated;
    sum->closings += one->closings;
    sum->already += one->already;
    sum->answers_lost += one->answers_lost;
    sum->refused += one->refused;
    sum->poisoned += one->poisoned;
    sum->asked += one->asked;
    sum->out_of_memory += one->out_of_memory;
    sum->cut_short += one->cut_short;
    sum->strangers += one->strangers;
    for (size_t i = 0; i < COVERAGE_MOVES_MAX; i++)
        for (int c = 0; c < CAUSE_COUNT; c++)
            sum->coverage[i][c] += one->coverage[i][c];
}

static void run_part(const struct jobs *jobs, int process, struct part *ret)
{
    for (int n = process; n < jobs->seeds && ret->n_failing < jobs->failures;
         n += jobs->processes) {
        uint64_t seed = jobs->first + (uint64_t)n;
        struct scenario scenario;
        struct outcome outcome;
        scenario_make(seed, &jobs->narrowing, jobs->plant, &scenario);
        if (!run_apart(&scenario, false, &outcome))
            ret->failing[ret->n_failing++] =
                (struct failing_seed){seed, outcome};
        add_up(&ret->sum, &outcome);
        ret->seeds++;
    }
}

static int by_seed(const void *a, const void *b)
{
    const struct failing_seed *left = a, *right = b;
    return left->seed < right->seed ? -1 : left->seed > right->seed;
}

void jobs_run(const struct jobs *jobs, struct jobs_result *ret)
{
    size_t n = (size_t)jobs->processes;
    struct part *parts = mmap(NULL, n * sizeof(*parts), PROT_READ | PROT_WRITE,
                              MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t children[JOBS_MAX];
    CHECK(parts != MAP_FAILED && n <= JOBS_MAX);
    fflush(NULL);
    for (int p = 0; p < jobs->processes; p++) {
        children[p] = fork();
        CHECK(children[p] >= 0);
        if (!children[p]) {
            run_part(jobs, p, &parts[p]);
            _exit(0);
        }
    }
    for (int p = 0; p < jobs->processes; p++) {
        int status = 0;
        while (waitpid(children[p], &status, 0) < 0)
            CHECK(errno == EINTR);
        CHECK(status == 0);
        ret->seeds += parts[p].seeds;
        add_up(&ret->sum, &parts[p].sum);
        for (int i = 0; i < parts[p].n_failing; i++)
            ret->failing[ret->n_failing++] = parts[p].failing[i];
    }
    qsort(ret->failing, (size_t)ret->n_failing, sizeof(ret->failing[0]),
          by_seed);
    munmap(parts, n * sizeof(*parts));
}
