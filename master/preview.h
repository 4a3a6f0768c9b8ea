/*
 * preview.h: what a run of a pipeline would do (`windrow plan`), as one object
 * of JSON, from which the text for people is printed too.
 *
 *   pipeline, file, database
 *   graph      a worker with what follows it, nested: {worker, class, does,
 *              queues: [{queue, readers: [...]}]}; again: true where it is
 *              there a second time, without what follows
 *   sources    {worker, class, keys, known, first, asks}: how many keys it
 *              gives (null: not known before it is asked), how that is known,
 *              the first of them, and what it asks for; failure: {reason,
 *              means, detail} where a page that was asked for gave none
 *   requests   {worker, key, url}: the first ones; key null: not known yet
 *   hosts      {worker, host, rate, max_in_flight, adaptive, robots}; host
 *              null: each key's own
 *   retries    {worker, attempts, backoff_ms, backoff_max_ms, timeout_ms}
 *   tables     {worker, table, columns: [{name, type, needed, from}]}
 *   past       the last whole run of a pipeline of this name: {run, keys,
 *              seconds, keys_per_second}, or null
 *   estimate   {worker, keys, requests, seconds, limit, assumed}: how long;
 *              keys, requests and seconds are null where the keys are not known
 */
#ifndef MASTER_PREVIEW_H
#define MASTER_PREVIEW_H

#include <jansson.h>

#include "context.h"
#include "output.h"

#define PREVIEW_KEYS_SHOWN 3  /* of a source; and as many requests */
#define PREVIEW_PAGES_MAX 20  /* of a list, that are fetched */
#define PREVIEW_RUNS_MAX 1000 /* among which a past one is looked for */

/* Of an answer, where no past run says it. */
#define PREVIEW_LATENCY_MS 200

struct preview {
    const struct context *context;
    const char *database; /* URL */
    bool fetch_lists;
    int64_t limit; /* keys of each source, as --limit of a run; 0: all */
    int n_nodes;
    int64_t keys[PIPELINE_WORKERS_MAX]; /* of each source; -1: not known */
    json_t *first[PIPELINE_WORKERS_MAX];
    const char *known[PIPELINE_WORKERS_MAX];
    json_t *failure[PIPELINE_WORKERS_MAX]; /* of its first page without keys */
    double past_rate; /* keys a second of a past run; 0: none */
    int64_t past_keys;
};

/* Reads key files, asks for lists where it shall, looks for past runs. Errors
 * are those of plan_each_key() and trial_run(). */
MUSTCHECK
int preview_build(struct preview *preview, json_t **ret, struct error *err);

/* preview_time.c: the members `past` (and `past_unknown`: why it is null
 * where the database can't be asked) and `estimate`. */
void preview_past(struct preview *preview, json_t *plan);
void preview_estimate(const struct preview *preview, json_t *plan);

/* preview_print.c */
void preview_print(const struct output *output, const json_t *plan);

#endif
