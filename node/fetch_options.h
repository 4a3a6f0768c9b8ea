/*
 * fetch_options.h: one transfer's options, its body, and what its end means.
 *
 * The part of fetching that knows HTTP: which options protect us, when a body
 * is too large, and which status or libcurl error is which reason.
 */
#ifndef NODE_FETCH_OPTIONS_H
#define NODE_FETCH_OPTIONS_H

#include <curl/curl.h>

#include "base/buffer.h"
#include "fetch.h"
#include "fetch_condition.h"

/* A longer scheme and host go with the rest. */

/*
 * What libcurl writes next: a head's status line, its first line after that,
 * the others, or the body. A head without an answer (1xx) is followed by
 * another.
 *
 *   STATUS --> FIRST_LINE --> LINES --> BODY
 *      ^________________________|
 */
enum transfer_part {
    TRANSFER_STATUS,
    TRANSFER_FIRST_LINE,
    TRANSFER_LINES,
    TRANSFER_BODY, /* from the start, where libcurl shows no heads */
};

/* Memory for bodies. Of thousands of transfers in flight most wait, and only
 * those whose answers come need some. */
#define SPARE_BODIES_MAX 64
struct spare_bodies {
    struct buffer list[SPARE_BODIES_MAX];
    size_t n;
};
void spare_bodies_free(struct spare_bodies *spare);

/* What libcurl's callbacks fill during a transfer. */
struct transfer {
    struct spare_bodies *spare; /* where `body` comes from; NULL: nowhere */
    const struct request *request;
    CURL *easy;
    enum transfer_part part;
    struct buffer body;
    size_t head_bytes;
    size_t answer_bytes; /* of the transfer before, head and body */
    long receive_bytes;  /* libcurl's buffer; 0: not told */
    bool too_large;      /* it was ended for the size of its body */
    bool denied;         /* it was ended for its address */
    bool out_of_memory;
    bool no_descriptor;               /* there was none for its connection */
    struct fetch_condition condition; /* the caller's to set */
    struct curl_slist *headers;       /* set once by transfer_options() */
    const char *url;                  /* of transfer_url() */
    char *base;     /* libcurl knows it as the URL, and the rest of `url` as
                       the target; NULL: not */
    char *redirect; /* where the answer leads; libcurl's */
    char error[CURL_ERROR_SIZE]; /* libcurl's own words; "": none */
};

/* Sets everything but the URL, on an `easy` without options. `foreign`: see
 * fetch_start(); `ca_file`: NULL for the system's. False when memory is out. */
bool transfer_options(struct transfer *transfer, CURL *easy,
                      const struct request *request, bool foreign,
                      CURLSH *share, const char *ca_file);

/* After transfer_options(), and for each transfer: what is asked for, on the
 * transfer's condition. `url` must stay until its end. False when memory is
 * out. */
bool transfer_url(struct transfer *transfer, const char *url);

/* Before each transfer. */
void transfer_begin(struct transfer *transfer);

/* After it: what it brought. `answer` points into the transfer and `easy`. */
void transfer_answer(struct transfer *transfer, CURL *easy, CURLcode code,
                     struct fetch_answer *answer);

/* The body is not needed any more. */
void transfer_rest(struct transfer *transfer);

/* What a status means; REASON_NONE: it is good. */
enum reason transfer_reason(long status, bool retry_after);

void transfer_free(struct transfer *transfer);

#endif
