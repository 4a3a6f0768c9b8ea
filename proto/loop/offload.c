/*
 * offload.c: see offload.h. Two lists under one mutex; a condition variable
 * wakes the thread, an eventfd the loop.
 */
#include "loop/offload.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <utlist.h>

struct offload {
    void *shared, *context;
    int done_fd;
    struct event *done;
    pthread_t thread;
    pthread_mutex_t mutex; /* guards all below */
    pthread_cond_t wake;
    struct offload_work *to_do, *finished;
    bool stop;
};

static void *work_off(void *context)
{
    struct offload *offload = context;
    pthread_mutex_lock(&offload->mutex);
    while (!offload->stop) {
        struct offload_work *work = offload->to_do;
        if (!work) {
            pthread_cond_wait(&offload->wake, &offload->mutex);
            continue;
        }
        LL_DELETE(offload->to_do, work);
        pthread_mutex_unlock(&offload->mutex);
        work->run(work, offload->shared);
        pthread_mutex_lock(&offload->mutex);
        LL_APPEND(offload->finished, work);
        eventfd_write(offload->done_fd, 1);
    }
    pthread_mutex_unlock(&offload->mutex);
    return NULL;
}

/* `done` may free the offload: nothing of it is touched after the last. */
static void on_done(evutil_socket_t fd, short what, void *context)
{
    (void)what;
    struct offload *offload = context;
    void *done_context = offload->context;
    eventfd_t count;
    eventfd_read(fd, &count);
    pthread_mutex_lock(&offload->mutex);
    struct offload_work *finished = offload->finished;
    offload->finished = NULL;
    pthread_mutex_unlock(&offload->mutex);
    while (finished) {
        struct offload_work *work = finished;
        LL_DELETE(finished, work);
        work->done(work, done_context);
    }
}

static void release(struct offload *offload)
{
    if (offload->done)
        event_free(offload->done);
    if (offload->done_fd >= 0)
        close(offload->done_fd);
    pthread_cond_destroy(&offload->wake);
    pthread_mutex_destroy(&offload->mutex);
    free(offload);
}

struct offload *offload_new(struct event_base *base, void *shared,
                            void *context)
{
    struct offload *offload = calloc(1, sizeof *offload);
    if (!offload)
        return NULL;
    offload->shared = shared;
    offload->context = context;
    pthread_mutex_init(&offload->mutex, NULL);
    pthread_cond_init(&offload->wake, NULL);
    offload->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    offload->done = event_new(base, offload->done_fd, EV_READ | EV_PERSIST,
                              on_done, offload);
    if (offload->done_fd >= 0 && offload->done &&
        !event_add(offload->done, NULL) &&
        !pthread_create(&offload->thread, NULL, work_off, offload))
        return offload;
    release(offload);
    return NULL;
}

static void drop_all(struct offload_work *list)
{
    while (list) {
        struct offload_work *work = list;
        LL_DELETE(list, work);
        work->drop(work);
    }
}

static bool join(struct offload *offload, usec_t patience)
{
    if (patience == USEC_NEVER)
        return pthread_join(offload->thread, NULL) == 0;
    usec_t until = clock_monotonic() + patience;
    const struct timespec when = {until / USEC_PER_SEC,
                                  until % USEC_PER_SEC * 1000};
    return pthread_clockjoin_np(offload->thread, NULL, CLOCK_MONOTONIC,
                                &when) == 0;
}

bool offload_free(struct offload **ptr, usec_t patience)
{
    struct offload *offload = *ptr;
    if (!offload)
        return true;
    *ptr = NULL;
    pthread_mutex_lock(&offload->mutex);
    offload->stop = true;
    pthread_cond_signal(&offload->wake);
    pthread_mutex_unlock(&offload->mutex);
    if (!join(offload, patience))
        return false;
    drop_all(offload->to_do);
    drop_all(offload->finished);
    release(offload);
    return true;
}

void offload_do(struct offload *offload, struct offload_work *work)
{
    pthread_mutex_lock(&offload->mutex);
    LL_APPEND(offload->to_do, work);
    pthread_cond_signal(&offload->wake);
    pthread_mutex_unlock(&offload->mutex);
}
