/*
 * ledger_postgres_runs.c: runs, their leases and their root batches.
 *
 * Root batches go through libpq's pipeline mode inside the run's transaction,
 * LEDGER_PIPE_BATCHES at a time: a list of millions of keys neither waits for
 * a round trip a batch nor piles up in memory. Leases are reckoned by the
 * server's clock alone.
 */
#include <stdlib.h>

#include "ledger/ledger_postgres_private.h"

#define LEASE_SQL(n) "clock_timestamp() + $" #n " * interval '1 microsecond'"

/* Ends the transaction; by closing the connection where nothing else can. */
void pg_run_rollback(struct ledger *ledger)
{
    struct ledger_postgres *pg = ledger_postgres(ledger);
    if (!pg->in_run)
        return;
    pg->in_run = false;
    PQfinish(pg->connection);
    pg->connection = NULL;
}

/* clang-format off */
static const char insert_run_sql[] =
    "INSERT INTO windrow_runs (run_name, pipeline_name, pipeline_path,"
    " pipeline_text, pipeline_hash, settings, owner, epoch, lease_until,"
    " state, key_limit, started_at, retry_of) VALUES (nullif($1, ''), $2, $3,"
    " $4, $5, $6, $7, 1, " LEASE_SQL(8) ", 'open', $9::bigint, now(),"
    " nullif($10::bigint, 0)) ON CONFLICT DO NOTHING RETURNING run";
/* clang-format on */

static int insert_run(struct ledger_postgres *pg, const struct run_spec *spec,
                      int64_t *ret_run, struct error *err)
{
    char hash[17];
    ledger_hash_text(spec->pipeline_text, hash);
    struct pg_args args = {.n = 0};
    pg_arg_text(&args, slice_of(spec->name ? spec->name : ""));
    pg_arg_text(&args, slice_of(spec->pipeline_name));
    pg_arg_text(&args, slice_of(spec->pipeline_path));
    pg_arg_text(&args, spec->pipeline_text);
    pg_arg_text(&args, slice_of(hash));
    pg_arg_text(&args, slice_of(spec->settings_json));
    pg_arg_text(&args, slice_of(spec->owner));
    pg_arg_int(&args, spec->lease);
    pg_arg_int(&args, spec->key_limit);
    pg_arg_int(&args, spec->retry_of);
    AUTO_RESULT *result = NULL;
    int rc = pg_query(pg, insert_run_sql, &args, &result, err);
    if (rc)
        return rc;
    if (PQntuples(result) == 0)
        return ledger_run_taken(spec, err);
    *ret_run = pg_int(result, 0, 0);
    return 0;
}

/* What the shared queues of the run before have had. */
static int copy_keys(struct ledger_postgres *pg, int64_t from,
                     struct error *err)
{
    struct pg_args args = {.n = 0};
    pg_arg_int(&args, pg->run);
    pg_arg_int(&args, from);
    AUTO_RESULT *result = NULL;
    return pg_query(pg,
                    "INSERT INTO windrow_keys (run, queue, key)"
                    " SELECT $1::bigint, queue, key FROM windrow_keys"
                    " WHERE run = $2::bigint",
                    &args, &result, err);
}

/* The root batches' statement: a closing's children, without a closing. It
 * has no name, and lasts for this transaction only: see ledger_postgres.h. */
static int prepare_add(struct ledger_postgres *pg, struct error *err)
{
    struct buffer sql = BUFFER_EMPTY;
    buffer_append_text(&sql, "WITH ");
    ledger_children_sql(&sql, "NULL::bigint", "NULL::integer", "true", 2);
    buffer_append_text(&sql, " SELECT 1 FROM c");
    AUTO_RESULT *result = NULL;
    if (!sql.failed)
        result = PQprepare(pg->connection, "", buffer_text(&sql),
                           1 + CHILDREN_PARAMS, NULL);
    bool out_of_memory = sql.failed;
    buffer_free(&sql);
    if (out_of_memory)
        return ledger_no_memory(err);
    if (PQresultStatus(result) != PGRES_COMMAND_OK)
        return ledger_postgres_error(pg->connection, result, err);
    return 0;
}

int pg_run_begin(struct ledger *ledger, const struct run_spec *spec,
                 int64_t *ret_run, int64_t *ret_epoch, struct error *err)
{
    struct ledger_postgres *pg = ledger_postgres(ledger);
    int rc = pg_ready(pg, err);
    if (rc)
        return rc;
    pg->in_run = true;
    pg->piped = 0;
    pg->lease = spec->lease;
    rc = pg_begin(pg, err);
    if (rc == 0)
        rc = insert_run(pg, spec, &pg->run, err);
    if (rc == 0 && spec->keep_keys)
        rc = copy_keys(pg, spec->retry_of, err);
    if (rc == 0)
        rc = prepare_add(pg, err);
    if (rc == 0 && !PQenterPipelineMode(pg->connection))
        rc = ledger_postgres_error(pg->connection, NULL, err);
    if (rc) {
        pg_run_rollback(ledger);
        return rc;
    }
    *ret_run = pg->run;
    *ret_epoch = 1;
    return 0;
}

/* Reads the answers to all batches sent so far. */
static int drain(struct ledger_postgres *pg, struct error *err)
{
    if (!PQpipelineSync(pg->connection))
        return ledger_postgres_error(pg->connection, NULL, err);
    pg->piped = 0;
    for (;;) {
        AUTO_RESULT *result = PQgetResult(pg->connection);
        ExecStatusType status = PQresultStatus(result);
        if (status == PGRES_PIPELINE_SYNC)
            return 0;
        /* A NULL result only stands between two statements' answers. */
        if (result ? status != PGRES_TUPLES_OK
                   : PQstatus(pg->connection) != CONNECTION_OK)
            return ledger_postgres_error(pg->connection, result, err);
    }
}

static int send_batch(struct ledger_postgres *pg, int64_t run,
                      const struct closing_child *batch, struct error *err)
{
    struct close_params *params = &pg->params;
    ledger_params_begin(params);
    ledger_param_int8(params, run);
    ledger_bind_children(pg->base.pipeline, batch, 1, params);
    int rc = ledger_params_end(params, err);
    if (rc)
        return rc;
    if (!PQsendQueryPrepared(pg->connection, "", params->n, params->values,
                             params->lengths, params->formats, 0))
        return ledger_postgres_error(pg->connection, NULL, err);
    pg->piped++;
    return pg->piped < LEDGER_PIPE_BATCHES ? 0 : drain(pg, err);
}

static int not_begun(struct error *err)
{
    return error_set(err, ERR_DATABASE_AWAY,
                     "the run's transaction has ended already");
}

int pg_run_add_batch(struct ledger *ledger, int64_t run,
                     const struct closing_child *batch, struct error *err)
{
    struct ledger_postgres *pg = ledger_postgres(ledger);
    if (!pg->in_run)
        return not_begun(err);
    int rc = send_batch(pg, run, batch, err);
    if (rc)
        pg_run_rollback(ledger);
    return rc;
}

/* The lease that was given when the list began to be read may be over. */
static int start_lease(struct ledger_postgres *pg, struct error *err)
{
    struct pg_args args = {.n = 0};
    pg_arg_int(&args, pg->run);
    pg_arg_int(&args, pg->lease);
    AUTO_RESULT *result = NULL;
    return pg_query(pg,
                    "UPDATE windrow_runs SET lease_until = " LEASE_SQL(
                        2) " WHERE run = $1::bigint",
                    &args, &result, err);
}

int pg_run_commit(struct ledger *ledger, struct error *err)
{
    struct ledger_postgres *pg = ledger_postgres(ledger);
    if (!pg->in_run)
        return not_begun(err);
    int rc = drain(pg, err);
    if (rc == 0 && !PQexitPipelineMode(pg->connection))
        rc = ledger_postgres_error(pg->connection, NULL, err);
    if (rc == 0)
        rc = start_lease(pg, err);
    if (rc == 0)
        rc = pg_execute(pg, "COMMIT", err);
    if (rc) {
        pg_run_rollback(ledger);
        return rc;
    }
    pg->in_run = false;
    return 0;
}

/* A run that nobody owns: its lease is over, or has an end that none can. */
static const char take_sql[] =
    "UPDATE windrow_runs SET epoch = epoch + 1, owner = $2,"
    " lease_until = " LEASE_SQL(
        3) " WHERE run = $1::bigint AND state = 'open'"
           " AND coalesce(lease_until <= clock_timestamp()"
           " OR lease_until > " LEASE_SQL(4) ", true) RETURNING run";

int pg_run_take(struct ledger *ledger, int64_t run, const char *owner,
                usec_t lease, bool *ret_taken, struct error *err)
{
    struct ledger_postgres *pg = ledger_postgres(ledger);
    struct pg_args args = {.n = 0};
    pg_arg_int(&args, run);
    pg_arg_text(&args, slice_of(owner));
    pg_arg_int(&args, lease);
    pg_arg_int(&args, LEDGER_LEASE_MAX);
    AUTO_RESULT *result = NULL;
    int rc = pg_ready(pg, err);
    if (rc == 0)
        rc = pg_query(pg, take_sql, &args, &result, err);
    if (rc == 0)
        *ret_taken = PQntuples(result) == 1;
    return rc;
}

/* Runs an UPDATE … RETURNING of a run that this master must own. */
static int update_owned(struct ledger_postgres *pg, const char *sql,
                        const struct pg_args *args, int64_t run, int64_t epoch,
                        struct error *err)
{
    AUTO_RESULT *result = NULL;
    int rc = pg_ready(pg, err);
    if (rc == 0)
        rc = pg_query(pg, sql, args, &result, err);
    if (rc == 0 && PQntuples(result) == 0)
        rc = ledger_lease_lost(run, epoch, err);
    return rc;
}

int pg_run_renew(struct ledger *ledger, int64_t run, int64_t epoch,
                 usec_t lease, struct error *err)
{
    struct pg_args args = {.n = 0};
    pg_arg_int(&args, run);
    pg_arg_int(&args, epoch);
    pg_arg_int(&args, lease);
    return update_owned(ledger_postgres(ledger),
                        "UPDATE windrow_runs SET lease_until = " LEASE_SQL(
                            3) " WHERE run = $1::bigint AND epoch = $2::bigint"
                               " RETURNING run",
                        &args, run, epoch, err);
}

int pg_run_scale(struct ledger *ledger, int64_t run, int nodes,
                 bool *ret_scaled, struct error *err)
{
    struct ledger_postgres *pg = ledger_postgres(ledger);
    struct pg_args args = {.n = 0};
    pg_arg_int(&args, run);
    pg_arg_int(&args, nodes);
    AUTO_RESULT *result = NULL;
    int rc = pg_ready(pg, err);
    if (rc == 0)
        rc = pg_query(pg,
                      "UPDATE windrow_runs SET nodes_wanted = $2::integer"
                      " WHERE run = $1::bigint AND state = 'open'"
                      " RETURNING run",
                      &args, &result, err);
    if (rc == 0)
        *ret_scaled = PQntuples(result) == 1;
    return rc;
}

int pg_run_end(struct ledger *ledger, int64_t run, int64_t epoch,
               enum run_state state, struct error *err)
{
    struct pg_args args = {.n = 0};
    pg_arg_int(&args, run);
    pg_arg_int(&args, epoch);
    pg_arg_text(&args, slice_of(run_state_name(state)));
    return update_owned(ledger_postgres(ledger),
                        "UPDATE windrow_runs SET lease_until = NULL,"
                        " state = $3::text, ended_at ="
                        " CASE WHEN $3::text <> 'open' THEN now() END"
                        " WHERE run = $1::bigint AND epoch = $2::bigint"
                        " RETURNING run",
                        &args, run, epoch, err);
}
