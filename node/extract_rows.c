/*
 * extract_rows.c: see extract_rows.h.
 *
 * A pass over the document of its own, so that a field may lie within what is
 * gone through here. Each field is a column of packed values, which grow
 * element by element; what is wrong with one ends the set, and the key.
 *
 * Two fields of a zip may read the same array: the reader knows each place
 * once, by the first field that lies there.
 */
#include "extract_rows.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/packed.h"
#include "extract_json.h"
#include "extract_result.h"

struct row_column {
    struct buffer packed;
    size_t n;
    size_t first; /* zip: the first field at the same place; else its own */
};

struct extract_rows {
    const struct row_set *set;
    struct extract_json *json;
    struct row_column *columns;   /* by field */
    struct extract_value *values; /* zip: what lies at each field's place;
                                     each: the reader's */
    struct slice *texts;
    size_t bytes; /* of all columns */
    struct extract_result *result;
};

/* Making */

static size_t first_at(const struct row_set *set, size_t field)
{
    for (size_t i = 0; i < field; i++)
        if (!strcmp(set->fields[i].at, set->fields[field].at))
            return i;
    return field;
}

static struct extract_json *reader_of(const struct row_set *set)
{
    const char *pointers[PIPELINE_FIELDS_MAX];
    CHECK(set->n_fields <= PIPELINE_FIELDS_MAX);
    for (size_t i = 0; i < set->n_fields; i++)
        pointers[i] = set->fields[i].at;
    return set->zip ? extract_json_new_arrays(pointers, set->n_fields)
                    : extract_json_new_each(set->each, pointers, set->n_fields);
}

struct extract_rows *extract_rows_new(const struct row_set *set)
{
    struct extract_rows *rows = calloc(1, sizeof *rows);
    if (!rows)
        return NULL;
    rows->set = set;
    rows->json = reader_of(set);
    rows->columns = calloc(set->n_fields + 1, sizeof *rows->columns);
    rows->values = calloc(set->n_fields + 1, sizeof *rows->values);
    rows->texts = calloc(set->n_fields + 1, sizeof *rows->texts);
    if (!rows->json || !rows->columns || !rows->values || !rows->texts)
        extract_rows_free(&rows);
    for (size_t i = 0; rows && i < set->n_fields; i++)
        rows->columns[i].first = first_at(set, i);
    return rows;
}

void extract_rows_free(struct extract_rows **ptr)
{
    struct extract_rows *rows = *ptr;
    if (!rows)
        return;
    extract_json_free(&rows->json);
    for (size_t i = 0; rows->columns && i < rows->set->n_fields; i++)
        buffer_free(&rows->columns[i].packed);
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
    for (size_t i = array; i < rows->set->n_fields; i++)
        if (rows->columns[i].first == array && !add(rows, i, value))
            return false;
    return true;
}

static bool on_element(void *context, const struct extract_value *values)
{
    struct extract_rows *rows = context;
    for (size_t i = 0; i < rows->set->n_fields; i++)
        if (!add(rows, i, &values[i]))
            return false;
    return true;
}

/* Arrays side by side */

static bool is_there(const struct extract_value *value)
{
    return value->kind != EXTRACT_ABSENT && value->kind != EXTRACT_NULL;
}

/* Whether every place holds an array, or nothing. */
static bool are_arrays(struct extract_rows *rows, bool *ret_any)
{
    *ret_any = false;
    for (size_t i = 0; i < rows->set->n_fields; i++) {
        const struct extract_value *value =
            &rows->values[rows->columns[i].first];
        if (!is_there(value))
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
        if (!is_there(&rows->values[column->first]))
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
    const struct extract_value *there = &rows->values[column->first];
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
               extract_fail(rows->result, REASON_FIELD_MISSING, "%s: %s",
                            set->fields[0].at,
                            extract_kind_name(rows->values[0].kind));
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
    *ret = rows->columns[0].n;
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

bool extract_rows_read(struct extract_rows *rows, struct slice body,
                       struct record_rows *ret, struct extract_result *result)
{
    rows->result = result;
    rows->bytes = 0;
    for (size_t i = 0; i < rows->set->n_fields; i++) {
        buffer_clear(&rows->columns[i].packed);
        rows->columns[i].n = 0;
    }
    size_t n;
    if (!(rows->set->zip ? read_zip : read_each)(rows, body, &n))
        return false;
    for (size_t i = 0; i < rows->set->n_fields; i++)
        rows->texts[i] = buffer_slice(&rows->columns[i].packed);
    *ret = (struct record_rows){n, rows->texts};
    return true;
}
