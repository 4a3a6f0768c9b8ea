/*
 * answers.h: questions to the ledger, without holding up the loop.
 *
 * One thread asks them, one after the other. Who asks what was asked within the
 * last second gets that answer: so a hundred pages ask the database no more
 * than one does.
 */
#ifndef DASHBOARD_ANSWERS_H
#define DASHBOARD_ANSWERS_H

#include <event2/event.h>
#include <event2/http.h>

#include "library.h"

#define ANSWERS_KEPT_MAX 64 /* questions whose answer is kept or awaited */
#define ANSWERS_FRESH USEC_PER_SEC
/* A question that took long is not asked again for so many times as long,
 * unless the database was away. */
#define ANSWERS_REST 10
#define ANSWERS_WAITING_MAX 512 /* requests */

struct answers;

/* `library` is used by the thread alone from now on. NULL when memory or
 * threads are out. */
struct answers *answers_new(struct event_base *base, struct library *library);
/* False where a question was still under way: the library must be left alone,
 * and the process should end. */
bool answers_free(struct answers **answers);

/* Replies to the request, now or later. `http` NULL: only to have it asked. */
void answers_give(struct answers *answers, const struct question *question,
                  struct evhttp_request *http);

/* Whether the database answered the last question, and when not, why. */
bool answers_well(const struct answers *answers, const char **ret_why);
/* The ledger's id; "" until it was reached. */
const char *answers_ledger_id(const struct answers *answers);

#endif
