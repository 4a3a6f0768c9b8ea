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
 *   k      the children's keys: number of the child, queue, key, place
 *   fresh  keys that a shared queue did not have yet
 *   kept   keys that remain: not shared, or fresh and first in this closing
 *   c      the child batches
 * The keys of a closed batch are let go: nobody reads them again.
 */
#include <endian.h>
#include <limits.h>
#include <stdlib.h>

#include "ledger/ledger_postgres_private.h"

enum {
    P_RUN = 1,
    P_BATCH,
    P_CLOSER,
    P_STORED,
    P_FAILED,
    P_DONE,
    P_WORKER_NAME,
    P_FAILURES,
    P_CHILDREN = P_FAILURES + 6,
    P_SINKS = P_CHILDREN + CHILDREN_PARAMS,
};

#define OID_BOOL 16
#define OID_INT8 20
#define OID_INT4 23
#define OID_TEXT 25
#define OID_TIMESTAMPTZ 1184
#define POSTGRES_EPOCH_US 946684800000000 /* 2000-01-01, in Unix time */

static const char guard[] = "EXISTS (SELECT 1 FROM b)";

/* The casts by which a text becomes what an assignment can store. */
static const char *const casts[KIND_COUNT] = {
    [KIND_NUMBER] = "::numeric",
    [KIND_INTEGER] = "::numeric",
    [KIND_BOOLEAN] = "::boolean",
};

/*
 * `(…) IN (SELECT … FROM fresh)` stands under OR so that the planner must
 * hash it: a prepared statement's plan is made for ten keys, and joined by a
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
                  P_FAILURES + 5, guard);
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
        const char *cast = casts[ledger_column_kind(&sink->columns[i])];
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
    buffer_printf(sql, ") WHERE %s),", guard);
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
    const struct worker *store = NULL;
    while ((store = ledger_next_sink(pipeline, worker, store))) {
        if (next - 1 + (int)store->sink.n_columns > CLOSE_PARAMS_MAX)
            return error_set(err, ERR_LIMIT,
                             "the sinks of %s have too many columns",
                             worker->name);
        sink_sql(ret, store, next);
        next += (int)store->sink.n_columns;
    }
    ledger_children_sql(ret, "$2::bigint", "no", guard, P_CHILDREN);
    buffer_printf(ret,
                  " SELECT %s, EXISTS (SELECT 1 FROM windrow_batches"
                  " WHERE run = $%d::bigint AND batch = $%d::bigint),"
                  " c.child_no, c.batch FROM (SELECT 1) one"
                  " LEFT JOIN c ON true ORDER BY c.child_no",
                  guard, P_RUN, P_BATCH);
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

/* Parameters in binary: PostgreSQL's wire format is big-endian; an array is
 * its number of dimensions, a flag for NULLs, the type, the number of
 * elements, the first index, then each element behind its length. */

static void put_int4(struct buffer *data, int32_t value)
{
    uint32_t wire = htobe32((uint32_t)value);
    buffer_append(data, &wire, sizeof wire);
}

static void put_int8(struct buffer *data, int64_t value)
{
    uint64_t wire = htobe64((uint64_t)value);
    buffer_append(data, &wire, sizeof wire);
}

static void put_text(struct buffer *data, struct slice text)
{
    if (!text.data) {
        put_int4(data, -1);
        return;
    }
    put_int4(data, (int32_t)text.len);
    buffer_append_slice(data, text);
}

static void put_array(struct buffer *data, int32_t type, size_t n)
{
    put_int4(data, n > 0 ? 1 : 0);
    put_int4(data, 1);
    put_int4(data, type);
    if (n > 0) {
        put_int4(data, (int32_t)n);
        put_int4(data, 1);
    }
}

static void put_int4_element(struct buffer *data, int32_t value)
{
    put_int4(data, 4);
    put_int4(data, value);
}

static void put_int8_element(struct buffer *data, int64_t value)
{
    put_int4(data, 8);
    put_int8(data, value);
}

/* Text that must not be refused; an empty text, not NULL, where it is "". */
static void put_clean(struct buffer *data, struct slice text, size_t bytes_max)
{
    size_t place = data->len;
    put_int4(data, 0);
    ledger_text_clean(text, bytes_max, data);
    if (data->failed)
        return;
    uint32_t wire = htobe32((uint32_t)(data->len - place - 4));
    memcpy(data->data + place, &wire, sizeof wire);
}

/* Ends a parameter that began at `start`; the values follow once the buffer
 * stays where it is. */
static void end_param(struct close_params *params, size_t start)
{
    CHECK(params->n < CLOSE_PARAMS_MAX);
    size_t bytes = params->data.len - start;
    params->lengths[params->n] = bytes > INT_MAX ? INT_MAX : (int)bytes;
    params->formats[params->n] = 1;
    params->n++;
}

void ledger_param_int8(struct close_params *params, int64_t value)
{
    size_t start = params->data.len;
    put_int8(&params->data, value);
    end_param(params, start);
}

void ledger_param_text(struct close_params *params, struct slice text)
{
    size_t start = params->data.len;
    buffer_append_slice(&params->data, text);
    end_param(params, start);
}

/* An array parameter with an element for each of `n` things in `items`. */
#define PARAM_ARRAY(params, type, item, items, n, put)                         \
    do {                                                                       \
        struct buffer *data = &(params)->data;                                 \
        size_t start = data->len;                                              \
        put_array(data, type, n);                                              \
        for (size_t i = 0; i < (n); i++) {                                     \
            item = &(items)[i];                                                \
            put;                                                               \
        }                                                                      \
        end_param(params, start);                                              \
    } while (0)

static void bind_failures(const struct closing *closing,
                          struct close_params *params)
{
    const struct closing_failure *f;
    const struct closing_failure *all = closing->failures;
    size_t n = closing->n_failures;
    PARAM_ARRAY(params, OID_TEXT, f, all, n,
                put_clean(data, f->key, KEY_BYTES_MAX));
    PARAM_ARRAY(params, OID_TEXT, f, all, n,
                put_text(data, slice_of(reason_name(f->reason))));
    PARAM_ARRAY(params, OID_INT4, f, all, n,
                put_int4_element(data, f->http_status));
    PARAM_ARRAY(params, OID_INT4, f, all, n,
                put_int4_element(data, f->attempts));
    PARAM_ARRAY(params, OID_TIMESTAMPTZ, f, all, n,
                put_int8_element(data, f->failed_at - POSTGRES_EPOCH_US));
    PARAM_ARRAY(params, OID_TEXT, f, all, n,
                put_clean(data, f->detail, CLOSING_DETAIL_BYTES_MAX - 1));
}

static void put_bool_element(struct buffer *data, bool value)
{
    put_int4(data, 1);
    buffer_append_char(data, value);
}

/* The keys of all children one after the other, with the child's number. */
static void bind_keys(const struct closing_child *children, size_t n,
                      struct close_params *params)
{
    size_t n_keys = 0;
    for (size_t i = 0; i < n; i++)
        n_keys += children[i].n_keys;

    struct buffer *data = &params->data;
    size_t start = data->len;
    put_array(data, OID_INT4, n_keys);
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < children[i].n_keys; j++)
            put_int4_element(data, (int32_t)i + 1);
    }
    end_param(params, start);
    start = data->len;
    put_array(data, OID_TEXT, n_keys);
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < children[i].n_keys; j++)
            put_text(data, children[i].keys[j]);
    }
    end_param(params, start);
}

void ledger_bind_children(const struct pipeline *pipeline,
                          const struct closing_child *children, size_t n,
                          struct close_params *params)
{
    const struct closing_child *c;
    PARAM_ARRAY(params, OID_INT4, c, children, n,
                put_int4_element(data, c->worker));
    PARAM_ARRAY(params, OID_BOOL, c, children, n,
                put_bool_element(data, ledger_is_fetcher(pipeline, c->worker)));
    PARAM_ARRAY(params, OID_INT4, c, children, n,
                put_int4_element(data, c->attempt));
    PARAM_ARRAY(params, OID_INT8, c, children, n,
                put_int8_element(data, c->delay));
    PARAM_ARRAY(params, OID_INT4, c, children, n,
                put_int4_element(data, c->queue));
    bind_keys(children, n, params);
}

static void bind_sink(const struct worker *worker, const struct worker *store,
                      const struct closing *closing,
                      struct close_params *params)
{
    const struct closing_rows *rows = ledger_rows_of(closing, store);
    size_t n = rows ? rows->n_records : 0;
    const struct record **records = rows ? rows->records : NULL;
    const struct record **r;
    for (size_t c = 0; c < store->sink.n_columns; c++) {
        const struct column *column = &store->sink.columns[c];
        if (column->source == COLUMN_FETCHED_AT)
            PARAM_ARRAY(
                params, OID_TIMESTAMPTZ, r, records, n,
                put_int8_element(data, (*r)->fetched_at - POSTGRES_EPOCH_US));
        else
            PARAM_ARRAY(
                params, OID_TEXT, r, records, n,
                put_text(data, ledger_record_value(worker, column, *r)));
    }
}

void ledger_params_begin(struct close_params *params)
{
    buffer_clear(&params->data);
    params->n = 0;
}

int ledger_params_end(struct close_params *params, struct error *err)
{
    if (params->data.failed)
        return ledger_no_memory(err);
    if (params->data.len > CLOSE_BYTES_MAX)
        return error_set(err, ERR_LIMIT, "a closing of %zu bytes is too large",
                         params->data.len);
    const char *value = params->data.data;
    for (int i = 0; i < params->n; i++) {
        params->values[i] = value;
        value += params->lengths[i];
    }
    return 0;
}

int ledger_close_bind(const struct pipeline *pipeline,
                      const struct closing *closing,
                      struct close_params *params, struct error *err)
{
    CHECK(closing->worker >= 0 &&
          (size_t)closing->worker < pipeline->n_workers);
    const struct worker *worker = &pipeline->workers[closing->worker];
    ledger_params_begin(params);
    ledger_param_int8(params, closing->run);
    ledger_param_int8(params, closing->batch);
    ledger_param_text(params, slice_of(closing->closer));
    ledger_param_int8(params, ledger_rows_count(closing));
    ledger_param_int8(params, (int64_t)closing->n_failures);
    ledger_param_int8(params, (int64_t)closing->n_keys_done);
    ledger_param_text(params, slice_of(worker->name));
    bind_failures(closing, params);
    ledger_bind_children(pipeline, closing->children, closing->n_children,
                         params);
    const struct worker *store = NULL;
    while ((store = ledger_next_sink(pipeline, worker, store)))
        bind_sink(worker, store, closing, params);
    return ledger_params_end(params, err);
}

void close_params_free(struct close_params *params)
{
    buffer_free(&params->data);
}

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
 * not a misuse of libpq. */
static bool is_lost(const PGconn *connection, const PGresult *answer)
{
    ExecStatusType status = PQresultStatus(answer);
    if (status == PGRES_PIPELINE_ABORTED)
        return true;
    if (connection && PQstatus(connection) != CONNECTION_OK)
        return true;
    return !connection && status == PGRES_FATAL_ERROR;
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
