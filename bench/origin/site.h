/*
 * site.h: which page a request asks for, and what is answered.
 *
 * Two steps, since time may pass between them: site_begin() decides (the page,
 * its key, the fault, the delay) and writes the journal; site_answer() makes
 * the answer when it is due. No sockets here.
 */
#ifndef ORIGIN_SITE_H
#define ORIGIN_SITE_H

#include <stdbool.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/slice.h"
#include "faults.h"
#include "http.h"
#include "journal.h"
#include "options.h"
#include "route.h"

struct visit {
    enum page page;
    bool journaled; /* journal_end() is due when it is over */
    bool yahoo;     /* for PAGE_BAD_AGENT: whose refusal */
    enum fault_kind fault;
    usec_t delay;
    char key[SYMBOL_BYTES_MAX];
    char faulty[SYMBOL_BYTES_MAX]; /* of several, the one that the fault is
                                      named for; "": none */
};

/* How the answer goes out. The others than these end the connection: PLAIN,
 * DRIP, STREAM, RAW, and STALE on a new connection. */
enum delivery {
    DELIVER_PLAIN,
    DELIVER_RAW,       /* the body is all that goes out, head included */
    DELIVER_RAW_CLOSE, /* the same, then the end */
    DELIVER_RAW_STALL, /* the same, then nothing, and not the end either */
    DELIVER_RAW_DRIP,  /* the same, a byte at a time, then the end */
    DELIVER_STALE,     /* nothing, if the connection was used before */
    DELIVER_TRUNCATED, /* half the body */
    DELIVER_DRIP,      /* a byte at a time */
    DELIVER_STREAM,    /* `stream_bytes` of filling, chunked; no body */
    DELIVER_CLOSE,     /* nothing; status, type and body are not set */
    DELIVER_RESET,     /* nothing */
    DELIVER_STALL      /* nothing, and not the end either */
};

struct answer {
    enum delivery delivery;
    int status;
    const char *type;
    const char *extra; /* header lines; valid as the body */
    bool gzip;         /* the body is compressed */
    struct slice body;
    bool body_lasts; /* as long as the site; else until the next answer */
    uint64_t stream_bytes;
    bool stream_length; /* Content-Length instead of chunks */
};

struct site;

/* Loads all that `options` name; they must outlive the site. */
MUSTCHECK
int site_new(const struct options *options, struct site **ret_site,
             struct error *err);
void site_free(struct site **site);

struct journal *site_journal(struct site *site);

/* `now` is monotonic. */
void site_begin(struct site *site, const struct http_request *request,
                usec_t now, struct visit *ret_visit);

void site_answer(struct site *site, const struct http_request *request,
                 const struct visit *visit, struct answer *ret_answer);

/* The answer to what http_parse() refused. */
void site_refuse(int status, struct answer *ret_answer);

#endif
