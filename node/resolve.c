/*
 * resolve.c: see resolve.h.
 *
 * The thread and the loop share two lists under one mutex: questions and
 * answers. The table of what is known belongs to the loop alone. An eventfd
 * wakes the loop; a condition variable wakes the thread.
 */
#include "resolve.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <uthash.h>
#include <utlist.h>

#include "base/check.h"
#include "turn.h"

#define HOST_BYTES 256 /* RFC 1035: a name has at most 253 characters */

struct question {
    char host[HOST_BYTES];
    bool found;
    char text[RESOLVE_ADDRESS_BYTES]; /* addresses, or the error */
    struct question *next;
};

struct host {
    char name[HOST_BYTES];
    bool asking;
    bool known;
    bool found;
    int64_t number;
    usec_t good_until;
    char text[RESOLVE_ADDRESS_BYTES];
    UT_hash_handle hh;
};

struct resolver {
    struct host *hosts; /* the oldest first */
    int64_t numbers;
    void (*on_ready)(void *context);
    void *on_ready_context;

    pthread_t thread;
    pthread_mutex_t mutex; /* guards the three below */
    struct question *questions, *answers;
    bool stop;
    pthread_cond_t asked;
    int answered_fd;
    struct event *answered;
};

/* Writes "a,b,[c]" into `text`; false where there is none. */
static bool list_addresses(const struct addrinfo *list, char *text, size_t room)
{
    size_t len = 0;
    int n = 0;
    for (; list && n < RESOLVE_ADDRESSES_MAX; list = list->ai_next) {
        char address[NI_MAXHOST];
        if (getnameinfo(list->ai_addr, list->ai_addrlen, address,
                        sizeof address, NULL, 0, NI_NUMERICHOST))
            continue;
        bool six = list->ai_family == AF_INET6;
        int wrote = snprintf(text + len, room - len, "%s%s%s%s", n ? "," : "",
                             six ? "[" : "", address, six ? "]" : "");
        if (wrote < 0 || (size_t)wrote >= room - len)
            break;
        len += (size_t)wrote;
        n++;
    }
    text[len] = '\0';
    return n > 0;
}

static void look_up(struct question *question)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_ADDRCONFIG};
    struct addrinfo *list = NULL;
    int status = getaddrinfo(question->host, NULL, &hints, &list);
    if (status == 0)
        question->found =
            list_addresses(list, question->text, sizeof question->text);
    if (!question->found)
        snprintf(question->text, sizeof question->text, "%s",
                 status ? gai_strerror(status) : "no address");
    if (list)
        freeaddrinfo(list);
}

static void *resolve_all(void *context)
{
    struct resolver *resolver = context;
    pthread_mutex_lock(&resolver->mutex);
    while (!resolver->stop) {
        struct question *question = resolver->questions;
        if (!question) {
            pthread_cond_wait(&resolver->asked, &resolver->mutex);
            continue;
        }
        LL_DELETE(resolver->questions, question);
        pthread_mutex_unlock(&resolver->mutex);
        look_up(question);
        pthread_mutex_lock(&resolver->mutex);
        LL_PREPEND(resolver->answers, question);
        eventfd_write(resolver->answered_fd, 1);
    }
    pthread_mutex_unlock(&resolver->mutex);
    return NULL;
}

static void take_answer(struct resolver *resolver, struct question *answer)
{
    struct host *host = NULL;
    HASH_FIND_STR(resolver->hosts, answer->host, host);
    if (!host)
        return;
    host->asking = false;
    host->known = true;
    host->found = answer->found;
    host->number = ++resolver->numbers;
    host->good_until =
        clock_monotonic() + (answer->found ? RESOLVE_KEEP : RESOLVE_KEEP_BAD);
    memcpy(host->text, answer->text, sizeof host->text);
}

static void on_answered(evutil_socket_t fd, short what, void *context)
{
    (void)what;
    turn_enter();
    struct resolver *resolver = context;
    eventfd_t count;
    eventfd_read(fd, &count);
    pthread_mutex_lock(&resolver->mutex);
    struct question *answers = resolver->answers;
    resolver->answers = NULL;
    pthread_mutex_unlock(&resolver->mutex);
    while (answers) {
        struct question *answer = answers;
        LL_DELETE(answers, answer);
        take_answer(resolver, answer);
        free(answer);
    }
    resolver->on_ready(resolver->on_ready_context);
}

struct resolver *resolver_new(struct event_base *base,
                              void (*on_ready)(void *context), void *context)
{
    struct resolver *resolver = calloc(1, sizeof *resolver);
    if (!resolver)
        return NULL;
    resolver->on_ready = on_ready;
    resolver->on_ready_context = context;
    pthread_mutex_init(&resolver->mutex, NULL);
    pthread_cond_init(&resolver->asked, NULL);
    resolver->answered_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    resolver->answered = event_new(base, resolver->answered_fd,
                                   EV_READ | EV_PERSIST, on_answered, resolver);
    if (resolver->answered_fd < 0 || !resolver->answered ||
        event_add(resolver->answered, NULL) ||
        pthread_create(&resolver->thread, NULL, resolve_all, resolver)) {
        if (resolver->answered)
            event_free(resolver->answered);
        if (resolver->answered_fd >= 0)
            close(resolver->answered_fd);
        free(resolver);
        return NULL;
    }
    return resolver;
}

static void free_questions(struct question *list)
{
    while (list) {
        struct question *next = list->next;
        free(list);
        list = next;
    }
}

/* A getaddrinfo() that hangs is not waited for: the thread is cancelled (it
 * holds no lock there). */
void resolver_free(struct resolver **ptr)
{
    struct resolver *resolver = *ptr;
    if (!resolver)
        return;
    pthread_mutex_lock(&resolver->mutex);
    resolver->stop = true;
    pthread_cond_signal(&resolver->asked);
    pthread_mutex_unlock(&resolver->mutex);
    struct timespec patience;
    clock_gettime(CLOCK_REALTIME, &patience);
    patience.tv_nsec += 100 * 1000 * 1000;
    patience.tv_sec += patience.tv_nsec / 1000000000;
    patience.tv_nsec %= 1000000000;
    if (pthread_timedjoin_np(resolver->thread, NULL, &patience)) {
        *ptr = NULL; /* the process ends with it in getaddrinfo() */
        return;
    }
    event_free(resolver->answered);
    close(resolver->answered_fd);
    free_questions(resolver->questions);
    free_questions(resolver->answers);
    struct host *host, *next;
    HASH_ITER (hh, resolver->hosts, host, next) {
        HASH_DEL(resolver->hosts, host);
        free(host);
    }
    pthread_mutex_destroy(&resolver->mutex);
    pthread_cond_destroy(&resolver->asked);
    free(resolver);
    *ptr = NULL;
}

static bool is_address(const char *host)
{
    unsigned char bytes[sizeof(struct in6_addr)];
    return inet_pton(AF_INET, host, bytes) == 1 || host[0] == '[';
}

static struct host *host_add(struct resolver *resolver, const char *name)
{
    if (HASH_COUNT(resolver->hosts) >= RESOLVE_HOSTS_MAX) {
        struct host *oldest = resolver->hosts;
        HASH_DEL(resolver->hosts, oldest);
        free(oldest);
    }
    struct host *host = calloc(1, sizeof *host);
    if (!host)
        return NULL;
    snprintf(host->name, sizeof host->name, "%s", name);
    HASH_ADD_STR(resolver->hosts, name, host);
    return host;
}

static bool ask_thread(struct resolver *resolver, struct host *host)
{
    struct question *question = calloc(1, sizeof *question);
    if (!question)
        return false;
    memcpy(question->host, host->name, sizeof question->host);
    host->asking = true;
    pthread_mutex_lock(&resolver->mutex);
    LL_APPEND(resolver->questions, question);
    pthread_cond_signal(&resolver->asked);
    pthread_mutex_unlock(&resolver->mutex);
    return true;
}

bool resolver_ask(struct resolver *resolver, struct slice name, usec_t now,
                  struct resolved *ret)
{
    static const char no_memory[] = "no memory", too_long[] = "name too long";
    char text[HOST_BYTES];
    *ret = (struct resolved){.error = too_long};
    if (name.len >= sizeof text)
        return true;
    memcpy(text, name.data, name.len);
    text[name.len] = '\0';

    struct host *host = NULL;
    HASH_FIND_STR(resolver->hosts, text, host);
    if (!host && !(host = host_add(resolver, text))) {
        ret->error = no_memory;
        return true;
    }
    if (is_address(text)) {
        *ret = (struct resolved){.addresses = host->name};
        return true;
    }
    bool stale = !host->known || host->good_until <= now;
    if (stale && !host->asking && !ask_thread(resolver, host)) {
        ret->error = no_memory;
        return true;
    }
    if (stale && !(host->known && host->found))
        return false; /* a stale good answer serves until the next one */
    *ret = (struct resolved){
        .number = host->number,
        .addresses = host->found ? host->text : NULL,
        .error = host->text,
    };
    return true;
}
