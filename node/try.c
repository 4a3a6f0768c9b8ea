/*
 * try.c: see try.h. A key's way is that of run.c and the core: a URL, at most
 * so many redirects, the fields, then each output queue's first reader.
 */
#include "try.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "near.h"
#include "pipeline/template.h"
#include "try_exec.h"
#include "try_private.h"

static const char who[] = "try";

static bool fail(struct trial *trial, const struct worker *worker,
                 struct slice key, enum reason reason, const char *detail)
{
    trial->worker = worker;
    trial->key = key;
    trial->result.reason = reason;
    snprintf(trial->result.detail, sizeof trial->result.detail, "%s", detail);
    return false;
}

static struct slice keep(struct trial *trial, struct slice text)
{
    char *copy = arena_copy(&trial->arena, text.data, text.len);
    trial->no_memory |= !copy;
    return copy ? (struct slice){copy, text.len} : slice_of("");
}

/* ---- asking ---- */

void try_record_body(struct trial *trial, const struct try_answer *answer)
{
    size_t done = 0;
    while (trial->record >= 0 && done < answer->body.len) {
        ssize_t n = write(trial->record, answer->body.data + done,
                          answer->body.len - done);
        if (n <= 0) {
            log_error(who, "the body can't be recorded");
            trial->record = -1;
            return;
        }
        done += (size_t)n;
    }
}

/* Asks, and follows redirects as the core does. */
static bool ask_web(struct trial *trial, const struct worker *worker,
                    struct slice key, struct slice url, struct try_answer *ret)
{
    const struct request *request = &worker->request;
    for (int redirects = 0;; redirects++) {
        bool foreign = redirects && request->n_headers &&
                       foreign_is(&trial->foreign, worker, key, url);
        try_show_request(trial, worker, key, url, foreign);
        try_web_ask(trial->web, worker, url, foreign, ret);
        trial->http_status = ret->http_status;
        try_record_body(trial, ret);
        try_show_answer(trial, worker, ret);
        if (!ret->redirect.len)
            break;
        if (redirects == request->redirects)
            return fail(trial, worker, key, REASON_REDIRECT,
                        "too many redirects");
        if (ret->redirect.len > URL_BYTES_MAX)
            return fail(trial, worker, key, REASON_REDIRECT,
                        "the redirect's address is too long");
        url = keep(trial, buffer_slice(&ret->redirect));
        try_answer_free(ret);
    }
    if (ret->reason == REASON_NONE)
        return true;
    return fail(trial, worker, key,
                body_is_refusal(request, buffer_slice(&ret->body))
                    ? REASON_REFUSED
                    : ret->reason,
                ret->detail);
}

/* ---- what the answer holds ---- */

static bool visit(struct trial *trial, const struct worker *worker,
                  struct slice key);

/* What was not found may be there since the site refuses. */
static bool fail_extraction(struct trial *trial, const struct worker *worker,
                            struct slice key, struct slice body,
                            const struct extract_result *result)
{
    bool refused = body_is_refusal(&worker->request, body);
    return fail(trial, worker, key, refused ? REASON_REFUSED : result->reason,
                result->detail);
}

/* To the first reader of each queue. */
static bool pass_on(struct trial *trial, const struct worker *worker,
                    struct slice key, const struct slice *fields,
                    const struct record_rows *rows)
{
    int own = worker_field(worker, "key");
    struct slice next = own >= 0 ? keep(trial, fields[own]) : key;
    if (own >= 0 && !key_is_valid(next))
        return fail(trial, worker, key, REASON_BAD_KEY,
                    "the field \"key\" makes no key");
    bool good = true;
    for (size_t i = 0; i < worker->n_output_queues && good; i++) {
        const struct worker *reader =
            pipeline_consumer(trial->pipeline, worker->output_queues[i], 0);
        if (reader->class == CLASS_STORE)
            try_show_row(trial, worker, reader, key, fields, rows);
        else
            good = visit(trial, reader, next);
    }
    return good;
}

/* Leaves of an answer to several keys the part of this one. */
static bool take_part(struct trial *trial, const struct worker *worker,
                      struct slice key, struct extractor *extractor,
                      struct buffer *body)
{
    struct buffer asked = BUFFER_EMPTY;
    struct extract_result result;
    struct slice part, fields[PIPELINE_FIELDS_MAX];
    trial->no_memory |= !request_asked(&worker->request, key, &asked);
    struct slice name = keep(trial, buffer_slice(&asked));
    buffer_free(&asked);
    extract_split(extractor, buffer_slice(body), &name, 1, &part, &result);
    if (result.reason) {
        trial->near = near_pointer(buffer_slice(body), worker->for_key.each);
    } else {
        try_show_part(trial, worker, name, part);
        if (!part.data) {
            trial->near = try_near_part(worker, name, buffer_slice(body));
            extract_part(extractor, name, part, fields, &result);
        }
    }
    if (result.reason)
        return fail_extraction(trial, worker, key, buffer_slice(body), &result);
    CHECK(part.data);
    memmove(body->data, part.data, part.len);
    body->len = part.len;
    return true;
}

static bool take_fields(struct trial *trial, const struct worker *worker,
                        struct slice key, struct extractor *extractor,
                        struct buffer *body)
{
    struct slice fields[PIPELINE_FIELDS_MAX];
    struct extract_result result;
    if (worker->request.keys_per_request &&
        !take_part(trial, worker, key, extractor, body))
        return false;
    try_show_fields(trial, worker, body);
    try_show_sets(trial, worker, body);
    extract_fields(extractor, buffer_slice(body), fields, &result);
    if (result.reason != REASON_NONE)
        return fail_extraction(trial, worker, key, buffer_slice(body), &result);
    return pass_on(trial, worker, key, fields, extract_rows(extractor));
}

static bool take_keys(struct trial *trial, const struct worker *worker,
                      struct slice key, struct extractor *extractor,
                      struct buffer *body)
{
    struct slice *keys = NULL;
    struct extract_result result;
    size_t n = 0;
    extract_keys(extractor, buffer_slice(body), 0, &trial->arena, &keys, &n,
                 &result);
    if (result.reason == REASON_NONE) {
        try_show_keys(trial, worker, keys, n, buffer_slice(body));
        return true;
    }
    trial->near = try_near_list(worker, buffer_slice(body));
    return fail_extraction(trial, worker, key, buffer_slice(body), &result);
}

static bool ask_program(struct trial *trial, const struct worker *worker,
                        struct slice key, struct try_answer *ret)
{
    try_exec_ask(trial, worker, key, ret);
    return ret->reason == REASON_NONE ||
           fail(trial, worker, key, ret->reason, ret->detail);
}

static bool url_of(struct trial *trial, const struct worker *worker,
                   struct slice key, struct slice *ret)
{
    struct buffer url = BUFFER_EMPTY;
    bool good = true;
    if (worker_class_is_fetcher(worker->class)) {
        good = request_url(&worker->request, key, &url);
        if (good)
            *ret = keep(trial, buffer_slice(&url));
    } else {
        *ret = key;
    }
    buffer_free(&url);
    return good || fail(trial, worker, key, REASON_BAD_KEY,
                        "the key makes no valid URL");
}

static bool ask(struct trial *trial, const struct worker *worker,
                struct slice key, struct try_answer *ret)
{
    struct slice url;
    if (worker->class == CLASS_EXEC)
        return ask_program(trial, worker, key, ret);
    return url_of(trial, worker, key, &url) &&
           ask_web(trial, worker, key, url, ret);
}

/* One worker's part, and, of a fetcher, that of all after it. */
static bool visit(struct trial *trial, const struct worker *worker,
                  struct slice key)
{
    struct try_answer answer = {0};
    struct extractor *extractor = extractor_new(worker);
    bool good = extractor && ask(trial, worker, key, &answer) &&
                (worker_class_is_fetcher(worker->class)
                     ? take_fields
                     : take_keys)(trial, worker, key, extractor, &answer.body);
    trial->no_memory |= !extractor;
    try_answer_free(&answer);
    extractor_free(&extractor);
    return good;
}

/* ---- the job ---- */

static const char *text_of(const json_t *job, const char *name)
{
    const char *text = json_string_value(json_object_get(job, name));
    return text ? text : "";
}

static int load(struct trial *trial, struct error *err)
{
    struct complaints complaints = {0};
    int status = pipeline_load(slice_of(text_of(trial->job, "pipeline")),
                               text_of(trial->job, "path"), trial->settings,
                               &complaints, &trial->pipeline, err);
    complaints_free(&complaints);
    return status;
}

/* A worker that asks the web, a program, or a database. */
static const struct worker *find_worker(const struct trial *trial)
{
    const char *name = text_of(trial->job, "worker");
    for (size_t i = 0; i < trial->pipeline->n_workers; i++) {
        const struct worker *worker = &trial->pipeline->workers[i];
        if (!strcmp(worker->name, name) &&
            (worker_class_asks_web(worker->class) ||
             worker->class == CLASS_EXEC || worker->class == CLASS_SQL))
            return worker;
    }
    return NULL;
}

/* The job's key; of a list, one of its pages, else the first. */
static const char *key_of(const struct trial *trial,
                          const struct worker *worker)
{
    if (worker_class_is_fetcher(worker->class))
        return text_of(trial->job, "key");
    for (size_t i = 0; i < worker->n_input_values; i++)
        if (!strcmp(worker->input_values[i], text_of(trial->job, "key")))
            return worker->input_values[i];
    return worker->input_values[0];
}

static int work(struct trial *trial, struct launcher *launcher,
                struct error *err)
{
    const json_t *answers = json_object_get(trial->job, "answers");
    if (load(trial, err) ||
        try_web_new(trial->settings, answers, &trial->web, err) ||
        (!answers && pipeline_has_programs(trial->pipeline) &&
         try_exec_new(trial, launcher, &trial->exec, err)))
        return (int)err->code;
    const struct worker *worker = find_worker(trial);
    if (!worker)
        return error_set(err, ERR_USAGE, "no worker \"%s\" that asks anybody",
                         text_of(trial->job, "worker"));
    if (json_is_true(json_object_get(trial->job, "record")))
        trial->record = TRY_RECORD_DESCRIPTOR;
    bool good;
    if (worker->class != CLASS_SQL)
        good = visit(trial, worker, slice_of(key_of(trial, worker)));
    else if (try_query(trial, worker, &good, err))
        return (int)err->code;
    if (trial->no_memory)
        return error_set(err, ERR_MEMORY, "out of memory");
    try_show_end(trial, worker, good);
    return 0;
}

int try_run(const struct settings *settings, struct launcher *launcher)
{
    static char text[TRY_JOB_BYTES_MAX];
    struct error err = ERROR_NONE;
    struct trial trial = {.settings = settings, .record = -1};
    size_t len = fread(text, 1, sizeof text, stdin);
    json_t *job = json_loadb(text, len, 0, NULL);
    trial.job = job;
    if (!job)
        error_set(&err, ERR_MESSAGE, "the job is no JSON");
    else
        (void)!work(&trial, launcher, &err);
    if (err.code != ERR_NONE)
        log_error(who, "%s", err.text);
    try_web_free(&trial.web);
    try_exec_free(&trial.exec);
    pipeline_free(&trial.pipeline);
    foreign_free(&trial.foreign);
    arena_free(&trial.arena);
    json_decref(trial.near);
    json_decref(job);
    return err.code == ERR_NONE                      ? 0
           : error_code_kind(err.code) == ERROR_USER ? 2
                                                     : 4;
}
