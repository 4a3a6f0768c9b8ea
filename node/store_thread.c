/*
 * store_thread.c: closings to SQLite, by a thread of their own.
 *
 * The loop and the thread share two lists under one mutex: closings to do and
 * answers. The thread alone uses the ledger. It is woken by a condition
 * variable; the loop by an eventfd.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>
#include <utlist.h>

#include "ledger/ledger.h"
#include "store_backend.h"
#include "turn.h"

struct job {
    uint64_t id;
    const struct closing *closing;
    bool dropped;
    struct close_result result; /* children: right behind this struct */
    struct job *prev, *next;
    int64_t children[];
};

struct store_thread {
    struct store common;
    struct ledger *ledger; /* the thread's, once it runs */
    struct event *answered;
    int answered_fd;

    pthread_t thread;
    pthread_mutex_t mutex; /* guards all below */
    pthread_cond_t wake;
    struct job *to_do, *answers;
    bool stop;
    bool waiting; /* the database is away, as the thread sees it */
    bool gave_up;
    struct error why;

    bool told_waiting, told_gave_up; /* the loop's */
};

/* Sleeps for `length`, or until the store stops. With the mutex held. */
static void sleep_in_thread(struct store_thread *store, usec_t length)
{
    usec_t until = clock_wall() + length;
    struct timespec when = {until / USEC_PER_SEC,
                            (until % USEC_PER_SEC) * 1000};
    while (!store->stop &&
           !pthread_cond_timedwait(&store->wake, &store->mutex, &when))
        ;
}

static void answer(struct store_thread *store, struct job *job)
{
    DL_APPEND(store->answers, job);
    eventfd_write(store->answered_fd, 1);
}

/* Executes one closing, however long the database is away. With the mutex
 * held, but for the call itself. */
static void execute(struct store_thread *store, struct job *job)
{
    usec_t pause = STORE_RETRY_MIN;
    usec_t since = clock_monotonic();
    while (!store->stop) {
        struct error err = ERROR_NONE;
        pthread_mutex_unlock(&store->mutex);
        int status =
            ledger_close_batch(store->ledger, job->closing, &job->result, &err);
        pthread_mutex_lock(&store->mutex);
        store->waiting = status != 0;
        if (!status)
            break;
        store->why = err;
        store->gave_up =
            error_code_kind(err.code) != ERROR_RETRY ||
            clock_monotonic() - since > store->common.database_wait;
        eventfd_write(store->answered_fd, 1);
        if (store->gave_up)
            break;
        sleep_in_thread(store, pause);
        pause = pause * 2 < STORE_RETRY_MAX ? pause * 2 : STORE_RETRY_MAX;
    }
    job->dropped = store->stop || store->gave_up;
    answer(store, job);
}

static void *execute_all(void *context)
{
    struct store_thread *store = context;
    pthread_mutex_lock(&store->mutex);
    while (!store->stop && !store->gave_up) {
        struct job *job = store->to_do;
        if (!job) {
            pthread_cond_wait(&store->wake, &store->mutex);
            continue;
        }
        DL_DELETE(store->to_do, job);
        execute(store, job);
    }
    pthread_mutex_unlock(&store->mutex);
    return NULL;
}

/* ---- the loop's side ---- */

static void report(struct store_thread *store, struct job *job)
{
    const struct store_callbacks *callbacks = &store->common.callbacks;
    if (job->dropped)
        callbacks->on_dropped(callbacks->context, job->id);
    else
        callbacks->on_closed(callbacks->context, job->id, &job->result);
    free(job);
}

static void on_answered(evutil_socket_t fd, short what, void *context)
{
    (void)what;
    turn_enter();
    struct store_thread *store = context;
    eventfd_t count;
    eventfd_read(fd, &count);
    pthread_mutex_lock(&store->mutex);
    struct job *answers = store->answers;
    store->answers = NULL;
    bool waiting = store->waiting, gave_up = store->gave_up;
    struct error why = store->why;
    pthread_mutex_unlock(&store->mutex);

    const struct store_callbacks *callbacks = &store->common.callbacks;
    struct job *job, *next;
    DL_FOREACH_SAFE (answers, job, next) {
        report(store, job);
    }
    if (waiting != store->told_waiting) {
        store->told_waiting = waiting;
        callbacks->on_waiting(callbacks->context, waiting, why.text);
    }
    if (gave_up && !store->told_gave_up) {
        store->told_gave_up = true;
        callbacks->on_gave_up(callbacks->context, why.text);
    }
}

static int submit(struct store *common, uint64_t id,
                  const struct closing *closing, struct error *err)
{
    struct store_thread *store = (struct store_thread *)common;
    struct job *job =
        calloc(1, sizeof *job + closing->n_children * sizeof job->children[0]);
    if (!job)
        return error_set(err, ERR_MEMORY, "no memory for a closing");
    job->id = id;
    job->closing = closing;
    job->result.children = job->children;
    pthread_mutex_lock(&store->mutex);
    DL_APPEND(store->to_do, job);
    pthread_cond_signal(&store->wake);
    pthread_mutex_unlock(&store->mutex);
    return 0;
}

/* They become answers, so that on_dropped comes from the loop. */
static void forget(struct store *common)
{
    struct store_thread *store = (struct store_thread *)common;
    pthread_mutex_lock(&store->mutex);
    while (store->to_do) {
        struct job *job = store->to_do;
        DL_DELETE(store->to_do, job);
        job->dropped = true;
        answer(store, job);
    }
    pthread_mutex_unlock(&store->mutex);
}

static void free_jobs(struct job *list)
{
    struct job *job, *next;
    DL_FOREACH_SAFE (list, job, next) {
        free(job);
    }
}

static void release(struct store_thread *store)
{
    free_jobs(store->to_do);
    free_jobs(store->answers);
    ledger_close(&store->ledger);
    if (store->answered)
        event_free(store->answered);
    if (store->answered_fd >= 0)
        close(store->answered_fd);
    pthread_cond_destroy(&store->wake);
    pthread_mutex_destroy(&store->mutex);
    free(store);
}

static void stop_and_free(struct store *common)
{
    struct store_thread *store = (struct store_thread *)common;
    pthread_mutex_lock(&store->mutex);
    store->stop = true;
    pthread_cond_signal(&store->wake);
    pthread_mutex_unlock(&store->mutex);
    struct timespec patience;
    clock_gettime(CLOCK_REALTIME, &patience);
    patience.tv_sec += 1;
    if (pthread_timedjoin_np(store->thread, NULL, &patience))
        return; /* the process ends with it in a commit, which is its own */
    release(store);
}

static const struct store_backend thread_backend = {stop_and_free, submit,
                                                    forget};

int store_thread_new(struct event_base *base, const char *url,
                     const struct store *common, struct store **ret,
                     struct error *err)
{
    struct store_thread *store = calloc(1, sizeof *store);
    if (!store)
        return error_set(err, ERR_MEMORY, "no memory for the store");
    store->common = *common;
    store->common.backend = &thread_backend;
    pthread_mutex_init(&store->mutex, NULL);
    pthread_cond_init(&store->wake, NULL);
    store->answered_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    store->answered = event_new(base, store->answered_fd, EV_READ | EV_PERSIST,
                                on_answered, store);
    if (store->answered_fd < 0 || !store->answered ||
        event_add(store->answered, NULL))
        error_set(err, ERR_MEMORY, "no memory for the store");
    else if (!ledger_open(url, &store->ledger, err) &&
             !ledger_use_pipeline(store->ledger, common->pipeline, err) &&
             pthread_create(&store->thread, NULL, execute_all, store))
        error_set(err, ERR_SYSTEM, "no thread for the store");
    if (err->code != ERR_NONE) {
        release(store);
        return (int)err->code;
    }
    *ret = &store->common;
    return 0;
}
