/*
 * dashboard.c: see dashboard.h. Which path is whose, and the loop.
 */
#include "dashboard.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "answers.h"
#include "base/confine.h"
#include "base/log.h"
#include "events.h"
#include "masters.h"
#include "metrics.h"
#include "pages.h"
#include "server.h"

#define WHO "dashboard"

struct dashboard {
    const struct dashboard_options *options;
    struct event_base *base;
    struct event *second, *news, *signals[2];
    struct server *server;
    struct events *events;
    struct masters *masters;
    struct library *library;
    struct answers *answers;
};

/* ---- what pages are told ---- */

static json_t *master_object(const struct master *master)
{
    json_t *object =
        json_pack("{s:I, s:b, s:b, s:f, s:O}", "run", (json_int_t)master->run,
                  "gone", master->gone, "silent", master->silent, "heard",
                  (double)master->heard / 1e6, "status", master->status);
    const struct sample *sample = master->sample;
    if (sample)
        json_object_set_new(object, "sample",
                            json_pack("[I, f, f, f, f, I]",
                                      (json_int_t)sample->at,
                                      sample->stored_rate, sample->failed_rate,
                                      sample->fetch_p50, sample->fetch_p95,
                                      (json_int_t)sample->in_flight));
    return object;
}

static json_t *status_object(const struct dashboard *dashboard)
{
    struct master master;
    const char *why;
    bool well = answers_well(dashboard->answers, &why);
    json_t *list = json_array();
    for (size_t i = 0; masters_get(dashboard->masters, i, &master); i++)
        json_array_append_new(list, master_object(&master));
    return json_pack("{s:I, s:s, s:{s:b, s:s}, s:o}", "now",
                     (json_int_t)clock_wall(), "program", WINDROW_VERSION,
                     "ledger", "up", well, "error", well ? "" : why, "masters",
                     list);
}

/* Takes `object`; malloc'ed; NULL when memory is out. */
static char *dump(json_t *object)
{
    char *text = object
                     ? json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION(9))
                     : NULL;
    json_decref(object);
    return text;
}

static char *status_text(const struct dashboard *dashboard, bool samples)
{
    json_t *object = status_object(dashboard);
    if (samples)
        json_object_set_new(object, "samples",
                            masters_samples(dashboard->masters));
    return dump(object);
}

static void tell_pages(struct dashboard *dashboard)
{
    char *text = events_clients(dashboard->events)
                     ? status_text(dashboard, false)
                     : NULL;
    if (text)
        events_tell(dashboard->events, "status", slice_of(text));
    free(text);
}

/* Several masters speak at about the same time: the pages are told once. */
static void on_news(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    tell_pages(context);
}

static void on_status(void *context)
{
    static const struct timeval soon = {0, 50000};
    struct dashboard *dashboard = context;
    if (!evtimer_pending(dashboard->news, NULL))
        evtimer_add(dashboard->news, &soon);
}

/* Also where no master speaks: one may have gone. */
static void on_second(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct dashboard *dashboard = context;
    const struct question runs = {.kind = QUESTION_RUNS};
    const char *why;
    masters_of_ledger(dashboard->masters,
                      answers_ledger_id(dashboard->answers));
    if (!answers_ledger_id(dashboard->answers)[0] ||
        !answers_well(dashboard->answers, &why))
        answers_give(dashboard->answers, &runs, NULL);
    if (!evtimer_pending(dashboard->news, NULL))
        tell_pages(dashboard);
    events_tick(dashboard->events);
}

/* ---- what is asked ---- */

static void give_text(struct evhttp_request *http, char *text)
{
    if (text)
        server_reply(http, 200, "application/json", slice_of(text));
    else
        server_reply_error(http, 500, "no memory");
    free(text);
}

static void give_events(struct dashboard *dashboard,
                        struct evhttp_request *http)
{
    char *first = status_text(dashboard, true);
    if (first)
        events_join(dashboard->events, http, "status", slice_of(first));
    else
        server_reply_error(http, 500, "no memory");
    free(first);
}

static void give_metrics(struct dashboard *dashboard,
                         struct evhttp_request *http)
{
    struct buffer text = BUFFER_EMPTY;
    const char *why;
    const struct metrics_own own = {
        .ledger_up = answers_well(dashboard->answers, &why),
        .connections = server_connections(dashboard->server),
        .pages = events_clients(dashboard->events),
        .requests = server_requests(dashboard->server),
    };
    metrics_write(dashboard->masters, &own, &text);
    if (text.failed)
        server_reply_error(http, 500, "no memory");
    else
        server_reply(http, 200, METRICS_TYPE, buffer_slice(&text));
    buffer_free(&text);
}

static void give_ready(struct dashboard *dashboard, struct evhttp_request *http)
{
    const char *why;
    bool well = answers_well(dashboard->answers, &why);
    server_reply(http, well ? 200 : 503, "text/plain",
                 slice_of(well ? "ready\n" : "the database is away\n"));
}

static const char *type_of(const char *name)
{
    static const char *const types[][2] = {
        {".html", "text/html; charset=utf-8"},
        {".css", "text/css; charset=utf-8"},
        {".js", "text/javascript; charset=utf-8"},
        {".svg", "image/svg+xml"},
    };
    const char *dot = strrchr(name, '.');
    for (size_t i = 0; dot && i < sizeof types / sizeof *types; i++)
        if (!strcmp(dot, types[i][0]))
            return types[i][1];
    return "application/octet-stream";
}

static bool give_page(struct evhttp_request *http, const char *name)
{
    for (size_t i = 0; i < n_pages; i++) {
        if (strcmp(pages[i].name, name) != 0)
            continue;
        server_reply(
            http, 200, type_of(name),
            (struct slice){(const char *)pages[i].bytes, pages[i].n_bytes});
        return true;
    }
    return false;
}

/* A whole number that ends the path, or is followed by `rest`. */
static bool take_number(const char *text, const char *rest, int64_t *ret)
{
    char *end;
    long long number = strtoll(text, &end, 10);
    if (*text < '1' || *text > '9' || strcmp(end, rest) != 0)
        return false;
    *ret = number;
    return true;
}

static bool read_failures(const struct server_request *request,
                          struct question *ret)
{
    const char *after = server_parameter(request, "after");
    ret->kind = QUESTION_FAILURES;
    ret->reason = server_parameter(request, "reason");
    return !after || take_number(after, "", &ret->after);
}

static bool read_table(const struct server_request *request, const char *table,
                       struct question *ret)
{
    const char *key = server_parameter(request, "key");
    const char *part = server_parameter(request, "find");
    ret->kind = key ? QUESTION_CHART : QUESTION_ROWS;
    ret->table = table;
    ret->text = key ? key : part && *part ? part : NULL;
    return *table && strlen(table) <= SERVER_PARAMETER_BYTES_MAX;
}

/* What the path asks of the ledger; false: nothing. */
static bool read_question(const struct server_request *request,
                          struct question *ret)
{
    static const char runs[] = "/api/runs", tables[] = "/api/tables";
    const char *path = request->path;
    if (!strcmp(path, runs))
        ret->kind = QUESTION_RUNS;
    else if (!strcmp(path, tables))
        ret->kind = QUESTION_TABLES;
    else if (!strncmp(path, "/api/tables/", sizeof tables))
        return read_table(request, path + sizeof tables, ret);
    else if (strncmp(path, "/api/runs/", sizeof runs) != 0)
        return false;
    else if (take_number(path + sizeof runs, "/failures", &ret->run))
        return read_failures(request, ret);
    else if (take_number(path + sizeof runs, "", &ret->run))
        ret->kind = QUESTION_RUN;
    else
        return false;
    return true;
}

static void on_request(void *context, const struct server_request *request)
{
    struct dashboard *dashboard = context;
    const char *path = request->path;
    struct question question = {0};
    if (!strcmp(path, "/healthz"))
        server_reply(request->http, 200, "text/plain", slice_of("well\n"));
    else if (!strcmp(path, "/readyz"))
        give_ready(dashboard, request->http);
    else if (!strcmp(path, "/metrics"))
        give_metrics(dashboard, request->http);
    else if (!strcmp(path, "/api/status"))
        give_text(request->http, status_text(dashboard, true));
    else if (!strcmp(path, "/api/events"))
        give_events(dashboard, request->http);
    else if (read_question(request, &question))
        answers_give(dashboard->answers, &question, request->http);
    else if (!give_page(request->http, path[1] ? path + 1 : "index.html"))
        server_reply_error(request->http, 404, "there is nothing here");
}

/* ---- the process ---- */

static void on_signal(evutil_socket_t number, short what, void *context)
{
    (void)number;
    (void)what;
    struct dashboard *dashboard = context;
    event_base_loopexit(dashboard->base, NULL);
}

static int open_loop(struct dashboard *dashboard, struct error *err)
{
    static const int numbers[] = {SIGINT, SIGTERM};
    static const struct timeval second = {1, 0};
    dashboard->base = event_base_new();
    if (!dashboard->base)
        return error_set(err, ERR_MEMORY, "no memory for an event loop");
    dashboard->second =
        event_new(dashboard->base, -1, EV_PERSIST, on_second, dashboard);
    dashboard->news = evtimer_new(dashboard->base, on_news, dashboard);
    for (int i = 0; i < 2; i++) {
        dashboard->signals[i] =
            evsignal_new(dashboard->base, numbers[i], on_signal, dashboard);
        if (!dashboard->signals[i] || evsignal_add(dashboard->signals[i], NULL))
            return error_set(err, ERR_MEMORY, "no memory for an event loop");
    }
    if (!dashboard->second || !dashboard->news ||
        event_add(dashboard->second, &second))
        return error_set(err, ERR_MEMORY, "no memory for an event loop");
    return 0;
}

/* Reading an SQLite file in WAL mode writes beside it. */
static int give_up_the_rest(const struct dashboard_options *options,
                            struct error *err)
{
    static struct confinement confinement; /* too large for the stack */
    static const char sqlite[] = "sqlite:";
    struct confined confined;
    const char *wanted = settings_get(options->settings, "WINDROW_CONFINE");
    const char *path = options->database + sizeof sqlite - 1;
    if (!strcmp(wanted, "no"))
        return 0;
    if (!strncmp(options->database, sqlite, sizeof sqlite - 1) &&
        confine_allow(&confinement, path + (strncmp(path, "//", 2) ? 0 : 2),
                      err))
        return (int)err->code;
    confine(&confinement, &confined);
    log_debug(WHO, "confined: Landlock %d, seccomp %s", confined.landlock,
              confined.seccomp ? "yes" : "no");
    return 0;
}

/* The port first, while that may still be had; threads last: those that are
 * made before are not confined. */
static int open_all(struct dashboard *dashboard, struct error *err)
{
    const struct dashboard_options *options = dashboard->options;
    dashboard->events = events_new();
    dashboard->library = library_new(options->database, options->settings);
    if (!dashboard->events || !dashboard->library)
        return error_set(err, ERR_MEMORY, "no memory for the dashboard");
    if (open_loop(dashboard, err) ||
        server_new(dashboard->base, &options->access, on_request, dashboard,
                   &dashboard->server, err) ||
        give_up_the_rest(options, err) ||
        masters_new(dashboard->base, on_status, dashboard, &dashboard->masters,
                    err))
        return (int)err->code;
    dashboard->answers = answers_new(dashboard->base, dashboard->library);
    if (!dashboard->answers)
        return error_set(err, ERR_MEMORY, "no memory for the dashboard");
    return 0;
}

static void close_all(struct dashboard *dashboard)
{
    events_free(&dashboard->events);
    server_free(&dashboard->server);
    if (answers_free(&dashboard->answers))
        library_free(&dashboard->library);
    masters_free(&dashboard->masters);
    if (dashboard->second)
        event_free(dashboard->second);
    if (dashboard->news)
        event_free(dashboard->news);
    for (int i = 0; i < 2; i++)
        if (dashboard->signals[i])
            event_free(dashboard->signals[i]);
    if (dashboard->base)
        event_base_free(dashboard->base);
}

int dashboard_run(const struct dashboard_options *options, struct error *err)
{
    struct dashboard dashboard = {.options = options};
    if (!open_all(&dashboard, err)) {
        fprintf(stderr, "windrow: dashboard at %s\n",
                server_url(dashboard.server));
        on_second(-1, 0, &dashboard);
        event_base_dispatch(dashboard.base);
    }
    close_all(&dashboard);
    return (int)err->code;
}
