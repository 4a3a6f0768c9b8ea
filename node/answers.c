/*
 * answers.c: see answers.h. What was extracted lasts until the next answer of
 * its worker: so each key is told of at once.
 */
#include "answers.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/crash_point.h"
#include "extract.h"
#include "pipeline/template.h"
#include "recall.h"
#include "times.h"

static struct worker *worker_of(const struct request *request)
{
    return (struct worker *)((char *)(uintptr_t)request -
                             offsetof(struct worker, request));
}

void answers_tell(struct answers *answers, struct fetched *fetched)
{
    if (!fetched->wall)
        fetched->wall = clock_wall();
    struct node_event event = {.type = NODE_EVENT_FETCHED, .fetched = *fetched};
    answers->callbacks->on_event(answers->callbacks->context, &event);
    recall_end(answers->recalls, fetched->fetch);
}

/* Takes the fields or keys out of a good answer. */
static void extract(struct answers *answers, const struct worker *worker,
                    struct slice body, struct slice *fields,
                    struct fetched *fetched, struct extract_result *result)
{
    struct extractor *extractor = answers->extractors[worker->index];
    usec_t began = clock_monotonic();
    if (worker_class_is_fetcher(worker->class)) {
        fetched->outcome = FETCH_RECORD;
        CRASH_POINT_KEY("extract", body.data, body.len);
        extract_fields(extractor, body, fields, result);
        histogram_add(&node_times()->extract, clock_monotonic() - began);
        fetched->fields = fields;
        fetched->rows = extract_rows(extractor);
        return;
    }
    struct slice *keys = NULL;
    fetched->outcome = FETCH_KEYS;
    arena_reset(&answers->keys);
    extract_keys(extractor, body, answers->keys_max, &answers->keys, &keys,
                 &fetched->n_keys, result);
    histogram_add(&node_times()->extract, clock_monotonic() - began);
    fetched->keys = keys;
}

/* The keys that an answer is waited for by, as they were asked for. */
static size_t asked(struct answers *answers, const struct worker *worker,
                    uint64_t fetch, struct slice *ret_keys, unsigned *ret_nth)
{
    struct buffer text = BUFFER_EMPTY;
    size_t n = answers->callbacks->asked(answers->callbacks->context, fetch,
                                         ret_keys, ret_nth);
    arena_reset(&answers->keys);
    for (size_t i = 0; i < n; i++) {
        buffer_clear(&text);
        bool good = request_asked(&worker->request, ret_keys[i], &text);
        const char *name =
            arena_copy(&answers->keys, buffer_text(&text), text.len);
        /* Without memory it has no name, and no part is its. */
        ret_keys[i] = (struct slice){name, good && name ? text.len : 0};
    }
    buffer_free(&text);
    return n;
}

/* What a part of an answer says of its key. */
static void tell_part(struct answers *answers, const struct worker *worker,
                      struct slice key, struct slice part,
                      struct fetched fetched)
{
    struct extractor *extractor = answers->extractors[worker->index];
    struct slice fields[PIPELINE_FIELDS_MAX];
    struct extract_result result;
    usec_t began = clock_monotonic();
    CRASH_POINT_KEY("extract", part.data, part.len);
    extract_part(extractor, key, part, fields, &result);
    histogram_add(&node_times()->extract, clock_monotonic() - began);
    fetched.outcome = result.reason ? FETCH_FAILED : FETCH_RECORD;
    fetched.reason = result.reason;
    fetched.detail = slice_of(result.detail);
    fetched.fields = fields;
    fetched.rows = extract_rows(extractor);
    answers_tell(answers, &fetched);
    CRASH_POINT("after_extract");
}

/* A good answer to several keys: each is told of by itself, since what was
 * extracted lasts until the next. False: it has no parts at all. */
static bool tell_parts(struct answers *answers, const struct worker *worker,
                       struct slice body, struct fetched fetched,
                       struct extract_result *result)
{
    struct slice keys[PIPELINE_REQUEST_KEYS_MAX];
    struct slice parts[PIPELINE_REQUEST_KEYS_MAX];
    unsigned nth[PIPELINE_REQUEST_KEYS_MAX];
    size_t n = asked(answers, worker, fetched.fetch, keys, nth), found = 0;
    extract_split(answers->extractors[worker->index], body, keys, n, parts,
                  result);
    for (size_t i = 0; i < n; i++)
        found += parts[i].data != NULL;
    if (!result->reason && !found && body_is_refusal(&worker->request, body))
        result->reason = REASON_REFUSED;
    fetched.wall = clock_wall(); /* of all of them */
    for (size_t i = 0; i < n && !result->reason; i++) {
        fetched.nth = nth[i];
        tell_part(answers, worker, keys[i], parts[i], fetched);
    }
    return !result->reason;
}

/* The end of a try: what is wrong is in `result`, or the body is a good answer,
 * unless it is a redirect. */
static void finish(struct answers *answers, const struct worker *worker,
                   struct slice body, struct fetched fetched,
                   struct extract_result *result)
{
    struct slice fields[PIPELINE_FIELDS_MAX];
    if (fetched.outcome != FETCH_REDIRECT && result->reason == REASON_NONE)
        extract(answers, worker, body, fields, &fetched, result);
    if (result->reason != REASON_NONE) {
        fetched.outcome = FETCH_FAILED;
        fetched.reason = body_is_refusal(&worker->request, body)
                             ? REASON_REFUSED
                             : result->reason;
        fetched.detail = slice_of(result->detail);
    }
    answers_tell(answers, &fetched);
    CRASH_POINT("after_extract");
}

void answers_fetched(struct answers *answers, uint64_t id,
                     const struct fetch_answer *answer)
{
    const struct worker *worker = worker_of(answer->request);
    const struct last_answer *known = recall_known(answers->recalls, id);
    struct last_answer remembered;
    CRASH_POINT("after_fetch");
    struct extract_result result = {.reason = answer->reason};
    struct fetched fetched = {.fetch = id,
                              .http_status = answer->http_status,
                              .retry_after = answer->retry_after,
                              .answer =
                                  recall_remember(answer, known, &remembered)};
    if (answer->unchanged) {
        fetched.outcome = FETCH_RECORD;
        fetched.fields = known->fields;
        answers_tell(answers, &fetched);
        return;
    }
    if (answer->reason != REASON_NONE)
        snprintf(result.detail, sizeof result.detail, "%s", answer->detail);
    if (answer->redirect.len) {
        fetched.outcome = FETCH_REDIRECT;
        fetched.url = answer->redirect;
    } else if (answer->reason == REASON_NONE &&
               worker->request.keys_per_request &&
               tell_parts(answers, worker, answer->body, fetched, &result)) {
        return;
    }
    finish(answers, worker, answer->body, fetched, &result);
}

void answers_program(struct answers *answers, uint64_t id,
                     const struct exec_answer *answer)
{
    struct extract_result result = {.reason = answer->reason};
    struct fetched fetched = {.fetch = id, .retry_after = -1};
    if (answer->reason != REASON_NONE)
        snprintf(result.detail, sizeof result.detail, "%s", answer->detail);
    finish(answers, answer->worker, answer->record, fetched, &result);
}

int answers_init(struct answers *answers, const struct pipeline *pipeline,
                 size_t keys_max, const struct run_callbacks *callbacks,
                 struct error *err)
{
    *answers = (struct answers){.callbacks = callbacks, .keys_max = keys_max};
    for (size_t i = 0; i < pipeline->n_workers; i++) {
        const struct worker *worker = &pipeline->workers[i];
        bool extracts = worker_class_is_fetcher(worker->class) ||
                        worker_class_asks_web(worker->class);
        if (extracts && !(answers->extractors[i] = extractor_new(worker)))
            return error_set(err, ERR_MEMORY, "no memory for an extractor");
    }
    return 0;
}

void answers_fini(struct answers *answers)
{
    for (size_t i = 0; i < PIPELINE_WORKERS_MAX; i++)
        extractor_free(&answers->extractors[i]);
    arena_free(&answers->keys);
}
