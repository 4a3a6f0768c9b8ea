/* robots.c: see robots.h. */
#include "robots.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <uthash.h>
#include <utlist.h>

#include "pipeline/template.h"
#include "robots_rules.h"

#define PRODUCT_BYTES 64

/* A transfer that waits for its host's robots.txt. */
struct waiting {
    uint64_t fetch;
    const struct worker *worker;
    usec_t crawl_delay; /* that the core knows of */
    bool foreign;
    struct slice url; /* behind the struct */
    struct waiting *prev, *next;
};

enum host_state { HOST_ASKED, HOST_KNOWN, HOST_AWAY };

struct host {
    enum host_state state;
    uint64_t number; /* of its transfer, with ROBOTS_FETCH */
    const struct request *request;
    char product[PRODUCT_BYTES];
    int redirects;
    struct robots_rules rules;
    usec_t away_since;
    enum reason reason; /* AWAY */
    int http_status;
    usec_t retry_after;
    char detail[FETCH_DETAIL_BYTES];
    struct waiting *waiting;
    UT_hash_handle hh;
    char key[]; /* product, scheme://host:port */
};

struct robots {
    struct fetch_pool *fetches;
    struct robots_callbacks callbacks;
    struct host *hosts; /* the oldest first */
    uint64_t last_number;
    struct buffer key; /* scratch */
    /* The workers' own, changed for robots.txt: transfers keep them. */
    struct request requests[PIPELINE_WORKERS_MAX];
};

/* ---- who we are, and whom we ask ---- */

/* Our token in User-agent lines: the program's name, where the header has it,
 * else what the header begins with. */
static void product_of(const struct request *request, char ret[PRODUCT_BYTES])
{
    const char *agent = request->user_agent;
    const char *own = strcasestr(agent, "windrow");
    if (own)
        snprintf(ret, PRODUCT_BYTES, "windrow");
    else
        snprintf(ret, PRODUCT_BYTES, "%.*s", (int)strcspn(agent, "/ ("), agent);
}

static bool is_https(struct slice url)
{
    return url.len > 5 && !strncasecmp(url.data, "https", 5);
}

/* "windrow https://host:443" */
static bool name_host(struct robots *robots, const char *product,
                      struct slice url)
{
    struct buffer *key = &robots->key;
    buffer_clear(key);
    buffer_printf(key, "%s %s://", product, is_https(url) ? "https" : "http");
    return url_host(url, key) && !key->failed;
}

/* The path and query of a URL. */
static struct slice target_of(struct slice url)
{
    const char *end = url.data + url.len;
    const char *at = memmem(url.data, url.len, "://", 3);
    at = at ? at + 3 : url.data;
    while (at < end && *at != '/' && *at != '?')
        at++;
    const char *hash = memchr(at, '#', (size_t)(end - at));
    struct slice target = {at, (size_t)((hash ? hash : end) - at)};
    return target.len && target.data[0] == '/' ? target : slice_of("/");
}

/* ---- verdicts ---- */

static void answer(struct robots *robots, uint64_t fetch, enum reason reason,
                   const char *detail)
{
    struct fetched fetched = {.fetch = fetch,
                              .outcome = FETCH_FAILED,
                              .reason = reason,
                              .retry_after = -1,
                              .detail = slice_of(detail)};
    robots->callbacks.on_answer(robots->callbacks.context, &fetched);
}

static void answer_away(struct robots *robots, const struct host *host,
                        uint64_t fetch)
{
    char detail[FETCH_DETAIL_BYTES + 16];
    snprintf(detail, sizeof detail, "robots.txt: %s", host->detail);
    struct fetched fetched = {.fetch = fetch,
                              .outcome = FETCH_FAILED,
                              .reason = host->reason,
                              .http_status = host->http_status,
                              .retry_after = host->retry_after,
                              .detail = slice_of(detail)};
    robots->callbacks.on_answer(robots->callbacks.context, &fetched);
}

static void judge(struct robots *robots, struct host *host, uint64_t fetch,
                  const struct worker *worker, struct slice url,
                  usec_t crawl_delay, bool foreign)
{
    if (host->state == HOST_AWAY) {
        answer_away(robots, host, fetch);
    } else if (!robots_rules_allow(&host->rules, target_of(url))) {
        answer(robots, fetch, REASON_ROBOTS, "robots.txt disallows the path");
    } else if (host->rules.crawl_delay != crawl_delay) {
        struct fetched fetched = {.fetch = fetch,
                                  .outcome = FETCH_AGAIN,
                                  .retry_after = -1,
                                  .crawl_delay = host->rules.crawl_delay};
        robots->callbacks.on_answer(robots->callbacks.context, &fetched);
    } else {
        robots->callbacks.on_allowed(robots->callbacks.context, fetch, worker,
                                     url, foreign);
    }
}

/* The callbacks may cancel any that wait: so the first, each time. */
static void judge_waiting(struct robots *robots, struct host *host)
{
    struct waiting *waiting;
    while ((waiting = host->waiting)) {
        DL_DELETE(host->waiting, waiting);
        judge(robots, host, waiting->fetch, waiting->worker, waiting->url,
              waiting->crawl_delay, waiting->foreign);
        free(waiting);
    }
}

/* ---- hosts ---- */

static void host_free(struct robots *robots, struct host *host)
{
    struct waiting *waiting, *next;
    DL_FOREACH_SAFE (host->waiting, waiting, next) {
        free(waiting);
    }
    if (host->state == HOST_ASKED)
        fetch_cancel(robots->fetches, host->number);
    HASH_DEL(robots->hosts, host);
    robots_rules_free(&host->rules);
    free(host);
}

/* The oldest that nobody waits for. */
static void make_room(struct robots *robots)
{
    struct host *host, *next;
    if (HASH_COUNT(robots->hosts) < ROBOTS_HOSTS_MAX)
        return;
    HASH_ITER (hh, robots->hosts, host, next) {
        if (host->state == HOST_ASKED)
            continue;
        host_free(robots, host);
        return;
    }
}

static bool ask_for(struct robots *robots, struct host *host, struct slice url)
{
    struct error err = ERROR_NONE;
    host->number = ROBOTS_FETCH | ++robots->last_number;
    host->state = HOST_ASKED;
    return !fetch_start(robots->fetches, host->number, host->request, url, true,
                        NULL, &err);
}

static const struct request *request_for(struct robots *robots,
                                         const struct worker *worker)
{
    struct request *request = &robots->requests[worker->index];
    *request = worker->request;
    request->n_headers = 0;
    request->body_bytes_max = ROBOTS_BYTES_MAX;
    return request;
}

static struct host *host_new(struct robots *robots, const struct worker *worker)
{
    make_room(robots);
    const struct buffer *key = &robots->key;
    struct host *host = calloc(1, sizeof *host + key->len + 1);
    if (!host)
        return NULL;
    memcpy(host->key, key->data, key->len);
    host->request = request_for(robots, worker);
    product_of(host->request, host->product);
    HASH_ADD_STR(robots->hosts, key, host);
    return host;
}

static bool ask_host(struct robots *robots, struct host *host)
{
    char url[512];
    const char *place = strchr(host->key, ' ') + 1;
    int len = snprintf(url, sizeof url, "%s/robots.txt", place);
    host->redirects = 0;
    return len > 0 && (size_t)len < sizeof url &&
           ask_for(robots, host, (struct slice){url, (size_t)len});
}

/* The host of a URL, asked if need be; NULL where that can't be. */
static struct host *host_of(struct robots *robots, const struct worker *worker,
                            struct slice url)
{
    char product[PRODUCT_BYTES];
    struct host *host = NULL;
    product_of(&worker->request, product);
    if (!name_host(robots, product, url))
        return NULL;
    HASH_FIND_STR(robots->hosts, buffer_text(&robots->key), host);
    bool stale = host && host->state == HOST_AWAY &&
                 clock_monotonic() - host->away_since > ROBOTS_AGAIN_AFTER;
    if (host && !stale)
        return host;
    if (!host && !(host = host_new(robots, worker)))
        return NULL;
    if (ask_host(robots, host))
        return host;
    host->state = HOST_AWAY;
    host_free(robots, host);
    return NULL;
}

static bool wait_for(struct host *host, const struct node_effect *start,
                     bool foreign)
{
    struct slice url = start->start.url;
    struct waiting *waiting = malloc(sizeof *waiting + url.len);
    if (!waiting)
        return false;
    char *copy = (char *)(waiting + 1);
    memcpy(copy, url.data, url.len);
    *waiting = (struct waiting){.fetch = start->start.fetch,
                                .worker = start->start.worker,
                                .crawl_delay = start->start.crawl_delay,
                                .foreign = foreign,
                                .url = {copy, url.len}};
    DL_APPEND(host->waiting, waiting);
    return true;
}

void robots_ask(struct robots *robots, const struct node_effect *start,
                bool foreign)
{
    struct host *host = host_of(robots, start->start.worker, start->start.url);
    bool well = host != NULL;
    if (host && host->state == HOST_ASKED)
        well = wait_for(host, start, foreign);
    else if (host)
        judge(robots, host, start->start.fetch, start->start.worker,
              start->start.url, start->start.crawl_delay, foreign);
    if (!well)
        answer(robots, start->start.fetch, REASON_INTERNAL,
               "no memory for robots.txt");
}

/* ---- what comes ---- */

static void keep_reason(struct host *host, const struct fetch_answer *came)
{
    host->state = HOST_AWAY;
    host->away_since = clock_monotonic();
    host->reason = came->reason;
    host->http_status = came->http_status;
    host->retry_after = came->retry_after;
    snprintf(host->detail, sizeof host->detail, "%s",
             *came->detail ? came->detail : reason_text(came->reason));
}

/* Status 429 says nothing about the file. */
static bool there_is_none(const struct fetch_answer *came)
{
    return came->http_status >= 400 && came->http_status < 500 &&
           came->reason != REASON_REFUSED;
}

static void take(struct host *host, const struct fetch_answer *came)
{
    static const struct fetch_answer no_memory = {
        .reason = REASON_INTERNAL, .retry_after = -1, .detail = "no memory"};
    struct slice text = came->body;
    robots_rules_free(&host->rules);
    host->state = HOST_KNOWN;
    if (there_is_none(came))
        text = slice_of("");
    else if (came->reason != REASON_NONE)
        keep_reason(host, came);
    if (host->state == HOST_KNOWN &&
        !robots_rules_read(text, host->product, &host->rules)) {
        robots_rules_free(&host->rules);
        keep_reason(host, &no_memory);
    }
}

void robots_fetched(struct robots *robots, uint64_t id,
                    const struct fetch_answer *came)
{
    struct host *host, *next;
    HASH_ITER (hh, robots->hosts, host, next) {
        if (host->number == id && host->state == HOST_ASKED)
            break;
    }
    if (!host)
        return;
    if (came->redirect.len && host->redirects++ < ROBOTS_REDIRECTS_MAX &&
        ask_for(robots, host, came->redirect))
        return;
    take(host, came);
    judge_waiting(robots, host);
}

/* ---- the ends of things ---- */

void robots_cancel(struct robots *robots, uint64_t fetch)
{
    struct host *host, *next_host;
    struct waiting *waiting, *next;
    HASH_ITER (hh, robots->hosts, host, next_host) {
        DL_FOREACH_SAFE (host->waiting, waiting, next) {
            if (waiting->fetch != fetch)
                continue;
            DL_DELETE(host->waiting, waiting);
            free(waiting);
            return;
        }
    }
}

void robots_cancel_all(struct robots *robots)
{
    struct host *host, *next;
    HASH_ITER (hh, robots->hosts, host, next) {
        if (host->state == HOST_ASKED)
            host_free(robots, host); /* its transfer is forgotten too */
    }
}

struct robots *robots_new(struct fetch_pool *fetches,
                          const struct robots_callbacks *callbacks)
{
    struct robots *robots = calloc(1, sizeof *robots);
    if (!robots)
        return NULL;
    robots->fetches = fetches;
    robots->callbacks = *callbacks;
    return robots;
}

void robots_free(struct robots **ptr)
{
    struct robots *robots = *ptr;
    struct host *host, *next;
    if (!robots)
        return;
    HASH_ITER (hh, robots->hosts, host, next) {
        host_free(robots, host);
    }
    buffer_free(&robots->key);
    free(robots);
    *ptr = NULL;
}
