/*
 * fetch.c: see fetch.h. One transfer's way through this file:
 *
 *   fetch_start() takes an idle handle (or makes one) and queues it;
 *   begin() knows the host's address and gives the handle to its shard;
 *   on_socket_event() and on_shard_timer() drive the shard;
 *   reap() takes finished transfers out of it, and finish() reports them.
 *
 * A handle stays with its shard for life, so that it finds the connections
 * that it left there. libcurl forgets a connection's socket between
 * transfers; the loop's registration of it is kept (sockets.c), which saves
 * two system calls a request.
 */
#include "fetch.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <uthash.h>
#include <utlist.h>

#include "base/buffer.h"
#include "extract.h"
#include "fetch_options.h"
#include "fetch_url.h"
#include "pipeline/template.h"
#include "resolve.h"
#include "sockets.h"
#include "times.h"
#include "turn.h"

/* Until a descriptor is asked for again. */
#define DESCRIPTOR_PAUSE (50 * USEC_PER_MSEC)

#define BASE_BYTES_MAX 300 /* of a URL that is parsed once a host */

struct shard {
    struct fetch_pool *pool;
    CURLM *multi;
    struct event *timer;
    size_t n_handles;
    struct shard *next;
};

enum handle_state {
    HANDLE_IDLE,    /* in pool->idle */
    HANDLE_WAITING, /* in pool->waiting, for its host's address */
    HANDLE_FLYING,  /* in its shard's multi handle */
};

struct handle {
    enum handle_state state;
    struct shard *shard;
    CURL *easy;
    uint64_t id;
    bool foreign, optioned_foreign; /* fetch_start(): now, and as `easy` has it
                                     */
    const struct request *request;  /* of the current or last transfer */
    const struct request *optioned; /* whose options are set on `easy` */
    struct transfer transfer;       /* what the callbacks fill */
    struct curl_slist *resolve;     /* this transfer's CURLOPT_RESOLVE */
    bool fresh;                     /* CURLOPT_FRESH_CONNECT is set */
    bool spent;                     /* `easy` has not ended a transfer well */
    struct buffer url;
    struct handle *prev, *next; /* in idle or waiting */
    UT_hash_handle hh;          /* in pool->busy, by id */
};

/* The addresses that a shard was last told for a host. */
struct told {
    char key[300]; /* shard pointer and host:port */
    int64_t number;
    UT_hash_handle hh;
};

struct fetch_pool {
    struct event_base *base;
    fetch_on_done *on_done;
    void *context;
    struct resolver *resolver;
    struct sockets *sockets;
    CURLSH *share; /* TLS sessions */
    char *ca_file; /* NULL: the system's */
    struct shard *shards;
    struct handle *idle; /* the last used first: its connection is warm */
    struct handle *waiting;
    struct handle *next_to_begin; /* where on_begin() goes on in `waiting` */
    struct handle *busy;          /* by id: waiting and flying */
    struct told *told;
    struct event *begin;            /* waiting handles are to be looked at */
    char last_base[BASE_BYTES_MAX]; /* of the URL that began last */
    struct buffer host_port;        /* of that URL */
    struct spare_bodies spare;
    size_t n_flying;
    int64_t bytes;
};

static void reap(struct shard *shard);

/* ---- the loop and libcurl's shards ---- */

static void on_shard_timer(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    turn_enter();
    struct shard *shard = context;
    CHECK(shard->multi);
    int running;
    curl_multi_socket_action(shard->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    reap(shard);
}

static void on_socket_ready(void *context, int fd, int curl_events)
{
    struct shard *shard = context;
    CHECK(shard->multi);
    int running;
    curl_multi_socket_action(shard->multi, fd, curl_events, &running);
    reap(shard);
}

static int on_curl_timer(CURLM *multi, long timeout_ms, void *context)
{
    (void)multi;
    struct shard *shard = context;
    if (timeout_ms < 0)
        return event_del(shard->timer);
    struct timeval after = {timeout_ms / 1000, (timeout_ms % 1000) * 1000};
    return event_add(shard->timer, &after);
}

static int on_curl_socket(CURL *easy, curl_socket_t fd, int what, void *context,
                          void *unused)
{
    (void)easy;
    (void)unused;
    struct shard *shard = context;
    return sockets_watch(shard->pool->sockets, fd, what, shard) ? 0 : -1;
}

static struct shard *shard_new(struct fetch_pool *pool)
{
    struct shard *shard = calloc(1, sizeof *shard);
    if (!shard)
        return NULL;
    shard->pool = pool;
    shard->multi = curl_multi_init();
    shard->timer = evtimer_new(pool->base, on_shard_timer, shard);
    if (!shard->multi || !shard->timer) {
        curl_multi_cleanup(shard->multi);
        if (shard->timer)
            event_free(shard->timer);
        free(shard);
        return NULL;
    }
    curl_multi_setopt(shard->multi, CURLMOPT_SOCKETFUNCTION, on_curl_socket);
    curl_multi_setopt(shard->multi, CURLMOPT_SOCKETDATA, shard);
    curl_multi_setopt(shard->multi, CURLMOPT_TIMERFUNCTION, on_curl_timer);
    curl_multi_setopt(shard->multi, CURLMOPT_TIMERDATA, shard);
    /* Otherwise libcurl closes warm connections when few are in use. */
    curl_multi_setopt(shard->multi, CURLMOPT_MAXCONNECTS,
                      (long)FETCH_SHARD_MAX + 16);
    curl_multi_setopt(shard->multi, CURLMOPT_PIPELINING, CURLPIPE_NOTHING);
    LL_PREPEND(pool->shards, shard);
    return shard;
}

/* ---- handles ---- */

static struct shard *shard_with_room(struct fetch_pool *pool)
{
    struct shard *shard = pool->shards; /* only the newest may have room */
    if (!shard || shard->n_handles == FETCH_SHARD_MAX)
        shard = shard_new(pool);
    return shard;
}

static struct handle *handle_new(struct fetch_pool *pool)
{
    struct shard *shard = shard_with_room(pool);
    struct handle *handle = shard ? calloc(1, sizeof *handle) : NULL;
    if (!handle)
        return NULL;
    handle->easy = curl_easy_init();
    if (!handle->easy) {
        free(handle);
        return NULL;
    }
    handle->shard = shard;
    handle->transfer.spare = &pool->spare;
    shard->n_handles++;
    curl_easy_setopt(handle->easy, CURLOPT_PRIVATE, handle);
    return handle;
}

static void handle_free(struct handle *handle)
{
    curl_easy_cleanup(handle->easy);
    curl_slist_free_all(handle->resolve);
    transfer_free(&handle->transfer);
    buffer_free(&handle->url);
    free(handle);
}

static void waiting_remove(struct fetch_pool *pool, struct handle *handle)
{
    if (handle == pool->next_to_begin)
        pool->next_to_begin = handle->next;
    DL_DELETE(pool->waiting, handle);
}

static void land(struct handle *handle)
{
    curl_multi_remove_handle(handle->shard->multi, handle->easy);
    handle->shard->pool->n_flying--;
}

/* The handle has left pool->busy. */
static void handle_to_idle(struct fetch_pool *pool, struct handle *handle)
{
    CHECK(handle->state != HANDLE_IDLE);
    if (handle->state == HANDLE_FLYING)
        land(handle);
    else
        waiting_remove(pool, handle);
    transfer_rest(&handle->transfer);
    handle->state = HANDLE_IDLE;
    DL_PREPEND(pool->idle, handle);
}

/* ---- the end of a transfer ---- */

/* The answer is given before the handle is idle again, since it points into
 * the handle's buffer. on_done may start other transfers: those take other
 * handles. */
static void finish(struct fetch_pool *pool, struct handle *handle,
                   const struct fetch_answer *answer)
{
    HASH_DEL(pool->busy, handle); /* its id is free, and can't be cancelled */
    pool->on_done(pool->context, handle->id, answer);
    handle_to_idle(pool, handle);
}

static void finish_failed(struct fetch_pool *pool, struct handle *handle,
                          enum reason reason, const char *why)
{
    struct fetch_answer answer = {
        .request = handle->request, .reason = reason, .retry_after = -1};
    snprintf(answer.detail, sizeof answer.detail, "%.*s",
             FETCH_DETAIL_BYTES - 1, why);
    finish(pool, handle, &answer);
}

static void finish_flying(struct fetch_pool *pool, struct handle *handle,
                          CURLcode code)
{
    struct fetch_answer answer;
    handle->spent = code != CURLE_OK;
    transfer_answer(&handle->transfer, handle->easy, code, &answer);
    answer.request = handle->request;
    answer.easy = handle->easy;
    curl_off_t bytes = 0, took = 0;
    curl_easy_getinfo(handle->easy, CURLINFO_SIZE_DOWNLOAD_T, &bytes);
    curl_easy_getinfo(handle->easy, CURLINFO_TOTAL_TIME_T, &took);
    histogram_add(&node_times()->fetch, took);
    pool->bytes += bytes;
    finish(pool, handle, &answer);
}

/*
 * A server may close a connection that was kept alive at the moment when it is
 * used again: that says nothing about the site. libcurl then takes another one
 * by itself, but counts how often over all the life of an easy handle, and
 * gives up each sixth time without having tried (7.88, Curl_retry_request()).
 */
static bool was_stale(struct handle *handle, CURLcode code)
{
    long connects = 1;
    curl_easy_getinfo(handle->easy, CURLINFO_NUM_CONNECTS, &connects);
    return (code == CURLE_SEND_ERROR || code == CURLE_RECV_ERROR ||
            code == CURLE_GOT_NOTHING) &&
           connects == 0 && !handle->fresh && handle->transfer.head_bytes == 0;
}

/* Once more, over a connection of its own. False: it could not be begun. */
static bool fly_again(struct handle *handle)
{
    curl_multi_remove_handle(handle->shard->multi, handle->easy);
    transfer_begin(&handle->transfer);
    handle->fresh = true;
    return curl_easy_setopt(handle->easy, CURLOPT_FRESH_CONNECT, 1L) ==
               CURLE_OK &&
           !curl_multi_add_handle(handle->shard->multi, handle->easy);
}

/* No descriptor was left for it: it begins anew when others have ended. False:
 * no other is under way whose end would help. */
static bool wait_for_descriptor(struct handle *handle)
{
    static const struct timeval pause = {0, DESCRIPTOR_PAUSE};
    struct fetch_pool *pool = handle->shard->pool;
    if (!handle->transfer.no_descriptor || pool->n_flying == 1)
        return false;
    land(handle);
    handle->state = HANDLE_WAITING;
    DL_APPEND(pool->waiting, handle);
    event_add(pool->begin, &pause);
    return true;
}

static void reap(struct shard *shard)
{
    struct fetch_pool *pool = shard->pool;
    CURLMsg *message;
    int left;
    while ((message = curl_multi_info_read(shard->multi, &left))) {
        if (message->msg != CURLMSG_DONE)
            continue;
        CURLcode code = message->data.result; /* gone after the removal */
        struct handle *handle = NULL;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &handle);
        CHECK(handle && handle->state == HANDLE_FLYING);
        if (was_stale(handle, code) && fly_again(handle))
            continue;
        if (code == CURLE_COULDNT_CONNECT && wait_for_descriptor(handle))
            continue;
        finish_flying(pool, handle, code);
    }
}

/* ---- the beginning of a transfer ---- */

/* Tells the handle's shard the host's addresses, unless it knows them. */
static bool tell_addresses(struct fetch_pool *pool, struct handle *handle,
                           const char *host_port,
                           const struct resolved *resolved)
{
    curl_easy_setopt(handle->easy, CURLOPT_RESOLVE, NULL);
    curl_slist_free_all(handle->resolve);
    handle->resolve = NULL;
    if (resolved->number == 0) /* an address needs no look-up */
        return true;
    char key[sizeof pool->told->key];
    snprintf(key, sizeof key, "%p %s", (void *)handle->shard, host_port);
    struct told *told = NULL;
    HASH_FIND_STR(pool->told, key, told);
    if (told && told->number == resolved->number)
        return true;
    if (!told) {
        if (!(told = calloc(1, sizeof *told)))
            return false;
        memcpy(told->key, key, sizeof key);
        HASH_ADD_STR(pool->told, key, told);
    }
    told->number = resolved->number;
    char line[sizeof key + RESOLVE_ADDRESS_BYTES];
    snprintf(line, sizeof line, "%s:%s", host_port, resolved->addresses);
    handle->resolve = curl_slist_append(NULL, line);
    return handle->resolve && curl_easy_setopt(handle->easy, CURLOPT_RESOLVE,
                                               handle->resolve) == CURLE_OK;
}

/* After a transfer that failed or was cancelled, libcurl may keep its buffer,
 * and then refuses another size of it, or, after curl_easy_reset(), takes it
 * for larger than it is. So that handle is not used again; its connections are
 * the shard's. */
static bool renew(struct handle *handle)
{
    if (!handle->spent)
        return true;
    CURL *easy = curl_easy_init();
    if (!easy)
        return false;
    curl_easy_cleanup(handle->easy);
    handle->easy = easy;
    handle->optioned = NULL;
    handle->spent = false;
    return true;
}

static bool set_options(struct fetch_pool *pool, struct handle *handle)
{
    if (!renew(handle))
        return false;
    if (handle->optioned != handle->request ||
        handle->optioned_foreign != handle->foreign) {
        curl_easy_reset(handle->easy);
        curl_easy_setopt(handle->easy, CURLOPT_PRIVATE, handle);
        if (!transfer_options(&handle->transfer, handle->easy, handle->request,
                              handle->foreign, pool->share, pool->ca_file) ||
            !sockets_options(pool->sockets, handle->easy))
            return false;
        handle->optioned = handle->request;
        handle->optioned_foreign = handle->foreign;
    }
    if (handle->fresh)
        curl_easy_setopt(handle->easy, CURLOPT_FRESH_CONNECT, 0L);
    handle->fresh = false;
    return transfer_url(&handle->transfer, buffer_text(&handle->url));
}

static void fly(struct fetch_pool *pool, struct handle *handle,
                const char *host_port, const struct resolved *resolved)
{
    transfer_begin(&handle->transfer);
    if (!set_options(pool, handle) ||
        !tell_addresses(pool, handle, host_port, resolved) ||
        curl_multi_add_handle(handle->shard->multi, handle->easy)) {
        handle->spent = true;
        finish_failed(pool, handle, REASON_INTERNAL,
                      "no memory for a transfer");
        return;
    }
    waiting_remove(pool, handle);
    handle->spent = true; /* until it is known to have ended well */
    handle->state = HANDLE_FLYING;
    pool->n_flying++;
}

/* Puts the URL's host into pool->host_port. It is most often the host of the
 * URL before. False: it has none. */
static bool find_host(struct fetch_pool *pool, const char *url)
{
    size_t base = fetch_url_base(url);
    if (base && base < sizeof pool->last_base && !pool->last_base[base] &&
        !memcmp(pool->last_base, url, base))
        return true;
    pool->last_base[0] = '\0';
    buffer_clear(&pool->host_port);
    if (!url_host(slice_of(url), &pool->host_port))
        return false;
    if (base < sizeof pool->last_base) {
        memcpy(pool->last_base, url, base);
        pool->last_base[base] = '\0';
    }
    return true;
}

static void begin(struct fetch_pool *pool, struct handle *handle, usec_t now)
{
    if (!find_host(pool, buffer_text(&handle->url))) {
        finish_failed(pool, handle, REASON_BAD_KEY, "no http or https URL");
        return;
    }
    struct buffer *host_port = &pool->host_port;
    const char *colon = strrchr(host_port->data, ':');
    struct slice host = {host_port->data, (size_t)(colon - host_port->data)};
    struct resolved resolved;
    if (!resolver_ask(pool->resolver, host, now, &resolved))
        return; /* on_resolved() looks again */
    if (resolved.addresses)
        fly(pool, handle, host_port->data, &resolved);
    else
        finish_failed(pool, handle, REASON_DNS, resolved.error);
}

/* Handles that wait for the same unresolved host are all looked at again when
 * any answer comes: few do, and only at the start. */
static void on_begin(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    turn_enter();
    struct fetch_pool *pool = context;
    usec_t now = clock_monotonic();
    pool->next_to_begin = pool->waiting;
    while (pool->next_to_begin) { /* an end may cancel those after it */
        struct handle *handle = pool->next_to_begin;
        pool->next_to_begin = handle->next;
        begin(pool, handle, now);
    }
}

static void on_resolved(void *context)
{
    struct fetch_pool *pool = context;
    event_active(pool->begin, EV_TIMEOUT, 0);
}

int fetch_start(struct fetch_pool *pool, uint64_t id,
                const struct request *request, struct slice url, bool foreign,
                const struct last_answer *known, struct error *err)
{
    if (url.len > URL_BYTES_MAX)
        return error_set(err, ERR_LIMIT, "a URL of %zu bytes", url.len);
    struct handle *handle = pool->idle;
    if (handle)
        DL_DELETE(pool->idle, handle);
    else if (!(handle = handle_new(pool)))
        return error_set(err, ERR_MEMORY, "no memory for a transfer");
    buffer_clear(&handle->url);
    if (!buffer_append(&handle->url, url.data, url.len)) {
        buffer_free(&handle->url);
        DL_PREPEND(pool->idle, handle);
        return error_set(err, ERR_MEMORY, "no memory for a URL");
    }
    handle->state = HANDLE_WAITING;
    handle->id = id;
    handle->request = request;
    handle->foreign = foreign;
    fetch_condition_set(&handle->transfer.condition, known);
    DL_APPEND(pool->waiting, handle);
    HASH_ADD(hh, pool->busy, id, sizeof id, handle);
    event_active(pool->begin, EV_TIMEOUT, 0);
    return 0;
}

void fetch_cancel(struct fetch_pool *pool, uint64_t id)
{
    struct handle *handle = NULL;
    HASH_FIND(hh, pool->busy, &id, sizeof id, handle);
    if (!handle)
        return;
    HASH_DEL(pool->busy, handle);
    handle_to_idle(pool, handle);
}

void fetch_cancel_all(struct fetch_pool *pool)
{
    struct handle *handle, *next;
    HASH_ITER (hh, pool->busy, handle, next) {
        HASH_DEL(pool->busy, handle);
        handle_to_idle(pool, handle);
    }
}

int64_t fetch_bytes(const struct fetch_pool *pool)
{
    return pool->bytes;
}

/* ---- the pool ---- */

int fetch_pool_new(struct event_base *base, const char *ca_file,
                   fetch_on_done *on_done, void *context,
                   struct fetch_pool **ret, struct error *err)
{
    if (curl_global_init(CURL_GLOBAL_DEFAULT))
        return error_set(err, ERR_SYSTEM, "libcurl can't be initialised");
    struct fetch_pool *pool = calloc(1, sizeof *pool);
    if (!pool)
        return error_set(err, ERR_MEMORY, "no memory for transfers");
    pool->base = base;
    pool->on_done = on_done;
    pool->context = context;
    pool->begin = event_new(base, -1, 0, on_begin, pool);
    pool->resolver = resolver_new(base, on_resolved, pool);
    pool->sockets = sockets_new(base, on_socket_ready);
    pool->share = curl_share_init();
    bool own_authorities = ca_file && *ca_file;
    if (own_authorities)
        pool->ca_file = strdup(ca_file);
    if (!pool->begin || !pool->resolver || !pool->sockets || !pool->share ||
        (own_authorities && !pool->ca_file)) {
        fetch_pool_free(&pool);
        return error_set(err, ERR_MEMORY, "no memory for transfers");
    }
    curl_share_setopt(pool->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION);
    *ret = pool;
    return 0;
}

/* Everything of libcurl goes before the sockets it still watches. */
void fetch_pool_free(struct fetch_pool **ptr)
{
    struct fetch_pool *pool = *ptr;
    if (!pool)
        return;
    fetch_cancel_all(pool);
    struct handle *handle, *next_handle;
    DL_FOREACH_SAFE (pool->idle, handle, next_handle) {
        handle_free(handle);
    }
    struct shard *shard, *next_shard;
    LL_FOREACH_SAFE (pool->shards, shard, next_shard) {
        curl_multi_cleanup(shard->multi);
        event_free(shard->timer);
        free(shard);
    }
    struct told *told = pool->told, *next_told;
    HASH_CLEAR(hh, pool->told);
    for (; told; told = next_told) {
        next_told = told->hh.next;
        free(told);
    }
    if (pool->share)
        curl_share_cleanup(pool->share);
    sockets_free(&pool->sockets);
    resolver_free(&pool->resolver);
    if (pool->begin)
        event_free(pool->begin);
    buffer_free(&pool->host_port);
    spare_bodies_free(&pool->spare);
    free(pool->ca_file);
    free(pool);
    *ptr = NULL;
    curl_global_cleanup();
}
