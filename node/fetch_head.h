/*
 * fetch_head.h: what the head of an answer says about what to do next: when to
 * come back, where to go on, how to ask again. Of a transfer that has ended
 * well; texts are libcurl's, and good until its handle is used again.
 */
#ifndef NODE_FETCH_HEAD_H
#define NODE_FETCH_HEAD_H

#include <curl/curl.h>

#include "fetch.h"

/* -1: not said; cut to RETRY_AFTER_MAX. */
usec_t fetch_head_retry_after(CURL *easy);

/* The first Location that says something; NULL: there is none. */
const char *fetch_head_location(CURL *easy);

/* Fills the validators of `answer`, how long it holds, and no_store. */
void fetch_head_cache(CURL *easy, struct fetch_answer *answer);

#endif
