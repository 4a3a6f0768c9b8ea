/*
 * query.c: see query.h.
 *
 * The user's query becomes a table expression, and a page of it is cut out
 * with the order of its bytes (COLLATE "C", BINARY), which is the same
 * everywhere. The thread opens a connection for each page: pages are few, and
 * nothing is left open meanwhile. It may only read: a page that is asked for
 * again must find what the first one found.
 */
#include "query.h"

#include <libpq-fe.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buffer.h"
#include "ledger/ledger_postgres.h"
#include "loop/offload.h"
#include "pipeline/settings.h"
#include "pipeline/template.h"
#include "turn.h"

#define QUERY_PATIENCE (200 * USEC_PER_MSEC)

struct job {
    struct offload_work work;
    uint64_t id;
    const char *url;
    const char *query;
    char *after;   /* the last key of the page before; "" before the first */
    size_t before; /* keys in pages before */
    size_t limit;  /* keys of this page at most */
    bool limited;  /* by keys_max: then there is no page after */
    struct query_answer answer;
    struct arena arena;
    struct slice *keys;
    size_t n_keys, n_rows;
};

struct queries {
    char *url;
    queries_on_done *on_done;
    void *context;
    struct offload *offload;
};

static void fail(struct job *job, enum reason reason, const char *why)
{
    job->answer.reason = reason;
    size_t len = strcspn(why, "\n");
    snprintf(job->answer.detail, sizeof job->answer.detail, "%.*s", (int)len,
             why);
}

/* Takes one value of the page; one that can be no key is left out. */
static bool take_key(struct job *job, const char *value, size_t len)
{
    char *copy = arena_copy(&job->arena, value, len);
    if (!copy)
        return false;
    job->n_rows++;
    while (len && strchr(" \t\r\n", copy[len - 1]))
        len--;
    struct slice key = {copy, len};
    if (key_is_valid(key))
        job->keys[job->n_keys++] = key;
    return true;
}

/* ---- PostgreSQL ---- */

static void ask_postgres(struct job *job, PGconn *pq)
{
    struct buffer sql = BUFFER_EMPTY;
    char limit[24];
    snprintf(limit, sizeof limit, "%zu", job->limit);
    buffer_printf(&sql,
                  "WITH windrow_query(k) AS (%s\n) SELECT k FROM (SELECT "
                  "DISTINCT k::text COLLATE \"C\" AS k FROM windrow_query) q "
                  "WHERE k > $1 ORDER BY k LIMIT $2::bigint",
                  job->query);
    const char *values[] = {job->after, limit};
    PGresult *result =
        sql.failed ? NULL
                   : PQexecParams(pq, sql.data, 2, NULL, values, NULL, NULL, 0);
    if (PQresultStatus(result) != PGRES_TUPLES_OK)
        fail(job, REASON_QUERY, PQerrorMessage(pq));
    for (int i = 0; i < PQntuples(result); i++)
        if (!take_key(job, PQgetvalue(result, i, 0),
                      (size_t)PQgetlength(result, i, 0)))
            fail(job, REASON_INTERNAL, "no memory for keys");
    PQclear(result);
    buffer_free(&sql);
}

static void query_postgres(struct job *job)
{
    struct error err = ERROR_NONE;
    char begin[80];
    PGconn *pq = ledger_postgres_connect(job->url, &err);
    if (!pq) {
        fail(job, REASON_QUERY, err.text);
        return;
    }
    snprintf(begin, sizeof begin,
             "BEGIN READ ONLY; SET LOCAL statement_timeout = %lld",
             (long long)(QUERY_TIME / USEC_PER_MSEC));
    PGresult *begun = PQexec(pq, begin);
    if (PQresultStatus(begun) == PGRES_COMMAND_OK)
        ask_postgres(job, pq);
    else
        fail(job, REASON_QUERY, PQerrorMessage(pq));
    PQclear(begun);
    PQclear(PQexec(pq, "ROLLBACK")); /* a pooler keeps the session */
    PQfinish(pq);
}

/* ---- SQLite ---- */

static void ask_sqlite(struct job *job, sqlite3 *database)
{
    struct buffer sql = BUFFER_EMPTY;
    sqlite3_stmt *statement = NULL;
    buffer_printf(&sql,
                  "WITH windrow_query(k) AS (%s\n) SELECT k FROM (SELECT "
                  "DISTINCT CAST(k AS TEXT) AS k FROM windrow_query) "
                  "WHERE k > ?1 ORDER BY k LIMIT ?2",
                  job->query);
    int status = SQLITE_NOMEM;
    if (!sql.failed)
        status = sqlite3_prepare_v2(database, sql.data, -1, &statement, NULL);
    if (status == SQLITE_OK) {
        sqlite3_bind_text(statement, 1, job->after, -1, SQLITE_STATIC);
        sqlite3_bind_int64(statement, 2, (sqlite3_int64)job->limit);
        while ((status = sqlite3_step(statement)) == SQLITE_ROW)
            if (!take_key(job, (const char *)sqlite3_column_text(statement, 0),
                          (size_t)sqlite3_column_bytes(statement, 0)))
                break;
    }
    if (status == SQLITE_ROW)
        fail(job, REASON_INTERNAL, "no memory for keys");
    else if (status == SQLITE_READONLY || status == SQLITE_CANTOPEN)
        fail(job, REASON_QUERY,
             "a file in WAL mode is written beside while it is read: name its "
             "folder in WINDROW_NODE_WRITES");
    else if (status != SQLITE_DONE)
        fail(job, REASON_QUERY, sqlite3_errmsg(database));
    sqlite3_finalize(statement);
    buffer_free(&sql);
}

static void query_sqlite(struct job *job, const char *path)
{
    sqlite3 *database = NULL;
    path += strncmp(path, "//", 2) ? 0 : 2; /* as ledger_open() has it */
    if (sqlite3_open_v2(path, &database, SQLITE_OPEN_READONLY, NULL) ==
        SQLITE_OK) {
        sqlite3_busy_timeout(database, 5000);
        ask_sqlite(job, database);
    } else {
        fail(job, REASON_QUERY,
             database ? sqlite3_errmsg(database) : "no memory");
    }
    sqlite3_close(database);
}

/* ---- a page ---- */

static void answer(struct job *job)
{
    struct query_answer *answer = &job->answer;
    answer->keys = job->keys;
    answer->n_keys = job->n_keys;
    if (answer->reason != REASON_NONE)
        return;
    answer->more = job->n_rows == job->limit && !job->limited;
    if (job->n_rows == 0 && job->before == 0)
        fail(job, REASON_NO_KEYS, "the query gives no rows");
}

static void query(struct offload_work *work, void *shared)
{
    (void)shared;
    static const char sqlite[] = "sqlite:";
    struct job *job = (struct job *)work;
    job->keys = arena_alloc(&job->arena,
                            (job->limit ? job->limit : 1) * sizeof *job->keys);
    if (!job->keys)
        fail(job, REASON_INTERNAL, "no memory for keys");
    else if (!strncmp(job->url, sqlite, sizeof sqlite - 1))
        query_sqlite(job, job->url + sizeof sqlite - 1);
    else
        query_postgres(job);
    answer(job);
}

/* ---- the loop's side ---- */

static void drop(struct offload_work *work)
{
    struct job *job = (struct job *)work;
    arena_free(&job->arena);
    free(job->after);
    free(job);
}

static void done(struct offload_work *work, void *context)
{
    turn_enter();
    struct queries *queries = context;
    struct job *job = (struct job *)work;
    queries->on_done(queries->context, job->id, &job->answer);
    drop(work);
}

int queries_new(struct event_base *base, const char *url,
                queries_on_done *on_done, void *context, struct queries **ret,
                struct error *err)
{
    struct queries *queries = calloc(1, sizeof *queries);
    if (!queries)
        return error_set(err, ERR_MEMORY, "no memory for queries");
    queries->on_done = on_done;
    queries->context = context;
    queries->url = strdup(url);
    queries->offload = offload_new(base, NULL, queries);
    if (!queries->url || !queries->offload) {
        queries_free(&queries);
        return error_set(err, ERR_MEMORY, "no memory or threads for queries");
    }
    *ret = queries;
    return 0;
}

/* A query under way is not waited for longer than a moment: the process ends
 * with it. */
void queries_free(struct queries **ptr)
{
    struct queries *queries = *ptr;
    *ptr = NULL;
    if (!queries || !offload_free(&queries->offload, QUERY_PATIENCE))
        return;
    free(queries->url);
    free(queries);
}

/* "N:KEY" */
static bool parse_place(struct slice place, struct job *job)
{
    const char *colon = memchr(place.data, ':', place.len);
    if (!colon)
        return false;
    size_t before = 0;
    for (const char *digit = place.data; digit < colon; digit++) {
        if (*digit < '0' || *digit > '9' || before > SIZE_MAX / 20)
            return false;
        before = before * 10 + (size_t)(*digit - '0');
    }
    job->before = before;
    job->after =
        strndup(colon + 1, place.len - (size_t)(colon + 1 - place.data));
    return job->after;
}

int queries_start(struct queries *queries, uint64_t id,
                  const struct worker *worker, struct slice key,
                  size_t keys_max, struct error *err)
{
    struct job *job = calloc(1, sizeof *job);
    if (!job || !parse_place(key, job)) {
        free(job);
        return error_set(err, ERR_MEMORY, "no memory for a query");
    }
    job->work = (struct offload_work){.run = query, .done = done, .drop = drop};
    job->id = id;
    job->url = worker->sql.database ? worker->sql.database : queries->url;
    job->query = worker->sql.query;
    job->limit = QUERY_PAGE_KEYS;
    if (keys_max) {
        size_t left = keys_max > job->before ? keys_max - job->before : 0;
        job->limited = left <= job->limit;
        job->limit = job->limited ? left : job->limit;
    }
    offload_do(queries->offload, &job->work);
    return 0;
}
