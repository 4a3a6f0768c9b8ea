/*
 * extract_rows.c: see extract_rows.h.
 *
 * A pass over the document of its own, so that a field may lie within what is
 * gone through here. Each field is a column of packed values, which grow
 * element by element; what is wrong with one ends the set, and the key.
 *
 * The reader knows each place of a zip once, though several fields may lie
 * there, and none of the fields that are computed: `place` is what connects
 * them.
 */
#include "extract_rows.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/packed.h"
#include "extract_json.h"
#include "extract_result.h"
#include "extract_values.h"

struct row_column {
    struct buffer packed;
    size_t n;
    size_t place;         /* which of the reader's values; NO_PLACE: computed */
    struct buffer stored; /* packed: where the set has values or a `where` */
};
#define NO_PLACE SIZE_MAX

struct extract_rows {
    const struct row_set *set;
    struct extract_json *json;
    struct row_column *columns;   /* by field */
    struct extract_value *values; /* by place */
    struct slice *texts;
    bool has_values;
    struct arena arena; /* of what is computed of one row */
    size_t bytes;       /* of all columns */
    size_t n_stored;    /* rows that meet `where` */
    struct extract_result *result;
};

/* Making */

/* The place of field `i`: of a zip that of a field before it, where they lie
 * at the same; else the next. */
static size_t place_of(struct extract_rows *rows, size_t i,
                       const char **pointers, size_t *n)
{
    const struct row_set *set = rows->set;
    if (!set->fields[i].at)
        return NO_PLACE;
    for (size_t p = 0; set->zip && p < *n; p++)
        if (!strcmp(pointers[p], set->fields[i].at))
            return p;
    pointers[*n] = set->fields[i].at;
    return (*n)++;
}

static void open_reader(struct extract_rows *rows)
{
    const struct row_set *set = rows->set;
    const char *pointers[PIPELINE_FIELDS_MAX];
    size_t n = 0;
    CHECK(set->n_fields <= PIPELINE_FIELDS_MAX);
    for (size_t i = 0; i < set->n_fields; i++)
        rows->columns[i].place = place_of(rows, i, pointers, &n);
    rows->json = set->zip ? extract_json_new_arrays(pointers, n)
                          : extract_json_new_each(set->each, pointers, n);
}

struct extract_rows *extract_rows_new(const struct row_set *set)
{
    struct extract_rows *rows = calloc(1, sizeof *rows);
    if (!rows)
        return NULL;
    rows->set = set;
    rows->has_values = set->where.expression;
    for (size_t i = 0; i < set->n_fields; i++)
        rows->has_values |= set->fields[i].value.expression != NULL;
    rows->columns = calloc(set->n_fields + 1, sizeof *rows->columns);
    rows->values = calloc(set->n_fields + 1, sizeof *rows->values);
    rows->texts = calloc(set->n_fields + 1, sizeof *rows->texts);
    if (rows->columns)
        open_reader(rows);
    if (!rows->json || !rows->columns || !rows->values || !rows->texts)
        extract_rows_free(&rows);
    return rows;
}

void extract_rows_free(struct extract_rows **ptr)
{
    struct extract_rows *rows = *ptr;
    if (!rows)
        return;
    extract_json_free(&rows->json);
    for (size_t i = 0; rows->columns && i < rows->set->n_fields; i++) {
        buffer_free(&rows->columns[i].packed);
        buffer_free(&rows->columns[i].stored);
    }
    arena_free(&rows->arena);
    free(rows->columns);
    free(rows->values);
    free(rows->texts);
    free(rows);
    *ptr = NULL;
}

/* Values */

/* What has no place yet in `detail`: which element it was. */
static bool fail_at(struct extract_rows *rows, size_t element)
{
    char *detail = rows->result->detail;
    size_t len = strlen(detail);
    snprintf(detail + len, sizeof rows->result->detail - len,
             rows->set->zip ? " (element %zu)" : " (element %zu of %s)",
             element, rows->set->each);
    return false;
}

static bool too_many(struct extract_rows *rows, const char *what, size_t max)
{
    return extract_fail(rows->result, REASON_TOO_LARGE,
                        "rows %s: more than %zu %s", rows->set->name, max,
                        what);
}

/* The next value of a column. */
static bool add(struct extract_rows *rows, size_t field,
                const struct extract_value *value)
{
    struct row_column *column = &rows->columns[field];
    char time[CLOCK_TEXT_BYTES];
    struct slice text;
    if (column->n >= EXTRACT_ROWS_MAX)
        return too_many(rows, "elements", EXTRACT_ROWS_MAX);
    if (!extract_json_field(&rows->set->fields[field], value, time, &text,
                            rows->result))
        return fail_at(rows, column->n);
    rows->bytes += PACKED_HEAD_BYTES + text.len;
    if (rows->bytes > EXTRACT_ROWS_BYTES_MAX)
        return too_many(rows, "bytes", EXTRACT_ROWS_BYTES_MAX);
    packed_put(&column->packed, text);
    column->n++;
    if (column->packed.failed)
        return extract_fail(rows->result, REASON_INTERNAL, "out of memory");
    return true;
}

static bool on_item(void *context, size_t array,
                    const struct extract_value *value)
{
    struct extract_rows *rows = context;
    for (size_t i = 0; i < rows->set->n_fields; i++)
        if (rows->columns[i].place == array && !add(rows, i, value))
            return false;
    return true;
}

static bool on_element(void *context, const struct extract_value *values)
{
    struct extract_rows *rows = context;
    for (size_t i = 0; i < rows->set->n_fields; i++) {
        size_t place = rows->columns[i].place;
        if (place != NO_PLACE && !add(rows, i, &values[place]))
            return false;
    }
    return true;
}

/* Arrays side by side */

static bool is_there(const struct extract_value *value)
{
    return value->kind != EXTRACT_ABSENT && value->kind != EXTRACT_NULL;
}

/* The value at the place of a field; NULL: it is computed. */
static const struct extract_value *value_of(const struct extract_rows *rows,
                                            size_t field)
{
    size_t place = rows->columns[field].place;
    return place == NO_PLACE ? NULL : &rows->values[place];
}

/* Whether every place holds an array, or nothing. */
static bool are_arrays(struct extract_rows *rows, bool *ret_any)
{
    *ret_any = false;
    for (size_t i = 0; i < rows->set->n_fields; i++) {
        const struct extract_value *value = value_of(rows, i);
        if (!value || !is_there(value))
            continue;
        if (value->kind != EXTRACT_ARRAY)
            return extract_fail(rows->result, REASON_FIELD_TYPE,
                                "%s: %s where an array is wanted",
                                rows->set->fields[i].at,
                                extract_kind_name(value->kind));
        *ret_any = true;
    }
    return true;
}

/* How many rows they make. */
static bool count_rows(struct extract_rows *rows, size_t *ret)
{
    const struct row_set *set = rows->set;
    size_t one = SIZE_MAX; /* the first array that is there */
    *ret = 0;
    for (size_t i = 0; i < set->n_fields; i++) {
        const struct row_column *column = &rows->columns[i];
        const struct extract_value *value = value_of(rows, i);
        if (!value || !is_there(value))
            continue;
        if (one == SIZE_MAX) {
            one = i;
            *ret = column->n;
        }
        if (set->lengths == LENGTHS_EQUAL && column->n != *ret)
            return extract_fail(
                rows->result, REASON_ROWS_UNEQUAL, "%s: %zu elements, %s: %zu",
                set->fields[one].at, *ret, set->fields[i].at, column->n);
        if (set->lengths == LENGTHS_LONGEST ? column->n > *ret
                                            : column->n < *ret)
            *ret = column->n;
    }
    return true;
}

/* Makes a column `n` values long: with what stands for an absent one, or by
 * leaving out its last ones. */
static bool fit(struct extract_rows *rows, size_t field, size_t n)
{
    struct row_column *column = &rows->columns[field];
    const struct extract_value *there = value_of(rows, field);
    if (!there)
        return true;
    const struct extract_value absent = {
        .kind = is_there(there) ? EXTRACT_ABSENT : there->kind};
    while (column->n < n)
        if (!add(rows, field, &absent))
            return false;
    if (column->n == n)
        return true;
    struct slice rest = buffer_slice(&column->packed), text;
    for (size_t i = 0; i < n; i++)
        CHECK(packed_take(&rest, &text));
    column->packed.len -= rest.len;
    column->n = n;
    return true;
}

static bool read_zip(struct extract_rows *rows, struct slice body, size_t *ret)
{
    const struct row_set *set = rows->set;
    bool any;
    const char *why =
        extract_json_read_arrays(rows->json, body, rows->values, on_item, rows);
    if (why)
        return extract_json_failed(why, rows->result);
    if (rows->result->reason || !are_arrays(rows, &any))
        return false;
    *ret = 0;
    if (!any)
        return !set->required ||
               extract_fail(rows->result, REASON_FIELD_MISSING,
                            "rows %s: no array is there", set->name);
    if (!count_rows(rows, ret))
        return false;
    for (size_t i = 0; i < set->n_fields; i++)
        if (!fit(rows, i, *ret))
            return false;
    return true;
}

/* One array */

static bool read_each(struct extract_rows *rows, struct slice body, size_t *ret)
{
    const struct row_set *set = rows->set;
    const char *why =
        extract_json_read(rows->json, body, rows->values, on_element, rows);
    if (why)
        return extract_json_failed(why, rows->result);
    struct extract_value list = rows->values[0];
    if (rows->result->reason)
        return false;
    *ret = 0; /* all columns are equally long, but those that are computed */
    for (size_t i = 0; i < set->n_fields; i++)
        if (rows->columns[i].n > *ret)
            *ret = rows->columns[i].n;
    if (list.kind == EXTRACT_ARRAY || list.kind == EXTRACT_OBJECT ||
        (!is_there(&list) && !set->required))
        return true;
    if (!is_there(&list))
        return extract_fail(rows->result, REASON_FIELD_MISSING, "%s: %s",
                            set->each, extract_kind_name(list.kind));
    return extract_fail(rows->result, REASON_FIELD_TYPE,
                        "%s: %s where an array is wanted", set->each,
                        extract_kind_name(list.kind));
}

/* What is computed */

/* One row, of which `sent` was sent; it is left out unless it meets `where`. */
static bool compute_row(struct extract_rows *rows, size_t row,
                        struct slice *sent, size_t n_record,
                        const struct slice *record_sent,
                        const struct slice *record_stored)
{
    const struct row_set *set = rows->set;
    struct slice stored[PIPELINE_FIELDS_MAX];
    const struct evaluate_values values = {
        .record = record_stored,
        .n_record = n_record,
        .element = stored,
        .n_element = set->n_fields,
    };
    arena_reset(&rows->arena);
    if (!extract_values(set->fields, set->n_fields, record_sent, n_record, sent,
                        stored, &rows->arena, rows->result))
        return fail_at(rows, row);
    if (set->where.expression &&
        !extract_meets(&set->where, &values, &rows->arena, rows->result))
        return rows->result->reason == REASON_NONE || fail_at(rows, row);
    for (size_t i = 0; i < set->n_fields; i++) {
        struct row_column *column = &rows->columns[i];
        packed_put(&column->stored, stored[i]);
        rows->bytes += PACKED_HEAD_BYTES + stored[i].len;
        if (column->stored.failed)
            return extract_fail(rows->result, REASON_INTERNAL, "out of memory");
    }
    rows->n_stored++;
    return rows->bytes <= 2 * (size_t)EXTRACT_ROWS_BYTES_MAX ||
           too_many(rows, "bytes", EXTRACT_ROWS_BYTES_MAX);
}

static bool compute_rows(struct extract_rows *rows, size_t n, size_t n_record,
                         const struct slice *record_sent,
                         const struct slice *record_stored)
{
    const struct row_set *set = rows->set;
    struct slice rest[PIPELINE_FIELDS_MAX], sent[PIPELINE_FIELDS_MAX];
    rows->n_stored = 0;
    for (size_t i = 0; i < set->n_fields; i++) {
        rest[i] = buffer_slice(&rows->columns[i].packed);
        buffer_clear(&rows->columns[i].stored);
    }
    for (size_t row = 0; row < n; row++) {
        for (size_t i = 0; i < set->n_fields; i++) {
            sent[i] = (struct slice){0};
            if (value_of(rows, i))
                CHECK(packed_take(&rest[i], &sent[i]));
        }
        if (!compute_row(rows, row, sent, n_record, record_sent, record_stored))
            return false;
    }
    return true;
}

bool extract_rows_read(struct extract_rows *rows, struct slice body,
                       size_t n_record, const struct slice *sent,
                       const struct slice *stored, struct record_rows *ret,
                       struct extract_result *result)
{
    rows->result = result;
    rows->bytes = 0;
    for (size_t i = 0; i < rows->set->n_fields; i++) {
        buffer_clear(&rows->columns[i].packed);
        rows->columns[i].n = 0;
    }
    size_t n = 0;
    if (!(rows->set->zip ? read_zip : read_each)(rows, body, &n))
        return false;
    if (rows->has_values && !compute_rows(rows, n, n_record, sent, stored))
        return false;
    for (size_t i = 0; i < rows->set->n_fields; i++)
        rows->texts[i] =
            buffer_slice(rows->has_values ? &rows->columns[i].stored
                                          : &rows->columns[i].packed);
    *ret = (struct record_rows){rows->has_values ? rows->n_stored : n,
                                rows->texts};
    return true;
}
