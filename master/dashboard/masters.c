/*
 * masters.c: see masters.h. A master's process is known by its folder's name;
 * a run has one master at a time, so of two for one run the later epoch is it.
 */
#include "masters.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "base/histogram.h"
#include "base/log.h"
#include "ledger/ledger.h"
#include "socket_folder.h"
#include "wire/message.h"
#include "wire/socket.h"

#define WHO "dashboard"

struct told {
    struct masters *owner;
    char folder[SOCKET_FOLDER_BYTES];
    bool seen;      /* in the last look */
    usec_t gone_at; /* 0: it lives */
    struct wire_socket *socket;
    json_t *status; /* NULL: none yet, or of another ledger */
    usec_t heard_at;
    int64_t run, epoch;
    struct histogram fetch;
    struct sample *samples; /* a ring of MASTERS_SAMPLES */
    size_t n_samples;       /* ever */
    struct told *prev, *next;
};

struct masters {
    struct event_base *base;
    struct wire_context *wire;
    struct event *look;
    char ledger_id[LEDGER_ID_BYTES];
    void (*on_news)(void *context);
    void *context;
    struct told *list; /* by run, then by epoch, the later first */
    size_t n;
};

/* ---- what they say ---- */

static int64_t integer(const json_t *object, const char *name)
{
    return json_integer_value(json_object_get(object, name));
}

static void read_histogram(const json_t *status, const char *name,
                           struct histogram *ret)
{
    const json_t *array =
        json_object_get(json_object_get(status, "times"), name);
    *ret =
        (struct histogram){.sum = json_integer_value(json_array_get(array, 0))};
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++)
        ret->counts[i] = json_integer_value(json_array_get(array, i + 1));
}

/* The time, in seconds, that a part of what was counted took at most; inside a
 * bucket as if it were evenly filled. -1 where nothing was. */
static double quantile(const struct histogram *histogram, double part)
{
    double left = part * (double)histogram_count(histogram);
    if (left <= 0)
        return -1;
    for (int i = 0; i < HISTOGRAM_BOUNDS; i++) {
        double count = (double)histogram->counts[i];
        double least = i ? (double)histogram_bounds[i - 1] : 0;
        double most = (double)histogram_bounds[i];
        if (left <= count)
            return (least + (most - least) * left / count) / 1e6;
        left -= count;
    }
    return (double)histogram_bounds[HISTOGRAM_BOUNDS - 1] / 1e6;
}

static double per_second(int64_t more, usec_t took)
{
    return took > 0 && more > 0 ? (double)more * 1e6 / (double)took : 0;
}

static void take_sample(struct told *told, const json_t *before)
{
    const json_t *now = told->status;
    struct histogram fetch, recent = {0};
    read_histogram(now, "fetch", &fetch);
    histogram_advance(&recent, &told->fetch, &fetch);
    told->fetch = fetch;
    if (!before)
        return;
    usec_t took = integer(now, "at") - integer(before, "at");
    struct sample *sample = &told->samples[told->n_samples++ % MASTERS_SAMPLES];
    *sample = (struct sample){
        .at = integer(now, "at"),
        .stored_rate = per_second(
            integer(now, "stored") - integer(before, "stored"), took),
        .failed_rate = per_second(
            integer(now, "failed") - integer(before, "failed"), took),
        .fetch_p50 = quantile(&recent, 0.5),
        .fetch_p95 = quantile(&recent, 0.95),
        .in_flight = integer(json_object_get(now, "counters"), "in_flight"),
    };
}

static int by_run(const struct told *a, const struct told *b)
{
    if (a->run != b->run)
        return a->run < b->run ? -1 : 1;
    return a->epoch == b->epoch ? 0 : a->epoch > b->epoch ? -1 : 1;
}

static bool is_ours(const struct masters *masters, const json_t *status)
{
    const char *type = json_string_value(json_object_get(status, "type"));
    const char *id = json_string_value(json_object_get(status, "ledger_id"));
    return type && !strcmp(type, "status") && integer(status, "version") == 1 &&
           integer(status, "run") > 0 && id && masters->ledger_id[0] &&
           !strcmp(id, masters->ledger_id);
}

static void on_status(void *context, struct slice data)
{
    struct told *told = context;
    struct masters *masters = told->owner;
    json_t *before = told->status;
    json_t *status =
        json_loadb(data.data, data.len, JSON_REJECT_DUPLICATES, NULL);
    if (!is_ours(masters, status)) {
        json_decref(status);
        return;
    }
    told->status = status;
    told->heard_at = clock_monotonic();
    told->run = integer(status, "run");
    told->epoch = integer(status, "epoch");
    take_sample(told, before);
    json_decref(before);
    DL_SORT(masters->list, by_run);
    masters->on_news(masters->context);
}

/* ---- who is there ---- */

static void told_free(struct told *told)
{
    DL_DELETE(told->owner->list, told);
    told->owner->n--;
    wire_socket_free(&told->socket, 0);
    json_decref(told->status);
    free(told->samples);
    free(told);
}

static int listen_to(struct told *told, struct error *err)
{
    struct masters *masters = told->owner;
    char endpoint[SOCKET_ENDPOINT_BYTES];
    snprintf(endpoint, sizeof endpoint, "ipc://%s/" SOCKET_FOLDER_STATUS,
             told->folder);
    return wire_socket_new(masters->wire, masters->base, SOCKET_SUB, on_status,
                           told, &told->socket, err) ||
           wire_socket_limit(told->socket, MESSAGE_BYTES_MAX, err) ||
           wire_socket_subscribe(told->socket, "", err) ||
           wire_socket_connect(told->socket, endpoint, err);
}

static void meet(struct masters *masters, const char *folder)
{
    struct error err = ERROR_NONE;
    struct told *told =
        masters->n < MASTERS_MAX ? calloc(1, sizeof *told) : NULL;
    if (!told)
        return;
    told->owner = masters;
    told->seen = true;
    snprintf(told->folder, sizeof told->folder, "%s", folder);
    told->samples = calloc(MASTERS_SAMPLES, sizeof *told->samples);
    DL_APPEND(masters->list, told);
    masters->n++;
    if (!told->samples || listen_to(told, &err)) {
        log_warn(WHO, "%s can't be listened to: %s", folder,
                 told->samples ? err.text : "no memory");
        told_free(told);
    }
}

static void see(void *context, const char *folder)
{
    struct masters *masters = context;
    struct told *told;
    DL_FOREACH (masters->list, told) {
        if (!strcmp(told->folder, folder)) {
            told->seen = true;
            return;
        }
    }
    meet(masters, folder);
}

static void on_look(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct masters *masters = context;
    struct told *told, *next;
    usec_t now = clock_monotonic();
    DL_FOREACH (masters->list, told) {
        told->seen = false;
    }
    socket_folder_each(see, masters);
    DL_FOREACH_SAFE (masters->list, told, next) {
        if (told->seen)
            continue;
        if (!told->gone_at) {
            told->gone_at = now;
            wire_socket_free(&told->socket, 0);
        }
        if (!told->status || now > told->gone_at + MASTERS_GONE_FOR)
            told_free(told);
    }
}

void masters_of_ledger(struct masters *masters, const char *ledger_id)
{
    snprintf(masters->ledger_id, sizeof masters->ledger_id, "%s", ledger_id);
}

/* ---- what is shown ---- */

bool masters_get(const struct masters *masters, size_t index,
                 struct master *ret)
{
    const struct told *told;
    int64_t run = 0;
    DL_FOREACH (masters->list, told) {
        if (!told->status || told->run == run)
            continue;
        run = told->run;
        if (index-- > 0)
            continue;
        usec_t heard = clock_monotonic() - told->heard_at;
        *ret = (struct master){
            .run = run,
            .status = told->status,
            .gone = told->gone_at != 0,
            .silent = !told->gone_at && heard > MASTERS_SILENT,
            .heard = heard,
            .sample =
                told->n_samples
                    ? &told->samples[(told->n_samples - 1) % MASTERS_SAMPLES]
                    : NULL,
        };
        return true;
    }
    return false;
}

static json_t *samples_of(const struct told *told)
{
    json_t *array = json_array();
    size_t first = told->n_samples > MASTERS_SAMPLES
                       ? told->n_samples - MASTERS_SAMPLES
                       : 0;
    for (size_t i = first; i < told->n_samples; i++) {
        const struct sample *sample = &told->samples[i % MASTERS_SAMPLES];
        json_array_append_new(
            array, json_pack("[I, f, f, f, f, I]", (json_int_t)sample->at,
                             sample->stored_rate, sample->failed_rate,
                             sample->fetch_p50, sample->fetch_p95,
                             (json_int_t)sample->in_flight));
    }
    return array;
}

json_t *masters_samples(const struct masters *masters)
{
    json_t *object = json_object();
    const struct told *told;
    DL_FOREACH (masters->list, told) {
        char run[24];
        snprintf(run, sizeof run, "%lld", (long long)told->run);
        if (!told->status)
            continue;
        json_t *samples = json_object_get(object, run);
        json_t *more = samples_of(told);
        if (samples) { /* of its earlier master: those come first */
            json_array_extend(more, samples);
            json_array_clear(samples);
            json_array_extend(samples, more);
            json_decref(more);
        } else {
            json_object_set_new(object, run, more);
        }
    }
    return object;
}

/* ---- all of it ---- */

int masters_new(struct event_base *base, void (*on_news)(void *context),
                void *context, struct masters **ret, struct error *err)
{
    static const struct timeval second = {1, 0};
    struct masters *masters = calloc(1, sizeof *masters);
    if (!masters)
        return error_set(err, ERR_MEMORY, "no memory for the dashboard");
    masters->base = base;
    masters->on_news = on_news;
    masters->context = context;
    masters->wire = wire_context_new();
    masters->look = event_new(base, -1, EV_PERSIST, on_look, masters);
    if (!masters->wire || !masters->look || event_add(masters->look, &second)) {
        masters_free(&masters);
        return error_set(err, ERR_SYSTEM, "no ZeroMQ context");
    }
    on_look(-1, 0, masters);
    *ret = masters;
    return 0;
}

void masters_free(struct masters **ptr)
{
    struct masters *masters = *ptr;
    if (!masters)
        return;
    struct told *told, *next;
    DL_FOREACH_SAFE (masters->list, told, next) {
        told_free(told);
    }
    if (masters->look)
        event_free(masters->look);
    wire_context_free(&masters->wire);
    free(masters);
    *ptr = NULL;
}
