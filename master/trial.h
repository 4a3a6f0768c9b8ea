/*
 * trial.h: one key (or list) of a pipeline, tried in a node of its own
 * (once.h): which worker it is for, the job, and what came of it.
 */
#ifndef MASTER_TRIAL_H
#define MASTER_TRIAL_H

#include <jansson.h>

#include "context.h"
#include "output.h"

#define TRIAL_KEYS_SHOWN_MAX 1000 /* of a file, as of a list: node/try.h */

/* In place of the time of an answer, which is another one each time. */
#define TRIAL_TIME "(time of the answer)"

/*
 * The worker of this name; without one, the first fetcher that reads what a
 * source writes. ERR_USAGE where there is none, where it is a store, or where
 * `key` is missing (fetchers) or too many (sources).
 */
MUSTCHECK
int trial_worker(const struct pipeline *pipeline, const char *name,
                 const char *key, const struct worker **ret, struct error *err);

/* Whether it asks the web, so that a case can be made of it: ERR_USAGE. */
MUSTCHECK
int trial_check_web(const struct worker *worker, struct error *err);

/* Tries it; *ret_events is the caller's. What needs no node (the keys of a
 * file, or of the pipeline itself) is read here. `answers` (NULL: the web is
 * asked) is taken; `record` is a descriptor, or -1. */
MUSTCHECK
int trial_run(const struct context *context, const struct worker *worker,
              const char *key, json_t *answers, int record, json_t **ret_events,
              struct error *err);

/* The event's text under `name`; "" where there is none. */
const char *trial_text(const json_t *event, const char *name);

/* What came of it, alike each time: {rows: [{table, values}]} (with sets:
 * {name: how many rows} where the fetcher has row sets), {keys, n}, or
 * {failure: {worker, reason, detail}}. NULL: no memory. */
json_t *trial_outcome(const json_t *events);

/* 0 rows or keys, 3 a recorded failure, 4 no keys, or no answer of a site. */
int trial_status(const struct worker *worker, const json_t *events);

/* For people; what came from the web without control characters. */
void trial_print(const struct output *output, const struct worker *worker,
                 const json_t *events);

/* Text of the web's, fit for a terminal: without control characters, on one
 * line. */
void trial_put(FILE *out, const char *text);

/* What a case should have given and what it gave: [{path, expected, found}];
 * none: it passed. */
void trial_print_differences(const struct output *output, const char *name,
                             const json_t *differences);

/* A case that can't be run, and why. */
void trial_print_wrong(const struct output *output, const char *name,
                       const char *why);

#endif
