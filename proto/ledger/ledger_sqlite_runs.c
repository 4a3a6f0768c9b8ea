/*
 * ledger_sqlite_runs.c: runs, their leases and their root batches. All
 * processes that share the file share the machine, and so its clock.
 */
#include <stdlib.h>

#include "ledger/ledger_sqlite_private.h"

void lite_run_rollback(struct ledger *ledger)
{
    struct ledger_sqlite *lite = ledger_sqlite(ledger);
    if (lite->in_run)
        lite_rollback(lite);
    lite->in_run = false;
}

static int insert_run(struct ledger_sqlite *lite, const struct run_spec *spec,
                      struct error *err)
{
    AUTO_STATEMENT *statement = NULL;
    int rc = lite_prepare(
        lite,
        "INSERT INTO windrow_runs (pipeline_name, pipeline_path,"
        " pipeline_text, pipeline_hash, settings, owner, epoch, lease_until,"
        " state, key_limit, started_at, run_name, retry_of)"
        " VALUES (?, ?, ?, ?, ?, ?, 1, ?, 'open', ?, ?, ?, nullif(?, 0))"
        " ON CONFLICT DO NOTHING",
        &statement, err);
    if (rc)
        return rc;
    char hash[17];
    ledger_hash_text(spec->pipeline_text, hash);
    usec_t now = clock_wall();
    lite_text(statement, 1, slice_of(spec->pipeline_name));
    lite_text(statement, 2, slice_of(spec->pipeline_path));
    lite_text(statement, 3, spec->pipeline_text);
    lite_text(statement, 4, slice_of(hash));
    lite_text(statement, 5, slice_of(spec->settings_json));
    lite_text(statement, 6, slice_of(spec->owner));
    sqlite3_bind_int64(statement, 7, now + spec->lease);
    sqlite3_bind_int64(statement, 8, spec->key_limit);
    sqlite3_bind_int64(statement, 9, now);
    if (spec->name)
        lite_text(statement, 10, slice_of(spec->name));
    sqlite3_bind_int64(statement, 11, spec->retry_of);
    rc = lite_run(lite, statement, err);
    if (rc == 0 && sqlite3_changes(lite->db) == 0)
        rc = ledger_run_taken(spec, err);
    return rc;
}

/* What the shared queues of the run before have had. */
static int copy_keys(struct ledger_sqlite *lite, int64_t from,
                     struct error *err)
{
    AUTO_STATEMENT *statement = NULL;
    int rc = lite_prepare(lite,
                          "INSERT INTO windrow_keys (run, queue, key)"
                          " SELECT ?, queue, key FROM windrow_keys"
                          " WHERE run = ?",
                          &statement, err);
    if (rc)
        return rc;
    sqlite3_bind_int64(statement, 1, lite->run);
    sqlite3_bind_int64(statement, 2, from);
    return lite_run(lite, statement, err);
}

int lite_run_begin(struct ledger *ledger, const struct run_spec *spec,
                   int64_t *ret_run, int64_t *ret_epoch, struct error *err)
{
    struct ledger_sqlite *lite = ledger_sqlite(ledger);
    CHECK(!lite->in_run);
    int rc = lite_begin(lite, err);
    if (rc)
        return rc;
    lite->in_run = true;
    lite->lease = spec->lease;
    rc = insert_run(lite, spec, err);
    if (rc == 0)
        lite->run = sqlite3_last_insert_rowid(lite->db);
    if (rc == 0 && spec->keep_keys)
        rc = copy_keys(lite, spec->retry_of, err);
    if (rc) {
        lite_run_rollback(ledger);
        return rc;
    }
    *ret_run = lite->run;
    *ret_epoch = 1;
    return 0;
}

static int not_begun(struct error *err)
{
    return error_set(err, ERR_DATABASE_AWAY,
                     "the run's transaction has ended already");
}

int lite_run_add_batch(struct ledger *ledger, int64_t run,
                       const struct closing_child *batch, struct error *err)
{
    struct ledger_sqlite *lite = ledger_sqlite(ledger);
    if (!lite->in_run)
        return not_begun(err);
    int64_t number = 0;
    int rc = lite_check_keys(batch, err);
    if (rc == 0)
        rc = lite_add_batch(lite, run, 0, 0, batch, &number, err);
    if (rc)
        lite_run_rollback(ledger);
    return rc;
}

/* The lease that was given when the list began to be read may be over. */
static int start_lease(struct ledger_sqlite *lite, struct error *err)
{
    sqlite3_stmt *statement = NULL;
    int rc = lite_statement(lite, ST_RENEW, &statement, err);
    if (rc)
        return rc;
    sqlite3_bind_int64(statement, 1, clock_wall() + lite->lease);
    sqlite3_bind_int64(statement, 2, lite->run);
    sqlite3_bind_int64(statement, 3, 1);
    return lite_run(lite, statement, err);
}

int lite_run_commit(struct ledger *ledger, struct error *err)
{
    struct ledger_sqlite *lite = ledger_sqlite(ledger);
    if (!lite->in_run)
        return not_begun(err);
    int rc = start_lease(lite, err);
    if (rc == 0)
        rc = lite_commit(lite, err);
    if (rc)
        lite_run_rollback(ledger);
    lite->in_run = false;
    return rc;
}

int lite_run_take(struct ledger *ledger, int64_t run, const char *owner,
                  usec_t lease, bool *ret_taken, struct error *err)
{
    struct ledger_sqlite *lite = ledger_sqlite(ledger);
    AUTO_STATEMENT *statement = NULL;
    int rc = lite_prepare(lite,
                          "UPDATE windrow_runs SET epoch = epoch + 1,"
                          " owner = ?1, lease_until = ?2 WHERE run = ?3"
                          " AND state = 'open'"
                          " AND coalesce(lease_until, 0)"
                          " NOT BETWEEN ?4 + 1 AND ?5",
                          &statement, err);
    if (rc)
        return rc;
    usec_t now = clock_wall();
    lite_text(statement, 1, slice_of(owner));
    sqlite3_bind_int64(statement, 2, now + lease);
    sqlite3_bind_int64(statement, 3, run);
    sqlite3_bind_int64(statement, 4, now);
    sqlite3_bind_int64(statement, 5, now + LEDGER_LEASE_MAX);
    rc = lite_run(lite, statement, err);
    if (rc == 0)
        *ret_taken = sqlite3_changes(lite->db) == 1;
    return rc;
}

int lite_run_renew(struct ledger *ledger, int64_t run, int64_t epoch,
                   usec_t lease, struct error *err)
{
    struct ledger_sqlite *lite = ledger_sqlite(ledger);
    sqlite3_stmt *statement = NULL;
    int rc = lite_statement(lite, ST_RENEW, &statement, err);
    if (rc)
        return rc;
    sqlite3_bind_int64(statement, 1, clock_wall() + lease);
    sqlite3_bind_int64(statement, 2, run);
    sqlite3_bind_int64(statement, 3, epoch);
    rc = lite_run(lite, statement, err);
    if (rc == 0 && sqlite3_changes(lite->db) == 0)
        rc = ledger_lease_lost(run, epoch, err);
    return rc;
}

int lite_run_scale(struct ledger *ledger, int64_t run, int nodes,
                   bool *ret_scaled, struct error *err)
{
    struct ledger_sqlite *lite = ledger_sqlite(ledger);
    AUTO_STATEMENT *statement = NULL;
    int rc = lite_prepare(lite,
                          "UPDATE windrow_runs SET nodes_wanted = ?"
                          " WHERE run = ? AND state = 'open'",
                          &statement, err);
    if (rc)
        return rc;
    sqlite3_bind_int(statement, 1, nodes);
    sqlite3_bind_int64(statement, 2, run);
    rc = lite_run(lite, statement, err);
    if (rc == 0)
        *ret_scaled = sqlite3_changes(lite->db) == 1;
    return rc;
}

int lite_run_end(struct ledger *ledger, int64_t run, int64_t epoch,
                 enum run_state state, struct error *err)
{
    struct ledger_sqlite *lite = ledger_sqlite(ledger);
    AUTO_STATEMENT *statement = NULL;
    int rc = lite_prepare(lite,
                          "UPDATE windrow_runs SET lease_until = NULL,"
                          " state = ?, ended_at = ?"
                          " WHERE run = ? AND epoch = ?",
                          &statement, err);
    if (rc)
        return rc;
    lite_text(statement, 1, slice_of(run_state_name(state)));
    if (state != RUN_OPEN)
        sqlite3_bind_int64(statement, 2, clock_wall());
    sqlite3_bind_int64(statement, 3, run);
    sqlite3_bind_int64(statement, 4, epoch);
    rc = lite_run(lite, statement, err);
    if (rc == 0 && sqlite3_changes(lite->db) == 0)
        rc = ledger_lease_lost(run, epoch, err);
    return rc;
}
