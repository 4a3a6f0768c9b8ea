/*
 * connecting.c: see connecting.h.
 *
 * The object is shared by the loop and the thread; the last of them to let go
 * frees it (`owners`, atomic). The thread writes the result, then wakes the
 * loop through an eventfd.
 */
#include "connecting.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "ledger/ledger_postgres.h"

struct connecting {
    atomic_int owners;
    int done_fd;
    struct event *done;
    connecting_on_done *on_done;
    void *context;
    char *url;
    PGconn *pq; /* this and those below are the thread's until done_fd */
    bool owns_session;
    struct error err;
};

static void let_go(struct connecting *connecting)
{
    if (atomic_fetch_sub(&connecting->owners, 1) > 1)
        return;
    PQfinish(connecting->pq);
    if (connecting->done_fd >= 0)
        close(connecting->done_fd);
    free(connecting->url);
    free(connecting);
}

static void *connect_and_set_up(void *context)
{
    struct connecting *connecting = context;
    PGconn *pq = ledger_postgres_connect(connecting->url, &connecting->err);
    connecting->owns_session = pq && ledger_postgres_owns_session(pq);
    if (pq && (PQsetnonblocking(pq, 1) || !PQenterPipelineMode(pq))) {
        ledger_postgres_error(pq, NULL, &connecting->err);
        PQfinish(pq);
        pq = NULL;
    }
    connecting->pq = pq;
    eventfd_write(connecting->done_fd, 1);
    let_go(connecting);
    return NULL;
}

static void on_done(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct connecting *connecting = context;
    PGconn *pq = connecting->pq;
    bool owns_session = connecting->owns_session;
    struct error err = connecting->err;
    connecting->pq = NULL;
    connecting_on_done *callback = connecting->on_done;
    void *callback_context = connecting->context;
    connecting_cancel(&connecting);
    callback(callback_context, pq, owns_session, &err);
}

struct connecting *connecting_new(struct event_base *base, const char *url,
                                  connecting_on_done *callback, void *context)
{
    struct connecting *connecting = calloc(1, sizeof *connecting);
    if (!connecting)
        return NULL;
    atomic_init(&connecting->owners, 1);
    connecting->on_done = callback;
    connecting->context = context;
    connecting->url = strdup(url);
    connecting->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    connecting->done =
        event_new(base, connecting->done_fd, EV_READ, on_done, connecting);
    pthread_t thread;
    if (connecting->url && connecting->done_fd >= 0 && connecting->done &&
        event_add(connecting->done, NULL) == 0) {
        atomic_fetch_add(&connecting->owners, 1);
        if (pthread_create(&thread, NULL, connect_and_set_up, connecting) ==
            0) {
            pthread_detach(thread);
            return connecting;
        }
        atomic_fetch_sub(&connecting->owners, 1);
    }
    connecting_cancel(&connecting);
    return NULL;
}

void connecting_cancel(struct connecting **connecting)
{
    if (!*connecting)
        return;
    if ((*connecting)->done)
        event_free((*connecting)->done);
    (*connecting)->done = NULL;
    let_go(*connecting);
    *connecting = NULL;
}
