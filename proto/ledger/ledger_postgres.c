/*
 * ledger_postgres.c: the blocking connection of the PostgreSQL backend.
 *
 * A lost connection is not repaired under a caller's feet: the call that
 * notices fails with ERR_DATABASE_AWAY, and the next one begins by connecting
 * anew (pg_ready). Between run_begin and run_commit nothing reconnects, since
 * the transaction died with its connection.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "ledger/ledger_postgres_private.h"

/* A statement that takes longer than its limit ends with SQLSTATE 57014,
 * which is tried again. A commit that is not durable would be no
 * acknowledgement; a stronger setting than `on` is left alone. */
const char ledger_postgres_setup_sql[] =
    "SET client_min_messages = warning;"
    "SET client_encoding = 'UTF8';"
    "SET timezone = 'UTC';"
    "SET default_transaction_isolation = 'read committed';"
    "SET statement_timeout = '60s';"
    "SET idle_in_transaction_session_timeout = '10min';"
    "SET plan_cache_mode = force_generic_plan;"
    "SELECT set_config('synchronous_commit', 'on', false)"
    " WHERE current_setting('synchronous_commit') = 'off'";

void ledger_postgres_connect_params(const char *url, const char **keywords,
                                    const char **values)
{
    /* What stands before dbname is overruled by the URL, what stands after
     * it overrules the URL. */
    const char *const params[LEDGER_CONNECT_PARAMS][2] = {
        {"connect_timeout", "10"},
        {"keepalives_idle", "10"},
        {"keepalives_interval", "5"},
        {"keepalives_count", "3"},
        {"tcp_user_timeout", "30000"},
        {"fallback_application_name", "windrow"},
        {"dbname", url},
        {"client_encoding", "UTF8"},
        {NULL, NULL},
    };
    for (size_t i = 0; i < LEDGER_CONNECT_PARAMS; i++) {
        keywords[i] = params[i][0];
        values[i] = params[i][1];
    }
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

static int connect_anew(struct ledger_postgres *pg, struct error *err)
{
    const char *keywords[LEDGER_CONNECT_PARAMS];
    const char *values[LEDGER_CONNECT_PARAMS];
    PQfinish(pg->connection);
    memset(pg->prepared, 0, sizeof pg->prepared);
    pg->add_prepared = false;
    ledger_postgres_connect_params(pg->url, keywords, values);
    pg->connection = PQconnectdbParams(keywords, values, 1);
    if (!pg->connection)
        return ledger_no_memory(err);
    if (PQstatus(pg->connection) != CONNECTION_OK)
        return ledger_postgres_error(pg->connection, NULL, err);
    PQsetNoticeProcessor(pg->connection, on_notice, NULL);
    if (PQserverVersion(pg->connection) < 120000)
        return error_set(err, ERR_DATABASE,
                         "the server is PostgreSQL %d; 12 or later is needed",
                         PQserverVersion(pg->connection) / 10000);
    return pg_execute(pg, ledger_postgres_setup_sql, err);
}

int pg_ready(struct ledger_postgres *pg, struct error *err)
{
    CHECK(!pg->in_run);
    if (pg->connection && PQstatus(pg->connection) == CONNECTION_OK &&
        PQtransactionStatus(pg->connection) == PQTRANS_IDLE)
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

int pg_query(struct ledger_postgres *pg, const char *sql,
             const struct pg_args *args, PGresult **ret, struct error *err)
{
    static const struct pg_args none;
    if (!args)
        args = &none;
    PGresult *result =
        PQexecParams(pg->connection, sql, args->n, NULL, args->values,
                     args->lengths, args->formats, 0);
    if (!is_good(result)) {
        int rc = ledger_postgres_error(pg->connection, result, err);
        PQclear(result);
        return rc;
    }
    *ret = result;
    return 0;
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

static int prepare_closing(struct ledger_postgres *pg, int index,
                           const char *name, struct error *err)
{
    const struct pipeline *pipeline = pg->base.pipeline;
    if (pg->prepared[index])
        return 0;
    struct buffer sql = BUFFER_EMPTY;
    int n_params = 0;
    int rc = ledger_close_statement(pipeline, &pipeline->workers[index], &sql,
                                    &n_params, err);
    if (rc == 0) {
        AUTO_RESULT *result =
            PQprepare(pg->connection, name, buffer_text(&sql), n_params, NULL);
        if (!is_good(result))
            rc = ledger_postgres_error(pg->connection, result, err);
    }
    buffer_free(&sql);
    pg->prepared[index] = rc == 0;
    return rc;
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
    rc = ledger_close_bind(ledger->pipeline, closing, params, err);
    if (rc)
        return rc;
    char name[32];
    snprintf(name, sizeof name, "windrow_close_%d", closing->worker);
    rc = prepare_closing(pg, closing->worker, name, err);
    if (rc)
        return rc;
    AUTO_RESULT *answer =
        PQexecPrepared(pg->connection, name, params->n, params->values,
                       params->lengths, params->formats, 0);
    if (PQstatus(pg->connection) != CONNECTION_OK)
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
    .run_end = pg_run_end,
    .open_batches = pg_open_batches,
    .look = pg_look,
    .runs = pg_runs,
    .failure_counts = pg_failure_counts,
    .failures = pg_failures,
    .close_batch = close_batch,
};

int ledger_postgres_open(const char *url, struct ledger **ret,
                         struct error *err)
{
    int rc = ledger_postgres_check_url(url, err);
    if (rc)
        return rc;
    struct ledger_postgres *pg = calloc(1, sizeof *pg);
    if (!pg)
        return ledger_no_memory(err);
    pg->base.ops = &ops;
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
