/* sockets.c: see sockets.h. A table by descriptor; no look-up costs. */
#include "sockets.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "turn.h"

struct watched {
    struct sockets *sockets;
    struct event *event;
    short registered; /* EV_READ, EV_WRITE: what the loop watches */
    bool idle;        /* libcurl does not want to hear of it now */
    int fd;
    void *owner;
};

struct sockets {
    struct event_base *base;
    sockets_on_ready *on_ready;
    struct watched **by_fd;
    size_t n_by_fd;
};

static void on_socket_event(evutil_socket_t fd, short what, void *context)
{
    turn_enter();
    struct watched *watched = context;
    CHECK(watched->fd == fd);
    if (watched->idle) { /* the server hung up, or speaks out of turn */
        event_del(watched->event);
        watched->registered = 0;
        return;
    }
    int curl_events = (what & EV_READ ? CURL_CSELECT_IN : 0) |
                      (what & EV_WRITE ? CURL_CSELECT_OUT : 0);
    watched->sockets->on_ready(watched->owner, fd, curl_events);
}

struct sockets *sockets_new(struct event_base *base, sockets_on_ready *on_ready)
{
    struct sockets *sockets = calloc(1, sizeof *sockets);
    if (!sockets)
        return NULL;
    sockets->base = base;
    sockets->on_ready = on_ready;
    return sockets;
}

static void forget(struct sockets *sockets, int fd)
{
    struct watched *watched = sockets->by_fd[fd];
    if (!watched)
        return;
    event_free(watched->event);
    free(watched);
    sockets->by_fd[fd] = NULL;
}

void sockets_free(struct sockets **sockets)
{
    if (!*sockets)
        return;
    for (size_t fd = 0; fd < (*sockets)->n_by_fd; fd++)
        forget(*sockets, (int)fd);
    free((*sockets)->by_fd);
    free(*sockets);
    *sockets = NULL;
}

static bool make_room(struct sockets *sockets, int fd)
{
    if (fd < 0 || fd >= SOCKETS_MAX)
        return false;
    size_t n = sockets->n_by_fd ? sockets->n_by_fd : 256;
    while (n <= (size_t)fd)
        n *= 2;
    if (n == sockets->n_by_fd)
        return true;
    struct watched **by_fd = realloc(sockets->by_fd, n * sizeof *by_fd);
    if (!by_fd)
        return false;
    memset(by_fd + sockets->n_by_fd, 0, (n - sockets->n_by_fd) * sizeof *by_fd);
    sockets->by_fd = by_fd;
    sockets->n_by_fd = n;
    return true;
}

static struct watched *watched_new(struct sockets *sockets, int fd)
{
    struct watched *watched =
        make_room(sockets, fd) ? calloc(1, sizeof *watched) : NULL;
    if (!watched)
        return NULL;
    watched->sockets = sockets;
    watched->fd = fd;
    watched->event = event_new(sockets->base, fd, EV_READ | EV_PERSIST,
                               on_socket_event, watched);
    if (!watched->event) {
        free(watched);
        return NULL;
    }
    sockets->by_fd[fd] = watched;
    return watched;
}

bool sockets_watch(struct sockets *sockets, int fd, int what, void *owner)
{
    bool known = fd >= 0 && (size_t)fd < sockets->n_by_fd;
    struct watched *watched = known ? sockets->by_fd[fd] : NULL;
    if (what == CURL_POLL_REMOVE) {
        if (watched)
            watched->idle = true;
        return true;
    }
    if (!watched && !(watched = watched_new(sockets, fd)))
        return false;
    watched->owner = owner;
    watched->idle = false;
    short wanted = (short)((what & CURL_POLL_IN ? EV_READ : 0) |
                           (what & CURL_POLL_OUT ? EV_WRITE : 0));
    if (wanted == watched->registered)
        return true;
    if (watched->registered)
        event_del(watched->event);
    watched->registered = 0;
    event_assign(watched->event, sockets->base, fd,
                 (short)(wanted | EV_PERSIST), on_socket_event, watched);
    if (event_add(watched->event, NULL))
        return false;
    watched->registered = wanted;
    return true;
}

static int on_close(void *context, curl_socket_t fd)
{
    struct sockets *sockets = context;
    if ((size_t)fd < sockets->n_by_fd)
        forget(sockets, fd);
    return close(fd);
}

bool sockets_options(struct sockets *sockets, CURL *easy)
{
    return curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, on_close) ==
               CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, sockets) == CURLE_OK;
}
