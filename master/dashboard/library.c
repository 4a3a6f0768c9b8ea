/* library.c: see library.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "library_private.h"

struct library *library_new(const char *url, const struct settings *settings)
{
    struct library *library = calloc(1, sizeof *library);
    if (!library)
        return NULL;
    library->settings = settings;
    library->url = strdup(url);
    if (!library->url)
        library_free(&library);
    return library;
}

void library_free(struct library **ptr)
{
    struct library *library = *ptr;
    if (!library)
        return;
    for (size_t i = 0; i < LIBRARY_PIPELINES_MAX; i++)
        pipeline_free(&library->pipelines[i].pipeline);
    ledger_close(&library->ledger);
    arena_free(&library->arena);
    free(library->url);
    free(library);
    *ptr = NULL;
}

const char *library_ledger_id(const struct library *library)
{
    return library->ledger ? ledger_id(library->ledger) : "";
}

json_t *library_text(struct slice text)
{
    size_t len = 0, more;
    if (!text.data)
        return json_null();
    while (len < text.len &&
           (more = utf8_len((struct slice){text.data + len, text.len - len})) &&
           len + more <= LIBRARY_TEXT_MAX)
        len += more;
    return json_stringn(text.data, len);
}

/* ---- pipelines ---- */

static void read_pipeline(struct library *library, const struct run_row *row,
                          struct known_pipeline *ret)
{
    struct complaints complaints = {0};
    struct error err = ERROR_NONE;
    if (pipeline_load(row->pipeline_text, row->pipeline_path, library->settings,
                      &complaints, &ret->pipeline, &err)) {
        snprintf(ret->why, sizeof ret->why, "%s",
                 complaints.n ? complaints.items[0].text : err.text);
        settings_mask_text(library->settings, ret->why);
    }
    complaints_free(&complaints);
}

const struct known_pipeline *library_known(struct library *library, int64_t run)
{
    for (size_t i = 0; i < LIBRARY_PIPELINES_MAX; i++) {
        struct known_pipeline *known = &library->pipelines[i];
        if (known->run != run)
            continue;
        known->used = ++library->uses;
        return known;
    }
    return NULL;
}

const struct known_pipeline *library_pipeline(struct library *library,
                                              const struct run_row *row)
{
    const struct known_pipeline *known = library_known(library, row->run);
    if (known)
        return known;
    struct known_pipeline *oldest = &library->pipelines[0];
    for (size_t i = 1; i < LIBRARY_PIPELINES_MAX; i++)
        if (library->pipelines[i].used < oldest->used)
            oldest = &library->pipelines[i];
    pipeline_free(&oldest->pipeline);
    *oldest = (struct known_pipeline){.run = row->run, .used = ++library->uses};
    read_pipeline(library, row, oldest);
    return oldest;
}

/* ---- runs and failures ---- */

static json_t *run_object(const struct run_row *row)
{
    bool running = row->state == RUN_OPEN && row->lease_left > 0;
    return json_pack(
        "{s:I, s:s, s:s, s:b, s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I,"
        " s:I, s:I}",
        "run", (json_int_t)row->run, "name", row->name, "state",
        run_state_name(row->state), "running", running, "pipeline",
        row->pipeline_name, "path", row->pipeline_path, "owner", row->owner,
        "epoch", (json_int_t)row->epoch, "started", (json_int_t)row->started_at,
        "ended", (json_int_t)row->ended_at, "stored", (json_int_t)row->stored,
        "done", (json_int_t)row->keys_done, "failed", (json_int_t)row->failed,
        "open", (json_int_t)row->open_keys, "open_batches",
        (json_int_t)row->open_batches);
}

static json_t *all_runs(struct library *library, struct error *err)
{
    struct run_row *rows = NULL;
    size_t n = 0;
    if (ledger_runs(library->ledger, LIBRARY_RUNS_MAX, &library->arena, &rows,
                    &n, err))
        return NULL;
    json_t *array = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(array, run_object(&rows[i]));
    return json_pack("{s:o}", "runs", array);
}

static json_t *one_run(struct library *library, int64_t run, struct error *err)
{
    struct run_row row;
    if (ledger_run_row(library->ledger, run, &library->arena, &row, err))
        return NULL;
    json_t *more = library_run(library, &row, err);
    json_t *object = more ? run_object(&row) : NULL;
    if (!object) {
        json_decref(more);
        return NULL;
    }
    json_object_update(object, more);
    json_decref(more);
    return object;
}

static void add_failure(void *context, const struct failure_row *row)
{
    json_array_append_new(
        context,
        json_pack("{s:I, s:o, s:s, s:s, s:s, s:i, s:i, s:I, s:o}", "number",
                  (json_int_t)row->failure, "key", library_text(row->key),
                  "worker", row->worker, "reason", reason_name(row->reason),
                  "text", reason_text(row->reason), "http_status",
                  row->http_status, "attempts", row->attempts, "at",
                  (json_int_t)row->failed_at, "detail",
                  library_text(row->detail)));
}

static json_t *failures(struct library *library,
                        const struct question *question, struct error *err)
{
    struct failure_filter filter = {.after = question->after,
                                    .limit = LIBRARY_FAILURES_MAX};
    if (question->reason) {
        filter.reason = reason_parse(question->reason);
        if (strcmp(reason_name(filter.reason), question->reason) != 0) {
            error_set(err, ERR_NOT_FOUND, "there is no such reason");
            return NULL;
        }
    }
    json_t *array = json_array();
    if (ledger_failures(library->ledger, question->run, &filter, add_failure,
                        array, err)) {
        json_decref(array);
        return NULL;
    }
    bool more = json_array_size(array) == LIBRARY_FAILURES_MAX;
    return json_pack("{s:o, s:b}", "failures", array, "more", more);
}

/* ---- questions ---- */

static json_t *answer(struct library *library, const struct question *question,
                      struct error *err)
{
    switch (question->kind) {
    case QUESTION_RUNS:
        return all_runs(library, err);
    case QUESTION_RUN:
        return one_run(library, question->run, err);
    case QUESTION_FAILURES:
        return failures(library, question, err);
    case QUESTION_TABLES:
        return library_tables(library, err);
    case QUESTION_ROWS:
        return library_rows(library, question, err);
    case QUESTION_CHART:
        break;
    }
    return library_chart(library, question, err);
}

static int append_text(const char *text, size_t len, void *context)
{
    return buffer_append(context, text, len) ? 0 : -1;
}

int library_answer(struct library *library, const struct question *question,
                   struct buffer *ret, struct error *err)
{
    arena_reset(&library->arena);
    if (!library->ledger &&
        ledger_open_to_look(library->url, &library->ledger, err))
        return (int)err->code;
    json_t *object = answer(library, question, err);
    if (!object && err->code != ERR_NONE)
        return (int)err->code;
    if (!object || json_dump_callback(object, append_text, ret,
                                      JSON_COMPACT | JSON_REAL_PRECISION(12)))
        error_set(err, ERR_MEMORY, "no memory for an answer");
    json_decref(object);
    return (int)err->code;
}
