/*
 * unchanged.h: what an answer says about asking again (RFC 9110, 13 and 9111):
 * ETag, Last-Modified, Cache-Control, and 304 where nothing has changed.
 */
#ifndef ORIGIN_UNCHANGED_H
#define ORIGIN_UNCHANGED_H

#include "site.h"

/* Of a good chart or quote: adds the headers that `options` ask for to `extra`,
 * and turns an answer that the request knows already into a 304. Returns
 * whether it did. */
bool unchanged_apply(const struct options *options,
                     const struct http_request *request,
                     const struct visit *visit, struct buffer *extra,
                     struct answer *answer);

#endif
