/*
 * events.h: pages that are told what is new: server-sent events
 * (https://html.spec.whatwg.org/multipage/server-sent-events.html).
 *
 * A page that does not read is closed when so much waits for it; it connects
 * again by itself. None makes this process grow.
 */
#ifndef DASHBOARD_EVENTS_H
#define DASHBOARD_EVENTS_H

#include <event2/http.h>

#include "base/clock.h"
#include "base/slice.h"

#define EVENTS_CLIENTS_MAX 256
#define EVENTS_WAITING_BYTES_MAX ((size_t)256 * 1024)
#define EVENTS_QUIET (15 * USEC_PER_SEC) /* then a comment is sent */

struct events;

/* NULL when memory is out. */
struct events *events_new(void);
/* Before the server goes. */
void events_free(struct events **events);

/* Takes the request; `first` is told to it at once. */
void events_join(struct events *events, struct evhttp_request *request,
                 const char *name, struct slice first);
/* Tells all of them: `name` and one line of JSON. */
void events_tell(struct events *events, const char *name, struct slice json);
/* To be called each second. */
void events_tick(struct events *events);
size_t events_clients(const struct events *events);

#endif
