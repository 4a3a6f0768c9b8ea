/*
 * ledger_sqlite_read.c: what the master, `windrow runs` and `windrow
 * failures` read from the ledger.
 */
#include <stdlib.h>

#include "ledger/ledger_sqlite_private.h"

/* From columns batch, worker, attempt, delay, n_keys, keys. */
static int read_batch(sqlite3_stmt *row, struct batch_row *ret,
                      struct error *err)
{
    const char *text = (const char *)sqlite3_column_text(row, 5);
    char *keys = text ? strdup(text) : NULL;
    if (!keys)
        return ledger_no_memory(err);
    *ret = (struct batch_row){
        .batch = sqlite3_column_int64(row, 0),
        .worker = sqlite3_column_int(row, 1),
        .attempt = sqlite3_column_int(row, 2),
        .delay = sqlite3_column_int64(row, 3),
        .n_keys = (size_t)sqlite3_column_int64(row, 4),
        .keys_json = keys,
    };
    return 0;
}

int lite_open_batches(struct ledger *ledger, int64_t run, int64_t after,
                      size_t limit, struct batch_row *ret, size_t *ret_n,
                      struct error *err)
{
    struct ledger_sqlite *lite = ledger_sqlite(ledger);
    AUTO_STATEMENT *row = NULL;
    int rc = lite_prepare(lite,
                          "SELECT batch, worker, attempt,"
                          " max(coalesce(not_before, 0) - ?, 0), n_keys, keys"
                          " FROM windrow_batches WHERE run = ? AND open"
                          " AND batch > ? ORDER BY batch LIMIT ?",
                          &row, err);
    if (rc)
        return rc;
    sqlite3_bind_int64(row, 1, clock_wall());
    sqlite3_bind_int64(row, 2, run);
    sqlite3_bind_int64(row, 3, after);
    sqlite3_bind_int64(row, 4, (int64_t)limit);
    size_t n = 0;
    bool more = false;
    while (!(rc = lite_step(lite, row, &more, err)) && more) {
        rc = read_batch(row, &ret[n], err);
        if (rc)
            break;
        n++;
    }
    if (rc == 0)
        *ret_n = n;
    while (rc && n > 0)
        free(ret[--n].keys_json);
    return rc;
}

static int look_at(struct ledger_sqlite *lite, int64_t run, int64_t batch,
                   struct batch_look *ret, struct error *err)
{
    sqlite3_stmt *row = NULL;
    int rc = lite_statement(lite, ST_LOOK, &row, err);
    if (rc)
        return rc;
    sqlite3_bind_int64(row, 1, clock_wall());
    sqlite3_bind_int64(row, 2, run);
    sqlite3_bind_int64(row, 3, batch);
    bool there = false;
    rc = lite_step(lite, row, &there, err);
    if (rc || !there)
        return rc;
    bool open = sqlite3_column_int(row, 6) != 0;
    ret->state = open ? BATCH_OPEN : BATCH_CLOSED;
    if (open)
        rc = read_batch(row, &ret->row, err);
    sqlite3_reset(row);
    return rc;
}

int lite_look(struct ledger *ledger, int64_t run, const int64_t *batches,
              size_t n, struct batch_look *ret, struct error *err)
{
    struct ledger_sqlite *lite = ledger_sqlite(ledger);
    int rc = 0;
    for (size_t i = 0; i < n; i++)
        ret[i] = (struct batch_look){.state = BATCH_UNKNOWN,
                                     .row = {.batch = batches[i]}};
    for (size_t i = 0; rc == 0 && i < n; i++)
        rc = look_at(lite, run, batches[i], &ret[i], err);
    for (size_t i = 0; rc && i < n; i++)
        free(ret[i].row.keys_json);
    return rc;
}

static const char runs_sql[] =
    "SELECT r.run, r.epoch, r.state, r.pipeline_name, r.pipeline_path,"
    " CASE WHEN ?1 > 0 THEN r.pipeline_text ELSE '' END, r.settings, r.owner,"
    " r.key_limit, r.started_at, coalesce(r.ended_at, 0),"
    " max(coalesce(r.lease_until, 0) - ?3, 0), coalesce(sum(b.stored), 0),"
    " coalesce(sum(b.done) FILTER (WHERE b.fetcher), 0),"
    " coalesce(sum(b.failed), 0),"
    " coalesce(sum(b.n_keys) FILTER (WHERE b.open AND b.fetcher), 0),"
    " count(*) FILTER (WHERE b.open), coalesce(r.run_name, ''),"
    " coalesce(r.nodes_wanted, 0), coalesce(r.retry_of, 0),"
    " coalesce((SELECT t.run FROM windrow_runs t WHERE t.retry_of = r.run), 0)"
    " FROM (SELECT * FROM windrow_runs WHERE ?1 IN (0, run)"
    " ORDER BY run DESC LIMIT ?2) r"
    " LEFT JOIN windrow_batches b ON b.run = r.run"
    " GROUP BY r.run ORDER BY r.run DESC";

static const char *copy_column(sqlite3_stmt *row, int column,
                               struct arena *arena)
{
    const char *text = (const char *)sqlite3_column_text(row, column);
    return text ? arena_copy_text(arena, text) : NULL;
}

static bool read_run(sqlite3_stmt *row, struct arena *arena,
                     struct run_row *ret)
{
    const char *state = (const char *)sqlite3_column_text(row, 2);
    const char *pipeline = copy_column(row, 5, arena);
    *ret = (struct run_row){
        .run = sqlite3_column_int64(row, 0),
        .epoch = sqlite3_column_int64(row, 1),
        .state = ledger_run_state_parse(state ? state : ""),
        .name = copy_column(row, 17, arena),
        .nodes_wanted = sqlite3_column_int(row, 18),
        .retry_of = sqlite3_column_int64(row, 19),
        .retried_by = sqlite3_column_int64(row, 20),
        .pipeline_name = copy_column(row, 3, arena),
        .pipeline_path = copy_column(row, 4, arena),
        .pipeline_text = slice_of(pipeline),
        .settings_json = copy_column(row, 6, arena),
        .owner = copy_column(row, 7, arena),
        .key_limit = sqlite3_column_int64(row, 8),
        .started_at = sqlite3_column_int64(row, 9),
        .ended_at = sqlite3_column_int64(row, 10),
        .lease_left = sqlite3_column_int64(row, 11),
        .stored = sqlite3_column_int64(row, 12),
        .keys_done = sqlite3_column_int64(row, 13),
        .failed = sqlite3_column_int64(row, 14),
        .open_keys = sqlite3_column_int64(row, 15),
        .open_batches = sqlite3_column_int64(row, 16),
    };
    return pipeline && ret->name && ret->pipeline_name && ret->pipeline_path &&
           ret->settings_json && ret->owner;
}

/* How many runs there are, so that there is room for them. */
static int count_runs(struct ledger_sqlite *lite, size_t limit, size_t *ret,
                      struct error *err)
{
    AUTO_STATEMENT *row = NULL;
    int rc = lite_prepare(lite, "SELECT count(*) FROM windrow_runs", &row, err);
    bool there = false;
    if (rc == 0)
        rc = lite_step(lite, row, &there, err);
    if (rc)
        return rc;
    size_t n = (size_t)sqlite3_column_int64(row, 0);
    *ret = n < limit ? n : limit;
    return 0;
}

int lite_runs(struct ledger *ledger, int64_t run, size_t limit,
              struct arena *arena, struct run_row **ret, size_t *ret_n,
              struct error *err)
{
    struct ledger_sqlite *lite = ledger_sqlite(ledger);
    size_t room = 0;
    int rc = count_runs(lite, limit, &room, err);
    AUTO_STATEMENT *row = NULL;
    if (rc == 0)
        rc = lite_prepare(lite, runs_sql, &row, err);
    if (rc)
        return rc;
    struct run_row *rows = arena_alloc(arena, (room + 1) * sizeof *rows);
    if (!rows)
        return ledger_no_memory(err);
    sqlite3_bind_int64(row, 1, run);
    sqlite3_bind_int64(row, 2, (int64_t)room);
    sqlite3_bind_int64(row, 3, clock_wall());
    size_t n = 0;
    bool more = false;
    while (!(rc = lite_step(lite, row, &more, err)) && more) {
        if (!read_run(row, arena, &rows[n++]))
            return ledger_no_memory(err);
    }
    if (rc)
        return rc;
    *ret = rows;
    *ret_n = n;
    return 0;
}

int lite_run_named(struct ledger *ledger, const char *name, int64_t *ret,
                   struct error *err)
{
    struct ledger_sqlite *lite = ledger_sqlite(ledger);
    AUTO_STATEMENT *row = NULL;
    int rc = lite_prepare(
        lite, "SELECT run FROM windrow_runs WHERE run_name = ?", &row, err);
    bool there = false;
    if (rc)
        return rc;
    lite_text(row, 1, slice_of(name));
    rc = lite_step(lite, row, &there, err);
    if (rc == 0)
        *ret = there ? sqlite3_column_int64(row, 0) : 0;
    return rc;
}

static enum reason reason_column(sqlite3_stmt *row, int column)
{
    const char *name = (const char *)sqlite3_column_text(row, column);
    return reason_parse(name ? name : "");
}

int lite_failure_counts(struct ledger *ledger, int64_t run,
                        struct reason_count *ret, size_t *ret_n,
                        struct error *err)
{
    struct ledger_sqlite *lite = ledger_sqlite(ledger);
    AUTO_STATEMENT *row = NULL;
    int rc = lite_prepare(lite,
                          "SELECT reason, count(*) FROM windrow_failures"
                          " WHERE run = ? GROUP BY reason"
                          " ORDER BY 2 DESC, 1",
                          &row, err);
    if (rc)
        return rc;
    sqlite3_bind_int64(row, 1, run);
    size_t n = 0;
    bool more = false;
    while (!(rc = lite_step(lite, row, &more, err)) && more && n < REASON_COUNT)
        ret[n++] = (struct reason_count){.reason = reason_column(row, 0),
                                         .keys = sqlite3_column_int64(row, 1)};
    if (rc == 0)
        *ret_n = n;
    return rc;
}

static struct slice slice_column(sqlite3_stmt *row, int column)
{
    const char *text = (const char *)sqlite3_column_text(row, column);
    return (struct slice){text, (size_t)sqlite3_column_bytes(row, column)};
}

static struct failure_row read_failure(sqlite3_stmt *row)
{
    const char *worker = (const char *)sqlite3_column_text(row, 2);
    return (struct failure_row){
        .failure = sqlite3_column_int64(row, 0),
        .key = slice_column(row, 1),
        .worker = worker ? worker : "",
        .reason = reason_column(row, 3),
        .http_status = sqlite3_column_int(row, 4),
        .attempts = sqlite3_column_int(row, 5),
        .failed_at = sqlite3_column_int64(row, 6),
        .detail = slice_column(row, 7),
    };
}

static const char failures_sql[] =
    "SELECT failure, key, worker, reason, http_status, attempts, failed_at,"
    " detail FROM windrow_failures WHERE run = ?1 AND failure > ?2"
    " AND ?4 IN ('', reason) AND ?5 IN ('', worker) ORDER BY failure"
    " LIMIT ?3";

int lite_failures(struct ledger *ledger, int64_t run,
                  const struct failure_filter *filter,
                  void (*each)(void *context, const struct failure_row *row),
                  void *context, struct error *err)
{
    struct ledger_sqlite *lite = ledger_sqlite(ledger);
    AUTO_STATEMENT *row = NULL;
    int rc = lite_prepare(lite, failures_sql, &row, err);
    if (rc)
        return rc;
    int64_t after = filter->after, given = 0, page, n;
    sqlite3_bind_int64(row, 1, run);
    lite_text(row, 4,
              slice_of(filter->reason ? reason_name(filter->reason) : ""));
    lite_text(row, 5, slice_of(filter->worker ? filter->worker : ""));
    do {
        page = ledger_failures_page(filter, given);
        sqlite3_bind_int64(row, 2, after);
        sqlite3_bind_int64(row, 3, page);
        bool more = false;
        n = 0;
        while (!(rc = lite_step(lite, row, &more, err)) && more) {
            struct failure_row failure = read_failure(row);
            after = failure.failure;
            each(context, &failure);
            n++;
        }
        given += n;
    } while (rc == 0 && page > 0 && n == page);
    return rc;
}
