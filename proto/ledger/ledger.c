/*
 * ledger.c: opens the ledger that a URL names and passes the calls on to its
 * backend; what both backends would do alike is done here.
 */
#include "ledger/ledger.h"

#include <stdlib.h>

#include "ledger/ledger_backend.h"
#include "ledger/ledger_postgres.h"

static const char *const state_names[] = {
    [RUN_OPEN] = "open",
    [RUN_DONE] = "done",
    [RUN_FAILED_KEYS] = "failed_keys",
    [RUN_NO_KEYS] = "no_keys",
};

const char *run_state_name(enum run_state state)
{
    CHECK((size_t)state < sizeof state_names / sizeof *state_names);
    return state_names[state];
}

enum run_state ledger_run_state_parse(const char *name)
{
    for (size_t i = 0; i < sizeof state_names / sizeof *state_names; i++) {
        if (!strcmp(name, state_names[i]))
            return (enum run_state)i;
    }
    return RUN_OPEN;
}

int ledger_no_memory(struct error *err)
{
    return error_set(err, ERR_MEMORY, "out of memory");
}

int ledger_lease_lost(int64_t run, int64_t epoch, struct error *err)
{
    return error_set(err, ERR_LEASE_LOST,
                     "run %lld is no longer ours (epoch %lld has passed)",
                     (long long)run, (long long)epoch);
}

int ledger_check_version(int64_t version, struct error *err)
{
    if (version == LEDGER_VERSION)
        return 0;
    return error_set(err, ERR_VERSION,
                     "the ledger in this database has version %lld; this "
                     "program knows version %d",
                     (long long)version, LEDGER_VERSION);
}

int ledger_run_taken(const struct run_spec *spec, struct error *err)
{
    if (spec->retry_of)
        return error_set(err, ERR_CONFLICT, "run %lld is being retried already",
                         (long long)spec->retry_of);
    return error_set(err, ERR_CONFLICT, "there is a run named %s already",
                     spec->name);
}

int ledger_take_id(struct ledger *ledger, const char *id, struct error *err)
{
    if (strlen(id) != LEDGER_ID_BYTES - 1)
        return error_set(err, ERR_DATABASE, "windrow_ledger holds no valid id");
    memcpy(ledger->id, id, LEDGER_ID_BYTES);
    return 0;
}

static bool starts_with(const char *text, const char *prefix)
{
    return !strncmp(text, prefix, strlen(prefix));
}

static int open_either(const char *url, bool to_look, struct ledger **ret,
                       struct error *err)
{
    if (starts_with(url, "postgresql://") || starts_with(url, "postgres://"))
        return ledger_postgres_open(url, to_look, ret, err);
    if (!starts_with(url, "sqlite:"))
        return error_set(err, ERR_SETTING,
                         "the database must be postgresql://... or "
                         "sqlite:FILE");
    const char *path = url + strlen("sqlite:");
    if (starts_with(path, "//"))
        path += 2;
    if (!*path)
        return error_set(err, ERR_SETTING,
                         "sqlite: names no file; write sqlite:FILE");
    return ledger_sqlite_open(path, to_look, ret, err);
}

int ledger_open(const char *url, struct ledger **ret, struct error *err)
{
    return open_either(url, false, ret, err);
}

int ledger_open_to_look(const char *url, struct ledger **ret, struct error *err)
{
    return open_either(url, true, ret, err);
}

int ledger_not_there(struct error *err)
{
    return error_set(err, ERR_NOT_FOUND,
                     "the database holds no runs yet: its first run makes the "
                     "tables");
}

void ledger_close(struct ledger **ledger)
{
    if (*ledger)
        (*ledger)->ops->close(*ledger);
    *ledger = NULL;
}

bool ledger_is_postgres(const struct ledger *ledger)
{
    return ledger->ops->is_postgres;
}

const char *ledger_id(const struct ledger *ledger)
{
    return ledger->id;
}

int ledger_use_pipeline(struct ledger *ledger, const struct pipeline *pipeline,
                        struct error *err)
{
    int rc = ledger->ops->use_pipeline(ledger, pipeline, err);
    if (rc == 0)
        ledger->pipeline = pipeline;
    return rc;
}

int ledger_run_begin(struct ledger *ledger, const struct run_spec *spec,
                     int64_t *ret_run, int64_t *ret_epoch, struct error *err)
{
    CHECK(ledger->pipeline);
    return ledger->ops->run_begin(ledger, spec, ret_run, ret_epoch, err);
}

int ledger_run_add_batch(struct ledger *ledger, int64_t run,
                         const struct closing_child *batch, struct error *err)
{
    if (batch->n_keys == 0)
        return 0;
    return ledger->ops->run_add_batch(ledger, run, batch, err);
}

int ledger_run_commit(struct ledger *ledger, struct error *err)
{
    return ledger->ops->run_commit(ledger, err);
}

void ledger_run_rollback(struct ledger *ledger)
{
    ledger->ops->run_rollback(ledger);
}

/* Says why the run could not be taken. */
static int refuse_take(const struct run_row *row, struct error *err)
{
    if (row->state != RUN_OPEN)
        return error_set(err, ERR_CONFLICT, "run %lld has ended already (%s)",
                         (long long)row->run, run_state_name(row->state));
    return error_set(err, ERR_CONFLICT,
                     "run %lld is being worked on by %s; unless that goes on, "
                     "it is free in %lld s",
                     (long long)row->run, row->owner,
                     (long long)(row->lease_left / USEC_PER_SEC + 1));
}

int ledger_run_take(struct ledger *ledger, int64_t run, const char *owner,
                    usec_t lease, struct arena *arena, struct run_row *ret,
                    struct error *err)
{
    bool taken = false;
    int rc = ledger->ops->run_take(ledger, run, owner, lease, &taken, err);
    if (rc)
        return rc;
    struct run_row row;
    rc = ledger_run_row(ledger, run, arena, &row, err);
    if (rc)
        return rc;
    if (!taken)
        return refuse_take(&row, err);
    *ret = row;
    return 0;
}

int ledger_run_renew(struct ledger *ledger, int64_t run, int64_t epoch,
                     usec_t lease, struct error *err)
{
    return ledger->ops->run_renew(ledger, run, epoch, lease, err);
}

int ledger_run_scale(struct ledger *ledger, int64_t run, int nodes,
                     struct error *err)
{
    struct arena arena = ARENA_EMPTY;
    struct run_row row;
    bool scaled = false;
    int rc = ledger->ops->run_scale(ledger, run, nodes, &scaled, err);
    if (rc || scaled)
        return rc;
    rc = ledger_run_row(ledger, run, &arena, &row, err);
    if (rc == 0)
        rc = error_set(err, ERR_CONFLICT, "run %lld has ended already (%s)",
                       (long long)run, run_state_name(row.state));
    arena_free(&arena);
    return rc;
}

int ledger_run_end(struct ledger *ledger, int64_t run, int64_t epoch,
                   enum run_state state, struct error *err)
{
    return ledger->ops->run_end(ledger, run, epoch, state, err);
}

int ledger_open_batches(struct ledger *ledger, int64_t run, int64_t after,
                        size_t limit, struct batch_row *ret, size_t *ret_n,
                        struct error *err)
{
    CHECK(limit <= LEDGER_PAGE_MAX);
    return ledger->ops->open_batches(ledger, run, after, limit, ret, ret_n,
                                     err);
}

int ledger_look(struct ledger *ledger, int64_t run, const int64_t *batches,
                size_t n, struct batch_look *ret, struct error *err)
{
    CHECK(n <= LEDGER_PAGE_MAX);
    return ledger->ops->look(ledger, run, batches, n, ret, err);
}

int ledger_run_row(struct ledger *ledger, int64_t run, struct arena *arena,
                   struct run_row *ret, struct error *err)
{
    struct run_row *rows = NULL;
    size_t n = 0;
    int rc = 0;
    if (run > 0)
        rc = ledger->ops->runs(ledger, run, 1, arena, &rows, &n, err);
    if (rc)
        return rc;
    if (n == 0)
        return error_set(err, ERR_NOT_FOUND,
                         "there is no run %lld (`windrow runs` lists them)",
                         (long long)run);
    *ret = rows[0];
    return 0;
}

int ledger_run_named(struct ledger *ledger, const char *name, int64_t *ret,
                     struct error *err)
{
    int64_t run = 0;
    int rc = ledger->ops->run_named(ledger, name, &run, err);
    if (rc)
        return rc;
    if (run == 0)
        return error_set(err, ERR_NOT_FOUND, "there is no run named %s", name);
    *ret = run;
    return 0;
}

int ledger_runs(struct ledger *ledger, size_t limit, struct arena *arena,
                struct run_row **ret, size_t *ret_n, struct error *err)
{
    return ledger->ops->runs(ledger, 0, limit, arena, ret, ret_n, err);
}

int ledger_failure_counts(struct ledger *ledger, int64_t run,
                          struct reason_count *ret, size_t *ret_n,
                          struct error *err)
{
    return ledger->ops->failure_counts(ledger, run, ret, ret_n, err);
}

int ledger_failures(struct ledger *ledger, int64_t run,
                    const struct failure_filter *filter,
                    void (*each)(void *context, const struct failure_row *row),
                    void *context, struct error *err)
{
    static const struct failure_filter all;
    return ledger->ops->failures(ledger, run, filter ? filter : &all, each,
                                 context, err);
}

int ledger_worker_counts(struct ledger *ledger, int64_t run,
                         struct worker_count *ret, size_t *ret_n,
                         struct error *err)
{
    return ledger->ops->worker_counts(ledger, run, ret, ret_n, err);
}

#define FAILURES_PAGE 1000 /* so that no snapshot is held for long */

int64_t ledger_failures_page(const struct failure_filter *filter, int64_t given)
{
    int64_t left = filter->limit ? filter->limit - given : FAILURES_PAGE;
    return left < FAILURES_PAGE ? left : FAILURES_PAGE;
}

int ledger_pace(struct ledger *ledger, int64_t run, size_t n, struct pace *ret,
                struct error *err)
{
    CHECK(n > 0 && n <= LEDGER_PACE_MAX);
    struct pace pace = {.n = n};
    int rc = ledger->ops->pace(ledger, run, n, &pace, err);
    if (rc == 0)
        *ret = pace;
    return rc;
}

int ledger_rows(struct ledger *ledger, const struct row_query *query,
                ledger_on_row *each, void *context, struct error *err)
{
    CHECK(query->limit <= LEDGER_ROWS_MAX &&
          query->sink->n_columns <= PIPELINE_FIELDS_MAX + 2);
    return ledger->ops->rows(ledger, query, each, context, err);
}

int ledger_recall(struct ledger *ledger, const struct worker *worker,
                  const struct slice *urls, size_t n, struct arena *arena,
                  struct last_answer *ret, struct error *err)
{
    CHECK(worker->request.cache != CACHE_IGNORE);
    for (size_t i = 0; i < n; i++)
        ret[i] = (struct last_answer){0};
    return n ? ledger->ops->recall(ledger, worker, urls, n, arena, ret, err)
             : 0;
}

int ledger_close_batch(struct ledger *ledger, const struct closing *closing,
                       struct close_result *result, struct error *err)
{
    CHECK(ledger->pipeline);
    return ledger->ops->close_batch(ledger, closing, result, err);
}
