/*
 * fetch_condition.h: asking whether something has changed (RFC 9110, 13): the
 * headers with the validators of the answer before.
 */
#ifndef NODE_FETCH_CONDITION_H
#define NODE_FETCH_CONDITION_H

#include <curl/curl.h>

#include "base/buffer.h"
#include "ledger/answer.h"

/* Zeroed: none. */
struct fetch_condition {
    struct buffer etag, modified; /* header lines; empty: none */
    struct curl_slist nodes[2];
};

/* `known` has what the URL answered before; NULL: nothing. Where memory is out
 * there is no condition. */
void fetch_condition_set(struct fetch_condition *condition,
                         const struct last_answer *known);
bool fetch_condition_is_set(const struct fetch_condition *condition);

/* What to send: the condition before the other headers. Nothing is copied: the
 * list is good until either of them changes. */
struct curl_slist *fetch_condition_list(struct fetch_condition *condition,
                                        struct curl_slist *headers);

void fetch_condition_fini(struct fetch_condition *condition);

#endif
