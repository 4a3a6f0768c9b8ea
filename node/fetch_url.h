/*
 * fetch_url.h: what of a URL stays from key to key.
 *
 * libcurl takes a URL apart, puts it together and sends it, byte by byte, a
 * tenth of its work for a request. The URLs of a pipeline begin alike, so
 * libcurl is told that beginning once (CURLOPT_URL), and the rest as what to
 * ask for (CURLOPT_REQUEST_TARGET), which it sends as it stands.
 */
#ifndef NODE_FETCH_URL_H
#define NODE_FETCH_URL_H

#include <stddef.h>

/*
 * The length of a URL's beginning, scheme and authority: "http://host:port".
 * 0 where the rest is not to be sent as it stands, since libcurl would change
 * it: it has blanks, bytes that are not ASCII, a fragment, dot segments, or
 * does not begin with "/"; or where the authority holds a user.
 */
size_t fetch_url_base(const char *url);

/* Where a Location leads from `url`, as libcurl has it (RFC 3986, 5.2), to be
 * freed by curl_free(). NULL when memory is out, or it leads nowhere. */
char *fetch_url_resolve(const char *url, const char *location);

#endif
