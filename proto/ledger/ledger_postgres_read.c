/*
 * ledger_postgres_read.c: what the master, `windrow runs` and `windrow
 * failures` read from the ledger. Pages are by key, never by OFFSET, so that
 * each costs the same and none runs into statement_timeout.
 */
#include <stdlib.h>

#include "ledger/ledger_postgres_private.h"

#define US PG_MICROSECONDS

/* batch, worker, attempt, delay, n_keys, keys: what read_batch() reads. */
#define BATCH_SQL                                                              \
    "batch, worker, attempt, coalesce(greatest(" US(                           \
        "not_before - now()") ", 0), 0), n_keys, array_to_json(keys)::text"

static int read_batch(const PGresult *result, int row, struct batch_row *ret,
                      struct error *err)
{
    char *keys = strdup(PQgetvalue(result, row, 5));
    if (!keys)
        return ledger_no_memory(err);
    *ret = (struct batch_row){
        .batch = pg_int(result, row, 0),
        .worker = (int)pg_int(result, row, 1),
        .attempt = (int)pg_int(result, row, 2),
        .delay = pg_int(result, row, 3),
        .n_keys = (size_t)pg_int(result, row, 4),
        .keys_json = keys,
    };
    return 0;
}

int pg_open_batches(struct ledger *ledger, int64_t run, int64_t after,
                    size_t limit, struct batch_row *ret, size_t *ret_n,
                    struct error *err)
{
    struct ledger_postgres *pg = ledger_postgres(ledger);
    struct pg_args args = {.n = 0};
    pg_arg_int(&args, run);
    pg_arg_int(&args, after);
    pg_arg_int(&args, (int64_t)limit);
    AUTO_RESULT *result = NULL;
    int rc = pg_ready(pg, err);
    if (rc == 0)
        rc = pg_query(pg,
                      "SELECT " BATCH_SQL " FROM windrow_batches"
                      " WHERE run = $1::bigint AND open AND batch > $2::bigint"
                      " ORDER BY batch LIMIT $3::bigint",
                      &args, &result, err);
    if (rc)
        return rc;
    size_t n = 0;
    for (; rc == 0 && n < (size_t)PQntuples(result); n++)
        rc = read_batch(result, (int)n, &ret[n], err);
    if (rc) {
        while (--n > 0)
            free(ret[n - 1].keys_json);
        return rc;
    }
    *ret_n = n;
    return 0;
}

static struct batch_look *find_look(struct batch_look *looks, size_t n,
                                    int64_t batch)
{
    for (size_t i = 0; i < n; i++) {
        if (looks[i].row.batch == batch)
            return &looks[i];
    }
    return NULL;
}

/* Puts a row of ledger_look() where it was asked for; twice if need be. */
static int read_look(const PGresult *result, int row, struct batch_look *ret,
                     size_t n, struct error *err)
{
    int64_t batch = pg_int(result, row, 0);
    bool open = PQgetvalue(result, row, 6)[0] == 't';
    int rc = 0;
    struct batch_look *end = ret + n;
    while (rc == 0 && (ret = find_look(ret, (size_t)(end - ret), batch))) {
        ret->state = open ? BATCH_OPEN : BATCH_CLOSED;
        if (open)
            rc = read_batch(result, row, &ret->row, err);
        ret++;
    }
    return rc;
}

int pg_look(struct ledger *ledger, int64_t run, const int64_t *batches,
            size_t n, struct batch_look *ret, struct error *err)
{
    struct ledger_postgres *pg = ledger_postgres(ledger);
    struct buffer list = BUFFER_EMPTY;
    buffer_append_char(&list, '{');
    for (size_t i = 0; i < n; i++)
        buffer_printf(&list, "%s%lld", i > 0 ? "," : "", (long long)batches[i]);
    buffer_append_char(&list, '}');
    int rc = list.failed ? ledger_no_memory(err) : pg_ready(pg, err);
    struct pg_args args = {.n = 0};
    pg_arg_int(&args, run);
    pg_arg_text(&args, buffer_slice(&list));
    AUTO_RESULT *result = NULL;
    if (rc == 0)
        rc = pg_query(pg,
                      "SELECT " BATCH_SQL ", open FROM windrow_batches"
                      " WHERE run = $1::bigint"
                      " AND batch = ANY ($2::text::bigint[])",
                      &args, &result, err);
    buffer_free(&list);
    if (rc)
        return rc;
    for (size_t i = 0; i < n; i++)
        ret[i] = (struct batch_look){.state = BATCH_UNKNOWN,
                                     .row = {.batch = batches[i]}};
    for (int row = 0; rc == 0 && row < PQntuples(result); row++)
        rc = read_look(result, row, ret, n, err);
    for (size_t i = 0; rc && i < n; i++)
        free(ret[i].row.keys_json);
    return rc;
}

#define STARTED_AT US("r.started_at")
#define ENDED_AT US("r.ended_at")
#define LEASE_LEFT US("r.lease_until - clock_timestamp()")

/* clang-format off */
static const char runs_sql[] =
    "SELECT r.run, r.epoch, r.state, r.pipeline_name, r.pipeline_path,"
    " CASE WHEN $1::bigint > 0 THEN r.pipeline_text ELSE '' END, r.settings,"
    " r.owner, r.key_limit, " STARTED_AT ", coalesce(" ENDED_AT ", 0),"
    " greatest(coalesce(" LEASE_LEFT ", 0), 0),"
    " c.stored, c.done, c.failed, c.open_keys, c.open_batches,"
    " coalesce(r.run_name, ''), coalesce(r.nodes_wanted, 0),"
    " coalesce(r.retry_of, 0), coalesce((SELECT t.run FROM windrow_runs t"
    " WHERE t.retry_of = r.run), 0) FROM windrow_runs r, LATERAL (SELECT coalesce(sum(stored), 0) AS stored,"
    " coalesce(sum(done) FILTER (WHERE fetcher), 0) AS done,"
    " coalesce(sum(failed), 0) AS failed,"
    " coalesce(sum(n_keys) FILTER (WHERE open AND fetcher), 0) AS open_keys,"
    " count(*) FILTER (WHERE open) AS open_batches"
    " FROM windrow_batches b WHERE b.run = r.run) c"
    " WHERE $1::bigint IN (0, r.run) ORDER BY r.run DESC LIMIT $2::bigint";
/* clang-format on */

static bool read_run(const PGresult *result, int row, struct arena *arena,
                     struct run_row *ret)
{
    char *texts[6];
    static const int columns[6] = {3, 4, 5, 6, 7, 17};
    for (size_t i = 0; i < 6; i++) {
        texts[i] = arena_copy_text(arena, PQgetvalue(result, row, columns[i]));
        if (!texts[i])
            return false;
    }
    *ret = (struct run_row){
        .run = pg_int(result, row, 0),
        .epoch = pg_int(result, row, 1),
        .state = ledger_run_state_parse(PQgetvalue(result, row, 2)),
        .name = texts[5],
        .nodes_wanted = (int)pg_int(result, row, 18),
        .retry_of = pg_int(result, row, 19),
        .retried_by = pg_int(result, row, 20),
        .pipeline_name = texts[0],
        .pipeline_path = texts[1],
        .pipeline_text = slice_of(texts[2]),
        .settings_json = texts[3],
        .owner = texts[4],
        .key_limit = pg_int(result, row, 8),
        .started_at = pg_int(result, row, 9),
        .ended_at = pg_int(result, row, 10),
        .lease_left = pg_int(result, row, 11),
        .stored = pg_int(result, row, 12),
        .keys_done = pg_int(result, row, 13),
        .failed = pg_int(result, row, 14),
        .open_keys = pg_int(result, row, 15),
        .open_batches = pg_int(result, row, 16),
    };
    return true;
}

int pg_runs(struct ledger *ledger, int64_t run, size_t limit,
            struct arena *arena, struct run_row **ret, size_t *ret_n,
            struct error *err)
{
    struct ledger_postgres *pg = ledger_postgres(ledger);
    struct pg_args args = {.n = 0};
    pg_arg_int(&args, run);
    pg_arg_int(&args, (int64_t)limit);
    AUTO_RESULT *result = NULL;
    int rc = pg_ready(pg, err);
    if (rc == 0)
        rc = pg_query(pg, runs_sql, &args, &result, err);
    if (rc)
        return rc;
    size_t n = (size_t)PQntuples(result);
    struct run_row *rows = arena_alloc(arena, (n + 1) * sizeof *rows);
    bool enough = rows != NULL;
    for (size_t i = 0; enough && i < n; i++)
        enough = read_run(result, (int)i, arena, &rows[i]);
    if (!enough)
        return ledger_no_memory(err);
    *ret = rows;
    *ret_n = n;
    return 0;
}

int pg_run_named(struct ledger *ledger, const char *name, int64_t *ret,
                 struct error *err)
{
    struct ledger_postgres *pg = ledger_postgres(ledger);
    struct pg_args args = {.n = 0};
    pg_arg_text(&args, slice_of(name));
    AUTO_RESULT *result = NULL;
    int rc = pg_ready(pg, err);
    if (rc == 0)
        rc = pg_query(pg, "SELECT run FROM windrow_runs WHERE run_name = $1",
                      &args, &result, err);
    if (rc == 0)
        *ret = PQntuples(result) ? pg_int(result, 0, 0) : 0;
    return rc;
}

int pg_failure_counts(struct ledger *ledger, int64_t run,
                      struct reason_count *ret, size_t *ret_n,
                      struct error *err)
{
    struct ledger_postgres *pg = ledger_postgres(ledger);
    struct pg_args args = {.n = 0};
    pg_arg_int(&args, run);
    AUTO_RESULT *result = NULL;
    int rc = pg_ready(pg, err);
    if (rc == 0)
        rc = pg_query(pg,
                      "SELECT reason, count(*) FROM windrow_failures"
                      " WHERE run = $1::bigint GROUP BY reason"
                      " ORDER BY 2 DESC, reason COLLATE \"C\"",
                      &args, &result, err);
    if (rc)
        return rc;
    size_t n = 0;
    for (int row = 0; row < PQntuples(result) && n < REASON_COUNT; row++)
        ret[n++] = (struct reason_count){
            .reason = reason_parse(PQgetvalue(result, row, 0)),
            .keys = pg_int(result, row, 1)};
    *ret_n = n;
    return 0;
}

static struct failure_row read_failure(const PGresult *result, int row)
{
    return (struct failure_row){
        .failure = pg_int(result, row, 0),
        .key = slice_of(PQgetvalue(result, row, 1)),
        .worker = PQgetvalue(result, row, 2),
        .reason = reason_parse(PQgetvalue(result, row, 3)),
        .http_status = (int)pg_int(result, row, 4),
        .attempts = (int)pg_int(result, row, 5),
        .failed_at = pg_int(result, row, 6),
        .detail = slice_of(PQgetvalue(result, row, 7)),
    };
}

static const char failures_sql[] =
    "SELECT failure, key, worker, reason, http_status, attempts," US(
        "failed_at") ", detail FROM windrow_failures WHERE run = $1::bigint"
                     " AND failure > $2::bigint AND $4 IN ('', reason)"
                     " AND $5 IN ('', worker) ORDER BY failure"
                     " LIMIT $3::bigint";

int pg_failures(struct ledger *ledger, int64_t run,
                const struct failure_filter *filter,
                void (*each)(void *context, const struct failure_row *row),
                void *context, struct error *err)
{
    struct ledger_postgres *pg = ledger_postgres(ledger);
    int rc = pg_ready(pg, err);
    int64_t after = filter->after, given = 0, page, n;
    do {
        struct pg_args args = {.n = 0};
        page = ledger_failures_page(filter, given);
        pg_arg_int(&args, run);
        pg_arg_int(&args, after);
        pg_arg_int(&args, page);
        pg_arg_text(
            &args, slice_of(filter->reason ? reason_name(filter->reason) : ""));
        pg_arg_text(&args, slice_of(filter->worker ? filter->worker : ""));
        AUTO_RESULT *result = NULL;
        if (rc == 0)
            rc = pg_query(pg, failures_sql, &args, &result, err);
        n = rc ? 0 : PQntuples(result);
        for (int row = 0; row < n; row++) {
            struct failure_row failure = read_failure(result, row);
            after = failure.failure;
            each(context, &failure);
        }
        given += n;
    } while (page > 0 && n == page);
    return rc;
}
