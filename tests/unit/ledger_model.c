/* ledger_model.c: see ledger_model.h. */
#include "ledger_model.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/packed.h"

struct ledger_model *ledger_model_new(const struct pipeline *pipeline,
                                      int64_t run)
{
    struct ledger_model *model = calloc(1, sizeof *model);
    CHECK(model);
    model->pipeline = pipeline;
    model->run = run;
    model->batches = calloc(MODEL_BATCHES_MAX, sizeof *model->batches);
    CHECK(model->batches);
    return model;
}

void ledger_model_free(struct ledger_model **model)
{
    struct ledger_model *m = *model;
    for (size_t i = 0; i < m->n_batches; i++)
        free(m->batches[i].keys);
    free(m->batches);
    buffer_free(&m->seen);
    buffer_free(&m->rows);
    buffer_free(&m->failures);
    free(m);
    *model = NULL;
}

/* Whether the queue had the key; from now on it has. */
static bool was_seen(struct ledger_model *m, int queue, struct slice key)
{
    char line[600];
    snprintf(line, sizeof line, "\n%d|%.*s\n", queue, SLICE_ARGS(key));
    if (m->seen.len == 0)
        buffer_append_char(&m->seen, '\n');
    if (strstr(buffer_text(&m->seen), line))
        return true;
    buffer_append_text(&m->seen, line + 1);
    return false;
}

static int64_t add(struct ledger_model *m, int64_t parent, int child_no,
                   const struct closing_child *child)
{
    struct buffer keys = BUFFER_EMPTY;
    size_t n = 0;
    for (size_t i = 0; i < child->n_keys; i++) {
        if (child->queue >= 0 && was_seen(m, child->queue, child->keys[i]))
            continue;
        buffer_printf(&keys, "%c\"%.*s\"", n > 0 ? ',' : '[',
                      SLICE_ARGS(child->keys[i]));
        n++;
    }
    if (n == 0)
        return 0;
    buffer_append_char(&keys, ']');
    CHECK(!keys.failed && m->n_batches < MODEL_BATCHES_MAX);
    m->batches[m->n_batches] = (struct model_batch){
        .batch = (int64_t)m->n_batches + 1,
        .parent = parent,
        .child_no = child_no,
        .worker = child->worker,
        .attempt = child->attempt,
        .open = true,
        .keys = keys.data,
        .n_keys = n,
    };
    return (int64_t)++m->n_batches;
}

int64_t ledger_model_add(struct ledger_model *model,
                         const struct closing_child *batch)
{
    return add(model, 0, 0, batch);
}

static const struct worker *worker_of(const struct ledger_model *m,
                                      const struct closing *closing)
{
    return &m->pipeline->workers[closing->worker];
}

static bool is_no_text(struct slice text)
{
    return text.len && memchr(text.data, 0xff, text.len);
}

static bool any_element(const struct row_set *set,
                        const struct record_rows *rows,
                        bool (*test)(struct slice value, enum field_type type))
{
    for (size_t f = 0; f < set->n_fields; f++) {
        struct slice packed = rows->columns[f], value;
        while (packed_take(&packed, &value))
            if (test(value, set->fields[f].type))
                return true;
    }
    return false;
}

/* Whether a value of any record fails `test`, which gets its field's type. */
static bool any_field(const struct ledger_model *m,
                      const struct closing *closing,
                      bool (*test)(struct slice value, enum field_type type))
{
    const struct worker *worker = worker_of(m, closing);
    for (size_t r = 0; r < closing->n_rows; r++) {
        const struct closing_rows *rows = &closing->rows[r];
        for (size_t i = 0; i < rows->n_records; i++) {
            for (size_t f = 0; f < worker->n_fields; f++) {
                if (test(rows->records[i]->fields[f], worker->fields[f].type))
                    return true;
            }
            if (m->pipeline->workers[rows->sink_worker].sink.rows &&
                any_element(&worker->sets[0], rows->records[i]->rows, test))
                return true;
        }
    }
    return false;
}

static bool is_bad_text(struct slice value, enum field_type type)
{
    return type == FIELD_TEXT && is_no_text(value);
}

static bool is_bad_integer(struct slice value, enum field_type type)
{
    return type == FIELD_INTEGER && value.len > 18;
}

/* Row number `row` of what a sink makes of a record. */
static void store_row(struct ledger_model *m, const struct worker *worker,
                      const struct sink *sink, const struct record *record,
                      size_t row)
{
    buffer_append_text(&m->rows, sink->table);
    for (size_t c = 0; c < sink->n_columns; c++) {
        const struct column *column = &sink->columns[c];
        buffer_append_char(&m->rows, '|');
        if (column->source == COLUMN_FETCHED_AT) {
            buffer_printf(&m->rows, "%lld", (long long)record->fetched_at);
            continue;
        }
        struct slice value = record->key;
        if (column->source == COLUMN_FIELD)
            value = record->fields[worker_field(worker, column->field)];
        if (column->source == COLUMN_ELEMENT) {
            int field = set_field(&worker->sets[0], column->field);
            struct slice packed = record->rows[0].columns[field];
            for (size_t i = 0; i <= row; i++)
                CHECK(packed_take(&packed, &value));
        }
        if (value.data)
            buffer_append_slice(&m->rows, value);
        else
            buffer_append_char(&m->rows, '-');
    }
    buffer_append_char(&m->rows, '\n');
}

static void store_record(struct ledger_model *m, const struct worker *worker,
                         const struct sink *sink, const struct record *record)
{
    size_t n = sink->rows ? record->rows[0].n : 1;
    for (size_t row = 0; row < n; row++)
        store_row(m, worker, sink, record, row);
}

static void fail_key(struct ledger_model *m, const struct closing *closing,
                     const struct closing_failure *failure)
{
    buffer_printf(&m->failures, "%lld|%s|%.*s|%s|%d|%d|%lld|%.*s\n",
                  (long long)closing->batch, worker_of(m, closing)->name,
                  SLICE_ARGS(failure->key), reason_name(failure->reason),
                  failure->http_status, failure->attempts,
                  (long long)failure->failed_at, SLICE_ARGS(failure->detail));
}

/* Everything that follows, once the batch is closed. */
static void apply(struct ledger_model *m, const struct closing *closing,
                  struct close_result *result)
{
    for (size_t r = 0; r < closing->n_rows; r++) {
        const struct closing_rows *rows = &closing->rows[r];
        for (size_t i = 0; i < rows->n_records; i++)
            store_record(m, worker_of(m, closing),
                         &m->pipeline->workers[rows->sink_worker].sink,
                         rows->records[i]);
    }
    for (size_t i = 0; i < closing->n_failures; i++)
        fail_key(m, closing, &closing->failures[i]);
    for (size_t i = 0; i < closing->n_children; i++)
        result->children[i] =
            add(m, closing->batch, (int)i + 1, &closing->children[i]);
    struct model_batch *batch = &m->batches[closing->batch - 1];
    batch->open = false;
    memcpy(batch->closer, closing->closer, sizeof batch->closer);
    batch->stored = closing->n_keys_stored;
    batch->failed = closing->n_failures;
    batch->done = closing->n_keys_done;
}

static void find_children(const struct ledger_model *m,
                          const struct closing *closing,
                          struct close_result *result)
{
    memset(result->children, 0, closing->n_children * sizeof *result->children);
    for (size_t i = 0; i < m->n_batches; i++) {
        if (m->batches[i].parent == closing->batch)
            result->children[m->batches[i].child_no - 1] = m->batches[i].batch;
    }
}

void ledger_model_close(struct ledger_model *m, const struct closing *closing,
                        struct close_result *result)
{
    if (any_field(m, closing, is_bad_text)) {
        result->outcome = CLOSE_REFUSED;
    } else if (closing->run != m->run || closing->batch < 1 ||
               (size_t)closing->batch > m->n_batches) {
        result->outcome = CLOSE_UNKNOWN;
    } else if (!m->batches[closing->batch - 1].open) {
        bool ours =
            !strcmp(m->batches[closing->batch - 1].closer, closing->closer);
        result->outcome = ours ? CLOSE_WON : CLOSE_ALREADY;
        if (ours)
            find_children(m, closing, result);
    } else if (any_field(m, closing, is_bad_integer)) {
        result->outcome = CLOSE_REFUSED;
    } else {
        result->outcome = CLOSE_WON;
        apply(m, closing, result);
    }
}
