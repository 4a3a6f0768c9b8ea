/*
 * template.h: from a key to the URL that is asked.
 *
 * key_replace's first matching expression rewrites the key; then {key} (or
 * {symbol}) in the URL template is replaced, percent-encoded for where it
 * stands (RFC 3986: a path segment or a query value; in the authority it must
 * be a plain host name already). Where a request asks for several keys, {keys}
 * is replaced by all of them, each encoded, with the separator between them.
 */
#ifndef PIPELINE_TEMPLATE_H
#define PIPELINE_TEMPLATE_H

#include "base/buffer.h"
#include "pipeline/pipeline.h"

#define URL_BYTES_MAX 4096

/* Whether `key` may be used: 1 to KEY_BYTES_MAX bytes of valid UTF-8 without
 * control characters. */
bool key_is_valid(struct slice key);

/* Appends the URL for `key`. False where the key is not valid, the URL gets
 * longer than URL_BYTES_MAX, the result is not http or https with a host, or
 * memory is out: then nothing of use is in `ret`. */
MUSTCHECK
bool request_url(const struct request *request, struct slice key,
                 struct buffer *ret);

/* The same for the first of `n` keys together, as many as one URL takes: it
 * ends before one that is not valid, makes it too long, or holds the separator,
 * which stands alone. Returns how many; 0: not even the first. */
MUSTCHECK
size_t request_url_of(const struct request *request, const struct slice *keys,
                      size_t n, struct buffer *ret);

/* Appends what `key` is asked for as, after key_replace. False as above. */
MUSTCHECK
bool request_asked(const struct request *request, struct slice key,
                   struct buffer *ret);

/* The lower-cased "host:port" of a URL (the port always there: 80 or 443
 * where the URL has none). False where it is no http or https URL. */
MUSTCHECK
bool url_host(struct slice url, struct buffer *ret);

/* Whether every key is asked of the same host; then that host. */
MUSTCHECK
bool request_fixed_host(const struct request *request, struct buffer *ret);

#endif
