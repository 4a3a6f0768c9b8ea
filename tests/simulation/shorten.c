/*
 * shorten.c: see shorten.h.
 *
 * First in large pieces (all that is left, halves of it, and so on), then one
 * by one: most of a scenario has nothing to do with what it shows. Any broken
 * rule counts as "still fails", not only the first one found: a shorter
 * history that breaks another rule is as good a place to begin.
 */
#include "shorten.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define RUN_SECONDS_MAX 60 /* of real time: a loop that asks for no event */

/* Standard error of the child, where CHECK and the sanitizers write. */
static int capture_open(void)
{
    int fd = memfd_create("stderr", MFD_CLOEXEC);
    CHECK(fd >= 0);
    return fd;
}

static void capture_read(int fd, struct outcome *outcome)
{
    char text[300] = "";
    (void)lseek(fd, 0, SEEK_SET);
    ssize_t n = read(fd, text, sizeof(text) - 1);
    text[n > 0 ? n : 0] = '\0';
    for (char *c = text; *c; c++)
        if (*c == '\n')
            *c = ' ';
    snprintf(outcome->rule, sizeof(outcome->rule), "%s",
             text[0] ? text : "the process ended of itself");
}

bool run_apart(const struct scenario *scenario, bool verbose,
               struct outcome *ret)
{
    struct outcome *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
                                  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(shared != MAP_FAILED);
    int errors = capture_open();
    fflush(NULL);
    pid_t child = fork();
    CHECK(child >= 0);
    if (!child) {
        dup2(errors, STDERR_FILENO);
        alarm((unsigned)(RUN_SECONDS_MAX * scenario_size(scenario)));
        world_run(scenario, verbose, shared);
        exit(0); /* not _exit(): the leak checker runs here */
    }
    int status = 0;
    while (waitpid(child, &status, 0) < 0)
        CHECK(errno == EINTR);
    *ret = *shared;
    munmap(shared, sizeof(*shared));
    if (status && !ret->failed) {
        ret->failed = true;
        if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
            snprintf(ret->rule, sizeof(ret->rule), "a step without end");
        else
            capture_read(errors, ret);
    }
    close(errors);
    return !ret->failed;
}

/* Keeps `tried` where it fails too. */
static bool still_fails(uint64_t seed, enum plant plant,
                        const struct narrowing *tried,
                        struct narrowing *narrowing, struct outcome *ret)
{
    struct scenario scenario;
    struct outcome outcome;
    scenario_make(seed, tried, plant, &scenario);
    if (run_apart(&scenario, false, &outcome))
        return false;
    *narrowing = *tried;
    *ret = outcome;
    return true;
}

#define BITS_MAX 64

/* What could be left out of the scenario still, as bits of a narrowing. */
static int bits_left(const struct scenario *full,
                     const struct narrowing *narrowing, int ret[BITS_MAX])
{
    int n = 0;
    for (int bit = 0; bit < NARROWING_FRILL_BIT + FRILL_COUNT; bit++) {
        bool there = bit >= NARROWING_FRILL_BIT;
        if (bit < NARROWING_NOISE_BIT)
            there = bit < (int)full->n_faults;
        else if (bit < NARROWING_NOISE_BIT + NOISE_TYPE_COUNT)
            there = full->noise[bit - NARROWING_NOISE_BIT] > 0;
        if (there && !(narrowing->without >> bit & 1))
            ret[n++] = bit;
    }
    return n;
}

static bool without_some(uint64_t seed, enum plant plant,
                         const struct scenario *full,
                         struct narrowing *narrowing, struct outcome *ret)
{
    int bits[BITS_MAX];
    bool any = false;
    int n = bits_left(full, narrowing, bits);
    for (int piece = n; piece > 0; piece /= 2)
        for (int from = 0; from < n; from += piece) {
            struct narrowing tried = *narrowing;
            for (int i = from; i < from + piece && i < n; i++)
                tried.without |= (uint64_t)1 << bits[i];
            if (tried.without != narrowing->without)
                any = still_fails(seed, plant, &tried, narrowing, ret) || any;
        }
    return any;
}

/* Towards 1, by halves and then by ones. */
static bool fewer(uint64_t seed, enum plant plant, int *count,
                  struct narrowing *tried, struct narrowing *narrowing,
                  struct outcome *ret)
{
    bool any = false;
    int from = *count;
    for (int step = from / 2; step > 0; step /= 2)
        while (from - step >= 1) {
            *count = from - step;
            if (!still_fails(seed, plant, tried, narrowing, ret))
                break;
            any = true;
            from = *count;
        }
    *count = from;
    return any;
}

void shorten(uint64_t seed, enum plant plant, struct narrowing *narrowing,
             struct outcome *ret)
{
    struct scenario full;
    scenario_make(seed, narrowing, plant, &full);
    narrowing->nodes = full.nodes;
    narrowing->keys = full.keys;
    for (bool any = true; any;) {
        any = without_some(seed, plant, &full, narrowing, ret);
        struct narrowing tried = *narrowing;
        any = fewer(seed, plant, &tried.keys, &tried, narrowing, ret) || any;
        tried = *narrowing;
        any = fewer(seed, plant, &tried.nodes, &tried, narrowing, ret) || any;
    }
}
