/*
 * count.c: see count.h.
 *
 * The counter lies in memory that processes share too, so each way is one
 * function for both. What races here is written with C's relaxed loads and
 * stores: they cost nothing and order nothing, and the compiler must do what
 * is written, one read and one write for each update.
 */
#include "count.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "spread.h"

#define LINE_BYTES                                                             \
    64 /* what a core fetches: counters on one line are shared                 \
        */

struct own {
    _Alignas(LINE_BYTES) long counter;
};

struct shared {
    const struct count_plan *plan;
    pthread_mutex_t mutex;
    pthread_barrier_t all_are_there; /* so that they count at one time */
    atomic_long counter;
    int to_owner[2]; /* a pipe */
    struct own own[SPREAD_WORKERS_MAX];
};

const char *count_way_name(enum count_way way)
{
    static const char *const names[COUNT_WAYS] = {
        "nothing", "mutex", "atomic", "messages", "batches", "own"};
    return names[way];
}

static void add_unguarded(struct shared *shared)
{
    for (long i = 0; i < shared->plan->updates; i++) {
        long seen =
            atomic_load_explicit(&shared->counter, memory_order_relaxed);
        atomic_store_explicit(&shared->counter, seen + 1, memory_order_relaxed);
    }
}

static void add_locked(struct shared *shared)
{
    for (long i = 0; i < shared->plan->updates; i++) {
        pthread_mutex_lock(&shared->mutex);
        long seen =
            atomic_load_explicit(&shared->counter, memory_order_relaxed);
        atomic_store_explicit(&shared->counter, seen + 1, memory_order_relaxed);
        pthread_mutex_unlock(&shared->mutex);
    }
}

static void add_atomically(struct shared *shared)
{
    for (long i = 0; i < shared->plan->updates; i++)
        atomic_fetch_add(&shared->counter, 1);
}

/* Counts `in_one` updates by itself, then sends the number. So short a write
 * to a pipe is never mixed with another: pipe(7). */
static void send_updates(struct shared *shared, long in_one)
{
    for (long i = 0; i < shared->plan->updates; i += in_one) {
        volatile long amount = 0;
        while (amount < in_one)
            amount = amount + 1;
        long sent = amount;
        if (write(shared->to_owner[1], &sent, sizeof sent) != sizeof sent)
            return;
    }
}

/* Reads and adds until all have come. */
static void add_messages(struct shared *shared)
{
    long all = shared->plan->workers * shared->plan->updates;
    long counter = 0, amounts[512];
    while (counter < all) {
        ssize_t len = read(shared->to_owner[0], amounts, sizeof amounts);
        if (len <= 0)
            break;
        for (size_t i = 0; i < (size_t)len / sizeof *amounts; i++)
            counter += amounts[i];
    }
    atomic_store(&shared->counter, counter);
}

static void work(void *context, int i)
{
    struct shared *shared = context;
    pthread_barrier_wait(&shared->all_are_there);
    switch (shared->plan->way) {
    case COUNT_NOTHING:
        add_unguarded(shared);
        break;
    case COUNT_MUTEX:
        add_locked(shared);
        break;
    case COUNT_ATOMIC:
        add_atomically(shared);
        break;
    case COUNT_MESSAGES:
        send_updates(shared, 1);
        break;
    case COUNT_BATCHES:
        send_updates(shared, COUNT_BATCH);
        break;
    case COUNT_OWN: {
        volatile long *own = &shared->own[i].counter;
        for (long n = 0; n < shared->plan->updates; n++)
            *own = *own + 1;
        break;
    }
    }
}

static int prepare(struct shared *shared, struct error *err)
{
    pthread_mutexattr_t of_mutex;
    pthread_barrierattr_t of_barrier;
    pthread_mutexattr_init(&of_mutex);
    pthread_mutexattr_setpshared(&of_mutex, PTHREAD_PROCESS_SHARED);
    pthread_mutex_init(&shared->mutex, &of_mutex);
    pthread_mutexattr_destroy(&of_mutex);
    pthread_barrierattr_init(&of_barrier);
    pthread_barrierattr_setpshared(&of_barrier, PTHREAD_PROCESS_SHARED);
    pthread_barrier_init(&shared->all_are_there, &of_barrier,
                         (unsigned)shared->plan->workers);
    pthread_barrierattr_destroy(&of_barrier);
    if (pipe(shared->to_owner))
        return error_set(err, ERR_SYSTEM, "pipe: %s", strerror(errno));
    return 0;
}

int count_run(const struct count_plan *plan, long *ret, struct error *err)
{
    struct shared *shared = spread_shared(sizeof *shared);
    if (!shared)
        return error_set(err, ERR_MEMORY, "out of memory");
    shared->plan = plan;
    if (prepare(shared, err))
        return (int)err->code;
    struct spread *spread;
    if (spread_start(plan->workers, plan->processes, work, shared, &spread,
                     err))
        return (int)err->code;
    if (plan->way == COUNT_MESSAGES || plan->way == COUNT_BATCHES)
        add_messages(shared);
    if (spread_join(&spread, err))
        return (int)err->code;
    *ret = atomic_load(&shared->counter);
    for (int i = 0; i < plan->workers; i++)
        *ret += shared->own[i].counter;
    close(shared->to_owner[0]);
    close(shared->to_owner[1]);
    return 0;
}
