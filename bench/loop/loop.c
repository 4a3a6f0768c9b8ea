/* loop.c: see loop.h. A transfer that ends takes the next key at once, until
 * there is none; the loop ends with the last transfer. */
#include "loop.h"

#include <curl/curl.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define URL_BYTES 2048
#define STATUS_OK 200

struct shard {
    struct loop *loop;
    CURLM *multi;
    struct event *timer;
};

struct loop {
    const struct loop_plan *plan;
    struct event_base *base;
    struct shard *shards;
    CURL **easies;
    size_t n_shards;
    size_t n_begun, n_ended; /* keys */
    struct loop_result result;
};

static void reap(struct shard *shard);

static void on_timer(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct shard *shard = context;
    int running;
    curl_multi_socket_action(shard->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    reap(shard);
}

static void on_socket(evutil_socket_t fd, short what, void *context)
{
    struct shard *shard = context;
    int action = (what & EV_READ ? CURL_CSELECT_IN : 0) |
                 (what & EV_WRITE ? CURL_CSELECT_OUT : 0);
    int running;
    curl_multi_socket_action(shard->multi, fd, action, &running);
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
                          void *socket_context)
{
    (void)easy;
    struct shard *shard = context;
    struct event *event = socket_context;
    if (event)
        event_free(event);
    event = NULL;
    if (what != CURL_POLL_REMOVE) {
        short wanted = (short)((what & CURL_POLL_IN ? EV_READ : 0) |
                               (what & CURL_POLL_OUT ? EV_WRITE : 0));
        event = event_new(shard->loop->base, fd, (short)(wanted | EV_PERSIST),
                          on_socket, shard);
        if (!event || event_add(event, NULL))
            return -1;
    }
    curl_multi_assign(shard->multi, fd, event);
    return 0;
}

static size_t on_body(char *data, size_t size, size_t n, void *context)
{
    (void)data;
    struct loop *loop = context;
    loop->result.bytes += size * n;
    return size * n;
}

/* Asks for the next key, if there is one. */
static void begin(struct shard *shard, CURL *easy)
{
    struct loop *loop = shard->loop;
    const char *url = loop->plan->url;
    const char *key = strstr(url, "{key}");
    char whole[URL_BYTES];
    if (loop->n_begun == loop->plan->keys)
        return;
    loop->n_begun++;
    if (key) {
        snprintf(whole, sizeof whole, "%.*sK%07zu%s", (int)(key - url), url,
                 loop->n_begun, key + strlen("{key}"));
        url = whole;
    }
    CHECK(!curl_easy_setopt(easy, CURLOPT_URL, url));
    CHECK(!curl_multi_add_handle(shard->multi, easy));
}

/* Adds up what a transfer came to. */
static void count(struct loop *loop, CURL *easy, CURLcode code)
{
    long wanted =
        loop->plan->http2 ? CURL_HTTP_VERSION_2_0 : CURL_HTTP_VERSION_1_1;
    long status = 0;
    long version = 0;
    long connections = 0;
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(easy, CURLINFO_HTTP_VERSION, &version);
    curl_easy_getinfo(easy, CURLINFO_NUM_CONNECTS, &connections);
    loop->result.failed += code || status != STATUS_OK || version != wanted;
    loop->result.connections += (size_t)connections;
}

static void reap(struct shard *shard)
{
    struct loop *loop = shard->loop;
    CURLMsg *message;
    int left;
    while ((message = curl_multi_info_read(shard->multi, &left))) {
        CURL *easy = message->easy_handle;
        count(loop, easy, message->data.result);
        loop->n_ended++;
        curl_multi_remove_handle(shard->multi, easy);
        begin(shard, easy);
    }
    if (loop->n_ended == loop->plan->keys)
        event_base_loopbreak(loop->base);
}

static bool shard_init(struct shard *shard, struct loop *loop, size_t handles)
{
    shard->loop = loop;
    shard->multi = curl_multi_init();
    shard->timer = evtimer_new(loop->base, on_timer, shard);
    if (!shard->multi || !shard->timer)
        return false;
    curl_multi_setopt(shard->multi, CURLMOPT_SOCKETFUNCTION, on_curl_socket);
    curl_multi_setopt(shard->multi, CURLMOPT_SOCKETDATA, shard);
    curl_multi_setopt(shard->multi, CURLMOPT_TIMERFUNCTION, on_curl_timer);
    curl_multi_setopt(shard->multi, CURLMOPT_TIMERDATA, shard);
    curl_multi_setopt(shard->multi, CURLMOPT_MAXCONNECTS, (long)handles);
    return true;
}

static CURL *easy_new(struct loop *loop)
{
    CURL *easy = curl_easy_init();
    if (!easy)
        return NULL;
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, loop);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION,
                     loop->plan->http2 ? (long)CURL_HTTP_VERSION_2TLS
                                       : (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_PIPEWAIT, (long)loop->plan->http2);
    if (loop->plan->ca) {
        CHECK(!curl_easy_setopt(easy, CURLOPT_CAINFO, loop->plan->ca));
        CHECK(!curl_easy_setopt(easy, CURLOPT_CAPATH, NULL));
    }
    return easy;
}

static bool start(struct loop *loop)
{
    size_t n = loop->plan->in_flight;
    size_t each = loop->plan->shard ? loop->plan->shard : n;
    loop->n_shards = (n + each - 1) / each;
    loop->base = event_base_new();
    loop->shards = calloc(loop->n_shards, sizeof *loop->shards);
    loop->easies = calloc(n, sizeof(CURL *));
    if (!loop->base || !loop->shards || !loop->easies)
        return false;
    for (size_t i = 0; i < loop->n_shards; i++)
        if (!shard_init(&loop->shards[i], loop, each))
            return false;
    for (size_t i = 0; i < n; i++) {
        if (!(loop->easies[i] = easy_new(loop)))
            return false;
        begin(&loop->shards[i / each], loop->easies[i]);
    }
    return true;
}

/* The multi handles first: they still watch their sockets. */
static void stop(struct loop *loop)
{
    size_t n = loop->plan->in_flight;
    for (size_t i = 0; loop->easies && i < n; i++)
        curl_easy_cleanup(loop->easies[i]);
    for (size_t i = 0; loop->shards && i < loop->n_shards; i++) {
        curl_multi_cleanup(loop->shards[i].multi);
        if (loop->shards[i].timer)
            event_free(loop->shards[i].timer);
    }
    if (loop->base)
        event_base_free(loop->base);
    free(loop->shards);
    free(loop->easies);
}

int loop_run(const struct loop_plan *plan, struct loop_result *ret,
             struct error *err)
{
    struct loop loop = {.plan = plan};
    CHECK(plan->in_flight > 0);
    if (strlen(plan->url) + 32 > URL_BYTES)
        return error_set(err, ERR_LIMIT, "a URL of more than %d bytes",
                         URL_BYTES - 32);
    if (curl_global_init(CURL_GLOBAL_DEFAULT))
        return error_set(err, ERR_SYSTEM, "libcurl can't be initialised");
    bool started = start(&loop);
    if (started && plan->keys)
        event_base_dispatch(loop.base);
    stop(&loop);
    curl_global_cleanup();
    if (!started)
        return error_set(err, ERR_MEMORY, "no memory for the transfers");
    *ret = loop.result;
    return 0;
}
