/*
 * main.c: windrow-bench-loop, which fetches keys as cheaply as libcurl and
 * libevent can, and says in one line of JSON what that took.
 */
#include <errno.h>
#include <getopt.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "loop.h"

enum { EXIT_FAILED = 1, EXIT_USAGE = 2 };

#define COUNT_MAX 1000000000 /* keys, transfers in flight */

static void print_help(void)
{
    puts("Usage: windrow-bench-loop --url URL [OPTION]...\n"
         "Fetches URL for each key by a bare loop around libcurl, throws the\n"
         "answers away, and prints one line of JSON: keys, failed, bytes,\n"
         "connections, seconds, cpu_user, cpu_sys (seconds), maxrss\n"
         "(bytes).\n\n"
         "  --url URL        {key} in it stands for K0000001, K0000002, ...\n"
         "  --keys N         how many keys (50000)\n"
         "  --in-flight N    transfers at a time (64)\n"
         "  --shard N        transfers of one multi handle (0: all of them)\n"
         "  --http 1.1|2     the version; 2 over TLS only (1.1)\n"
         "  --ca FILE        the authority that a server is to have\n"
         "  --help           print this, and end");
}

static bool parse_count(const char *text, size_t least, size_t *ret)
{
    char *end;
    errno = 0;
    unsigned long long n = strtoull(text, &end, 10);
    if (errno || end == text || *end || *text == '-' || n < least ||
        n > COUNT_MAX)
        return false;
    *ret = (size_t)n;
    return true;
}

static bool parse_version(const char *text, bool *ret_http2)
{
    *ret_http2 = !strcmp(text, "2");
    return *ret_http2 || !strcmp(text, "1.1");
}

/* False after having said what is wrong. */
static bool parse(int argc, char **argv, struct loop_plan *plan)
{
    static const struct option options[] = {
        {"url", required_argument, NULL, 'u'},
        {"keys", required_argument, NULL, 'k'},
        {"in-flight", required_argument, NULL, 'i'},
        {"shard", required_argument, NULL, 's'},
        {"http", required_argument, NULL, 'v'},
        {"ca", required_argument, NULL, 'c'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    int option;
    bool valid = true;
    bool known = true;
    while (valid && (option = getopt_long(argc, argv, "", options, NULL)) > 0) {
        if (option == 'u')
            plan->url = optarg;
        else if (option == 'k')
            valid = parse_count(optarg, 1, &plan->keys);
        else if (option == 'i')
            valid = parse_count(optarg, 1, &plan->in_flight);
        else if (option == 's')
            valid = parse_count(optarg, 0, &plan->shard);
        else if (option == 'v')
            valid = known = parse_version(optarg, &plan->http2);
        else if (option == 'c')
            plan->ca = optarg;
        else if (option == 'h') {
            print_help();
            exit(EXIT_SUCCESS);
        } else
            return false; /* getopt_long() has told */
    }
    if (!known)
        fprintf(stderr, "windrow-bench-loop: --http is 1.1 or 2, not \"%s\"\n",
                optarg);
    else if (!valid)
        fprintf(stderr, "windrow-bench-loop: \"%s\" is no count from 1 to %d\n",
                optarg, COUNT_MAX);
    else if (!plan->url || optind < argc)
        fprintf(stderr, "windrow-bench-loop: --url is needed, and options "
                        "only; see --help\n");
    return valid && plan->url && optind == argc;
}

/* A connection is a descriptor; the usual soft limit of 1,024 is too low. */
static void raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit))
        return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit); /* else transfers fail, and it shows */
}

/* getrusage() has it from the process that started this one, if that was
 * larger. */
static long peak_bytes(void)
{
    FILE *file = fopen("/proc/self/status", "re");
    char line[256];
    long kilobytes = -1;
    while (file && fgets(line, sizeof line, file))
        if (!strncmp(line, "VmHWM:", 6))
            kilobytes = strtol(line + 6, NULL, 10);
    if (file)
        fclose(file);
    return kilobytes * 1024;
}

static double seconds_of(struct timeval time)
{
    return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

int main(int argc, char **argv)
{
    struct loop_plan plan = {.keys = 50000, .in_flight = 64};
    if (!parse(argc, argv, &plan))
        return EXIT_USAGE;
    raise_descriptor_limit();
    struct loop_result result;
    struct error err = ERROR_NONE;
    usec_t begun = clock_monotonic();
    if (loop_run(&plan, &result, &err)) {
        fprintf(stderr, "windrow-bench-loop: %s\n", err.text);
        return EXIT_FAILED;
    }
    double seconds = (double)(clock_monotonic() - begun) / USEC_PER_SEC;
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    printf("{\"keys\": %zu, \"failed\": %zu, \"bytes\": %zu, "
           "\"connections\": %zu, \"seconds\": %.6f, \"cpu_user\": %.6f, "
           "\"cpu_sys\": %.6f, \"maxrss\": %ld}\n",
           plan.keys, result.failed, result.bytes, result.connections, seconds,
           seconds_of(usage.ru_utime), seconds_of(usage.ru_stime),
           peak_bytes());
    return result.failed ? EXIT_FAILED : EXIT_SUCCESS;
}
