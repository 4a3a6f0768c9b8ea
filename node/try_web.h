/*
 * try_web.h: one request at a time, waited for, through what a node fetches
 * with (fetch.h, robots.h); or its answer out of a record, without a network.
 */
#ifndef NODE_TRY_WEB_H
#define NODE_TRY_WEB_H

#include <jansson.h>

#include "base/buffer.h"
#include "fetch.h"
#include "pipeline/settings.h"

#define TRY_ANSWERS_MAX 64 /* of one record */
#define TRY_BODY_BYTES_MAX (256LL << 20)

struct try_answer {
    enum reason reason; /* as fetch_answer has it */
    int http_status;
    struct buffer body; /* EXTRACT_PADDING bytes may be read behind it */
    struct buffer redirect;
    usec_t retry_after; /* -1: none */
    usec_t took;
    json_t *headers; /* name (lower case): value; NULL where memory is out */
    char detail[FETCH_DETAIL_BYTES];
};
void try_answer_free(struct try_answer *answer);

struct try_web;

/* `answers`: a record, an array of {status, headers, file}, which are given
 * one after the other instead of asking; NULL: the web is asked. */
MUSTCHECK
int try_web_new(const struct settings *settings, const json_t *answers,
                struct try_web **ret, struct error *err);
void try_web_free(struct try_web **web);

/* Asks for `url`, for a key of the worker, once (fetch_start() has
 * `foreign`). `ret` is zeroed, and to be freed in any case. */
void try_web_ask(struct try_web *web, const struct worker *worker,
                 struct slice url, bool foreign, struct try_answer *ret);

/* The file of the record's next answer, whole, as the body. */
void try_web_recorded(struct try_web *web, int64_t bytes_max,
                      struct try_answer *ret);

#endif
