/*
 * store_postgres.c: closings to PostgreSQL, in the loop, in pipeline mode.
 *
 * Each connection has a queue of units: a closing that was sent and is not
 * answered yet. A unit is its settings, its statement and a Sync: one
 * transaction, settled when its PGRES_PIPELINE_SYNC has come, never before (an
 * error may still follow the answer). A connection that breaks gives its units
 * back to the store, which sends them again: the ledger tells a closing that
 * was committed from one that was not.
 *
 *   CLOSED --> CONNECTING --> READY --> CLOSED ...
 *
 * CONNECTING is done by a thread (connecting.c): names, TLS and passwords take
 * time that the loop does not have.
 */
#include <stdio.h>
#include <stdlib.h>
#include <utlist.h>

#include "base/crash_point.h"
#include "base/log.h"
#include "connecting.h"
#include "ledger/ledger.h"
#include "ledger/ledger_postgres.h"
#include "store_backend.h"
#include "store_statements.h"
#include "times.h"
#include "turn.h"

struct unit {
    uint64_t id;
    usec_t since;
    const struct closing *closing;
    bool dropped; /* forgotten before it was sent */
    bool ask;     /* it was closed before: by this very closing? */
    PGresult *answer, *failure;
    struct close_result result;
    struct unit *prev, *next;
    int64_t children[];
};

enum connection_state {
    CONNECTION_CLOSED,
    CONNECTION_CONNECTING,
    CONNECTION_READY
};

struct connection {
    struct store_postgres *store;
    enum connection_state state;
    struct connecting *connecting;
    PGconn *pq;
    bool owns_session;   /* no pooler: statements are prepared */
    bool setting_up;     /* they are asked for, before any unit */
    struct event *ready; /* its socket */
    short watching;
    struct unit *units; /* sent, the oldest first */
    size_t n_units;
    usec_t since;        /* the oldest unit is the oldest */
    struct event *again; /* reconnect after a pause */
    usec_t pause;
};

struct store_postgres {
    struct store common;
    struct event_base *base;
    char *url;
    struct connection *connections;
    size_t n_connections;
    struct unit *to_send;
    struct unit *dropped;
    struct statements statements;
    struct event *work; /* to_send or dropped is to be looked at */
    struct event *pause_over;
    usec_t pause; /* after an answer that says: not now */
    bool paused;
    bool waiting, gave_up;
    usec_t waiting_since;
};

static void dispatch(struct store_postgres *store);
static void connection_open(struct connection *connection);

/* ---- the database is away, or back ---- */

static void give_up(struct store_postgres *store, const char *why)
{
    const struct store_callbacks *callbacks = &store->common.callbacks;
    if (!store->gave_up)
        callbacks->on_gave_up(callbacks->context, why);
    store->gave_up = true;
}

static void away(struct store_postgres *store, const char *why)
{
    const struct store_callbacks *callbacks = &store->common.callbacks;
    usec_t now = clock_monotonic();
    if (!store->waiting) {
        store->waiting = true;
        store->waiting_since = now;
        callbacks->on_waiting(callbacks->context, true, why);
    } else if (now - store->waiting_since > store->common.database_wait) {
        give_up(store, why);
    }
}

static void back(struct store_postgres *store)
{
    const struct store_callbacks *callbacks = &store->common.callbacks;
    store->pause = 0;
    if (!store->waiting)
        return;
    store->waiting = false;
    callbacks->on_waiting(callbacks->context, false, "");
}

/* Doubles, from STORE_RETRY_MIN to STORE_RETRY_MAX. */
static void arm_pause(struct event *event, usec_t *pause)
{
    *pause = *pause ? *pause * 2 : STORE_RETRY_MIN;
    if (*pause > STORE_RETRY_MAX)
        *pause = STORE_RETRY_MAX;
    struct timeval after = {*pause / USEC_PER_SEC, *pause % USEC_PER_SEC};
    evtimer_add(event, &after);
}

static bool any_ready(const struct store_postgres *store)
{
    for (size_t i = 0; i < store->n_connections; i++)
        if (store->connections[i].state == CONNECTION_READY)
            return true;
    return false;
}

/* ---- a unit's end ---- */

static void clear_answers(struct unit *unit)
{
    PQclear(unit->answer);
    PQclear(unit->failure);
    unit->answer = unit->failure = NULL;
}

static void unit_free(struct unit *unit)
{
    clear_answers(unit);
    free(unit);
}

/* Not now: it goes out again, before all that came after it. */
static void send_again(struct store_postgres *store, struct unit *unit)
{
    clear_answers(unit);
    DL_PREPEND(store->to_send, unit);
}

static void settle(struct store_postgres *store, struct unit *unit)
{
    const struct store_callbacks *callbacks = &store->common.callbacks;
    struct error err = ERROR_NONE;
    bool ask = false;
    const PGresult *answer = unit->failure ? unit->failure : unit->answer;
    int status = unit->ask ? ledger_close_ask_read(answer, unit->closing,
                                                   &unit->result, &err)
                           : ledger_close_read(answer, unit->closing,
                                               &unit->result, &ask, &err);
    if (status && error_code_kind(err.code) != ERROR_RETRY) {
        send_again(store, unit);
        give_up(store, err.text);
        return;
    }
    if (status) {
        send_again(store, unit);
        store->paused = true;
        arm_pause(store->pause_over, &store->pause);
        away(store, err.text);
        return;
    }
    back(store);
    if (ask) {
        unit->ask = true;
        send_again(store, unit);
        return;
    }
    histogram_add(&node_times()->commit, clock_monotonic() - unit->since);
    callbacks->on_closed(callbacks->context, unit->id, &unit->result);
    unit_free(unit);
}

/* ---- a connection's answers ---- */

/* `why` NULL: libpq knows. */
static void connection_lost(struct connection *connection, const char *why)
{
    struct store_postgres *store = connection->store;
    struct error err = ERROR_NONE;
    if (why)
        error_set(&err, ERR_DATABASE_AWAY, "%s", why);
    else
        ledger_postgres_error(connection->pq, NULL, &err);
    if (connection->ready)
        event_free(connection->ready); /* before its descriptor goes */
    connection->ready = NULL;
    connection->watching = 0;
    PQfinish(connection->pq);
    connection->pq = NULL;
    connection->state = CONNECTION_CLOSED;
    connection->setting_up = false;
    struct unit *unit;
    DL_FOREACH (connection->units, unit) {
        clear_answers(unit);
    }
    DL_CONCAT(connection->units, store->to_send); /* before what came after */
    store->to_send = connection->units;
    connection->units = NULL;
    connection->n_units = 0;
    if (!any_ready(store))
        away(store, err.text);
    arm_pause(connection->again, &connection->pause);
}

/* What the session is set up with has one answer for each of its statements,
 * of which only a failure matters: without them no closing can be sent. */
static void take_set_up(struct connection *connection, PGresult *result)
{
    struct store_postgres *store = connection->store;
    struct error err = ERROR_NONE;
    if (PQresultStatus(result) == PGRES_PIPELINE_SYNC) {
        connection->setting_up = false;
        connection->pause = 0;
        connection->since = clock_monotonic();
    } else if (PQresultStatus(result) == PGRES_FATAL_ERROR) {
        ledger_postgres_error(connection->pq, result, &err);
    }
    PQclear(result);
    if (err.code == ERR_NONE)
        return;
    connection_lost(connection, err.text);
    if (error_code_kind(err.code) != ERROR_RETRY)
        give_up(store, err.text);
}

static void take_result(struct connection *connection, PGresult *result)
{
    if (connection->setting_up) {
        take_set_up(connection, result);
        return;
    }
    struct unit *unit = connection->units;
    CHECK(unit);
    switch (PQresultStatus(result)) {
    case PGRES_PIPELINE_SYNC:
        PQclear(result);
        DL_DELETE(connection->units, unit);
        connection->n_units--;
        connection->since = clock_monotonic();
        CRASH_POINT("postgres_after_commit_before_answer");
        settle(connection->store, unit);
        return;
    case PGRES_TUPLES_OK: /* the statement's comes after the settings' */
        PQclear(unit->answer);
        unit->answer = result;
        return;
    case PGRES_FATAL_ERROR:
        if (!unit->failure) {
            unit->failure = result;
            return;
        }
        PQclear(result);
        return;
    default: /* COMMAND_OK of a setting; PIPELINE_ABORTED after a failure */
        PQclear(result);
    }
}

static void watch(struct connection *connection, short wanted);

/* Sends what libpq holds back; watches for room where not all went out. */
static bool flush(struct connection *connection)
{
    int left = PQflush(connection->pq);
    if (left < 0)
        return false;
    watch(connection, left ? EV_READ | EV_WRITE : EV_READ);
    return true;
}

static bool is_awaited(const struct connection *connection)
{
    return connection->setting_up || connection->units;
}

static void on_connection_ready(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    turn_enter();
    struct connection *connection = context;
    CHECK(connection->state == CONNECTION_READY);
    if ((what & EV_TIMEOUT) && is_awaited(connection) &&
        clock_monotonic() - connection->since > LEDGER_ANSWER_MAX) {
        connection_lost(connection, "it gives no answer");
        dispatch(connection->store); /* to the others */
        return;
    }
    if ((what & EV_READ) && !PQconsumeInput(connection->pq)) {
        connection_lost(connection, NULL);
        dispatch(connection->store);
        return;
    }
    /* A NULL ends a command's results; with no unit left nothing follows. */
    while (connection->pq && is_awaited(connection) &&
           !PQisBusy(connection->pq)) {
        PGresult *result = PQgetResult(connection->pq);
        if (result)
            take_result(connection, result);
        else if (PQstatus(connection->pq) == CONNECTION_BAD)
            break;
    }
    if (connection->pq &&
        (PQstatus(connection->pq) == CONNECTION_BAD || !flush(connection)))
        connection_lost(connection, NULL);
    dispatch(connection->store);
}

static void watch(struct connection *connection, short wanted)
{
    if (connection->watching == wanted)
        return;
    if (connection->ready)
        event_free(connection->ready);
    connection->ready = event_new(
        connection->store->base, PQsocket(connection->pq),
        (short)(wanted | EV_PERSIST), on_connection_ready, connection);
    connection->watching = wanted;
    const struct timeval silence = {STORE_SILENCE / USEC_PER_SEC, 0};
    if (!connection->ready || event_add(connection->ready, &silence))
        connection->watching = 0; /* the next flush tries again */
}

/* ---- sending ---- */

static void send_unit(struct connection *connection, struct unit *unit)
{
    struct store_postgres *store = connection->store;
    struct error err = ERROR_NONE;
    DL_APPEND(connection->units, unit);
    if (connection->n_units++ == 0)
        connection->since = clock_monotonic();
    bool sent =
        unit->ask ? statements_send_ask(connection->pq,
                                        connection->owns_session, unit->closing)
                  : statements_send_closing(&store->statements, connection->pq,
                                            connection->owns_session,
                                            unit->closing, &err);
    if (sent && flush(connection)) {
        CRASH_POINT("postgres_in_close");
        return;
    }
    connection_lost(connection, NULL);
    if (err.code != ERR_NONE && error_code_kind(err.code) != ERROR_RETRY)
        give_up(store, err.text);
}

/* The connection with the fewest unanswered units, or NULL if all are full. */
static struct connection *choose(struct store_postgres *store)
{
    struct connection *best = NULL;
    for (size_t i = 0; i < store->n_connections; i++) {
        struct connection *connection = &store->connections[i];
        if (connection->state == CONNECTION_READY &&
            connection->n_units < STORE_PIPELINE_MAX &&
            (!best || connection->n_units < best->n_units))
            best = connection;
    }
    return best;
}

static void dispatch(struct store_postgres *store)
{
    struct connection *connection;
    while (store->to_send && !store->paused && !store->gave_up &&
           (connection = choose(store))) {
        struct unit *unit = store->to_send;
        DL_DELETE(store->to_send, unit);
        send_unit(connection, unit);
    }
}

static void on_work(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    turn_enter();
    struct store_postgres *store = context;
    const struct store_callbacks *callbacks = &store->common.callbacks;
    while (store->dropped) {
        struct unit *unit = store->dropped;
        DL_DELETE(store->dropped, unit);
        callbacks->on_dropped(callbacks->context, unit->id);
        unit_free(unit);
    }
    dispatch(store);
}

static void on_pause_over(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    turn_enter();
    struct store_postgres *store = context;
    store->paused = false;
    dispatch(store);
}

/* ---- connecting ---- */

static bool set_up(struct connection *connection)
{
    connection->setting_up = true;
    connection->since = clock_monotonic();
    return statements_send_session(&connection->store->statements,
                                   connection->pq) &&
           flush(connection);
}

static void on_connected(void *context, PGconn *pq, bool owns_session,
                         const struct error *err)
{
    turn_enter();
    struct connection *connection = context;
    struct store_postgres *store = connection->store;
    connection->connecting = NULL;
    connection->state = CONNECTION_CLOSED;
    if (!pq) {
        if (error_code_kind(err->code) != ERROR_RETRY)
            give_up(store, err->text);
        else if (!any_ready(store))
            away(store, err->text);
        arm_pause(connection->again, &connection->pause);
        return;
    }
    connection->pq = pq;
    connection->owns_session = owns_session;
    connection->state = CONNECTION_READY;
    CRASH_POINT("postgres_after_connect");
    watch(connection, EV_READ);
    if (!owns_session) {
        connection->pause = 0;
    } else if (!set_up(connection)) {
        connection_lost(connection, NULL);
        return;
    }
    if (!store->paused)
        back(store);
    dispatch(store);
}

static void connection_open(struct connection *connection)
{
    struct store_postgres *store = connection->store;
    CHECK(connection->state == CONNECTION_CLOSED);
    connection->connecting =
        connecting_new(store->base, store->url, on_connected, connection);
    if (connection->connecting)
        connection->state = CONNECTION_CONNECTING;
    else
        arm_pause(connection->again, &connection->pause);
}

static void on_again(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    turn_enter();
    connection_open(context);
}

/* ---- the store ---- */

static int submit(struct store *common, uint64_t id,
                  const struct closing *closing, struct error *err)
{
    struct store_postgres *store = (struct store_postgres *)common;
    struct unit *unit = calloc(1, sizeof *unit + closing->n_children *
                                                     sizeof unit->children[0]);
    if (!unit)
        return error_set(err, ERR_MEMORY, "no memory for a closing");
    unit->id = id;
    unit->since = clock_monotonic();
    unit->closing = closing;
    unit->result.children = unit->children;
    DL_APPEND(store->to_send, unit);
    event_active(store->work, EV_TIMEOUT, 0);
    return 0;
}

static void forget(struct store *common)
{
    struct store_postgres *store = (struct store_postgres *)common;
    DL_CONCAT(store->dropped, store->to_send);
    store->to_send = NULL;
    event_active(store->work, EV_TIMEOUT, 0);
}

static void free_units(struct unit *list)
{
    struct unit *unit, *next;
    DL_FOREACH_SAFE (list, unit, next) {
        unit_free(unit);
    }
}

static void close_connection(struct connection *connection)
{
    connecting_cancel(&connection->connecting);
    if (connection->ready)
        event_free(connection->ready);
    if (connection->again)
        event_free(connection->again);
    PQfinish(connection->pq);
    free_units(connection->units);
}

static void close_and_free(struct store *common)
{
    struct store_postgres *store = (struct store_postgres *)common;
    for (size_t i = 0; i < store->n_connections; i++)
        close_connection(&store->connections[i]);
    free(store->connections);
    free_units(store->to_send);
    free_units(store->dropped);
    statements_free(&store->statements);
    if (store->work)
        event_free(store->work);
    if (store->pause_over)
        event_free(store->pause_over);
    free(store->url);
    free(store);
}

static const struct store_backend postgres_backend = {close_and_free, submit,
                                                      forget};

/* What the pipeline's stores ask for, all together. */
static size_t connections_wanted(const struct pipeline *pipeline)
{
    size_t n = 0;
    for (size_t i = 0; i < pipeline->n_workers; i++)
        if (pipeline->workers[i].class == CLASS_STORE)
            n += (size_t)pipeline->workers[i].instances;
    return n < 1 ? 1 : n < STORE_CONNECTIONS_MAX ? n : STORE_CONNECTIONS_MAX;
}

static bool make_connections(struct store_postgres *store)
{
    size_t n = connections_wanted(store->common.pipeline);
    store->connections = calloc(n, sizeof *store->connections);
    if (!store->connections)
        return false;
    store->n_connections = n;
    for (size_t i = 0; i < n; i++) {
        struct connection *connection = &store->connections[i];
        connection->store = store;
        connection->again = evtimer_new(store->base, on_again, connection);
        if (!connection->again)
            return false;
    }
    return true;
}

/* Blocking, once: whether the tables fit, and what they are. A database that
 * was restarted just now gets a few more tries. */
static int look_at_tables(const char *url, const struct pipeline *pipeline,
                          struct error *err)
{
    const struct timespec pause = {.tv_nsec = STORE_LOOK_PAUSE * 1000};
    for (int tries = 1;; tries++) {
        struct ledger *ledger = NULL;
        *err = ERROR_NONE;
        if (!ledger_open(url, &ledger, err))
            (void)!ledger_use_pipeline(ledger, pipeline, err);
        ledger_close(&ledger);
        if (err->code == ERR_NONE ||
            error_code_kind(err->code) != ERROR_RETRY ||
            tries == STORE_LOOK_TRIES)
            return (int)err->code;
        nanosleep(&pause, NULL);
    }
}

int store_postgres_new(struct event_base *base, const char *url,
                       const struct store *common, struct store **ret,
                       struct error *err)
{
    if (look_at_tables(url, common->pipeline, err))
        return (int)err->code;
    struct store_postgres *store = calloc(1, sizeof *store);
    if (!store)
        return error_set(err, ERR_MEMORY, "no memory for the store");
    store->common = *common;
    store->common.backend = &postgres_backend;
    store->base = base;
    store->url = strdup(url);
    store->work = event_new(base, -1, 0, on_work, store);
    store->pause_over = evtimer_new(base, on_pause_over, store);
    if (statements_init(&store->statements, common->pipeline, err)) {
        close_and_free(&store->common);
        return (int)err->code;
    }
    if (!store->url || !store->work || !store->pause_over ||
        !make_connections(store)) {
        close_and_free(&store->common);
        return error_set(err, ERR_MEMORY, "no memory for the store");
    }
    for (size_t i = 0; i < store->n_connections; i++)
        connection_open(&store->connections[i]);
    *ret = &store->common;
    return 0;
}
