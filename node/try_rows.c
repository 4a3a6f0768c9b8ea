/* try_rows.c: events of a fetcher's row sets, and of what stores make of them:
 * try.h. */
#include "base/packed.h"
#include "near.h"
#include "near_text.h"
#include "try_private.h"

/* ---- a row set by itself ---- */

/* What is there instead of a field of the set; NULL: it is there. */
static json_t *near_field(const struct row_set *set, const struct field *field,
                          struct slice body)
{
    if (!field->at)
        return NULL; /* it is computed of others */
    json_t *near = set->zip ? near_pointer(body, field->at)
                            : near_element(body, set->each, field->at);
    const char *up_to = json_string_value(json_object_get(near, "up_to"));
    if (up_to && strcmp(up_to, field->at) != 0)
        return near;
    json_decref(near);
    return NULL;
}

static json_t *near_set(const struct row_set *set, struct slice body)
{
    json_t *all = json_object();
    for (size_t i = 0; i < set->n_fields; i++) {
        json_t *near = near_field(set, &set->fields[i], body);
        if (near)
            json_object_set_new(all, set->fields[i].name, near);
    }
    if (!set->zip && !json_object_size(all)) {
        json_t *near = near_pointer(body, set->each);
        if (near)
            json_object_set_new(all, "each", near);
    }
    return all;
}

/* How many rows the set alone, with the fields that its values may be computed
 * of, gives on a copy of the body. */
static size_t count_alone(const struct worker *worker, struct row_set *set,
                          struct slice body, struct extract_result *result)
{
    struct worker single = *worker;
    struct buffer copy = BUFFER_EMPTY;
    size_t n = 0;
    single.sets = set;
    single.n_sets = 1;
    single.n_requires = 0;
    *result = (struct extract_result){.reason = REASON_INTERNAL};
    struct extractor *extractor = extractor_new(&single);
    if (extractor && buffer_append_slice(&copy, body) &&
        buffer_reserve(&copy, EXTRACT_PADDING)) {
        struct slice fields[PIPELINE_FIELDS_MAX];
        extract_fields(extractor, buffer_slice(&copy), fields, result);
        n = result->reason ? 0 : extract_rows(extractor)[0].n;
    }
    extractor_free(&extractor);
    buffer_free(&copy);
    return n;
}

void try_show_sets(struct trial *trial, const struct worker *worker,
                   const struct buffer *body)
{
    for (size_t i = 0; i < worker->n_sets; i++) {
        struct row_set *set = &worker->sets[i];
        struct extract_result result;
        size_t n = count_alone(worker, set, buffer_slice(body), &result);
        try_emit(trial,
                 json_pack("{s:s, s:s, s:s, s:I, s:s, s:o, s:o}", "event",
                           "rows", "worker", worker->name, "name", set->name,
                           "n", (json_int_t)n, "reason",
                           result.reason ? reason_name(result.reason) : "",
                           "detail", near_text(slice_of(result.detail)), "near",
                           near_set(set, buffer_slice(body))));
    }
}

/* ---- rows of a store ---- */

/* What one row takes from where. */
struct row_source {
    const struct worker *fetcher, *store;
    struct slice key;
    const struct slice *fields;
    struct slice packed[PIPELINE_FIELDS_MAX]; /* of COLUMN_ELEMENTs: the rest */
    char now[CLOCK_TEXT_BYTES];
};

static struct slice value_of(struct row_source *source, size_t i)
{
    const struct column *column = &source->store->sink.columns[i];
    struct slice value = {0};
    switch (column->source) {
    case COLUMN_KEY:
        return source->key;
    case COLUMN_FETCHED_AT:
        return slice_of(source->now);
    case COLUMN_FIELD:
        return source->fields[worker_field(source->fetcher, column->field)];
    case COLUMN_ELEMENT:
        (void)packed_take(&source->packed[i], &value);
        return value;
    }
    return value;
}

static void show_row(struct trial *trial, struct row_source *source)
{
    const struct sink *sink = &source->store->sink;
    json_t *values = json_object(), *times = json_array();
    for (size_t i = 0; i < sink->n_columns; i++) {
        struct slice value = value_of(source, i);
        if (sink->columns[i].source == COLUMN_FETCHED_AT)
            json_array_append_new(times, json_string(sink->columns[i].name));
        json_object_set_new(values, sink->columns[i].name,
                            value.data ? near_text(value) : json_null());
    }
    try_emit(trial, json_pack("{s:s, s:s, s:s, s:o, s:o}", "event", "row",
                              "worker", source->store->name, "table",
                              sink->table, "values", values, "times", times));
}

void try_show_row(struct trial *trial, const struct worker *fetcher,
                  const struct worker *store, struct slice key,
                  const struct slice *fields, const struct record_rows *rows)
{
    struct row_source source = {
        .fetcher = fetcher, .store = store, .key = key, .fields = fields};
    const struct sink *sink = &store->sink;
    int set = sink->rows ? worker_set(fetcher, sink->rows) : -1;
    size_t n = set < 0 ? 1 : rows[set].n;
    clock_format(clock_wall(), source.now);
    for (size_t i = 0; i < sink->n_columns; i++)
        if (sink->columns[i].source == COLUMN_ELEMENT)
            source.packed[i] = rows[set].columns[set_field(
                &fetcher->sets[set], sink->columns[i].field)];
    for (size_t i = 0; i < n && i < TRY_ROWS_SHOWN_MAX; i++)
        show_row(trial, &source);
}
