/*
 * preview_time.c: how long a run will take: preview.h.
 *
 * A fetcher can't be faster than its rate, nor than its transfers in flight
 * let it: requests / rate, requests * latency / in flight; the greater of the
 * two. There is a request for each key, or for keys_per_request of them.
 * Where neither is limited, a past run's speed says it, if there is one.
 */
#include <stdio.h>
#include <string.h>

#include "preview.h"

#define ADAPTIVE_SECONDS                                                       \
    9 /* it begins at a tenth, and adds a twentieth a                          \
         second: so much later is it done */
#define UNKNOWN (-1)

/* ---- past runs ---- */

static bool is_whole(const struct run_row *row, const char *name)
{
    return (row->state == RUN_DONE || row->state == RUN_FAILED_KEYS) &&
           row->epoch == 1 && row->keys_done > 0 &&
           row->ended_at > row->started_at && !strcmp(row->pipeline_name, name);
}

static void take_past(struct preview *preview, json_t *plan,
                      const struct run_row *row)
{
    double seconds =
        (double)(row->ended_at - row->started_at) / (double)USEC_PER_SEC;
    preview->past_keys = row->keys_done;
    preview->past_rate = (double)row->keys_done / seconds;
    json_object_set_new(
        plan, "past",
        json_pack("{s:I, s:I, s:f, s:f}", "run", (json_int_t)row->run, "keys",
                  (json_int_t)row->keys_done, "seconds", seconds,
                  "keys_per_second", preview->past_rate));
}

/* A database that can't be asked does not hinder a plan. */
static void tell_unknown(const struct preview *preview, json_t *plan,
                         struct error *err)
{
    settings_mask_text(preview->context->settings, err->text);
    json_object_set_new(plan, "past_unknown", json_string(err->text));
}

void preview_past(struct preview *preview, json_t *plan)
{
    struct error err = ERROR_NONE;
    struct ledger *ledger = NULL;
    struct arena arena = ARENA_EMPTY;
    struct run_row *rows;
    size_t n = 0;
    bool there = false;
    json_object_set_new(plan, "past", json_null());
    if (!ledger_is_there(preview->database, &there, &err) && there &&
        !ledger_open(preview->database, &ledger, &err) &&
        !ledger_runs(ledger, PREVIEW_RUNS_MAX, &arena, &rows, &n, &err))
        for (size_t i = 0; i < n; i++)
            if (is_whole(&rows[i], preview->context->pipeline->name)) {
                take_past(preview, plan, &rows[i]);
                break;
            }
    if (err.code != ERR_NONE)
        tell_unknown(preview, plan, &err);
    ledger_close(&ledger);
    arena_free(&arena);
}

/* ---- keys ---- */

static int64_t keys_of_queue(const struct preview *preview, int queue);

/* What a fetcher is asked for. Where several read a queue each takes its part.
 */
static int64_t keys_of_fetcher(const struct preview *preview,
                               const struct worker *worker)
{
    const struct queue *queue =
        &preview->context->pipeline->queues[worker->input_queue];
    int64_t keys = keys_of_queue(preview, worker->input_queue);
    return keys < 0 ? keys : keys / (int64_t)queue->n_consumers;
}

static int64_t keys_of_queue(const struct preview *preview, int queue)
{
    const struct pipeline *pipeline = preview->context->pipeline;
    const struct queue *q = &pipeline->queues[queue];
    int64_t sum = 0;
    for (size_t i = 0; i < q->n_producers; i++) {
        const struct worker *worker = &pipeline->workers[q->producers[i]];
        int64_t keys = worker_class_is_source(worker->class)
                           ? preview->keys[worker->index]
                           : keys_of_fetcher(preview, worker);
        if (keys < 0)
            return UNKNOWN;
        sum += keys;
    }
    return sum;
}

static bool is_only_fetcher(const struct pipeline *pipeline)
{
    size_t n = 0;
    for (size_t i = 0; i < pipeline->n_workers; i++)
        n += worker_class_is_fetcher(pipeline->workers[i].class);
    return n == 1;
}

/* ---- time ---- */

struct guess {
    int64_t keys, requests;
    double seconds;
    char limit[96];
    json_t *assumed;
};

static void assume(struct guess *guess, const char *text)
{
    json_array_append_new(guess->assumed, json_string(text));
}

/* How many are in flight over all nodes, and why so many. */
static int64_t in_flight(const struct preview *preview,
                         const struct worker *worker, char *why, size_t room)
{
    int64_t nodes = (int64_t)worker->instances * preview->n_nodes;
    int64_t most = worker->request.max_in_flight;
    if (most && most <= nodes)
        snprintf(why, room, "%lld in flight", (long long)most);
    else
        snprintf(why, room, "%lld in flight: %d in each of %d nodes",
                 (long long)nodes, worker->instances, preview->n_nodes);
    return most && most < nodes ? most : nodes;
}

static void guess_seconds(const struct preview *preview,
                          const struct worker *worker, struct guess *guess)
{
    const struct request *request = &worker->request;
    double requests = (double)guess->requests, by_rate = 0;
    char why[64], text[96];
    double turns =
        requests / (double)in_flight(preview, worker, why, sizeof why);
    double by_flight = (turns < 1 ? 1 : turns) * PREVIEW_LATENCY_MS / 1000;
    if (request->rate > 0 && request->rate < PIPELINE_RATE_MAX)
        by_rate = requests / request->rate;
    if (by_rate >= by_flight) {
        guess->seconds = by_rate;
        snprintf(guess->limit, sizeof guess->limit, "rate %g/s", request->rate);
    } else if (by_rate == 0 && !request->max_in_flight &&
               preview->past_rate > 0) {
        guess->seconds = (double)guess->keys / preview->past_rate;
        snprintf(guess->limit, sizeof guess->limit,
                 "as fast as the last run, %.3g keys/s", preview->past_rate);
        return;
    } else {
        guess->seconds = by_flight;
        snprintf(guess->limit, sizeof guess->limit, "%s", why);
        snprintf(text, sizeof text, "an answer takes %d ms",
                 PREVIEW_LATENCY_MS);
        assume(guess, text);
    }
    if (request->adaptive) {
        guess->seconds += ADAPTIVE_SECONDS;
        assume(guess, "adaptive: the site bears the whole rate");
    }
    if (request->cache != CACHE_IGNORE)
        assume(guess, "nothing comes from the cache");
    assume(guess, "nothing is tried again");
}

static void guess_keys(const struct preview *preview,
                       const struct worker *worker, struct guess *guess)
{
    const struct pipeline *pipeline = preview->context->pipeline;
    guess->keys = keys_of_fetcher(preview, worker);
    if (guess->keys >= 0 || !preview->past_keys || !is_only_fetcher(pipeline))
        return;
    guess->keys = preview->past_keys;
    assume(guess, "as many keys as in the last run");
}

void preview_estimate(const struct preview *preview, json_t *plan)
{
    const struct pipeline *pipeline = preview->context->pipeline;
    json_t *list = json_array();
    for (size_t i = 0; i < pipeline->n_workers; i++) {
        const struct worker *worker = &pipeline->workers[i];
        struct guess guess = {.assumed = json_array()};
        if (worker_class_is_fetcher(worker->class)) {
            guess_keys(preview, worker, &guess);
            bool known = guess.keys >= 0;
            int64_t each = worker->request.keys_per_request;
            guess.requests = each ? (guess.keys + each - 1) / each : guess.keys;
            if (known)
                guess_seconds(preview, worker, &guess);
            json_array_append_new(
                list,
                json_pack(
                    "{s:s, s:o, s:o, s:o, s:s, s:O}", "worker", worker->name,
                    "keys", known ? json_integer(guess.keys) : json_null(),
                    "requests",
                    known ? json_integer(guess.requests) : json_null(),
                    "seconds", known ? json_real(guess.seconds) : json_null(),
                    "limit", guess.limit, "assumed", guess.assumed));
        }
        json_decref(guess.assumed);
    }
    json_object_set_new(plan, "estimate", list);
}
