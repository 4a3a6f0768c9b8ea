/*
 * ledger_postgres.c: the blocking connection of the PostgreSQL backend.
 *
 * A lost connection is not repaired under a caller's feet: the call that
 * notices fails with ERR_DATABASE_AWAY, and the next one begins by connecting
 * anew (pg_ready). Between run_begin and run_commit nothing reconnects, since
 * the transaction died with its connection.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "ledger/ledger_postgres_private.h"

/* Whatever the server's defaults are. It must be the transaction's first
 * statement; unlike SET TRANSACTION it needs no BEGIN. */
static const char isolation_sql[] =
    "SET transaction_isolation = 'read committed'";

/* For this transaction ("true") or all that follow ("false"). A statement that
 * takes longer than its limit ends with SQLSTATE 57014, which is tried again.
 * A commit that is not durable would be no acknowledgement; a stronger setting
 * than `on` is left alone. */
#define SETTINGS(here)                                                         \
    "SELECT set_config(name, value, " here ") FROM (VALUES"                    \
    " ('default_transaction_isolation', 'read committed'),"                    \
    " ('timezone', 'UTC'),"                                                    \
    " ('statement_timeout', '60s'),"                                           \
    " ('idle_in_transaction_session_timeout', '10min'),"                       \
    " ('plan_cache_mode', 'force_generic_plan'),"                              \
    " ('synchronous_commit', coalesce("                                        \
    "nullif(current_setting('synchronous_commit'), 'off'), 'on'))"             \
    ") AS setting (name, value)"
static const char settings_sql[] = SETTINGS("true");
static const char session_settings_sql[] = SETTINGS("false");

/* After those, where nothing may be written. */
static const char look_sql[] =
    "SELECT set_config('transaction_read_only', 'on', true),"
    " set_config('statement_timeout', '5s', true)";

static bool send(PGconn *connection, const char *sql)
{
    return PQsendQueryParams(connection, sql, 0, NULL, NULL, NULL, NULL, 0);
}

bool ledger_postgres_send_settings(PGconn *connection)
{
    return send(connection, isolation_sql) && send(connection, settings_sql);
}

bool ledger_postgres_send_session_settings(PGconn *connection)
{
    return send(connection, session_settings_sql);
}

bool ledger_postgres_owns_session(PGconn *connection)
{
    PGresult *answer = PQexec(connection, "SELECT pg_backend_pid()");
    bool owns =
        PQresultStatus(answer) == PGRES_TUPLES_OK &&
        strtol(PQgetvalue(answer, 0, 0), NULL, 10) == PQbackendPID(connection);
    PQclear(answer);
    return owns;
}

/* A password with an unescaped / or @ leaks into host and port. */
static bool is_plausible(const PQconninfoOption *options)
{
    for (const PQconninfoOption *o = options; o->keyword; o++) {
        if (!o->val)
            continue;
        if (!strcmp(o->keyword, "port") &&
            strspn(o->val, "0123456789,") != strlen(o->val))
            return false;
        if (!strcmp(o->keyword, "host") && o->val[0] != '/' &&
            strpbrk(o->val, "@:/"))
            return strchr(o->val, ':') && !strpbrk(o->val, "@/");
    }
    return true;
}

int ledger_postgres_check_url(const char *url, struct error *err)
{
    char *complaint = NULL;
    PQconninfoOption *options = PQconninfoParse(url, &complaint);
    bool good = options && is_plausible(options);
    PQconninfoFree(options);
    PQfreemem(complaint);
    if (good)
        return 0;
    return error_set(err, ERR_SETTING,
                     "the database's URL can't be understood; write "
                     "postgresql://USER:PASSWORD@HOST:PORT/NAME, with %%2F for "
                     "/ and %%40 for @ in the password");
}

static void on_notice(void *context, const char *message)
{
    (void)context;
    char text[ERROR_TEXT_BYTES];
    ledger_one_line(message, text, sizeof text);
    log_debug("ledger", "%s", text);
}

/* libpq has no SQLSTATE of a connection that failed: only the server's words,
 * which may be of another language. */
static void cant_connect(const PGconn *connection, struct error *err)
{
    struct error why = ERROR_NONE;
    char words[128];
    const char *name = PQdb(connection) ? PQdb(connection) : "";
    ledger_postgres_error(connection, NULL, &why);
    snprintf(words, sizeof words, "database \"%s\" does not exist", name);
    bool make = strstr(why.text, words);
    error_set(err, why.code, "%s%s%s", why.text,
              make ? "; make it: createdb " : "", make ? name : "");
}

PGconn *ledger_postgres_connect(const char *url, struct error *err)
{
    /* What stands before dbname is overruled by the URL, what stands after
     * it overrules the URL. */
    static const char *const keywords[] = {
        "connect_timeout",  "keepalives_idle",  "keepalives_interval",
        "keepalives_count", "tcp_user_timeout", "fallback_application_name",
        "dbname",           "client_encoding",  NULL,
    };
    const char *const values[] = {
        "10", "10", "5", "3", "30000", "windrow", url, "UTF8", NULL,
    };
    PGconn *connection = PQconnectdbParams(keywords, values, 1);
    if (PQstatus(connection) == CONNECTION_OK) {
        PQsetNoticeProcessor(connection, on_notice, NULL);
        return connection;
    }
    if (connection)
        cant_connect(connection, err);
    else
        ledger_no_memory(err);
    PQfinish(connection);
    return NULL;
}

static int check_server(const PGconn *connection, struct error *err)
{
    int version = PQserverVersion(connection);
    if (version < 120000)
        return error_set(err, ERR_DATABASE,
                         "the server is PostgreSQL %d; 12 or later is needed",
                         version / 10000);
    const char *encoding = PQparameterStatus(connection, "server_encoding");
    if (encoding && strcmp(encoding, "UTF8"))
        return error_set(err, ERR_DATABASE,
                         "the database's encoding is %s, which can't hold "
                         "every key: make one with CREATE DATABASE ... "
                         "ENCODING 'UTF8' TEMPLATE template0",
                         encoding);
    return 0;
}

static int connect_anew(struct ledger_postgres *pg, struct error *err)
{
    PQfinish(pg->connection);
    pg->connection = ledger_postgres_connect(pg->url, err);
    if (!pg->connection)
        return (int)err->code;
    return check_server(pg->connection, err);
}

int pg_ready(struct ledger_postgres *pg, struct error *err)
{
    CHECK(!pg->in_run);
    if (pg->connection && PQstatus(pg->connection) == CONNECTION_OK &&
        PQtransactionStatus(pg->connection) == PQTRANS_IDLE &&
        PQpipelineStatus(pg->connection) == PQ_PIPELINE_OFF)
        return 0;
    int rc = connect_anew(pg, err);
    if (rc) {
        PQfinish(pg->connection);
        pg->connection = NULL;
    }
    return rc;
}

void pg_arg_int(struct pg_args *args, int64_t value)
{
    CHECK(args->n < PG_ARGS_MAX);
    snprintf(args->numbers[args->n], sizeof args->numbers[0], "%lld",
             (long long)value);
    args->values[args->n] = args->numbers[args->n];
    args->lengths[args->n] = 0;
    args->formats[args->n] = 0;
    args->n++;
}

void pg_arg_text(struct pg_args *args, struct slice text)
{
    CHECK(args->n < PG_ARGS_MAX);
    args->values[args->n] = text.len ? text.data : "";
    args->lengths[args->n] = (int)text.len;
    args->formats[args->n] = 1;
    args->n++;
}

static bool is_good(const PGresult *result)
{
    ExecStatusType status = PQresultStatus(result);
    return status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK;
}

/* Whether PQgetResult() would not wait, before `until`. */
static bool comes_in_time(PGconn *connection, usec_t until)
{
    while (PQisBusy(connection)) {
        usec_t left = until - clock_monotonic();
        struct pollfd wait = {.fd = PQsocket(connection), .events = POLLIN};
        if (left <= 0)
            return false;
        if (poll(&wait, 1, (int)(left / USEC_PER_MSEC) + 1) > 0 &&
            !PQconsumeInput(connection))
            return true; /* with what went wrong */
    }
    return true;
}

/* The answer to the last statement before the Sync, or the first failure;
 * PGRES_PIPELINE_ABORTED where the connection broke without a word. */
static PGresult *last_answer(PGconn *connection)
{
    PGresult *answer = NULL;
    size_t n_nulls = 0; /* one stands between two statements' answers */
    usec_t until = clock_monotonic() + LEDGER_ANSWER_MAX;
    while (n_nulls < 2 && PQstatus(connection) == CONNECTION_OK &&
           comes_in_time(connection, until)) {
        PGresult *result = PQgetResult(connection);
        n_nulls = result ? 0 : n_nulls + 1;
        if (PQresultStatus(result) == PGRES_PIPELINE_SYNC) {
            PQclear(result);
            return answer;
        }
        if (result && (!answer || is_good(answer))) {
            PQclear(answer);
            answer = result;
        } else {
            PQclear(result);
        }
    }
    if (answer && !is_good(answer))
        return answer;
    PQclear(answer); /* what was not synced may not be committed */
    return PQmakeEmptyPGresult(connection, PGRES_PIPELINE_ABORTED);
}

/* One statement, and its settings before it, as a transaction. What fails
 * half-way leaves the pipeline on, which pg_ready() sees. */
static PGresult *transact(const struct ledger_postgres *pg, const char *sql,
                          int n, const char *const *values, const int *lengths,
                          const int *formats)
{
    PGconn *connection = pg->connection;
    if (!PQenterPipelineMode(connection) ||
        !ledger_postgres_send_settings(connection) ||
        (pg->to_look && !send(connection, look_sql)) ||
        !PQsendQueryParams(connection, sql, n, NULL, values, lengths, formats,
                           0) ||
        !PQpipelineSync(connection))
        return NULL;
    PGresult *answer = last_answer(connection);
    if (PQstatus(connection) == CONNECTION_OK &&
        PQresultStatus(answer) != PGRES_PIPELINE_ABORTED)
        PQexitPipelineMode(connection);
    return answer;
}

int pg_query(struct ledger_postgres *pg, const char *sql,
             const struct pg_args *args, PGresult **ret, struct error *err)
{
    static const struct pg_args none;
    if (!args)
        args = &none;
    PGresult *result =
        PQtransactionStatus(pg->connection) == PQTRANS_INTRANS
            ? PQexecParams(pg->connection, sql, args->n, NULL, args->values,
                           args->lengths, args->formats, 0)
            : transact(pg, sql, args->n, args->values, args->lengths,
                       args->formats);
    if (!is_good(result)) {
        int rc = ledger_postgres_error(pg->connection, result, err);
        PQclear(result);
        return rc;
    }
    *ret = result;
    return 0;
}

int pg_begin(struct ledger_postgres *pg, struct error *err)
{
    int rc = pg_execute(pg, "BEGIN ISOLATION LEVEL READ COMMITTED", err);
    return rc ? rc : pg_execute(pg, settings_sql, err);
}

int pg_execute(struct ledger_postgres *pg, const char *sql, struct error *err)
{
    AUTO_RESULT *result = PQexec(pg->connection, sql);
    if (!is_good(result))
        return ledger_postgres_error(pg->connection, result, err);
    return 0;
}

int64_t pg_int(const PGresult *result, int row, int column)
{
    return strtoll(PQgetvalue(result, row, column), NULL, 10);
}

/* The batch was closed before: by this closing, whose answer was lost? */
static int ask(struct ledger_postgres *pg, const struct closing *closing,
               struct close_result *result, struct error *err)
{
    struct pg_args args = {.n = 0};
    pg_arg_int(&args, closing->run);
    pg_arg_int(&args, closing->batch);
    pg_arg_text(&args, slice_of(closing->closer));
    pg_arg_int(&args, (int64_t)closing->n_children);
    AUTO_RESULT *answer = NULL;
    int rc = pg_query(pg, ledger_close_ask_sql, &args, &answer, err);
    return rc ? rc : ledger_close_ask_read(answer, closing, result, err);
}

static int close_batch(struct ledger *ledger, const struct closing *closing,
                       struct close_result *result, struct error *err)
{
    struct ledger_postgres *pg = ledger_postgres(ledger);
    struct close_params *params = &pg->params;
    int rc = pg_ready(pg, err);
    if (rc)
        return rc;
    struct buffer sql = BUFFER_EMPTY;
    int n_params = 0;
    rc = ledger_close_statement(ledger->pipeline,
                                &ledger->pipeline->workers[closing->worker],
                                &sql, &n_params, err);
    if (rc == 0)
        rc = ledger_close_bind(ledger->pipeline, closing, params, err);
    AUTO_RESULT *answer = NULL;
    if (rc == 0)
        answer = transact(pg, buffer_text(&sql), params->n, params->values,
                          params->lengths, params->formats);
    buffer_free(&sql);
    if (rc)
        return rc;
    if (!answer || PQstatus(pg->connection) != CONNECTION_OK)
        return ledger_postgres_error(pg->connection, answer, err);
    bool must_ask = false;
    rc = ledger_close_read(answer, closing, result, &must_ask, err);
    return rc || !must_ask ? rc : ask(pg, closing, result, err);
}

static void close_ledger(struct ledger *ledger)
{
    struct ledger_postgres *pg = ledger_postgres(ledger);
    PQfinish(pg->connection);
    close_params_free(&pg->params);
    free(pg->url);
    free(pg);
}

static const struct ledger_ops ops = {
    .is_postgres = true,
    .close = close_ledger,
    .use_pipeline = pg_use_pipeline,
    .run_begin = pg_run_begin,
    .run_add_batch = pg_run_add_batch,
    .run_commit = pg_run_commit,
    .run_rollback = pg_run_rollback,
    .run_take = pg_run_take,
    .run_renew = pg_run_renew,
    .run_scale = pg_run_scale,
    .run_end = pg_run_end,
    .open_batches = pg_open_batches,
    .look = pg_look,
    .run_named = pg_run_named,
    .runs = pg_runs,
    .failure_counts = pg_failure_counts,
    .failures = pg_failures,
    .worker_counts = pg_worker_counts,
    .dump = pg_dump,
    .pace = pg_pace,
    .rows = pg_rows,
    .close_batch = close_batch,
    .recall = pg_recall,
};

int ledger_postgres_open(const char *url, bool to_look, struct ledger **ret,
                         struct error *err)
{
    int rc = ledger_postgres_check_url(url, err);
    if (rc)
        return rc;
    struct ledger_postgres *pg = calloc(1, sizeof *pg);
    if (!pg)
        return ledger_no_memory(err);
    pg->base.ops = &ops;
    pg->to_look = to_look;
    pg->url = strdup(url);
    rc = pg->url ? pg_ready(pg, err) : ledger_no_memory(err);
    if (rc == 0)
        rc = pg_schema_open(pg, err);
    if (rc) {
        close_ledger(&pg->base);
        return rc;
    }
    *ret = &pg->base;
    return 0;
}
