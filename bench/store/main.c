/*
 * main.c: windrow-bench-store, which stores rows in one of the ways of ways.h
 * and says in one line of JSON what that took.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ways.h"

enum { EXIT_FAILED = 1, EXIT_USAGE = 2 };

static const struct way {
    const char *name;
    int (*run)(const struct way_plan *plan, usec_t *ret, struct error *err);
} ways[] = {
    {"closing", way_closing}, {"copy", way_copy}, {"insert", way_insert}};

static void print_help(void)
{
    puts(
        "Usage: windrow-bench-store --url URL [OPTION]...\n"
        "Stores rows into the table prices of PostgreSQL, and prints one line\n"
        "of JSON: way, rows, batch, connections, seconds, cpu (seconds).\n\n"
        "  --url URL          postgresql://...\n"
        "  --way WAY          closing (as a node does), copy, insert (a row)\n"
        "  --rows N           how many rows (100000)\n"
        "  --batch N          rows of a closing, 1 to 512 (512), of a COPY;\n"
        "                     0 with copy: one COPY\n"
        "  --connections N    of closing and copy (1)\n"
        "  --help             print this, and end");
}

void way_row(size_t number, char key[WAY_KEY_BYTES],
             char price[WAY_PRICE_BYTES])
{
    snprintf(key, WAY_KEY_BYTES, "K%07zu", number % (WAY_ROWS_MAX + 1));
    snprintf(price, WAY_PRICE_BYTES, "%zu.%03zu", 10000 + number / 1000,
             number % 1000);
}

static bool parse_count(const char *text, size_t most, size_t *ret)
{
    char *end;
    errno = 0;
    unsigned long long n = strtoull(text, &end, 10);
    if (errno || end == text || *end || *text == '-' || n > most)
        return false;
    *ret = (size_t)n;
    return true;
}

static const struct way *find_way(const char *name)
{
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++)
        if (!strcmp(ways[i].name, name))
            return &ways[i];
    return NULL;
}

static const struct option options[] = {
    {"url", required_argument, NULL, 'u'},
    {"way", required_argument, NULL, 'w'},
    {"rows", required_argument, NULL, 'r'},
    {"batch", required_argument, NULL, 'b'},
    {"connections", required_argument, NULL, 'c'},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

static bool parse_one(int option, struct way_plan *plan, const struct way **way)
{
    switch (option) {
    case 'u':
        plan->url = optarg;
        return true;
    case 'w':
        *way = find_way(optarg);
        return *way;
    case 'r':
        return parse_count(optarg, WAY_ROWS_MAX, &plan->rows) && plan->rows;
    case 'b':
        return parse_count(optarg, WAY_BATCH_MAX, &plan->batch);
    case 'c':
        return parse_count(optarg, WAY_CONNECTIONS_MAX, &plan->connections) &&
               plan->connections;
    case 'h':
        print_help();
        exit(EXIT_SUCCESS);
    default:
        return false; /* getopt_long() has told */
    }
}

/* False after having said what is wrong. */
static bool parse(int argc, char **argv, struct way_plan *plan,
                  const struct way **way)
{
    int option, at = -1;
    while ((option = getopt_long(argc, argv, "", options, &at)) > 0) {
        if (parse_one(option, plan, way))
            continue;
        if (option != '?')
            fprintf(stderr,
                    "windrow-bench-store: --%s: '%s' can't be; see --help\n",
                    options[at].name, optarg);
        return false;
    }
    if (!plan->url || optind < argc || (!plan->batch && *way == &ways[0])) {
        fprintf(stderr, "windrow-bench-store: --url is needed, options only, "
                        "and a batch for closing; see --help\n");
        return false;
    }
    return true;
}

int main(int argc, char **argv)
{
    struct way_plan plan = {.rows = 100000, .batch = 512, .connections = 1};
    const struct way *way = &ways[0];
    struct error err = ERROR_NONE;
    usec_t took = 0;
    if (!parse(argc, argv, &plan, &way))
        return EXIT_USAGE;
    usec_t cpu = clock_process_cpu();
    if (way->run(&plan, &took, &err)) {
        fprintf(stderr, "windrow-bench-store: %s\n", err.text);
        return EXIT_FAILED;
    }
    cpu = clock_process_cpu() - cpu;
    printf("{\"way\": \"%s\", \"rows\": %zu, \"batch\": %zu, "
           "\"connections\": %zu, \"seconds\": %.6f, \"cpu\": %.6f}\n",
           way->name, plan.rows, plan.batch, plan.connections,
           (double)took / USEC_PER_SEC, (double)cpu / USEC_PER_SEC);
    return EXIT_SUCCESS;
}
