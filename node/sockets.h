/*
 * sockets.h: libcurl's sockets in the loop, registered once each.
 *
 * libcurl asks for a socket to be watched when a transfer begins and to be
 * forgotten when it ends, though the connection lives on. The registration
 * stays until the socket is closed: an idle one costs nothing unless its
 * server speaks or hangs up, and then it is taken out.
 */
#ifndef NODE_SOCKETS_H
#define NODE_SOCKETS_H

#include <curl/curl.h>
#include <event2/event.h>
#include <stdbool.h>

#define SOCKETS_MAX 65536 /* the largest descriptor that is taken */

struct sockets;

/* `owner` is what sockets_watch() was given; `curl_events` for
 * curl_multi_socket_action(). */
typedef void sockets_on_ready(void *owner, int fd, int curl_events);

/* NULL when memory is out. */
struct sockets *sockets_new(struct event_base *base,
                            sockets_on_ready *on_ready);
void sockets_free(struct sockets **sockets);

/* What CURLMOPT_SOCKETFUNCTION got: CURL_POLL_IN, _OUT, _INOUT or _REMOVE.
 * False when memory is out. */
bool sockets_watch(struct sockets *sockets, int fd, int what, void *owner);

/* Has `easy` close its sockets through here, as every transfer must. */
bool sockets_options(struct sockets *sockets, CURL *easy);

#endif
