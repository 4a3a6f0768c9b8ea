/*
 * resolve.c: see resolve.h. The table of what is known belongs to the loop;
 * the thread only looks names up.
 */
#include "resolve.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <uthash.h>

#include "base/check.h"
#include "loop/offload.h"
#include "turn.h"

#define RESOLVE_PATIENCE (100 * USEC_PER_MSEC) /* at the end */
#define HOST_BYTES 256 /* RFC 1035: a name has at most 253 characters */

struct question {
    struct offload_work work;
    char host[HOST_BYTES];
    bool found;
    char text[RESOLVE_ADDRESS_BYTES]; /* addresses, or the error */
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
    struct offload *offload;
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

static void look_up(struct offload_work *work, void *shared)
{
    (void)shared;
    struct question *question = (struct question *)work;
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

static void drop(struct offload_work *work)
{
    free(work);
}

static void done(struct offload_work *work, void *context)
{
    turn_enter();
    struct resolver *resolver = context;
    take_answer(resolver, (struct question *)work);
    free(work);
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
    resolver->offload = offload_new(base, NULL, resolver);
    if (!resolver->offload) {
        free(resolver);
        return NULL;
    }
    return resolver;
}

/* A getaddrinfo() that hangs is not waited for: the process ends with it. */
void resolver_free(struct resolver **ptr)
{
    struct resolver *resolver = *ptr;
    *ptr = NULL;
    if (!resolver || !offload_free(&resolver->offload, RESOLVE_PATIENCE))
        return;
    struct host *host, *next;
    HASH_ITER (hh, resolver->hosts, host, next) {
        HASH_DEL(resolver->hosts, host);
        free(host);
    }
    free(resolver);
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
    question->work =
        (struct offload_work){.run = look_up, .done = done, .drop = drop};
    host->asking = true;
    offload_do(resolver->offload, &question->work);
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
