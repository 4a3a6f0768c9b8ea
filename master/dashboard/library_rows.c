/*
 * library_rows.c: the sinks' tables: the latest row of each key, and one key
 * over time.
 *
 * Only tables that a store of a recent run fills are read, by the columns that
 * it names. A number is told with the digits that the table has.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "library_private.h"

#define RUNS_LOOKED_AT 10 /* for their tables */

/* NULL, too, where it can't be read. */
static const struct pipeline *pipeline_of(struct library *library, int64_t run,
                                          struct error *err)
{
    const struct known_pipeline *known = library_known(library, run);
    struct run_row row;
    if (known)
        return known->pipeline;
    if (ledger_run_row(library->ledger, run, &library->arena, &row, err))
        return NULL;
    return library_pipeline(library, &row)->pipeline;
}

/* Calls `each` for the stores of the newest runs until it says true. */
static const struct sink *each_sink(struct library *library,
                                    bool (*each)(void *context,
                                                 const struct sink *sink),
                                    void *context, struct error *err)
{
    struct run_row *rows = NULL;
    size_t n = 0;
    if (ledger_runs(library->ledger, RUNS_LOOKED_AT, &library->arena, &rows, &n,
                    err))
        return NULL;
    for (size_t i = 0; i < n; i++) {
        const struct pipeline *pipeline =
            pipeline_of(library, rows[i].run, err);
        if (err->code != ERR_NONE)
            return NULL;
        for (size_t k = 0; pipeline && k < pipeline->n_workers; k++) {
            const struct worker *worker = &pipeline->workers[k];
            if (worker->class == CLASS_STORE && each(context, &worker->sink))
                return &worker->sink;
        }
    }
    return NULL;
}

static const char *source_name(enum column_source source)
{
    static const char *const names[] = {[COLUMN_KEY] = "key",
                                        [COLUMN_FETCHED_AT] = "time",
                                        [COLUMN_FIELD] = "field"};
    return names[source];
}

static json_t *columns_of(const struct sink *sink)
{
    json_t *array = json_array();
    for (size_t i = 0; i < sink->n_columns; i++) {
        const struct column *column = &sink->columns[i];
        bool number =
            column->source == COLUMN_FIELD &&
            (column->type == FIELD_NUMBER || column->type == FIELD_INTEGER);
        json_array_append_new(
            array, json_pack("{s:s, s:s, s:b}", "name", column->name, "source",
                             source_name(column->source), "number", number));
    }
    return array;
}

/* ---- which there are ---- */

static bool add_table(void *context, const struct sink *sink)
{
    json_t *array = context, *before;
    size_t i;
    json_array_foreach(array, i, before)
    {
        const char *name = json_string_value(json_object_get(before, "table"));
        if (name && !strcmp(name, sink->table))
            return false;
    }
    json_array_append_new(array, json_pack("{s:s, s:o}", "table", sink->table,
                                           "columns", columns_of(sink)));
    return false;
}

json_t *library_tables(struct library *library, struct error *err)
{
    json_t *array = json_array();
    each_sink(library, add_table, array, err);
    if (err->code == ERR_NONE)
        return json_pack("{s:o}", "tables", array);
    json_decref(array);
    return NULL;
}

static bool has_name(void *context, const struct sink *sink)
{
    return !strcmp(sink->table, context);
}

static const struct sink *find(struct library *library, const char *table,
                               struct error *err)
{
    char name[256];
    snprintf(name, sizeof name, "%s", table);
    const struct sink *sink = each_sink(library, has_name, name, err);
    if (!sink)
        error_set(err, ERR_NOT_FOUND,
                  "no store of the last %d runs fills this table",
                  RUNS_LOOKED_AT);
    return sink;
}

/* ---- rows ---- */

struct met {
    char *key;
    UT_hash_handle hh;
};

struct rows {
    json_t *array;
    size_t n_columns;
    int key; /* the column's index; -1: none */
    size_t most;
    int64_t looked_at;
    struct met *met;
};

static json_t *row_array(const struct rows *rows, const struct slice *values)
{
    json_t *row = json_array();
    for (size_t i = 0; i < rows->n_columns; i++)
        json_array_append_new(row, library_text(values[i]));
    return row;
}

/* Whether the key comes for the first time, so that this is its newest row. */
static bool is_new(struct rows *rows, const struct slice *values)
{
    struct met *met = NULL;
    if (rows->key < 0)
        return true;
    struct slice key = values[rows->key];
    HASH_FIND(hh, rows->met, key.data ? key.data : "", key.len, met);
    if (met || !(met = calloc(1, sizeof *met)))
        return false;
    met->key = strndup(key.data ? key.data : "", key.len);
    if (!met->key) {
        free(met);
        return false;
    }
    HASH_ADD_KEYPTR(hh, rows->met, met->key, key.len, met);
    return true;
}

static void add_latest(void *context, const struct slice *values)
{
    struct rows *rows = context;
    rows->looked_at++;
    if (json_array_size(rows->array) < rows->most && is_new(rows, values))
        json_array_append_new(rows->array, row_array(rows, values));
}

static void add_point(void *context, const struct slice *values)
{
    struct rows *rows = context;
    rows->looked_at++;
    json_array_append_new(rows->array, row_array(rows, values));
}

static void rows_free(struct rows *rows)
{
    struct met *met, *next;
    HASH_ITER (hh, rows->met, met, next) {
        HASH_DEL(rows->met, met);
        free(met->key);
        free(met);
    }
}

static struct rows rows_of(const struct sink *sink)
{
    struct rows rows = {.array = json_array(),
                        .n_columns = sink->n_columns,
                        .key = -1,
                        .most = LIBRARY_ROWS_MAX};
    for (size_t i = 0; i < sink->n_columns; i++)
        if (sink->columns[i].source == COLUMN_KEY)
            rows.key = (int)i;
    return rows;
}

static json_t *read_rows(struct library *library, const struct row_query *query,
                         ledger_on_row *each, struct error *err)
{
    struct rows rows = rows_of(query->sink);
    int status = ledger_rows(library->ledger, query, each, &rows, err);
    rows_free(&rows);
    if (status) {
        json_decref(rows.array);
        return NULL;
    }
    return json_pack("{s:s, s:o, s:o, s:b}", "table", query->sink->table,
                     "columns", columns_of(query->sink), "rows", rows.array,
                     "more", rows.looked_at == query->limit);
}

json_t *library_rows(struct library *library, const struct question *question,
                     struct error *err)
{
    const struct sink *sink = find(library, question->table, err);
    if (!sink)
        return NULL;
    const struct row_query query = {
        .sink = sink, .part = question->text, .limit = LEDGER_ROWS_MAX};
    return read_rows(library, &query, add_latest, err);
}

json_t *library_chart(struct library *library, const struct question *question,
                      struct error *err)
{
    const struct sink *sink = find(library, question->table, err);
    if (!sink)
        return NULL;
    const struct row_query query = {
        .sink = sink, .key = question->text, .limit = LIBRARY_POINTS_MAX};
    return read_rows(library, &query, add_point, err);
}
