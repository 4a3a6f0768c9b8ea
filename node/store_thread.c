/*
 * store_thread.c: closings to SQLite, by a thread (loop/offload.h).
 *
 * One closing at a time is with the thread; the others wait here, in the
 * loop, which also decides when one is tried again.
 */
#include <stdlib.h>
#include <utlist.h>

#include "ledger/ledger.h"
#include "loop/offload.h"
#include "store_backend.h"
#include "times.h"
#include "turn.h"

#define CLOSE_PATIENCE USEC_PER_SEC /* at the end, for a commit under way */

struct job {
    struct offload_work work;
    uint64_t id;
    usec_t since;
    const struct closing *closing;
    struct close_result result; /* its children: right behind this struct */
    struct error err;
    struct job *prev, *next;
    int64_t children[];
};

struct store_thread {
    struct store common;
    struct ledger *ledger; /* the thread's */
    struct offload *offload;
    struct job *to_do, *dropped;
    bool busy;          /* one is with the thread */
    struct event *work; /* to_do or dropped is to be looked at; or the pause
                           before the next try is over */
    struct event *pause_over;
    usec_t pause; /* 0: none */
    bool waiting, gave_up;
    usec_t waiting_since;
};

static void close_in_thread(struct offload_work *work, void *ledger)
{
    struct job *job = (struct job *)work;
    job->err = ERROR_NONE;
    (void)!ledger_close_batch(ledger, job->closing, &job->result, &job->err);
}

static void drop(struct offload_work *work)
{
    free(work);
}

static void give_up(struct store_thread *store, const char *why)
{
    const struct store_callbacks *callbacks = &store->common.callbacks;
    if (!store->gave_up)
        callbacks->on_gave_up(callbacks->context, why);
    store->gave_up = true;
}

static void away(struct store_thread *store, const struct error *err)
{
    const struct store_callbacks *callbacks = &store->common.callbacks;
    usec_t now = clock_monotonic();
    if (!store->waiting) {
        store->waiting = true;
        store->waiting_since = now;
        callbacks->on_waiting(callbacks->context, true, err->text);
    }
    if (error_code_kind(err->code) != ERROR_RETRY ||
        now - store->waiting_since > store->common.database_wait) {
        give_up(store, err->text);
        return;
    }
    store->pause = store->pause ? store->pause * 2 : STORE_RETRY_MIN;
    if (store->pause > STORE_RETRY_MAX)
        store->pause = STORE_RETRY_MAX;
    const struct timeval after = {store->pause / USEC_PER_SEC,
                                  store->pause % USEC_PER_SEC};
    evtimer_add(store->pause_over, &after);
}

static void back(struct store_thread *store)
{
    const struct store_callbacks *callbacks = &store->common.callbacks;
    store->pause = 0;
    if (store->waiting)
        callbacks->on_waiting(callbacks->context, false, "");
    store->waiting = false;
}

static void next(struct store_thread *store)
{
    if (store->busy || store->pause || store->gave_up || !store->to_do)
        return;
    struct job *job = store->to_do;
    DL_DELETE(store->to_do, job);
    store->busy = true;
    offload_do(store->offload, &job->work);
}

static void done(struct offload_work *work, void *context)
{
    turn_enter();
    struct store_thread *store = context;
    const struct store_callbacks *callbacks = &store->common.callbacks;
    struct job *job = (struct job *)work;
    store->busy = false;
    if (job->err.code == ERR_NONE) {
        back(store);
        histogram_add(&node_times()->commit, clock_monotonic() - job->since);
        callbacks->on_closed(callbacks->context, job->id, &job->result);
        free(job);
    } else {
        DL_PREPEND(store->to_do, job);
        away(store, &job->err);
    }
    next(store);
}

static void on_work(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    turn_enter();
    struct store_thread *store = context;
    const struct store_callbacks *callbacks = &store->common.callbacks;
    while (store->dropped) {
        struct job *job = store->dropped;
        DL_DELETE(store->dropped, job);
        callbacks->on_dropped(callbacks->context, job->id);
        free(job);
    }
    next(store);
}

static void on_pause_over(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    turn_enter();
    struct store_thread *store = context;
    usec_t pause = store->pause;
    store->pause = 0;
    next(store);
    store->pause = store->busy ? pause : 0;
}

static int submit(struct store *common, uint64_t id,
                  const struct closing *closing, struct error *err)
{
    struct store_thread *store = (struct store_thread *)common;
    struct job *job =
        calloc(1, sizeof *job + closing->n_children * sizeof job->children[0]);
    if (!job)
        return error_set(err, ERR_MEMORY, "no memory for a closing");
    job->work = (struct offload_work){
        .run = close_in_thread, .done = done, .drop = drop};
    job->id = id;
    job->since = clock_monotonic();
    job->closing = closing;
    job->result.children = job->children;
    DL_APPEND(store->to_do, job);
    event_active(store->work, EV_TIMEOUT, 0);
    return 0;
}

static void forget(struct store *common)
{
    struct store_thread *store = (struct store_thread *)common;
    DL_CONCAT(store->dropped, store->to_do);
    store->to_do = NULL;
    event_active(store->work, EV_TIMEOUT, 0);
}

static void free_jobs(struct job *list)
{
    struct job *job, *after;
    DL_FOREACH_SAFE (list, job, after) {
        free(job);
    }
}

static void stop_and_free(struct store *common)
{
    struct store_thread *store = (struct store_thread *)common;
    if (!offload_free(&store->offload, CLOSE_PATIENCE))
        return; /* the process ends with it in a commit, which is its own */
    free_jobs(store->to_do);
    free_jobs(store->dropped);
    ledger_close(&store->ledger);
    if (store->work)
        event_free(store->work);
    if (store->pause_over)
        event_free(store->pause_over);
    free(store);
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
    store->work = event_new(base, -1, 0, on_work, store);
    store->pause_over = evtimer_new(base, on_pause_over, store);
    if (!store->work || !store->pause_over)
        error_set(err, ERR_MEMORY, "no memory for the store");
    else if (!ledger_open(url, &store->ledger, err) &&
             !ledger_use_pipeline(store->ledger, common->pipeline, err) &&
             !(store->offload = offload_new(base, store->ledger, store)))
        error_set(err, ERR_SYSTEM, "no thread for the store");
    if (err->code != ERR_NONE) {
        stop_and_free(&store->common);
        return (int)err->code;
    }
    *ret = &store->common;
    return 0;
}
