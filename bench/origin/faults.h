/*
 * faults.h: what goes wrong, when, and for which key.
 *
 * --fault KIND=RATE       of the requests for a symbol's page, RATE (0 to 1)
 * --fault KIND@KEY,...    each request for these keys
 * --fault KIND@KEY,...:N  only the first N requests for each of these keys
 *
 * KEY is what was asked for (AAPL, BRK-B), `wiki` for the article, `symbols`
 * for the other lists, `spark` for requests for several symbols, which have the
 * faults of each of them too, `*` for any symbol. Of the rules for a key the
 * first whose N is not used up holds, so 503@AAPL:1 and then reset@AAPL:2 fail
 * differently in turn; rules for a key go before rules for `*`, and those
 * before rates. The rates add up and leave the lists alone. Whether a rate hits
 * follows from the seed, the key and how many times that key was asked for, and
 * from nothing else: a run can be repeated.
 */
#ifndef ORIGIN_FAULTS_H
#define ORIGIN_FAULTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

/* name in the enum, name on the command line, what happens */
#define FAULT_LIST(X)                                                          \
    X(403, "403", "status 403")                                                \
    X(404, "404", "status 404, as for an unknown symbol")                      \
    X(429, "429", "status 429 without Retry-After")                            \
    X(429_RETRY_AFTER, "429-retry-after", "status 429 with Retry-After")       \
    X(500, "500", "status 500")                                                \
    X(503, "503", "status 503")                                                \
    X(RESET, "reset", "the connection is reset (RST), unanswered")             \
    X(CLOSE, "close", "the connection is closed, unanswered")                  \
    X(STALL, "stall", "no byte of an answer ever comes")                       \
    X(TRUNCATED, "truncated", "half the promised body, then the end")          \
    X(DRIP, "drip", "the body comes a byte every --drip-interval")             \
    X(GARBAGE, "garbage", "status 200, bytes that mean nothing")               \
    X(HUGE, "huge", "a body of --huge-bytes, chunked")                         \
    X(GZIP_BOMB, "gzip-bomb", "1 MB of gzip that expands to 1 GB")             \
    X(WRONG_TYPE, "wrong-type", "HTML where JSON belongs, or the reverse")     \
    X(NO_FIELD, "no-field", "a sound answer without the price (the table)")    \
    X(NULL_FIELD, "null-field", "a sound answer with price null (no rows)")    \
    X(TOO_MANY_200, "too-many-requests-200", "\"Too Many Requests\", as 200")  \
    X(REDIRECT, "redirect", "302 to the same path with ?r=1, which answers")   \
    X(REDIRECT_LOOP, "redirect-loop", "302 to itself")                         \
    X(REDIRECT_FILE, "redirect-file", "302 to file:///etc/passwd")             \
    X(REDIRECT_CHAIN, "redirect-chain",                                        \
      "--redirect-hops of 302, then it answers")                               \
    X(REDIRECT_AWAY, "redirect-away",                                          \
      "302 to the same path at --redirect-url")                                \
    X(SLOW, "slow", "a good answer, later by --slow")                          \
    X(204, "204", "status 204, so no body")                                    \
    X(206, "206", "status 206: the first half, which nobody asked for")        \
    X(304, "304", "status 304, which nobody asked for")                        \
    X(INTERIM, "1xx", "100 and 103 first, then a good answer")                 \
    X(INTERIM_FLOOD, "1xx-flood", "100,000 of 100, then a good answer")        \
    X(HEADERS_MANY, "headers-many", "a good answer after 100,000 headers")     \
    X(HEADER_LONG, "header-long", "a good answer after a header of 1 MB")      \
    X(HUGE_LENGTH, "huge-length", "as huge, with its Content-Length")          \
    X(GZIP_NESTED, "gzip-bomb-nested", "the same in gzip once more: 4 KB")     \
    X(ENCODING_WRONG, "encoding-wrong", "Content-Encoding is not the body's")  \
    X(ENCODING_UNKNOWN, "encoding-unknown", "Content-Encoding: zebra")         \
    X(LENGTH_LONG, "length-long", "more is promised, and nothing more comes")  \
    X(LENGTH_SHORT, "length-short", "half is promised, and all comes")         \
    X(LENGTH_BAD, "length-bad", "Content-Length: ten")                         \
    X(CHUNKED_BAD, "chunked-bad", "chunks of length ZZ")                       \
    X(NO_HEAD, "http-0.9", "the body alone, no status and no headers")         \
    X(CLOSE_AFTER_HEAD, "close-after-head", "the head, then the end")          \
    X(DRIP_HEAD, "drip-head", "head and body, a byte every --drip-interval")   \
    X(STALE, "stale", "closed unanswered if it was kept alive, else good")     \
    X(DEEP, "deep", "a sound answer with 1,000,000 levels (2 to 7 MB)")        \
    X(LONG_TAG, "long-tag", "a sound answer with a tag or text of 1 MB")       \
    X(BAD_UTF8, "bad-utf8", "bytes that are no UTF-8 beside the price")        \
    X(NUL, "nul", "a NUL beside the price")                                    \
    X(UTF16, "utf-16", "all in UTF-16, with its mark")                         \
    X(DUPLICATE, "duplicate", "the price, and then another one")               \
    X(NUMBER_HUGE, "number-huge", "the price is 1e200000")                     \
    X(NUMBER_TINY, "number-tiny", "the price is 1e-400")                       \
    X(NUMBER_MINUS_ZERO, "number-minus-zero", "the price is -0")               \
    X(NUMBER_NAN, "number-nan", "the price is NaN")                            \
    X(NUMBER_INFINITY, "number-infinity", "the price is -Infinity")

enum fault_kind {
    FAULT_NONE,
#define X(name, text, help) FAULT_##name,
    FAULT_LIST(X)
#undef X
        FAULT_KINDS
};

#define FAULT_RULES_MAX 65536 /* keys named on a command line */

/* "503" and so on; NULL for FAULT_NONE. */
const char *faults_name(enum fault_kind kind);

struct faults;

MUSTCHECK
int faults_new(struct faults **ret_faults, struct error *err);
void faults_free(struct faults **faults);

/* Adds what stands after --fault; ERR_USAGE says what is wrong with it. */
MUSTCHECK
int faults_add(struct faults *faults, const char *text, struct error *err);

/* The fault of request number `nth` (from 0) for `key`. `is_symbol`: not for
 * one of the lists. */
enum fault_kind faults_pick(const struct faults *faults, uint64_t seed,
                            const char *key, uint64_t nth, bool is_symbol);

/* From 0 to below 1, from these and nothing else; `purpose` tells draws for the
 * same request apart. */
double faults_draw(uint64_t seed, const char *key, uint64_t nth,
                   unsigned purpose);

#endif
