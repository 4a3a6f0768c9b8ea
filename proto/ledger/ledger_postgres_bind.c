/*
 * ledger_postgres_bind.c: the parameters of a closing, in PostgreSQL's binary
 * format: nothing needs escaping, and the server parses nothing.
 *
 * The format is big-endian. An array is its number of dimensions, a flag for
 * NULLs, the type of its elements, their number, the index of the first, then
 * each element behind its length (array_recv() in PostgreSQL's arrayfuncs.c).
 * The order of the parameters is that of enum close_param.
 */
#include <endian.h>
#include <limits.h>

#include "ledger/ledger_postgres_private.h"

#define OID_BOOL 16
#define OID_INT8 20
#define OID_INT4 23
#define OID_TEXT 25
#define OID_TIMESTAMPTZ 1184
#define POSTGRES_EPOCH_US 946684800000000 /* 2000-01-01, in Unix time */

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
    uint32_t wire[] = {htobe32(4), htobe32((uint32_t)value)};
    buffer_append(data, wire, sizeof wire);
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

/* A column of the sink: as many values of each record as it makes rows. */
static void put_column(const struct worker *worker, const struct worker *store,
                       const struct column *column, const struct record *record,
                       struct buffer *data)
{
    if (column->source == COLUMN_ELEMENT) {
        buffer_append_slice(
            data, ledger_record_column(worker, store, column, record));
        return;
    }
    size_t n = ledger_record_rows(worker, store, record);
    for (size_t i = 0; i < n; i++) {
        if (column->source == COLUMN_FETCHED_AT)
            put_int8_element(data, record->fetched_at - POSTGRES_EPOCH_US);
        else
            put_text(data, ledger_record_value(worker, column, record));
    }
}

static void bind_sink(const struct worker *worker, const struct worker *store,
                      const struct closing *closing,
                      struct close_params *params)
{
    const struct closing_rows *rows = ledger_rows_of(closing, store);
    size_t n_records = rows ? rows->n_records : 0, n = 0;
    struct buffer *data = &params->data;
    for (size_t r = 0; r < n_records; r++)
        n += ledger_record_rows(worker, store, rows->records[r]);
    for (size_t c = 0; c < store->sink.n_columns; c++) {
        const struct column *column = &store->sink.columns[c];
        bool time = column->source == COLUMN_FETCHED_AT;
        size_t start = data->len;
        put_array(data, time ? OID_TIMESTAMPTZ : OID_TEXT, n);
        for (size_t r = 0; r < n_records; r++)
            put_column(worker, store, column, rows->records[r], data);
        end_param(params, start);
    }
}

static void put_fields(struct buffer *data, const struct last_answer *answer,
                       size_t n_fields)
{
    size_t place = data->len;
    put_int4(data, 0);
    answer_encode(answer->fields, n_fields, data);
    if (data->failed)
        return;
    uint32_t wire = htobe32((uint32_t)(data->len - place - 4));
    memcpy(data->data + place, &wire, sizeof wire);
}

static void put_time(struct buffer *data, usec_t time)
{
    if (time)
        put_int8_element(data, time - POSTGRES_EPOCH_US);
    else
        put_int4(data, -1);
}

static void bind_answers(const struct worker *worker,
                         const struct closing *closing,
                         struct close_params *params)
{
    const struct last_answer *a, *all = closing->answers;
    size_t n = closing->n_answers;
    ledger_param_int8(params, answer_shape(worker));
    PARAM_ARRAY(params, OID_INT8, a, all, n,
                put_int8_element(data, answer_url_hash(a->url)));
    PARAM_ARRAY(params, OID_TEXT, a, all, n, put_text(data, a->url));
    PARAM_ARRAY(params, OID_TEXT, a, all, n, put_text(data, a->etag));
    PARAM_ARRAY(params, OID_TEXT, a, all, n, put_text(data, a->modified));
    PARAM_ARRAY(params, OID_TIMESTAMPTZ, a, all, n,
                put_time(data, a->fetched_at));
    PARAM_ARRAY(params, OID_TIMESTAMPTZ, a, all, n,
                put_time(data, a->fresh_until));
    PARAM_ARRAY(params, OID_TEXT, a, all, n,
                put_fields(data, a, worker->n_fields));
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
    ledger_param_int8(params, (int64_t)closing->n_keys_stored);
    ledger_param_int8(params, (int64_t)closing->n_failures);
    ledger_param_int8(params, (int64_t)closing->n_keys_done);
    ledger_param_text(params, slice_of(worker->name));
    bind_failures(closing, params);
    ledger_bind_children(pipeline, closing->children, closing->n_children,
                         params);
    const struct worker *store = NULL;
    while ((store = ledger_next_sink(pipeline, worker, store)))
        bind_sink(worker, store, closing, params);
    if (worker->request.cache != CACHE_IGNORE)
        bind_answers(worker, closing, params);
    return ledger_params_end(params, err);
}

void close_params_free(struct close_params *params)
{
    buffer_free(&params->data);
}
