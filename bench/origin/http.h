/*
 * http.h: just enough HTTP/1.1 to read a GET and to head an answer (RFC 9112).
 */
#ifndef ORIGIN_HTTP_H
#define ORIGIN_HTTP_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"

#define HTTP_HEAD_BYTES_MAX                                                    \
    16384                          /* what Apache and nginx take is about 8 KB \
                                    */
#define HTTP_BODY_BYTES_MAX 65536  /* of a request; bodies are ignored */
#define HTTP_TARGET_BYTES_MAX 2048 /* with its NUL */
#define HTTP_AGENT_BYTES_MAX 64    /* with its NUL; the rest is not looked at */

struct http_request {
    char method[8];
    char target[HTTP_TARGET_BYTES_MAX];    /* as sent, with its query */
    char user_agent[HTTP_AGENT_BYTES_MAX]; /* "" where absent */
    char if_none_match[128];               /* "" where absent, as the next */
    char if_modified_since[64];
    bool keep_alive;
    bool chunked_understood; /* HTTP/1.1 and later */
    bool gzip;               /* accepted */
};

enum { HTTP_COMPLETE = 0, HTTP_PARTIAL = -1 };

/* Reads one request off the start of `text`. HTTP_COMPLETE: `request` is set
 * and *ret_used bytes, head and body, belong to it. HTTP_PARTIAL: more must
 * come. Otherwise the status of the refusal, after which nothing more can be
 * read from this connection. */
int http_parse(const char *text, size_t len, struct http_request *request,
               size_t *ret_used);

/* Of a body's length: it is not known, so the body is chunked. */
#define HTTP_CHUNKED ((size_t)-1)

struct http_head {
    int status;
    const char *type;
    size_t body_bytes; /* or HTTP_CHUNKED */
    bool gzip;
    bool keep_alive;
    const char *extra; /* further lines, each with its CR LF; "" for none */
};

void http_append_head(struct buffer *to, const struct http_head *head);

#endif
