/*
 * masters.h: the masters on this machine whose runs are in our ledger, and what
 * each says of its run (PROTOCOL.md, "Status").
 *
 * They are looked for each second among the folders of their sockets. What a
 * master of this user says is believed, within limits.
 */
#ifndef DASHBOARD_MASTERS_H
#define DASHBOARD_MASTERS_H

#include <event2/event.h>
#include <jansson.h>

#include "base/clock.h"
#include "base/error.h"

#define MASTERS_MAX 64                       /* listened to */
#define MASTERS_SAMPLES 600                  /* of a run: ten minutes */
#define MASTERS_SILENT (3 * USEC_PER_SEC)    /* then it is said to be silent */
#define MASTERS_GONE_FOR (60 * USEC_PER_SEC) /* one that is gone is shown */

struct masters;

/* How a run went in one second. */
struct sample {
    usec_t at;                       /* wall clock */
    double stored_rate, failed_rate; /* keys a second */
    double fetch_p50, fetch_p95;     /* seconds; -1: nothing was fetched */
    int64_t in_flight;
};

struct master {
    int64_t run;
    const json_t *status;        /* what it said last */
    bool gone;                   /* its process has ended */
    bool silent;                 /* it lives, and says nothing */
    usec_t heard;                /* how long ago */
    const struct sample *sample; /* the last; NULL: none yet */
};

/* `on_news` follows each status. ERR_MEMORY, ERR_SYSTEM. */
MUSTCHECK
int masters_new(struct event_base *base, void (*on_news)(void *context),
                void *context, struct masters **ret, struct error *err);
void masters_free(struct masters **masters);

/* Only those of this ledger are shown; "": none, until it is known. */
void masters_of_ledger(struct masters *masters, const char *ledger_id);

/* Those that are shown, one for each run, by number; false past the last. What
 * is pointed at lives until the loop goes on. */
bool masters_get(const struct masters *masters, size_t index,
                 struct master *ret);

/* The samples of run after run as {"RUN": [[at, stored_rate, failed_rate, p50,
 * p95, in_flight], ...]}; NULL when memory is out. */
json_t *masters_samples(const struct masters *masters);

#endif
