/*
 * ledger_thread.c: see ledger_thread.h. Two lists under one mutex; a condition
 * variable wakes the thread, an eventfd the loop.
 */
#include "ledger_thread.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <utlist.h>

struct ledger_thread {
    struct ledger *ledger;
    void *context;
    int done_fd;
    struct event *done;
    pthread_t thread;
    pthread_mutex_t mutex; /* guards all below */
    pthread_cond_t wake;
    struct ledger_work *to_do, *finished;
    int n_to_do;
    bool stop;
};

static void *work_off(void *context)
{
    struct ledger_thread *thread = context;
    pthread_mutex_lock(&thread->mutex);
    while (!thread->stop) {
        struct ledger_work *work = thread->to_do;
        if (!work) {
            pthread_cond_wait(&thread->wake, &thread->mutex);
            continue;
        }
        LL_DELETE(thread->to_do, work);
        thread->n_to_do--;
        pthread_mutex_unlock(&thread->mutex);
        work->run(thread->ledger, work, &work->err);
        pthread_mutex_lock(&thread->mutex);
        LL_APPEND(thread->finished, work);
        eventfd_write(thread->done_fd, 1);
    }
    pthread_mutex_unlock(&thread->mutex);
    return NULL;
}

static void on_done(evutil_socket_t fd, short what, void *context)
{
    (void)what;
    struct ledger_thread *thread = context;
    eventfd_t count;
    eventfd_read(fd, &count);
    pthread_mutex_lock(&thread->mutex);
    struct ledger_work *finished = thread->finished;
    thread->finished = NULL;
    pthread_mutex_unlock(&thread->mutex);
    while (finished) {
        struct ledger_work *work = finished;
        LL_DELETE(finished, work);
        work->done(thread->context, work, &work->err);
    }
}

struct ledger_thread *ledger_thread_new(struct event_base *base,
                                        struct ledger *ledger, void *context)
{
    struct ledger_thread *thread = calloc(1, sizeof *thread);
    if (!thread)
        return NULL;
    thread->ledger = ledger;
    thread->context = context;
    pthread_mutex_init(&thread->mutex, NULL);
    pthread_cond_init(&thread->wake, NULL);
    thread->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    thread->done =
        event_new(base, thread->done_fd, EV_READ | EV_PERSIST, on_done, thread);
    if (thread->done_fd >= 0 && thread->done &&
        !event_add(thread->done, NULL) &&
        !pthread_create(&thread->thread, NULL, work_off, thread))
        return thread;
    if (thread->done)
        event_free(thread->done);
    if (thread->done_fd >= 0)
        close(thread->done_fd);
    free(thread);
    return NULL;
}

static void free_all(struct ledger_work *list)
{
    while (list) {
        struct ledger_work *work = list;
        LL_DELETE(list, work);
        work->free_work(work);
    }
}

void ledger_thread_free(struct ledger_thread **ptr)
{
    struct ledger_thread *thread = *ptr;
    if (!thread)
        return;
    pthread_mutex_lock(&thread->mutex);
    thread->stop = true;
    pthread_cond_signal(&thread->wake);
    pthread_mutex_unlock(&thread->mutex);
    pthread_join(thread->thread, NULL);
    free_all(thread->to_do);
    free_all(thread->finished);
    event_free(thread->done);
    close(thread->done_fd);
    pthread_cond_destroy(&thread->wake);
    pthread_mutex_destroy(&thread->mutex);
    free(thread);
    *ptr = NULL;
}

bool ledger_thread_do(struct ledger_thread *thread, struct ledger_work *work)
{
    pthread_mutex_lock(&thread->mutex);
    bool room = thread->n_to_do < LEDGER_WORK_MAX;
    if (room) {
        LL_APPEND(thread->to_do, work);
        thread->n_to_do++;
        pthread_cond_signal(&thread->wake);
    }
    pthread_mutex_unlock(&thread->mutex);
    return room;
}
