/*
 * ledger_sqlite_close.c: the one rule that closes a batch, in SQLite.
 *
 * One short transaction, begun as a writer: the UPDATE that closes the batch
 * says whether it was open, and everything else follows only then. What
 * PostgreSQL would refuse and SQLite would store (bytes that are no text,
 * whole numbers that do not fit) is refused here too.
 */
#include <errno.h>
#include <stdlib.h>

#include "ledger/ledger_sqlite_private.h"

#include "base/crash_point.h"
#include "base/packed.h"
#include "base/utf8.h"

static int refuse(struct error *err, const char *what, const char *column)
{
    return error_set(err, ERR_DATABASE_DATA, "%s for column %s", what, column);
}

static int check_text(struct slice text, const char *column, struct error *err)
{
    if (utf8_is_text(text))
        return 0;
    return refuse(err, "bytes that are no text", column);
}

int lite_check_keys(const struct closing_child *child, struct error *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < child->n_keys; i++)
        rc = check_text(child->keys[i], "keys", err);
    return rc;
}

/* All that one sink gets of one record. */
static int check_record(const struct worker *worker, const struct worker *store,
                        const struct record *record, struct error *err)
{
    int rc = 0;
    for (size_t c = 0; rc == 0 && c < store->sink.n_columns; c++) {
        const struct column *column = &store->sink.columns[c];
        struct slice value;
        if (column->source == COLUMN_ELEMENT) {
            struct slice packed =
                ledger_record_column(worker, store, column, record);
            while (rc == 0 && packed_take(&packed, &value))
                rc = check_text(value, column->name, err);
        } else if (column->source != COLUMN_FETCHED_AT) {
            value = ledger_record_value(worker, column, record);
            rc = check_text(value, column->name, err);
        }
    }
    return rc;
}

/* PostgreSQL looks at all text before it looks at the batch; so does this. */
static int check_texts(const struct pipeline *pipeline,
                       const struct closing *closing, struct error *err)
{
    const struct worker *worker = &pipeline->workers[closing->worker];
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < closing->n_children; i++)
        rc = lite_check_keys(&closing->children[i], err);
    for (size_t i = 0; rc == 0 && i < closing->n_rows; i++) {
        const struct closing_rows *rows = &closing->rows[i];
        const struct worker *store = &pipeline->workers[rows->sink_worker];
        for (size_t j = 0; rc == 0 && j < rows->n_records; j++)
            rc = check_record(worker, store, rows->records[j], err);
    }
    return rc;
}

/* The keys that `child`'s queue has not had yet, in a new array. */
static int fresh_keys(struct ledger_sqlite *lite, int64_t run,
                      const struct closing_child *child, struct slice *keys,
                      size_t *ret_n, struct error *err)
{
    sqlite3_stmt *statement = NULL;
    int rc = lite_statement(lite, ST_KEY_ADD, &statement, err);
    size_t n = 0;
    for (size_t i = 0; rc == 0 && i < child->n_keys; i++) {
        sqlite3_bind_int64(statement, 1, run);
        sqlite3_bind_int(statement, 2, child->queue);
        lite_text(statement, 3, child->keys[i]);
        rc = lite_run(lite, statement, err);
        if (rc == 0 && sqlite3_changes(lite->db) == 1)
            keys[n++] = child->keys[i];
    }
    *ret_n = n;
    return rc;
}

static int insert_batch(struct ledger_sqlite *lite, int64_t run, int64_t parent,
                        size_t child_no, const struct closing_child *child,
                        const struct slice *keys, size_t n, struct error *err)
{
    sqlite3_stmt *statement = NULL;
    int rc = lite_statement(lite, ST_BATCH_ADD, &statement, err);
    if (rc)
        return rc;
    buffer_clear(&lite->text);
    ledger_keys_json(keys, n, &lite->text);
    if (lite->text.failed)
        return ledger_no_memory(err);
    sqlite3_clear_bindings(statement);
    sqlite3_bind_int64(statement, 1, run);
    if (parent) {
        sqlite3_bind_int64(statement, 2, parent);
        sqlite3_bind_int64(statement, 3, (int64_t)child_no);
    }
    sqlite3_bind_int(statement, 4, child->worker);
    sqlite3_bind_int(statement, 5,
                     ledger_is_fetcher(lite->base.pipeline, child->worker));
    sqlite3_bind_int(statement, 6, child->attempt);
    if (child->delay > 0)
        sqlite3_bind_int64(statement, 7, clock_wall() + child->delay);
    sqlite3_bind_int64(statement, 8, (int64_t)n);
    lite_text(statement, 9, buffer_slice(&lite->text));
    return lite_run(lite, statement, err);
}

int lite_add_batch(struct ledger_sqlite *lite, int64_t run, int64_t parent,
                   size_t child_no, const struct closing_child *child,
                   int64_t *ret_batch, struct error *err)
{
    int rc = 0;
    struct slice *fresh = NULL;
    const struct slice *keys = child->keys;
    size_t n = child->n_keys;
    if (child->queue >= 0 && n > 0) {
        keys = fresh = calloc(n, sizeof *fresh);
        rc = fresh ? fresh_keys(lite, run, child, fresh, &n, err)
                   : ledger_no_memory(err);
    }
    if (rc == 0 && n > 0) {
        rc = insert_batch(lite, run, parent, child_no, child, keys, n, err);
        if (rc == 0)
            *ret_batch = sqlite3_last_insert_rowid(lite->db);
    }
    free(fresh);
    return rc;
}

static int bind_integer(sqlite3_stmt *statement, int index, struct slice text,
                        const char *column, struct error *err)
{
    char digits[32];
    char *end = digits;
    long long value = 0;
    errno = 0;
    if (text.len < sizeof digits) {
        memcpy(digits, text.data, text.len);
        digits[text.len] = '\0';
        value = strtoll(digits, &end, 10);
    }
    if (end == digits || *end || errno)
        return refuse(err, "a number that is no 64-bit integer", column);
    sqlite3_bind_int64(statement, index, value);
    return 0;
}

static int bind_boolean(sqlite3_stmt *statement, int index, struct slice text,
                        const char *column, struct error *err)
{
    bool yes = slice_equal(text, slice_of("true"));
    if (!yes && !slice_equal(text, slice_of("false")))
        return refuse(err, "neither true nor false", column);
    sqlite3_bind_int(statement, index, yes);
    return 0;
}

static int bind_value(sqlite3_stmt *statement, int index,
                      const struct column *column, struct slice value,
                      struct error *err)
{
    enum column_kind kind = ledger_column_kind(column);
    if (!value.data) {
        sqlite3_bind_null(statement, index);
        return 0;
    }
    if (kind == KIND_INTEGER)
        return bind_integer(statement, index, value, column->name, err);
    if (kind == KIND_BOOLEAN)
        return bind_boolean(statement, index, value, column->name, err);
    lite_text(statement, index, value);
    return 0;
}

/* The values that all rows of a record have alike; of the others, `ret_packed`
 * by column. `time` is room for the answer's time. */
static int bind_record(sqlite3_stmt *statement, const struct worker *worker,
                       const struct worker *store, const struct record *record,
                       struct slice *ret_packed, char time[CLOCK_TEXT_BYTES],
                       struct error *err)
{
    int rc = 0;
    for (size_t c = 0; rc == 0 && c < store->sink.n_columns; c++) {
        const struct column *column = &store->sink.columns[c];
        int index = (int)c + 1;
        if (column->source == COLUMN_ELEMENT) {
            ret_packed[c] = ledger_record_column(worker, store, column, record);
        } else if (column->source == COLUMN_FETCHED_AT) {
            clock_format(record->fetched_at, time);
            lite_text(statement, index, slice_of(time));
        } else {
            rc = bind_value(statement, index, column,
                            ledger_record_value(worker, column, record), err);
        }
    }
    return rc;
}

/* The next value of each column that differs from row to row. */
static int bind_row(sqlite3_stmt *statement, const struct worker *store,
                    struct slice *packed, struct error *err)
{
    int rc = 0;
    for (size_t c = 0; rc == 0 && c < store->sink.n_columns; c++) {
        const struct column *column = &store->sink.columns[c];
        struct slice value;
        if (column->source != COLUMN_ELEMENT)
            continue;
        CHECK(packed_take(&packed[c], &value));
        rc = bind_value(statement, (int)c + 1, column, value, err);
    }
    return rc;
}

static int insert_record(struct ledger_sqlite *lite,
                         const struct worker *worker,
                         const struct worker *store,
                         const struct record *record, struct error *err)
{
    sqlite3_stmt *statement = lite->sinks[store->index];
    struct slice packed[PIPELINE_FIELDS_MAX];
    char time[CLOCK_TEXT_BYTES];
    size_t n = ledger_record_rows(worker, store, record);
    int rc = bind_record(statement, worker, store, record, packed, time, err);
    for (size_t i = 0; rc == 0 && i < n; i++) {
        rc = bind_row(statement, store, packed, err);
        if (rc == 0)
            rc = lite_run(lite, statement, err);
    }
    return rc;
}

static int insert_rows(struct ledger_sqlite *lite,
                       const struct closing *closing,
                       const struct closing_rows *rows, struct error *err)
{
    const struct pipeline *pipeline = lite->base.pipeline;
    const struct worker *worker = &pipeline->workers[closing->worker];
    const struct worker *store = &pipeline->workers[rows->sink_worker];
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < rows->n_records; i++)
        rc = insert_record(lite, worker, store, rows->records[i], err);
    return rc;
}

/* Cleaned text, in two runs of lite->text: key, then detail. */
static int insert_failure(struct ledger_sqlite *lite,
                          const struct closing *closing,
                          const struct closing_failure *failure,
                          struct error *err)
{
    sqlite3_stmt *statement = NULL;
    int rc = lite_statement(lite, ST_FAILURE, &statement, err);
    if (rc)
        return rc;
    const struct worker *worker =
        &lite->base.pipeline->workers[closing->worker];
    struct buffer *text = &lite->text;
    buffer_clear(text);
    ledger_text_clean(failure->key, KEY_BYTES_MAX, text);
    size_t key_len = text->len;
    ledger_text_clean(failure->detail, CLOSING_DETAIL_BYTES_MAX - 1, text);
    if (text->failed)
        return ledger_no_memory(err);
    const char *both = buffer_text(text);
    sqlite3_bind_int64(statement, 1, closing->run);
    sqlite3_bind_int64(statement, 2, closing->batch);
    lite_text(statement, 3, slice_of(worker->name));
    lite_text(statement, 4, (struct slice){both, key_len});
    lite_text(statement, 5, slice_of(reason_name(failure->reason)));
    sqlite3_bind_int(statement, 6, failure->http_status);
    sqlite3_bind_int(statement, 7, failure->attempts);
    sqlite3_bind_int64(statement, 8, failure->failed_at);
    lite_text(statement, 9,
              (struct slice){both + key_len, text->len - key_len});
    return lite_run(lite, statement, err);
}

static void bind_time(sqlite3_stmt *statement, int index, usec_t time)
{
    if (time)
        sqlite3_bind_int64(statement, index, time);
    else
        sqlite3_bind_null(statement, index);
}

static int insert_answer(struct ledger_sqlite *lite,
                         const struct closing *closing,
                         const struct last_answer *answer, struct error *err)
{
    sqlite3_stmt *statement = NULL;
    int rc = lite_statement(lite, ST_ANSWER, &statement, err);
    if (rc)
        return rc;
    const struct worker *worker =
        &lite->base.pipeline->workers[closing->worker];
    buffer_clear(&lite->text);
    answer_encode(answer->fields, worker->n_fields, &lite->text);
    if (lite->text.failed)
        return ledger_no_memory(err);
    sqlite3_bind_int64(statement, 1, answer_shape(worker));
    sqlite3_bind_int64(statement, 2, answer_url_hash(answer->url));
    lite_text(statement, 3, answer->url);
    lite_text(statement, 4, answer->etag);
    lite_text(statement, 5, answer->modified);
    bind_time(statement, 6, answer->fetched_at);
    bind_time(statement, 7, answer->fresh_until);
    lite_text(statement, 8, buffer_slice(&lite->text));
    return lite_run(lite, statement, err);
}

/* Closes the batch; *ret_won says whether it was open. */
static int update_batch(struct ledger_sqlite *lite,
                        const struct closing *closing, bool *ret_won,
                        struct error *err)
{
    sqlite3_stmt *statement = NULL;
    int rc = lite_statement(lite, ST_CLOSE, &statement, err);
    if (rc)
        return rc;
    lite_text(statement, 1, slice_of(closing->closer));
    sqlite3_bind_int64(statement, 2, clock_wall());
    sqlite3_bind_int64(statement, 3, (int64_t)closing->n_keys_stored);
    sqlite3_bind_int64(statement, 4, (int64_t)closing->n_failures);
    sqlite3_bind_int64(statement, 5, (int64_t)closing->n_keys_done);
    sqlite3_bind_int64(statement, 6, closing->run);
    sqlite3_bind_int64(statement, 7, closing->batch);
    rc = lite_run(lite, statement, err);
    *ret_won = rc == 0 &&
               (sqlite3_changes(lite->db) == 1 || DEFENCE_OFF("closing_rule"));
    if (*ret_won && DEFENCE_OFF("one_transaction"))
        rc = lite_commit(lite, err) || lite_begin(lite, err);
    return rc;
}

/* All that follows, once the batch is closed. */
static int write_closing(struct ledger_sqlite *lite,
                         const struct closing *closing,
                         struct close_result *result, struct error *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < closing->n_rows; i++)
        rc = insert_rows(lite, closing, &closing->rows[i], err);
    for (size_t i = 0; rc == 0 && i < closing->n_failures; i++)
        rc = insert_failure(lite, closing, &closing->failures[i], err);
    for (size_t i = 0; rc == 0 && i < closing->n_answers; i++)
        rc = insert_answer(lite, closing, &closing->answers[i], err);
    for (size_t i = 0; rc == 0 && i < closing->n_children; i++) {
        int64_t child = 0;
        rc = lite_add_batch(lite, closing->run, closing->batch, i + 1,
                            &closing->children[i], &child, err);
        if (rc == 0 && result->children)
            result->children[i] = child;
    }
    result->outcome = CLOSE_WON;
    return rc;
}

/* The numbers that a closing's children got when it won before. */
static int read_children(struct ledger_sqlite *lite,
                         const struct closing *closing,
                         struct close_result *result, struct error *err)
{
    sqlite3_stmt *row = NULL;
    int rc = lite_statement(lite, ST_CHILDREN, &row, err);
    if (rc || !result->children)
        return rc;
    memset(result->children, 0, closing->n_children * sizeof *result->children);
    sqlite3_bind_int64(row, 1, closing->run);
    sqlite3_bind_int64(row, 2, closing->batch);
    sqlite3_bind_int64(row, 3, (int64_t)closing->n_children);
    bool more = false;
    while (!(rc = lite_step(lite, row, &more, err)) && more) {
        int64_t no = sqlite3_column_int64(row, 0);
        if (no >= 1)
            result->children[no - 1] = sqlite3_column_int64(row, 1);
    }
    return rc;
}

/* The batch was not open: never there, closed by another, or by this very
 * closing, whose answer was lost. */
static int explain(struct ledger_sqlite *lite, const struct closing *closing,
                   struct close_result *result, struct error *err)
{
    sqlite3_stmt *row = NULL;
    int rc = lite_statement(lite, ST_CLOSED_BY, &row, err);
    if (rc)
        return rc;
    sqlite3_bind_int64(row, 1, closing->run);
    sqlite3_bind_int64(row, 2, closing->batch);
    bool there = false;
    rc = lite_step(lite, row, &there, err);
    if (rc)
        return rc;
    if (!there) {
        result->outcome = CLOSE_UNKNOWN;
        return 0;
    }
    const char *by = (const char *)sqlite3_column_text(row, 0);
    bool ours = by && !strcmp(by, closing->closer);
    sqlite3_reset(row);
    result->outcome = ours ? CLOSE_WON : CLOSE_ALREADY;
    return ours ? read_children(lite, closing, result, err) : 0;
}

int lite_close_batch(struct ledger *ledger, const struct closing *closing,
                     struct close_result *result, struct error *err)
{
    struct ledger_sqlite *lite = ledger_sqlite(ledger);
    CHECK(!lite->in_run);
    struct error why = ERROR_NONE;
    bool won = false;
    int rc = check_texts(ledger->pipeline, closing, &why);
    if (rc == 0)
        rc = lite_begin(lite, &why);
    if (rc == 0)
        rc = update_batch(lite, closing, &won, &why);
    if (won)
        CRASH_POINT("sqlite_in_close");
    if (rc == 0)
        rc = won ? write_closing(lite, closing, result, &why)
                 : explain(lite, closing, result, &why);
    if (won)
        CRASH_POINT("sqlite_before_commit");
    if (rc == 0 && won)
        rc = lite_commit(lite, &why);
    else
        lite_rollback(lite);
    if (won)
        CRASH_POINT("sqlite_after_commit_before_answer");
    if (rc == ERR_DATABASE_DATA) {
        result->outcome = CLOSE_REFUSED;
        ledger_one_line(why.text, result->detail, sizeof result->detail);
        return 0;
    }
    return rc ? error_set(err, why.code, "%s", why.text) : 0;
}
