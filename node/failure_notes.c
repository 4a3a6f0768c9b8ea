/* failure_notes.c: see failure_notes.h. */
#include "failure_notes.h"

#include <inttypes.h>
#include <stdio.h>

#include "pipeline/template.h"

#define NOTE_BYTES 1024

void failure_notes_init(struct failure_notes *notes,
                        void (*on_note)(void *context, const char *note),
                        void *context)
{
    *notes = (struct failure_notes){
        .limit = {.interval = FAILURE_NOTES_INTERVAL},
        .on_note = on_note,
        .context = context,
    };
}

void failure_notes_fini(struct failure_notes *notes)
{
    buffer_free(&notes->url);
    buffer_free(&notes->host);
}

/* Whether it is the site's doing. */
static bool is_of_host(enum reason reason)
{
    return reason != REASON_DATABASE && reason != REASON_QUERY &&
           reason != REASON_KILLED_NODE && reason != REASON_INTERNAL;
}

/* Where the key was asked for, "HOST:PORT"; "" where that can't be said. The
 * key of a list is its URL. */
static const char *host_of(struct failure_notes *notes,
                           const struct worker *worker, struct slice key)
{
    struct slice url = key;
    buffer_clear(&notes->url);
    buffer_clear(&notes->host);
    if (!worker_class_asks_web(worker->class))
        return "";
    if (worker_class_is_fetcher(worker->class)) {
        if (!request_url(&worker->request, key, &notes->url))
            return "";
        url = buffer_slice(&notes->url);
    }
    return url_host(url, &notes->host) ? buffer_text(&notes->host) : "";
}

static void add(struct failure_notes *notes, const struct worker *worker,
                const struct closing_failure *failure, usec_t now)
{
    const char *host =
        is_of_host(failure->reason) ? host_of(notes, worker, failure->key) : "";
    char kind[LOG_LIMIT_KIND_BYTES], note[NOTE_BYTES], more[64] = "";
    int64_t left_out = 0;
    snprintf(kind, sizeof kind, "%s%s%s", reason_name(failure->reason),
             *host ? " at " : "", host);
    if (!log_limit_pass(&notes->limit, kind, now, &left_out))
        return;
    if (left_out)
        snprintf(more, sizeof more, " (and %" PRId64 " like it before)",
                 left_out);
    snprintf(note, sizeof note, "%s %.*s failed: %s%s%.*s%s", worker->name,
             SLICE_ARGS(failure->key), kind, failure->detail.len ? ": " : "",
             SLICE_ARGS(failure->detail), more);
    notes->on_note(notes->context, note);
}

void failure_notes_add(struct failure_notes *notes, const struct worker *worker,
                       const struct closing *closing, usec_t now)
{
    for (size_t i = 0; i < closing->n_failures; i++)
        add(notes, worker, &closing->failures[i], now);
}

void failure_notes_end(struct failure_notes *notes)
{
    int64_t left_out = 0;
    const char *kind;
    while ((kind = log_limit_left(&notes->limit, &left_out))) {
        char note[NOTE_BYTES];
        snprintf(note, sizeof note, "%" PRId64 " more key%s failed: %s",
                 left_out, left_out > 1 ? "s" : "", kind);
        notes->on_note(notes->context, note);
    }
}
