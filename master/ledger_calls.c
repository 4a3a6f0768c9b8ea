/* ledger_calls.c: see ledger_calls.h. */
#include "ledger_calls.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/crash_point.h"
#include "loop/offload.h"

struct ledger_calls {
    struct offload *offload;
    struct event *renew;
    int64_t run, epoch;
    usec_t lease, database_wait;
    bool renewing;
    usec_t asked_at, renewed_at; /* the latest renewal; the latest good one */
    usec_t away_since;           /* 0: the database is there */
    struct ledger_callbacks callbacks;
};

/* One struct for the three calls: each uses a part. */
struct call {
    struct offload_work work;
    struct error err;
    int64_t run, epoch;
    usec_t lease;
    int64_t after;
    int64_t *batches;
    size_t n, limit;
    bool found; /* rows or looks are filled */
    struct batch_row *rows;
    struct batch_look *looks;
    int64_t open_keys;
    int nodes_told;
};

static void drop(struct offload_work *work)
{
    struct call *call = (struct call *)work;
    free(call->batches);
    free(call->rows);
    free(call->looks);
    free(call);
}

/* Nobody has taken over what it found. */
static void drop_found(struct offload_work *work)
{
    struct call *call = (struct call *)work;
    for (size_t i = 0; i < call->n && call->found; i++)
        free(call->looks ? call->looks[i].row.keys_json
                         : call->rows[i].keys_json);
    drop(work);
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
    calls->callbacks.on_trouble(calls->callbacks.context, err->text, final);
    return false;
}

static void tell_away(struct ledger_calls *calls)
{
    struct master_event event = {.type = MASTER_EVENT_LEDGER_AWAY};
    calls->callbacks.on_event(calls->callbacks.context, &event);
}

/* ---- pages ---- */

static void run_load(struct offload_work *work, void *ledger)
{
    struct call *call = (struct call *)work;
    call->found =
        !ledger_open_batches(ledger, call->run, call->after, call->limit,
                             call->rows, &call->n, &call->err);
}

static void done_load(struct offload_work *work, void *context)
{
    struct ledger_calls *calls = context;
    struct call *call = (struct call *)work;
    CRASH_POINT("master_after_load");
    if (went_well(calls, &call->err)) {
        struct master_event event = {.type = MASTER_EVENT_PAGE};
        event.page.after = call->after;
        event.page.rows = call->rows;
        event.page.n = call->n;
        event.page.last = call->n < call->limit;
        calls->callbacks.on_event(calls->callbacks.context, &event);
    } else {
        tell_away(calls);
    }
    drop(work);
}

/* ---- the state of batches ---- */

static void run_look(struct offload_work *work, void *ledger)
{
    struct call *call = (struct call *)work;
    call->found = !ledger_look(ledger, call->run, call->batches, call->n,
                               call->looks, &call->err);
}

static void done_look(struct offload_work *work, void *context)
{
    struct ledger_calls *calls = context;
    struct call *call = (struct call *)work;
    CRASH_POINT("master_after_look");
    if (went_well(calls, &call->err)) {
        struct master_event event = {.type = MASTER_EVENT_LOOKED};
        event.looked.looks = call->looks;
        event.looked.n = call->n;
        calls->callbacks.on_event(calls->callbacks.context, &event);
    } else {
        tell_away(calls);
    }
    drop(work);
}

/* ---- the lease ---- */

/* The count comes with it: the window in memory does not know what waits in
 * the ledger. */
static void run_renew(struct offload_work *work, void *ledger)
{
    struct call *call = (struct call *)work;
    struct arena arena = ARENA_EMPTY;
    struct run_row row;
    CRASH_POINT("master_before_renew");
    if (!ledger_run_renew(ledger, call->run, call->epoch, call->lease,
                          &call->err) &&
        !ledger_run_row(ledger, call->run, &arena, &row, &call->err)) {
        call->open_keys = row.open_keys;
        call->nodes_told = row.nodes_wanted;
    }
    arena_free(&arena);
}

static void done_renew(struct offload_work *work, void *context)
{
    struct ledger_calls *calls = context;
    struct call *call = (struct call *)work;
    calls->renewing = false;
    CRASH_POINT("master_after_renew");
    if (call->err.code == ERR_LEASE_LOST && !DEFENCE_OFF("epoch")) {
        struct master_event event = {.type = MASTER_EVENT_LEASE_LOST};
        calls->callbacks.on_event(calls->callbacks.context, &event);
    } else if (DEFENCE_OFF("epoch") || went_well(calls, &call->err)) {
        calls->renewed_at = calls->asked_at;
        calls->callbacks.on_renewed(calls->callbacks.context, call->open_keys,
                                    call->nodes_told);
    }
    drop(work);
}

/* ---- */

static void ask(struct ledger_calls *calls, struct call *call,
                void (*run)(struct offload_work *, void *),
                void (*done)(struct offload_work *, void *))
{
    call->work =
        (struct offload_work){.run = run, .done = done, .drop = drop_found};
    call->run = calls->run;
    call->epoch = calls->epoch;
    call->lease = calls->lease;
    offload_do(calls->offload, &call->work);
}

static void no_memory(struct ledger_calls *calls, struct call *half)
{
    if (half)
        drop(&half->work);
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
    ask(calls, load, run_load, done_load);
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
    ask(calls, look, run_look, done_look);
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
    calls->asked_at = clock_monotonic();
    ask(calls, renew, run_renew, done_renew);
}

struct ledger_calls *ledger_calls_new(struct event_base *base,
                                      struct ledger *ledger, int64_t run,
                                      int64_t epoch, usec_t lease,
                                      usec_t database_wait,
                                      const struct ledger_callbacks *callbacks)
{
    struct ledger_calls *calls = calloc(1, sizeof *calls);
    if (!calls)
        return NULL;
    calls->run = run;
    calls->epoch = epoch;
    calls->lease = lease;
    calls->renewed_at = clock_monotonic(); /* it was just taken */
    calls->database_wait = database_wait;
    calls->callbacks = *callbacks;
    const struct timeval third = {lease / 3 / USEC_PER_SEC,
                                  lease / 3 % USEC_PER_SEC};
    calls->offload = offload_new(base, ledger, calls);
    calls->renew = event_new(base, -1, EV_PERSIST, on_renew, calls);
    if (!calls->offload || !calls->renew || event_add(calls->renew, &third))
        ledger_calls_free(&calls);
    return calls;
}

usec_t ledger_calls_renewed_at(const struct ledger_calls *calls)
{
    return calls->renewed_at;
}

void ledger_calls_free(struct ledger_calls **calls)
{
    if (!*calls)
        return;
    offload_free(&(*calls)->offload, USEC_NEVER);
    if ((*calls)->renew)
        event_free((*calls)->renew);
    free(*calls);
    *calls = NULL;
}
