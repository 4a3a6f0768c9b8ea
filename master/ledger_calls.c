/* ledger_calls.c: see ledger_calls.h. */
#include "ledger_calls.h"

#include <stdio.h>
#include <stdlib.h>

#include "ledger_thread.h"

struct ledger_calls {
    struct ledger_thread *thread;
    struct event *renew;
    int64_t run, epoch;
    usec_t lease, database_wait;
    bool renewing;
    usec_t away_since; /* 0: the database is there */
    void *owner;
};

/* One struct for the three calls: each uses a part. */
struct call {
    struct ledger_work work;
    int64_t run, epoch;
    usec_t lease;
    int64_t after;
    int64_t *batches;
    size_t n, limit;
    struct batch_row *rows;
    struct batch_look *looks;
};

static void free_call(struct ledger_work *work)
{
    struct call *call = (struct call *)work;
    free(call->batches);
    free(call->rows);
    free(call->looks);
    free(call);
}

/* Whether the call succeeded. A database that is away is the core's to wait
 * for, until database_wait has passed. */
static bool went_well(struct ledger_calls *calls, const struct error *err)
{
    if (err->code == ERR_NONE) {
        calls->away_since = 0;
        return true;
    }
    usec_t now = clock_monotonic();
    if (!calls->away_since)
        calls->away_since = now;
    bool final = error_code_kind(err->code) != ERROR_RETRY ||
                 now - calls->away_since > calls->database_wait;
    ledger_on_trouble(calls->owner, err->text, final);
    return false;
}

static void tell_away(struct ledger_calls *calls)
{
    struct master_event event = {.type = MASTER_EVENT_LEDGER_AWAY};
    ledger_on_event(calls->owner, &event);
}

/* ---- pages ---- */

static int run_load(struct ledger *ledger, struct ledger_work *work,
                    struct error *err)
{
    struct call *call = (struct call *)work;
    return ledger_open_batches(ledger, call->run, call->after, call->limit,
                               call->rows, &call->n, err);
}

static void done_load(void *context, struct ledger_work *work,
                      const struct error *err)
{
    struct ledger_calls *calls = context;
    struct call *call = (struct call *)work;
    if (went_well(calls, err)) {
        struct master_event event = {.type = MASTER_EVENT_PAGE};
        event.page.after = call->after;
        event.page.rows = call->rows;
        event.page.n = call->n;
        event.page.last = call->n < call->limit;
        ledger_on_event(calls->owner, &event);
    } else {
        tell_away(calls);
    }
    free_call(work);
}

/* ---- the state of batches ---- */

static int run_look(struct ledger *ledger, struct ledger_work *work,
                    struct error *err)
{
    struct call *call = (struct call *)work;
    return ledger_look(ledger, call->run, call->batches, call->n, call->looks,
                       err);
}

static void done_look(void *context, struct ledger_work *work,
                      const struct error *err)
{
    struct ledger_calls *calls = context;
    struct call *call = (struct call *)work;
    if (went_well(calls, err)) {
        struct master_event event = {.type = MASTER_EVENT_LOOKED};
        event.looked.looks = call->looks;
        event.looked.n = call->n;
        ledger_on_event(calls->owner, &event);
    } else {
        tell_away(calls);
    }
    free_call(work);
}

/* ---- the lease ---- */

static int run_renew(struct ledger *ledger, struct ledger_work *work,
                     struct error *err)
{
    struct call *call = (struct call *)work;
    return ledger_run_renew(ledger, call->run, call->epoch, call->lease, err);
}

static void done_renew(void *context, struct ledger_work *work,
                       const struct error *err)
{
    struct ledger_calls *calls = context;
    calls->renewing = false;
    if (err->code == ERR_LEASE_LOST) {
        struct master_event event = {.type = MASTER_EVENT_LEASE_LOST};
        ledger_on_event(calls->owner, &event);
    } else {
        went_well(calls, err);
    }
    free_call(work);
}

/* ---- */

static void
call(struct ledger_calls *calls, struct call *call,
     int (*run)(struct ledger *, struct ledger_work *, struct error *),
     void (*done)(void *, struct ledger_work *, const struct error *))
{
    call->work.run = run;
    call->work.done = done;
    call->work.free_work = free_call;
    call->run = calls->run;
    call->epoch = calls->epoch;
    call->lease = calls->lease;
    if (ledger_thread_do(calls->thread, &call->work))
        return;
    struct error full = ERROR_NONE;
    error_set(&full, ERR_LIMIT, "too much is asked of the ledger at once");
    done(calls, &call->work, &full);
}

static void no_memory(struct ledger_calls *calls, struct call *half)
{
    if (half)
        free_call(&half->work);
    tell_away(calls); /* the core asks again */
}

void ledger_calls_load(struct ledger_calls *calls, int64_t after, size_t limit)
{
    struct call *load = calloc(1, sizeof *load);
    if (!load || !(load->rows = calloc(limit, sizeof *load->rows))) {
        no_memory(calls, load);
        return;
    }
    load->after = after;
    load->limit = limit;
    call(calls, load, run_load, done_load);
}

void ledger_calls_look(struct ledger_calls *calls, const int64_t *batches,
                       size_t n)
{
    struct call *look = calloc(1, sizeof *look);
    if (!look || !(look->looks = calloc(n, sizeof *look->looks)) ||
        !(look->batches = malloc(n * sizeof *batches))) {
        no_memory(calls, look);
        return;
    }
    memcpy(look->batches, batches, n * sizeof *batches);
    look->n = n;
    call(calls, look, run_look, done_look);
}

static void on_renew(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct ledger_calls *calls = context;
    if (calls->renewing)
        return;
    struct call *renew = calloc(1, sizeof *renew);
    if (!renew)
        return; /* there are two more before the lease runs out */
    calls->renewing = true;
    call(calls, renew, run_renew, done_renew);
}

struct ledger_calls *ledger_calls_new(struct event_base *base,
                                      struct ledger *ledger, int64_t run,
                                      int64_t epoch, usec_t lease,
                                      usec_t database_wait, void *owner)
{
    struct ledger_calls *calls = calloc(1, sizeof *calls);
    if (!calls)
        return NULL;
    calls->run = run;
    calls->epoch = epoch;
    calls->lease = lease;
    calls->database_wait = database_wait;
    calls->owner = owner;
    const struct timeval third = {lease / 3 / USEC_PER_SEC,
                                  lease / 3 % USEC_PER_SEC};
    calls->thread = ledger_thread_new(base, ledger, calls);
    calls->renew = event_new(base, -1, EV_PERSIST, on_renew, calls);
    if (!calls->thread || !calls->renew || event_add(calls->renew, &third))
        ledger_calls_free(&calls);
    return calls;
}

void ledger_calls_free(struct ledger_calls **calls)
{
    if (!*calls)
        return;
    ledger_thread_free(&(*calls)->thread);
    if ((*calls)->renew)
        event_free((*calls)->renew);
    free(*calls);
    *calls = NULL;
}
