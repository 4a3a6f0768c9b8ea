/*
 * ledger_postgres_close.c: the one rule that closes a batch, in PostgreSQL.
 *
 * One statement is one transaction. At READ COMMITTED a second closing of the
 * same batch waits in the UPDATE for the first, then finds the batch no
 * longer open: `b` is empty, and every INSERT hangs on EXISTS (SELECT FROM
 * b). Nothing is locked before the batch's row, and keys of shared queues are
 * inserted in their order, so closings do not deadlock among themselves.
 *
 * Parts of the statement, all of which see the same snapshot:
 *   b      the batch, if this closed it
 *   f, s…  failures, and the rows of each sink
 *   a      what is remembered of the answers
 *   k      the children's keys: number of the child, queue, key, place
 *   fresh  keys that a shared queue did not have yet
 *   kept   keys that remain: not shared, or fresh and first in this closing
 *   c      the child batches
 * The keys of a closed batch are let go: nobody reads them again.
 */
#include <stdlib.h>

#include "ledger/ledger_postgres_private.h"

#include "base/crash_point.h"

/* What each part hangs on: that this closed the batch. */
static const char *guard(void)
{
    return DEFENCE_OFF("closing_rule") ? "true" : "EXISTS (SELECT 1 FROM b)";
}

/* The casts by which a text becomes what an assignment can store. */
static const char *const casts[KIND_COUNT] = {
    [KIND_NUMBER] = "::numeric",
    [KIND_INTEGER] = "::numeric",
    [KIND_BOOLEAN] = "::boolean",
    [KIND_TIME] = "::timestamptz",
};

/*
 * `(…) IN (SELECT … FROM fresh)` stands under OR so that the planner must
 * hash it: a generic plan is made for ten keys, and joined by a
 * loop a source with half a million keys would never end.
 */
void ledger_children_sql(struct buffer *sql, const char *parent,
                         const char *child_no, const char *when, int first)
{
    buffer_printf(
        sql,
        "k AS (SELECT u.no, ($%d::integer[])[u.no] AS queue,"
        " u.key COLLATE \"C\" AS key, u.ord"
        " FROM unnest($%d::integer[], $%d::text[]) WITH ORDINALITY"
        " AS u(no, key, ord) WHERE %s),"
        "fresh AS (INSERT INTO windrow_keys (run, queue, key)"
        " SELECT DISTINCT $1::bigint, k.queue, k.key FROM k"
        " WHERE k.queue >= 0 ORDER BY 2, 3"
        " ON CONFLICT DO NOTHING RETURNING queue, key),"
        "kept AS (SELECT no, key, ord FROM (SELECT k.*, row_number()"
        " OVER (PARTITION BY queue, key ORDER BY ord) AS nth FROM k) k"
        " WHERE queue < 0 OR (nth = 1"
        " AND (queue, key) IN (SELECT queue, key FROM fresh))),"
        "c AS (INSERT INTO windrow_batches (run, parent, child_no, worker,"
        " fetcher, attempt, not_before, n_keys, keys)"
        " SELECT $1::bigint, %s, %s, ($%d::integer[])[no],"
        " ($%d::boolean[])[no], ($%d::integer[])[no],"
        " CASE WHEN ($%d::bigint[])[no] > 0 THEN now()"
        " + ($%d::bigint[])[no] * interval '1 microsecond' END,"
        " count(*), array_agg(key ORDER BY ord)"
        " FROM kept GROUP BY no ORDER BY no RETURNING child_no, batch)",
        first + 4, first + 5, first + 6, when, parent, child_no, first,
        first + 1, first + 2, first + 3, first + 3);
}

static void failures_sql(struct buffer *sql)
{
    buffer_printf(sql,
                  "f AS (INSERT INTO windrow_failures (run, batch, worker,"
                  " key, reason, http_status, attempts, failed_at, detail)"
                  " SELECT $%d::bigint, $%d::bigint, $%d::text, u.*"
                  " FROM unnest($%d::text[], $%d::text[], $%d::integer[],"
                  " $%d::integer[], $%d::timestamptz[], $%d::text[]) AS u"
                  " WHERE %s),",
                  P_RUN, P_BATCH, P_WORKER_NAME, P_FAILURES, P_FAILURES + 1,
                  P_FAILURES + 2, P_FAILURES + 3, P_FAILURES + 4,
                  P_FAILURES + 5, guard());
}

static void sink_sql(struct buffer *sql, const struct worker *store, int first)
{
    const struct sink *sink = &store->sink;
    buffer_printf(sql, "s%d AS (INSERT INTO ", store->index);
    ledger_quote_table(sink->table, sql);
    for (size_t i = 0; i < sink->n_columns; i++) {
        buffer_append_text(sql, i == 0 ? " (" : ", ");
        ledger_quote_name(slice_of(sink->columns[i].name), sql);
    }
    buffer_append_text(sql, ") SELECT ");
    for (size_t i = 0; i < sink->n_columns; i++) {
        const struct column *column = &sink->columns[i];
        enum column_kind kind = ledger_column_kind(column);
        const char *cast = column->is_text ? NULL : casts[kind];
        buffer_printf(sql, "%su.c%zu%s", i == 0 ? "" : ", ", i,
                      cast ? cast : "");
    }
    buffer_append_text(sql, " FROM unnest(");
    for (size_t i = 0; i < sink->n_columns; i++) {
        bool time = sink->columns[i].source == COLUMN_FETCHED_AT;
        buffer_printf(sql, "%s$%d::%s[]", i == 0 ? "" : ", ", first + (int)i,
                      time ? "timestamptz" : "text");
    }
    buffer_append_text(sql, ") AS u");
    for (size_t i = 0; i < sink->n_columns; i++)
        buffer_printf(sql, "%sc%zu", i == 0 ? "(" : ", ", i);
    buffer_printf(sql, ") WHERE %s),", guard());
}

/* One row a URL, in the order of their hashes, as all closings lock them. */
static void answers_sql(struct buffer *sql, int first)
{
    buffer_printf(
        sql,
        "a AS (INSERT INTO windrow_answers (shape, url_hash, url, etag,"
        " last_modified, fetched_at, fresh_until, fields)"
        " SELECT DISTINCT ON (u.h) $%d::bigint, u.* FROM unnest($%d::bigint[],"
        " $%d::text[], $%d::text[], $%d::text[], $%d::timestamptz[],"
        " $%d::timestamptz[], $%d::text[]) AS u(h) WHERE %s ORDER BY u.h"
        " ON CONFLICT (shape, url_hash) DO UPDATE SET url = EXCLUDED.url,"
        " etag = EXCLUDED.etag, last_modified = EXCLUDED.last_modified,"
        " fetched_at = EXCLUDED.fetched_at,"
        " fresh_until = EXCLUDED.fresh_until, fields = EXCLUDED.fields),",
        first, first + 1, first + 2, first + 3, first + 4, first + 5, first + 6,
        first + 7, guard());
}

int ledger_close_statement(const struct pipeline *pipeline,
                           const struct worker *worker, struct buffer *ret,
                           int *ret_n_params, struct error *err)
{
    buffer_printf(ret,
                  "WITH b AS (UPDATE windrow_batches SET open = false,"
                  " keys = NULL, closed_by = $%d::text, closed_at = now(),"
                  " stored = $%d::bigint, failed = $%d::bigint,"
                  " done = $%d::bigint WHERE run = $%d::bigint"
                  " AND batch = $%d::bigint AND open RETURNING 1),",
                  P_CLOSER, P_STORED, P_FAILED, P_DONE, P_RUN, P_BATCH);
    failures_sql(ret);
    int next = P_SINKS;
    int kept = worker->request.cache != CACHE_IGNORE ? ANSWER_PARAMS : 0;
    const struct worker *store = NULL;
    while ((store = ledger_next_sink(pipeline, worker, store))) {
        if (next - 1 + (int)store->sink.n_columns > CLOSE_PARAMS_MAX - kept)
            return error_set(err, ERR_LIMIT,
                             "the sinks of %s have too many columns",
                             worker->name);
        sink_sql(ret, store, next);
        next += (int)store->sink.n_columns;
    }
    if (kept)
        answers_sql(ret, next);
    next += kept;
    ledger_children_sql(ret, "$2::bigint", "no", guard(), P_CHILDREN);
    buffer_printf(ret,
                  " SELECT %s, EXISTS (SELECT 1 FROM windrow_batches"
                  " WHERE run = $%d::bigint AND batch = $%d::bigint),"
                  " c.child_no, c.batch FROM (SELECT 1) one"
                  " LEFT JOIN c ON true ORDER BY c.child_no",
                  guard(), P_RUN, P_BATCH);
    if (ret->failed)
        return ledger_no_memory(err);
    *ret_n_params = next - 1;
    return 0;
}

/* Whether it was this closing that closed the batch; with its children. The
 * snapshot of the statement above may be older than the rival's commit that
 * it waited for; this one's is not. */
const char ledger_close_ask_sql[] =
    "SELECT o.closed_by = $3::text, true, c.child_no, c.batch"
    " FROM windrow_batches o LEFT JOIN windrow_batches c ON c.run = o.run"
    " AND c.parent = o.batch AND c.child_no <= $4::integer"
    " WHERE o.run = $1::bigint AND o.batch = $2::bigint ORDER BY c.child_no";

/* What was refused because of what it is: data, or a row that does not fit an
 * index, or a trigger's RAISE. */
static bool is_refused(const char *sqlstate)
{
    return !strncmp(sqlstate, "22", 2) || !strncmp(sqlstate, "23", 2) ||
           !strcmp(sqlstate, "54000") || !strcmp(sqlstate, "P0001");
}

static bool is_away(const char *sqlstate)
{
    static const char *const classes[] = {"08", "40",    "53",
                                          "57", "25006", "55P03"};
    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++) {
        if (!strncmp(sqlstate, classes[i], strlen(classes[i])))
            return true;
    }
    return false;
}

/* Whether a failure that the server did not explain is the connection's, and
 * not a misuse of libpq, which gives no result. A write that failed leaves the
 * connection's status good until the next read. */
static bool is_lost(const PGconn *connection, const PGresult *answer)
{
    ExecStatusType status = PQresultStatus(answer);
    if (status == PGRES_PIPELINE_ABORTED)
        return true;
    if (connection && PQstatus(connection) != CONNECTION_OK)
        return true;
    return (answer || !connection) && status == PGRES_FATAL_ERROR;
}

int ledger_postgres_error(const PGconn *connection, const PGresult *answer,
                          struct error *err)
{
    const char *sqlstate =
        answer ? PQresultErrorField(answer, PG_DIAG_SQLSTATE) : NULL;
    const char *message = NULL;
    if (answer)
        message = PQresultErrorField(answer, PG_DIAG_MESSAGE_PRIMARY);
    if (!message && connection)
        message = PQerrorMessage(connection);
    if (!message || !*message)
        message = "the connection to the database was lost";

    enum error_code code = ERR_DATABASE;
    if (sqlstate && is_refused(sqlstate))
        code = ERR_DATABASE_DATA;
    else if (sqlstate ? is_away(sqlstate) : is_lost(connection, answer))
        code = ERR_DATABASE_AWAY;
    char text[ERROR_TEXT_BYTES];
    ledger_one_line(message, text, sizeof text);
    return error_set(err, code, "%s%s%s%s", text, sqlstate ? " (SQLSTATE " : "",
                     sqlstate ? sqlstate : "", sqlstate ? ")" : "");
}

static bool is_true(const PGresult *answer, int column)
{
    return PQgetvalue(answer, 0, column)[0] == 't';
}

/* The children's numbers: columns 2 and 3 of each row; NULL where none. */
static int read_children(const PGresult *answer, const struct closing *closing,
                         struct close_result *result, struct error *err)
{
    if (!result->children)
        return 0;
    memset(result->children, 0, closing->n_children * sizeof *result->children);
    for (int row = 0; row < PQntuples(answer); row++) {
        if (PQgetisnull(answer, row, 2))
            continue;
        long long no = strtoll(PQgetvalue(answer, row, 2), NULL, 10);
        if (no < 1 || (size_t)no > closing->n_children)
            return error_set(err, ERR_DATABASE,
                             "batch %lld has a child number %lld that its "
                             "closing has not",
                             (long long)closing->batch, no);
        result->children[no - 1] =
            strtoll(PQgetvalue(answer, row, 3), NULL, 10);
    }
    return 0;
}

/* Whether it is an answer in the form of our statements. */
static bool is_readable(const PGresult *answer)
{
    return answer && PQresultStatus(answer) == PGRES_TUPLES_OK &&
           PQnfields(answer) == 4 && PQntuples(answer) >= 1;
}

static int read_refusal(const PGresult *answer, struct close_result *result,
                        struct error *err)
{
    struct error refusal = ERROR_NONE;
    if (ledger_postgres_error(NULL, answer, &refusal) != ERR_DATABASE_DATA)
        return error_set(err, refusal.code, "%s", refusal.text);
    result->outcome = CLOSE_REFUSED;
    ledger_one_line(refusal.text, result->detail, sizeof result->detail);
    return 0;
}

int ledger_close_read(const PGresult *answer, const struct closing *closing,
                      struct close_result *result, bool *ret_ask,
                      struct error *err)
{
    *ret_ask = false;
    if (!is_readable(answer))
        return read_refusal(answer, result, err);
    if (is_true(answer, 0)) {
        result->outcome = CLOSE_WON;
        return read_children(answer, closing, result, err);
    }
    result->outcome = is_true(answer, 1) ? CLOSE_ALREADY : CLOSE_UNKNOWN;
    *ret_ask = result->outcome == CLOSE_ALREADY;
    return 0;
}

int ledger_close_ask_read(const PGresult *answer, const struct closing *closing,
                          struct close_result *result, struct error *err)
{
    if (!is_readable(answer))
        return ledger_postgres_error(NULL, answer, err);
    result->outcome = CLOSE_ALREADY;
    if (!is_true(answer, 0))
        return 0;
    result->outcome = CLOSE_WON;
    return read_children(answer, closing, result, err);
}
