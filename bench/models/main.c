/*
 * main.c: windrow-bench-models: work that only computes, and counting with one
 * counter, by threads and by processes. docs/concurrency.md tells with it what
 * each of them buys.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "compute.h"
#include "count.h"
#include "spread.h"

enum { EXIT_FAILED = 1, EXIT_USAGE = 2 };

#define TIMES_MAX 1000000000L /* answers, updates */

struct arguments {
    const char *what, *of;
    long times;
    int workers;
    bool processes;
};

static void print_help(void)
{
    puts(
        "Usage: windrow-bench-models count WAY [OPTION]...\n"
        "       windrow-bench-models compute CHART [OPTION]...\n"
        "       windrow-bench-models figures CHART\n\n"
        "count    workers add to one counter; WAY is nothing, mutex, atomic,\n"
        "         messages, batches or own. A line of JSON: counted, lost,\n"
        "         seconds, ns (of one update).\n"
        "compute  the figures over CHART (an answer's file), again and again.\n"
        "         A line of JSON: answers, seconds, us (of one answer).\n"
        "figures  prints them once.\n\n"
        "  --times N      updates of each worker, or answers all in all "
        "(10240)\n"
        "  --threads N    so many threads (4), or\n"
        "  --processes N  so many processes\n"
        "  --help         print this, and end");
}

static bool parse_number(const char *text, long most, long *ret)
{
    char *end;
    errno = 0;
    long n = strtol(text, &end, 10);
    if (errno || end == text || *end || n < 1 || n > most) {
        fprintf(stderr,
                "windrow-bench-models: \"%s\" is no number from 1 to %ld\n",
                text, most);
        return false;
    }
    *ret = n;
    return true;
}

/* False after having said what is wrong. */
static bool parse(int argc, char **argv, struct arguments *ret)
{
    static const struct option options[] = {
        {"times", required_argument, NULL, 'n'},
        {"threads", required_argument, NULL, 't'},
        {"processes", required_argument, NULL, 'p'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    int option;
    long number = 0;
    while ((option = getopt_long(argc, argv, "", options, NULL)) > 0) {
        if (option == 'h') {
            print_help();
            exit(EXIT_SUCCESS);
        }
        if (option == '?')
            return false; /* getopt_long() has told */
        if (!parse_number(optarg,
                          option == 'n' ? TIMES_MAX : SPREAD_WORKERS_MAX,
                          &number))
            return false;
        if (option == 'n')
            ret->times = number;
        else
            ret->workers = (int)number;
        ret->processes |= option == 'p';
    }
    if (argc - optind == 2) {
        ret->what = argv[optind];
        ret->of = argv[optind + 1];
        return true;
    }
    fputs("windrow-bench-models: two words are needed; see --help\n", stderr);
    return false;
}

static double seconds_since(usec_t begun)
{
    return (double)(clock_monotonic() - begun) / USEC_PER_SEC;
}

static int run_count(const struct arguments *arguments, struct error *err)
{
    struct count_plan plan = {.workers = arguments->workers,
                              .processes = arguments->processes};
    /* Whole messages. */
    plan.updates = (arguments->times + COUNT_BATCH - 1) / COUNT_BATCH;
    plan.updates *= COUNT_BATCH;
    int way = 0;
    while (way < COUNT_WAYS &&
           strcmp(arguments->of, count_way_name((enum count_way)way)) != 0)
        way++;
    if (way == COUNT_WAYS)
        return error_set(err, ERR_USAGE, "there is no way '%s'; see --help",
                         arguments->of);
    plan.way = (enum count_way)way;
    long counted, all = plan.workers * plan.updates;
    usec_t begun = clock_monotonic();
    if (count_run(&plan, &counted, err))
        return (int)err->code;
    double seconds = seconds_since(begun);
    printf("{\"counted\": %ld, \"lost\": %ld, \"seconds\": %.6f, "
           "\"ns\": %.2f}\n",
           counted, all - counted, seconds, seconds * 1e9 / (double)all);
    return 0;
}

static int run_compute(const struct arguments *arguments, struct error *err)
{
    struct compute_plan plan = {arguments->of, arguments->times,
                                arguments->workers, arguments->processes};
    usec_t begun = clock_monotonic();
    if (compute_run(&plan, err))
        return (int)err->code;
    double seconds = seconds_since(begun);
    printf("{\"answers\": %ld, \"seconds\": %.6f, \"us\": %.2f}\n",
           plan.answers, seconds, seconds * 1e6 / (double)plan.answers);
    return 0;
}

static int run(const struct arguments *arguments, struct error *err)
{
    if (!strcmp(arguments->what, "count"))
        return run_count(arguments, err);
    if (!strcmp(arguments->what, "compute"))
        return run_compute(arguments, err);
    if (!strcmp(arguments->what, "figures"))
        return compute_print(arguments->of, err);
    return error_set(err, ERR_USAGE, "there is no '%s'; see --help",
                     arguments->what);
}

int main(int argc, char **argv)
{
    struct arguments arguments = {.times = 10240, .workers = 4};
    struct error err = ERROR_NONE;
    if (!parse(argc, argv, &arguments))
        return EXIT_USAGE;
    if (!run(&arguments, &err))
        return EXIT_SUCCESS;
    fprintf(stderr, "windrow-bench-models: %s\n", err.text);
    return err.code == ERR_USAGE ? EXIT_USAGE : EXIT_FAILED;
}
