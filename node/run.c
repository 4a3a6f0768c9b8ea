/*
 * run.c: see run.h. The way of one key through here:
 *
 *   run_start()       the core wants it fetched
 *   on_fetched()      an answer is there: answers.c tells the core
 *   run_close()       the core closes its batch: to the store
 *   on_closed()       the commit: tell the core
 */
#include "run.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "answers.h"
#include "base/crash_point.h"
#include "base/log.h"
#include "failure_notes.h"
#include "fetch.h"
#include "foreign.h"
#include "ledger/run_settings.h"
#include "query.h"
#include "recall.h"
#include "robots.h"
#include "store.h"

struct run {
    struct run_callbacks callbacks;
    struct foreign foreign;
    int64_t number;
    struct pipeline *pipeline;
    struct answers answers;
    struct fetch_pool *fetches;
    struct robots *robots;
    struct recalls *recalls; /* NULL unless a fetcher has the option cache */
    struct queries *queries; /* NULL unless a source is of class sql */
    struct exec_pool *programs;
    const struct settings *settings; /* to mask what programs say */
    struct store *store;
    struct failure_notes notes;
    int n_closing; /* closings with the store */
    bool retired;
};

/* ---- answers ---- */

static void on_fetched(void *context, uint64_t id,
                       const struct fetch_answer *answer)
{
    struct run *run = context;
    if (id & ROBOTS_FETCH)
        robots_fetched(run->robots, id, answer);
    else
        answers_fetched(&run->answers, id, answer);
}

static void on_program_answer(void *context, uint64_t id,
                              const struct exec_answer *answer)
{
    struct run *run = context;
    answers_program(&run->answers, id, answer);
}

static void on_program_note(void *context, const char *note)
{
    struct run *run = context;
    char text[LOG_LINE_BYTES];
    snprintf(text, sizeof text, "%s", note);
    settings_mask_text(run->settings, text);
    run->callbacks.on_note(run->callbacks.context, text);
}

static void on_program_stuck(void *context, bool again, const char *why)
{
    struct run *run = context;
    if (!run->retired)
        run->callbacks.on_stuck(run->callbacks.context, again, why);
}

static void on_queried(void *context, uint64_t id,
                       const struct query_answer *answer)
{
    struct run *run = context;
    struct fetched fetched = {
        .fetch = id,
        .outcome = answer->reason ? FETCH_FAILED : FETCH_KEYS,
        .retry_after = -1,
        .keys = answer->keys,
        .n_keys = answer->n_keys,
        .more = answer->more,
        .reason = answer->reason,
        .detail = slice_of(answer->detail),
    };
    answers_tell(&run->answers, &fetched);
}

static void on_closed(void *context, uint64_t id,
                      const struct close_result *result)
{
    struct run *run = context;
    struct node_event event = {.type = NODE_EVENT_CLOSED};
    event.closed.closing = id;
    event.closed.result = *result;
    run->n_closing--;
    run->callbacks.on_event(run->callbacks.context, &event);
    CRASH_POINT("after_close_before_report");
}

static void on_dropped(void *context, uint64_t id)
{
    struct run *run = context;
    run->n_closing--;
    run->callbacks.on_closing_dropped(run->callbacks.context, id);
}

static void on_waiting(void *context, bool waiting, const char *why)
{
    struct run *run = context;
    if (run->retired)
        return; /* the run that goes on has a store of its own */
    char note[ERROR_TEXT_BYTES + 64];
    snprintf(note, sizeof note,
             waiting ? "the database is away, waiting for it: %s"
                     : "the database is back%.0s",
             why);
    run->callbacks.on_note(run->callbacks.context, note);
    struct node_event event = {.type = NODE_EVENT_STORE,
                               .store_waiting = waiting};
    run->callbacks.on_event(run->callbacks.context, &event);
}

static void on_gave_up(void *context, const char *why)
{
    struct run *run = context;
    run->callbacks.on_note(run->callbacks.context, why);
    struct node_event event = {.type = NODE_EVENT_STORE_GAVE_UP};
    run->callbacks.on_event(run->callbacks.context, &event);
}

/* ---- effects ---- */

static void tell_not_started(struct run *run, uint64_t fetch, const char *why)
{
    struct fetched fetched = {.fetch = fetch,
                              .outcome = FETCH_FAILED,
                              .retry_after = -1,
                              .reason = REASON_INTERNAL,
                              .detail = slice_of(why)};
    answers_tell(&run->answers, &fetched);
}

static void start_fetch(struct run *run, uint64_t fetch,
                        const struct worker *worker, struct slice url,
                        bool foreign)
{
    struct error err = ERROR_NONE;
    if (fetch_start(run->fetches, fetch, &worker->request, url, foreign,
                    recall_known(run->recalls, fetch), &err))
        tell_not_started(run, fetch, err.text);
}

static void ask(struct run *run, const struct node_effect *effect, bool foreign)
{
    const struct worker *worker = effect->start.worker;
    if (worker->request.robots)
        robots_ask(run->robots, effect, foreign);
    else
        start_fetch(run, effect->start.fetch, worker, effect->start.url,
                    foreign);
}

/* Only a redirect leads to what is foreign. */
static void on_ask(void *context, const struct node_effect *effect)
{
    ask(context, effect, false);
}

static void on_fresh(void *context, uint64_t fetch,
                     const struct last_answer *answer)
{
    struct run *run = context;
    struct fetched fetched = {.fetch = fetch,
                              .outcome = FETCH_RECORD,
                              .retry_after = -1,
                              .fields = answer->fields,
                              .unasked = true};
    answers_tell(&run->answers, &fetched);
}

static void on_robots_allowed(void *context, uint64_t fetch,
                              const struct worker *worker, struct slice url,
                              bool foreign)
{
    start_fetch(context, fetch, worker, url, foreign);
}

static void on_robots_answer(void *context, struct fetched *fetched)
{
    struct run *run = context;
    answers_tell(&run->answers, fetched);
}

void run_start(struct run *run, const struct node_effect *effect)
{
    const struct worker *worker = effect->start.worker;
    struct error err = ERROR_NONE;
    CRASH_POINT("before_fetch");
    if (worker->class == CLASS_SQL) {
        if (queries_start(run->queries, effect->start.fetch, worker,
                          effect->start.key, effect->start.keys_max, &err))
            tell_not_started(run, effect->start.fetch, err.text);
        return;
    }
    if (worker->class == CLASS_EXEC) {
        if (exec_start(run->programs, effect->start.fetch, worker,
                       effect->start.key, &err))
            tell_not_started(run, effect->start.fetch, err.text);
        return;
    }
    if (worker->request.cache != CACHE_IGNORE && !effect->start.redirected &&
        recall_start(run->recalls, effect))
        return;
    bool foreign =
        worker->request.n_headers &&
        foreign_is(&run->foreign, worker, effect->start.key, effect->start.url);
    ask(run, effect, foreign);
}

void run_cancel(struct run *run, uint64_t fetch)
{
    recall_end(run->recalls, fetch);
    robots_cancel(run->robots, fetch);
    fetch_cancel(run->fetches, fetch);
    exec_cancel(run->programs, fetch);
}

void run_close(struct run *run, const struct node_effect *effect)
{
    struct error err = ERROR_NONE;
    CRASH_POINT("before_close");
    run->n_closing++;
    const struct closing *closing = effect->close.closing;
    failure_notes_add(&run->notes, &run->pipeline->workers[closing->worker],
                      closing, clock_monotonic());
    if (store_submit(run->store, effect->close.id, effect->close.closing,
                     &err)) {
        run->n_closing--;
        run->callbacks.on_closing_dropped(run->callbacks.context,
                                          effect->close.id);
        run->callbacks.on_stuck(run->callbacks.context, true, err.text);
    }
}

void run_forget(struct run *run)
{
    recall_end_all(run->recalls);
    robots_cancel_all(run->robots);
    fetch_cancel_all(run->fetches);
    exec_cancel_all(run->programs);
    store_forget(run->store);
}

void run_retire(struct run *run)
{
    run->retired = true;
    run_forget(run);
}

bool run_is_done(const struct run *run)
{
    return run->n_closing == 0;
}

/* ---- the run ---- */

bool run_is(const struct run *run, const struct welcome *welcome)
{
    return run->number == welcome->run;
}

const struct pipeline *run_pipeline(const struct run *run)
{
    return run->pipeline;
}

int64_t run_bytes(const struct run *run)
{
    return fetch_bytes(run->fetches);
}

static int load_pipeline(struct run *run, const struct welcome *welcome,
                         const struct settings *settings, struct error *err)
{
    struct complaints complaints = {0};
    int status = pipeline_load(welcome->pipeline, welcome->pipeline_path,
                               settings, &complaints, &run->pipeline, err);
    if (status && complaints.n)
        error_context(err, "%s:%d:%d: %s", welcome->pipeline_path,
                      complaints.items[0].line, complaints.items[0].column,
                      complaints.items[0].text);
    complaints_free(&complaints);
    return status;
}

/* The pipeline says one thing to the master and another to this node: its keys
 * would be asked of other sites, or faster than is meant. */
static int check_settings(const struct welcome *welcome,
                          const struct settings *settings, struct error *err)
{
    if (!welcome->settings || !*welcome->settings)
        return 0;
    char *own = run_settings_public(settings, welcome->pipeline);
    if (!own)
        return error_set(err, ERR_MEMORY, "no memory for a run");
    bool same = !strcmp(own, welcome->settings);
    if (!same)
        error_set(err, ERR_SETTING,
                  "this node's settings are not the master's: here %s, there "
                  "%s: set them alike",
                  own, welcome->settings);
    free(own);
    return (int)err->code;
}

static bool has_cache(const struct pipeline *pipeline)
{
    for (size_t i = 0; i < pipeline->n_workers; i++)
        if (pipeline->workers[i].request.cache != CACHE_IGNORE)
            return true;
    return false;
}

static bool has_sql(const struct pipeline *pipeline)
{
    for (size_t i = 0; i < pipeline->n_workers; i++)
        if (pipeline->workers[i].class == CLASS_SQL)
            return true;
    return false;
}

static int open_database(struct run *run, struct event_base *base,
                         const struct welcome *welcome,
                         const struct settings *settings, struct error *err)
{
    const struct store_callbacks callbacks = {
        .context = run,
        .on_closed = on_closed,
        .on_dropped = on_dropped,
        .on_waiting = on_waiting,
        .on_gave_up = on_gave_up,
    };
    struct buffer url = BUFFER_EMPTY;
    int status = settings_database_url(settings, &url, err);
    if (!status)
        status =
            store_new(base, buffer_text(&url), run->pipeline,
                      welcome->database_wait, &callbacks, &run->store, err);
    if (!status && has_sql(run->pipeline))
        status = queries_new(base, buffer_text(&url), on_queried, run,
                             &run->queries, err);
    const struct recall_callbacks recall = {run, on_ask, on_fresh};
    if (!status && has_cache(run->pipeline))
        status =
            recalls_new(base, buffer_text(&url), &recall, &run->recalls, err);
    run->answers.recalls = run->recalls;
    buffer_free(&url);
    return status;
}

static int open_robots(struct run *run, struct error *err)
{
    const struct robots_callbacks callbacks = {run, on_robots_allowed,
                                               on_robots_answer};
    run->robots = robots_new(run->fetches, &callbacks);
    return run->robots ? 0 : error_set(err, ERR_MEMORY, "no memory for a run");
}

static int open_programs(struct run *run, struct event_base *base,
                         struct launcher *launcher, struct error *err)
{
    const struct exec_callbacks callbacks = {run, on_program_answer,
                                             on_program_note, on_program_stuck};
    return exec_pool_new(base, launcher, run->pipeline, &callbacks,
                         &run->programs, err);
}

int run_new(struct event_base *base, const struct welcome *welcome,
            const struct settings *settings, struct launcher *launcher,
            const struct run_callbacks *callbacks, struct run **ret,
            struct error *err)
{
    struct run *run = calloc(1, sizeof *run);
    if (!run)
        return error_set(err, ERR_MEMORY, "no memory for a run");
    run->callbacks = *callbacks;
    failure_notes_init(&run->notes, callbacks->on_note, callbacks->context);
    run->number = welcome->run;
    run->settings = settings;
    if (check_settings(welcome, settings, err) ||
        load_pipeline(run, welcome, settings, err) ||
        open_programs(run, base, launcher, err) ||
        answers_init(&run->answers, run->pipeline, (size_t)welcome->key_limit,
                     &run->callbacks, err) ||
        fetch_pool_new(base, settings_get(settings, "WINDROW_CA_FILE"),
                       on_fetched, run, &run->fetches, err) ||
        open_robots(run, err) ||
        open_database(run, base, welcome, settings, err)) {
        run_free(&run);
        return (int)err->code;
    }
    *ret = run;
    return 0;
}

void run_free(struct run **ptr)
{
    struct run *run = *ptr;
    if (!run)
        return;
    store_free(&run->store);
    queries_free(&run->queries);
    recalls_free(&run->recalls);
    robots_free(&run->robots);
    fetch_pool_free(&run->fetches);
    exec_pool_free(&run->programs);
    answers_fini(&run->answers);
    pipeline_free(&run->pipeline);
    failure_notes_end(&run->notes);
    failure_notes_fini(&run->notes);
    foreign_free(&run->foreign);
    free(run);
    *ptr = NULL;
}

int run_ledger_id(const struct settings *settings, char ret[LEDGER_ID_BYTES],
                  struct error *err)
{
    struct buffer url = BUFFER_EMPTY;
    struct ledger *ledger = NULL;
    int status = settings_database_url(settings, &url, err);
    if (!status)
        status = ledger_open(buffer_text(&url), &ledger, err);
    if (!status)
        snprintf(ret, LEDGER_ID_BYTES, "%s", ledger_id(ledger));
    ledger_close(&ledger);
    buffer_free(&url);
    return status;
}
