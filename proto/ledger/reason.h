/*
 * reason.h: why a key failed: one list, for the ledger, the summary, the
 * progress line and the documentation.
 *
 * `retry` says whether trying again may help; the attempts of a key are
 * limited by the pipeline's retry.attempts in any case.
 */
#ifndef LEDGER_REASON_H
#define LEDGER_REASON_H

#include <stdbool.h>

/* id, name in the ledger, retry, what it means */
#define REASON_LIST(X)                                                         \
    X(REASON_BAD_KEY, "bad_key", false, "the key makes no valid URL")          \
    X(REASON_DNS, "dns", true, "the host name can't be resolved")              \
    X(REASON_CONNECT, "connect", true, "no connection to the host")            \
    X(REASON_TLS, "tls", false, "the certificate or handshake was refused")    \
    X(REASON_TIMEOUT, "timed_out", true, "no whole answer within the limit")   \
    X(REASON_CUT, "cut_short", true, "the connection ended in mid-answer")     \
    X(REASON_REFUSED, "refused", true, "the site said: too many requests")     \
    X(REASON_STATUS_RETRY, "http_error", true, "an HTTP status that may pass") \
    X(REASON_STATUS, "http_status", false,                                     \
      "an HTTP status that will not pass")                                     \
    X(REASON_NOT_FOUND, "not_found", false, "HTTP status 404 or 410")          \
    X(REASON_NOT_IN_ANSWER, "not_in_answer", false,                            \
      "the answer to several keys has no part for this one")                   \
    X(REASON_REDIRECT, "bad_redirect", false,                                  \
      "too many redirects, or to a place that is not allowed")                 \
    X(REASON_PRIVATE, "private_address", false,                                \
      "a private address, and deny_private is set")                            \
    X(REASON_ROBOTS, "robots", false, "the site's robots.txt disallows it")    \
    X(REASON_TOO_LARGE, "too_large", false, "the answer exceeds a limit")      \
    X(REASON_NOT_JSON, "not_json", true, "the answer is not JSON")             \
    X(REASON_NOT_HTML, "not_html", true, "the answer can't be read as HTML")   \
    X(REASON_FIELD_MISSING, "field_missing", false,                            \
      "a required field is absent")                                            \
    X(REASON_FIELD_NULL, "field_null", false, "a required field is null")      \
    X(REASON_FIELD_TYPE, "field_type", false, "a field is not of its type")    \
    X(REASON_VALUE, "field_value", false, "a value can't be computed")         \
    X(REASON_REQUIRE, "requirement", false,                                    \
      "the record does not meet what the pipeline requires")                   \
    X(REASON_ROWS_UNEQUAL, "rows_unequal", false,                              \
      "arrays that belong together have not the same length")                  \
    X(REASON_NO_TABLE, "no_table", false, "the page has no such table")        \
    X(REASON_NO_COLUMN, "no_column", false, "the table has no such column")    \
    X(REASON_NO_KEYS, "no_keys", false, "the list holds no keys")              \
    X(REASON_QUERY, "query", false, "the source's query failed")               \
    X(REASON_WORKER_DIED, "worker_died", true,                                 \
      "the program ended while it worked on the key")                          \
    X(REASON_WORKER_ANSWER, "worker_answer", true,                             \
      "the program's line is no answer")                                       \
    X(REASON_WORKER_RETRY, "worker_retry", true,                               \
      "the program gave an error that may pass")                               \
    X(REASON_WORKER_ERROR, "worker_error", false, "the program gave an error") \
    X(REASON_DATABASE, "database_refused", false,                              \
      "the database refused the row")                                          \
    X(REASON_KILLED_NODE, "killed_node", false,                                \
      "working on the key killed the node")                                    \
    X(REASON_INTERNAL, "internal", true,                                       \
      "out of memory or descriptors in the node")

enum reason {
    REASON_NONE = 0,
#define X(id, name, retry, text) id,
    REASON_LIST(X)
#undef X
        REASON_COUNT
};

const char *reason_name(enum reason reason);
const char *reason_text(enum reason reason);
bool reason_may_pass(enum reason reason);
/* REASON_NONE where there is none of that name. */
enum reason reason_parse(const char *name);

#endif
