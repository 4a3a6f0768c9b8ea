/*
 * main.c: test_simulation, the program.
 *
 *   test_simulation [--seeds N] [--first SEED]      many seeds, 1 to 1000
 *       [--jobs N] [--failures N]                   in so many processes; until
 *                                                   one has so many that fail
 *       [--coverage]                                and the table of moves
 *       [--cover N]                                 and further ones, up to N,
 *                                                   until all pairs are reached
 *       [--missing N]                               but for N
 *   test_simulation --seed SEED [--verbose]         one, with its history
 *       [--nodes N] [--keys N] [--without MASK]     changed, for all seeds
 *       [--plant no-closing-rule|no-takeover]       with a rule broken
 *
 *   test_simulation --scale [--nodes N] [--keys N]  the master's core, measured
 *       [--batch N] [--rate N] [--in-flight N]
 *
 * Exit status 1 where a rule broke, or not all pairs were reached. Of the seeds
 * that fail the first is shortened: its shortest form is printed with the
 * command that replays it and the end of its history.
 */
#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "jobs.h"
#include "scale.h"
#include "shorten.h"

#define HISTORY_LINES 120
#define MORE_SEEDS 500
#define LARGE_KEY_SECONDS 0.01 /* a node fetches a hundred keys a second */

struct options {
    uint64_t first;
    int seeds;
    bool verbose;
    bool one;
    bool no_shortening;
    bool coverage; /* print the table, */
    int cover;     /* and want all pairs by so many seeds, ... */
    int missing;   /* ... or all but so many */
    int jobs, failures;
    bool large;
    int batch_keys, rate, in_flight; /* with it */
    enum plant plant;
    struct narrowing narrowing;
};

static const char *const plants[] = {"none", "no-closing-rule", "no-takeover"};

static bool is_routine(const char *line)
{
    return strstr(line, " ping ") || strstr(line, " heartbeat ");
}

/* The last lines of the history of a failing run. */
static void print_history(const struct scenario *scenario)
{
    char *lines[HISTORY_LINES] = {NULL};
    size_t n = 0, room = 0;
    char *line = NULL;
    int ends[2];
    struct outcome outcome;
    FILE *history = tmpfile();
    CHECK(history);
    fflush(stdout);
    ends[0] = dup(STDOUT_FILENO);
    ends[1] = dup2(fileno(history), STDOUT_FILENO);
    CHECK(ends[0] >= 0 && ends[1] >= 0);
    (void)run_apart(scenario, true, &outcome);
    fflush(stdout);
    dup2(ends[0], STDOUT_FILENO);
    close(ends[0]);
    rewind(history);
    while (getline(&line, &room, history) > 0) {
        if (is_routine(line))
            continue;
        free(lines[n % HISTORY_LINES]);
        lines[n++ % HISTORY_LINES] = strdup(line);
    }
    printf("history, without pings and heartbeats%s:\n",
           n > HISTORY_LINES ? " (its end)" : "");
    for (size_t i = n > HISTORY_LINES ? n - HISTORY_LINES : 0; i < n; i++)
        printf("%s", lines[i % HISTORY_LINES]);
    for (size_t i = 0; i < HISTORY_LINES; i++)
        free(lines[i]);
    free(line);
    fclose(history);
}

static void report_failure(const struct options *options, uint64_t seed,
                           struct outcome *outcome, bool first)
{
    struct narrowing narrowing = options->narrowing;
    struct scenario scenario;
    printf("FAILED seed %" PRIu64 ": %s\n", seed, outcome->rule);
    if (options->no_shortening || !first)
        return;
    shorten(seed, options->plant, &narrowing, outcome);
    scenario_make(seed, &narrowing, options->plant, &scenario);
    printf("shortest: %s\n", outcome->rule);
    scenario_print(&scenario, stdout);
    print_history(&scenario);
    printf("replay: test_simulation --seed %" PRIu64 " --nodes %d --keys %d "
           "--without %#" PRIx64 "%s%s --verbose\n\n",
           seed, narrowing.nodes, narrowing.keys, narrowing.without,
           options->plant ? " --plant " : "",
           options->plant ? plants[options->plant] : "");
}

static void print_summary(int seeds, int failed, const struct outcome *sum,
                          usec_t began)
{
    printf("%d seeds, %d failed: %" PRId64 " keys, %" PRIu64 " events, %" PRId64
           " virtual hours, %.1f s\n",
           seeds, failed, sum->keys, sum->events,
           sum->ended_at / (3600 * USEC_PER_SEC),
           (double)(clock_monotonic() - began) / 1e6);
    printf("  %" PRId64 " rows, %" PRId64 " failures, %" PRId64
           " requests; %" PRId64 " batches closed, %" PRId64
           " closed before, %" PRId64 " refused, %" PRId64 " answers lost\n",
           sum->stored, sum->failures, sum->asked, sum->closings, sum->already,
           sum->refused, sum->answers_lost);
    printf("  %" PRId64 " messages: %" PRId64 " lost, %" PRId64
           " doubled, %" PRId64 " cut short, %" PRId64 " of strangers; %" PRId64
           " times out of memory\n  faults: poisoned %" PRId64,
           sum->messages, sum->lost, sum->duplicated, sum->cut_short,
           sum->strangers, sum->out_of_memory, sum->poisoned);
    for (int i = 0; i < FAULT_TYPE_COUNT; i++)
        printf(", %s %" PRId64, fault_type_name((enum fault_type)i),
               sum->faults[i]);
    printf("\n");
}

static int run_many(const struct options *options)
{
    static struct jobs_result result;
    usec_t began = clock_monotonic();
    struct jobs jobs = {.first = options->first,
                        .seeds = options->seeds,
                        .processes = options->jobs,
                        .failures = options->failures,
                        .plant = options->plant,
                        .narrowing = options->narrowing};
    jobs_run(&jobs, &result);
    jobs.seeds = MORE_SEEDS;
    while (!result.n_failing && result.seeds < options->cover &&
           coverage_missing(&result.sum) > options->missing) {
        jobs.first = options->first + (uint64_t)result.seeds;
        jobs_run(&jobs, &result);
    }
    for (int i = 0; i < result.n_failing; i++)
        report_failure(options, result.failing[i].seed,
                       &result.failing[i].outcome, i == 0);
    print_summary(result.seeds, result.n_failing, &result.sum, began);
    if (options->coverage)
        coverage_print_table(&result.sum);
    bool names = options->coverage || options->cover;
    bool right = coverage_sum_up(&result.sum, names);
    bool covered =
        !options->cover || coverage_missing(&result.sum) <= options->missing;
    return result.n_failing || !right || !covered ? 1 : 0;
}

/* In this process, for a debugger. */
static int run_one(const struct options *options)
{
    struct scenario scenario;
    struct outcome outcome = {0};
    usec_t began = clock_monotonic();
    scenario_make(options->first, &options->narrowing, options->plant,
                  &scenario);
    scenario_print(&scenario, stdout);
    world_run(&scenario, true, &outcome);
    print_summary(1, 0, &outcome, began);
    return 0;
}

static int run_large(const struct options *options)
{
    const struct narrowing *narrowing = &options->narrowing;
    scale_run(&(struct scale){
        .nodes = narrowing->nodes ? narrowing->nodes : 1000,
        .keys = narrowing->keys ? narrowing->keys : 10000000,
        .batch_keys = options->batch_keys ? options->batch_keys : TASK_KEYS_MAX,
        .rate = options->rate,
        .in_flight = options->in_flight,
        .key_seconds = LARGE_KEY_SECONDS});
    return 0;
}

/* A number from 1 to `most`; 0 for anything else, which no option allows. A
 * run of no seeds would pass. */
static int read_number(const char *text, int most)
{
    char *end;
    long number = strtol(text, &end, 10);
    return *text && !*end && number > 0 && number <= most ? (int)number : 0;
}

static int read_options(int argc, char **argv, struct options *ret)
{
    static const struct option known[] = {
        {"scale", no_argument, NULL, 'S'},
        {"batch", required_argument, NULL, 'b'},
        {"rate", required_argument, NULL, 'r'},
        {"in-flight", required_argument, NULL, 'i'},
        {"seeds", required_argument, NULL, 'n'},
        {"first", required_argument, NULL, 'f'},
        {"seed", required_argument, NULL, 's'},
        {"nodes", required_argument, NULL, 'N'},
        {"keys", required_argument, NULL, 'K'},
        {"without", required_argument, NULL, 'w'},
        {"plant", required_argument, NULL, 'p'},
        {"verbose", no_argument, NULL, 'v'},
        {"no-shortening", no_argument, NULL, 'q'},
        {"coverage", no_argument, NULL, 'c'},
        {"cover", required_argument, NULL, 'C'},
        {"missing", required_argument, NULL, 'M'},
        {"jobs", required_argument, NULL, 'j'},
        {"failures", required_argument, NULL, 'm'},
        {NULL, 0, NULL, 0}};
    int option;
    while ((option = getopt_long(argc, argv, "", known, NULL)) >= 0) {
        if (option == 'n') {
            if (!(ret->seeds = read_number(optarg, INT_MAX)))
                return -1;
        } else if (option == 'f' || option == 's') {
            ret->first = strtoull(optarg, NULL, 10);
            ret->one = option == 's';
            ret->seeds = ret->one ? 1 : ret->seeds;
        } else if (option == 'N') {
            if (!(ret->narrowing.nodes = read_number(optarg, SCALE_NODES_MAX)))
                return -1;
        } else if (option == 'K') {
            if (!(ret->narrowing.keys = read_number(optarg, SCALE_KEYS_MAX)))
                return -1;
        } else if (option == 'j') {
            if (!(ret->jobs = read_number(optarg, JOBS_MAX)))
                return -1;
        } else if (option == 'w') {
            ret->narrowing.without = strtoull(optarg, NULL, 0);
        } else if (option == 'v') {
            ret->verbose = true;
        } else if (option == 'm') {
            if (!(ret->failures = read_number(optarg, JOBS_FAILURES_MAX)))
                return -1;
        } else if (option == 'S') {
            ret->large = true;
        } else if (option == 'b') {
            if (!(ret->batch_keys = read_number(optarg, TASK_KEYS_MAX)))
                return -1;
        } else if (option == 'r' || option == 'i') {
            int *number = option == 'r' ? &ret->rate : &ret->in_flight;
            if (!(*number = read_number(optarg, INT_MAX)))
                return -1;
        } else if (option == 'M') {
            if (!(ret->missing = read_number(optarg, INT_MAX)))
                return -1;
        } else if (option == 'C') {
            if (!(ret->cover = read_number(optarg, INT_MAX)))
                return -1;
        } else if (option == 'c') {
            ret->coverage = true;
        } else if (option == 'q') {
            ret->no_shortening = true;
        } else if (option == 'p' && !strcmp(optarg, plants[1])) {
            ret->plant = PLANT_NO_CLOSING_RULE;
        } else if (option == 'p' && !strcmp(optarg, plants[2])) {
            ret->plant = PLANT_NO_TAKEOVER;
        } else {
            return -1;
        }
    }
    bool fits = ret->large || (ret->narrowing.nodes <= SCENARIO_NODES_MAX &&
                               ret->narrowing.keys <= SCENARIO_KEYS_MAX);
    return optind == argc && fits ? 0 : -1;
}

int main(int argc, char **argv)
{
    struct options options = {
        .first = 1, .seeds = 1000, .jobs = 1, .failures = JOBS_FAILURES_MAX};
    log_configure(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
    if (read_options(argc, argv, &options)) {
        fprintf(
            stderr,
            "usage: %s [--seeds N] [--first SEED] [--seed SEED] [--jobs N] "
            "[--failures N] "
            "[--nodes N] [--keys N] [--without MASK] [--plant RULE] "
            "[--no-shortening] [--coverage] [--cover N] [--missing N] "
            "[--verbose]\n"
            "       %s --scale [--nodes N] [--keys N] [--batch N] [--rate N] "
            "[--in-flight N]\n"
            "N nodes: up to %d; N keys: up to %d; more with --scale\n",
            argv[0], argv[0], SCENARIO_NODES_MAX, SCENARIO_KEYS_MAX);
        return 2;
    }
    if (options.large)
        return run_large(&options);
    return options.one && options.verbose ? run_one(&options)
                                          : run_many(&options);
}
