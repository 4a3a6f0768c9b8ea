/* try_web.c: see try_web.h. */
#include "try_web.h"

#include <ctype.h>
#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "extract.h"
#include "fetch_options.h"
#include "robots.h"

#define ASK_NUMBER 1
#define DELAYS_MAX 4 /* of a robots.txt that says another one each time */

struct try_web {
    struct event_base *base;
    struct fetch_pool *pool;
    struct robots *robots;
    const json_t *answers; /* NULL: the web */
    size_t n_answered;
    struct try_answer *answer; /* that is waited for */
    bool done, again;
    usec_t crawl_delay;
};

void try_answer_free(struct try_answer *answer)
{
    buffer_free(&answer->body);
    buffer_free(&answer->redirect);
    json_decref(answer->headers);
    answer->headers = NULL;
}

static void fail(struct try_answer *answer, enum reason reason,
                 const char *detail)
{
    answer->reason = reason;
    snprintf(answer->detail, sizeof answer->detail, "%.*s",
             FETCH_DETAIL_BYTES - 1, detail);
}

static void set_body(struct try_answer *answer, struct slice body)
{
    if (!buffer_reserve(&answer->body, body.len + EXTRACT_PADDING) ||
        !buffer_append_slice(&answer->body, body))
        fail(answer, REASON_INTERNAL, "out of memory");
}

/* ---- the web ---- */

/* The first of one name. What is no UTF-8 is left out. */
static json_t *headers_of(CURL *easy)
{
    json_t *headers = json_object();
    struct curl_header *header = NULL;
    while (easy &&
           (header = curl_easy_nextheader(easy, CURLH_HEADER, -1, header))) {
        char name[64];
        size_t i = 0;
        for (; i + 1 < sizeof name && header->name[i]; i++)
            name[i] = (char)tolower((unsigned char)header->name[i]);
        name[i] = '\0';
        if (!json_object_get(headers, name))
            json_object_set_new(headers, name, json_string(header->value));
    }
    return headers;
}

static void on_done(void *context, uint64_t id, const struct fetch_answer *came)
{
    struct try_web *web = context;
    struct try_answer *answer = web->answer;
    if (id & ROBOTS_FETCH) {
        robots_fetched(web->robots, id, came);
        return;
    }
    web->done = true;
    answer->http_status = came->http_status;
    answer->retry_after = came->retry_after;
    answer->headers = headers_of(came->easy);
    buffer_append_slice(&answer->redirect, came->redirect);
    if (came->redirect.len) /* where it leads, were it a part of a URL only */
        json_object_set_new(answer->headers, "location",
                            json_string(buffer_text(&answer->redirect)));
    fail(answer, came->reason, came->detail);
    set_body(answer, came->body);
}

static void on_allowed(void *context, uint64_t fetch,
                       const struct worker *worker, struct slice url,
                       bool foreign)
{
    struct try_web *web = context;
    struct error err = ERROR_NONE;
    if (!fetch_start(web->pool, fetch, &worker->request, url, foreign, NULL,
                     &err))
        return;
    fail(web->answer, REASON_INTERNAL, err.text);
    web->done = true;
}

static void on_robots_answer(void *context, struct fetched *fetched)
{
    struct try_web *web = context;
    web->done = true;
    web->again = fetched->outcome == FETCH_AGAIN;
    web->crawl_delay = fetched->crawl_delay;
    web->answer->http_status = fetched->http_status;
    web->answer->retry_after = fetched->retry_after;
    web->answer->reason = fetched->reason;
    snprintf(web->answer->detail, sizeof web->answer->detail, "%.*s",
             SLICE_ARGS(fetched->detail));
}

static void ask_once(struct try_web *web, const struct worker *worker,
                     struct slice url, bool foreign)
{
    struct node_effect effect = {.type = NODE_EFFECT_START};
    effect.start.fetch = ASK_NUMBER;
    effect.start.worker = worker;
    effect.start.url = url;
    effect.start.crawl_delay = web->crawl_delay;
    web->done = web->again = false;
    if (worker->request.robots)
        robots_ask(web->robots, &effect, foreign);
    else
        on_allowed(web, ASK_NUMBER, worker, url, foreign);
    while (!web->done)
        event_base_loop(web->base, EVLOOP_ONCE);
}

/* ---- a record ---- */

static const char *header_of(const json_t *headers, const char *name)
{
    return json_string_value(json_object_get(headers, name));
}

static usec_t recorded_retry_after(const char *text)
{
    long seconds = text ? strtol(text, NULL, 10) : -1;
    usec_t most = RETRY_AFTER_MAX / USEC_PER_SEC;
    return (seconds < most ? seconds : most) * (seconds < 0 ? 1 : USEC_PER_SEC);
}

static void read_body(struct try_answer *answer, const char *path,
                      int64_t bytes_max)
{
    char chunk[65536];
    FILE *file = fopen(path, "re");
    size_t n;
    if (!file) {
        char why[FETCH_DETAIL_BYTES];
        snprintf(why, sizeof why, "%.120s: %s", path, strerror(errno));
        fail(answer, REASON_INTERNAL, why);
        return;
    }
    while (answer->reason != REASON_INTERNAL &&
           (int64_t)answer->body.len <= bytes_max &&
           (n = fread(chunk, 1, sizeof chunk, file)))
        set_body(answer, (struct slice){chunk, n});
    fclose(file);
    if ((int64_t)answer->body.len > bytes_max)
        fail(answer, REASON_TOO_LARGE, "the body exceeds body_max");
}

void try_web_recorded(struct try_web *web, int64_t bytes_max,
                      struct try_answer *ret)
{
    json_t *entry = json_array_get(web->answers, web->n_answered++);
    const char *file = json_string_value(json_object_get(entry, "file"));
    if (file)
        read_body(ret, file, bytes_max);
    else
        fail(ret, REASON_INTERNAL, "the record has no line for it");
}

static void recorded(struct try_web *web, const struct worker *worker,
                     struct try_answer *answer)
{
    json_t *entry = json_array_get(web->answers, web->n_answered++);
    const char *file = json_string_value(json_object_get(entry, "file"));
    if (!entry) {
        fail(answer, REASON_INTERNAL, "the record has no further answer");
        return;
    }
    int status = (int)json_integer_value(json_object_get(entry, "status"));
    answer->headers = json_incref(json_object_get(entry, "headers"));
    const char *location = header_of(answer->headers, "location");
    answer->http_status = status;
    answer->retry_after =
        recorded_retry_after(header_of(answer->headers, "retry-after"));
    if (location && status >= 300 && status < 400) {
        buffer_append_text(&answer->redirect, location);
        return;
    }
    answer->reason = transfer_reason(status, answer->retry_after >= 0);
    if (answer->reason)
        snprintf(answer->detail, sizeof answer->detail, "HTTP status %d",
                 status);
    if (file)
        read_body(answer, file, worker->request.body_bytes_max);
    else
        set_body(answer, slice_of(""));
}

/* ---- both ---- */

void try_web_ask(struct try_web *web, const struct worker *worker,
                 struct slice url, bool foreign, struct try_answer *ret)
{
    *ret = (struct try_answer){.retry_after = -1};
    if (web->answers) {
        recorded(web, worker, ret);
        return;
    }
    usec_t begun = clock_monotonic();
    web->answer = ret;
    web->crawl_delay = 0;
    int n = 0;
    do
        ask_once(web, worker, url, foreign);
    while (web->again && ++n < DELAYS_MAX);
    ret->took = clock_monotonic() - begun;
}

int try_web_new(const struct settings *settings, const json_t *answers,
                struct try_web **ret, struct error *err)
{
    struct try_web *web = calloc(1, sizeof *web);
    if (!web)
        return error_set(err, ERR_MEMORY, "no memory for a request");
    const struct robots_callbacks callbacks = {web, on_allowed,
                                               on_robots_answer};
    web->answers = answers;
    web->base = answers ? NULL : event_base_new();
    if (!answers &&
        (!web->base ||
         fetch_pool_new(web->base, settings_get(settings, "WINDROW_CA_FILE"),
                        on_done, web, &web->pool, err) ||
         !(web->robots = robots_new(web->pool, &callbacks)))) {
        try_web_free(&web);
        return error_set(err, ERR_MEMORY, "no memory for a request");
    }
    *ret = web;
    return 0;
}

void try_web_free(struct try_web **ptr)
{
    struct try_web *web = *ptr;
    if (!web)
        return;
    robots_free(&web->robots);
    fetch_pool_free(&web->pool);
    if (web->base)
        event_base_free(web->base);
    free(web);
    *ptr = NULL;
}
