/*
 * extract.c: the extractor, its JSON side, and what all sides share. See
 * extract.h.
 *
 * Which side works is fixed by the worker's class. Whatever is wrong with an
 * answer ends in a reason and one line of detail; of several fields the first
 * that fails gives them.
 */
#include "extract.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "base/time_text.h"
#include "extract_compute.h"
#include "extract_html.h"
#include "extract_json.h"
#include "extract_keyset.h"
#include "extract_parts.h"
#include "extract_result.h"
#include "extract_rows.h"
#include "extract_table.h"
#include "extract_text.h"
#include "extract_values.h"

struct extractor {
    const struct worker *worker;
    struct extract_json *json;       /* http_json, json_list */
    struct extract_parts *parts;     /* http_json with keys_per_request */
    struct extract_html *html;       /* http_html, html_table */
    struct extract_value *values;    /* http_json: of each field */
    struct extract_compute *compute; /* http_json */
    char (*times)[CLOCK_TEXT_BYTES];
    bool has_values;    /* what is stored is not just what was sent */
    struct arena arena; /* of what is computed */
    struct slice sent[PIPELINE_FIELDS_MAX];
    struct extract_rows *sets[PIPELINE_ROW_SETS_MAX];
    struct record_rows rows[PIPELINE_ROW_SETS_MAX];
};

static bool is_json(const struct worker *worker)
{
    return worker_class_is_json(worker->class);
}

static bool json_init(struct extractor *extractor)
{
    const struct worker *worker = extractor->worker;
    if (worker->class == CLASS_JSON_LIST) {
        extractor->json =
            extract_json_new(worker->list.list, &worker->list.key, 1);
        return extractor->json;
    }
    const char *pointers[PIPELINE_FIELDS_MAX];
    CHECK(worker->n_fields <= PIPELINE_FIELDS_MAX);
    for (size_t i = 0; i < worker->n_fields; i++)
        pointers[i] = worker->fields[i].at ? worker->fields[i].at : "";
    extractor->json = extract_json_new(NULL, pointers, worker->n_fields);
    extractor->values = calloc(worker->n_fields + 1, sizeof *extractor->values);
    extractor->times = calloc(worker->n_fields + 1, sizeof *extractor->times);
    if (extractor->json)
        extractor->compute = extract_compute_new(worker, extractor->json);
    const struct for_key *for_key = &worker->for_key;
    if (worker->request.keys_per_request &&
        !(extractor->parts = extract_parts_new(for_key->each, for_key->key)))
        return false;
    for (size_t i = 0; i < worker->n_sets; i++)
        if (!(extractor->sets[i] = extract_rows_new(&worker->sets[i])))
            return false;
    return extractor->compute && extractor->values && extractor->times;
}

struct extractor *extractor_new(const struct worker *worker)
{
    CHECK(is_json(worker) || worker->class == CLASS_HTTP_HTML ||
          worker->class == CLASS_HTML_TABLE);
    struct extractor *extractor = calloc(1, sizeof *extractor);
    if (!extractor)
        return NULL;
    extractor->worker = worker;
    extractor->has_values = extract_has_values(worker);
    if (!is_json(worker))
        extractor->html = extract_html_new(worker);
    if (is_json(worker) ? !json_init(extractor) : !extractor->html)
        extractor_free(&extractor);
    return extractor;
}

void extractor_free(struct extractor **extractor)
{
    if (!*extractor)
        return;
    extract_compute_free(&(*extractor)->compute);
    extract_json_free(&(*extractor)->json);
    extract_parts_free(&(*extractor)->parts);
    extract_html_free(&(*extractor)->html);
    for (size_t i = 0; i < PIPELINE_ROW_SETS_MAX; i++)
        extract_rows_free(&(*extractor)->sets[i]);
    free((*extractor)->values);
    free((*extractor)->times);
    arena_free(&(*extractor)->arena);
    free(*extractor);
    *extractor = NULL;
}

bool extract_fail(struct extract_result *result, enum reason reason,
                  const char *format, ...)
{
    result->reason = reason;
    va_list args;
    va_start(args, format);
    vsnprintf(result->detail, sizeof result->detail, format, args);
    va_end(args);
    for (char *c = result->detail; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            *c = ' ';
    return false;
}

bool extract_instead(const struct field *field, enum reason reason,
                     struct slice *ret, struct extract_result *result)
{
    if (field->required && !field->default_value)
        return extract_fail(result, reason, "%s: %s", field->at,
                            reason == REASON_FIELD_NULL ? "null" : "absent");
    *ret = slice_of(field->default_value);
    return true;
}

bool extract_storable(const struct field *field, struct slice text,
                      struct extract_result *result)
{
    if (text.len > EXTRACT_VALUE_BYTES_MAX)
        return extract_fail(result, REASON_TOO_LARGE,
                            "%s: %zu bytes, more than %d", field->at, text.len,
                            EXTRACT_VALUE_BYTES_MAX);
    if (text.len && memchr(text.data, '\0', text.len))
        return extract_fail(result, REASON_FIELD_TYPE, "%s: holds a NUL",
                            field->at);
    return true;
}

bool extract_time(const struct field *field, struct slice text,
                  char ret[CLOCK_TEXT_BYTES], struct extract_result *result)
{
    usec_t moment;
    if (!time_text_unix(text, field->unit, &moment) &&
        !time_text_iso(text, &moment))
        return extract_fail(
            result, REASON_FIELD_TYPE, "%s: \"%.*s\" is no time in %s",
            field->at, (int)(text.len > 60 ? 60 : text.len), text.data,
            field->unit == USEC_PER_SEC    ? "seconds, nor in ISO 8601"
            : field->unit == USEC_PER_MSEC ? "milliseconds, nor in ISO 8601"
                                           : "microseconds, nor in ISO 8601");
    clock_format(moment, ret);
    return true;
}

static bool kind_fits(const struct extract_value *value, enum field_type type)
{
    switch (type) {
    case FIELD_NUMBER:
        return value->kind == EXTRACT_NUMBER;
    case FIELD_INTEGER:
        return value->kind == EXTRACT_NUMBER &&
               extract_text_is_integer(value->text);
    case FIELD_BOOLEAN:
        return value->kind == EXTRACT_BOOLEAN;
    case FIELD_TIME:
        return value->kind == EXTRACT_NUMBER || value->kind == EXTRACT_STRING;
    case FIELD_TEXT:
        return value->kind == EXTRACT_STRING || value->kind == EXTRACT_NUMBER ||
               value->kind == EXTRACT_BOOLEAN;
    }
    return false;
}

static const char *type_wanted(enum field_type type)
{
    static const char *const names[] = {
        [FIELD_NUMBER] = "a number", [FIELD_INTEGER] = "an integer",
        [FIELD_TEXT] = "text",       [FIELD_BOOLEAN] = "a boolean",
        [FIELD_TIME] = "a time",
    };
    return names[type];
}

bool extract_json_field(const struct field *field,
                        const struct extract_value *value,
                        char time[CLOCK_TEXT_BYTES], struct slice *ret,
                        struct extract_result *result)
{
    if (value->kind == EXTRACT_ABSENT)
        return extract_instead(field, REASON_FIELD_MISSING, ret, result);
    if (value->kind == EXTRACT_NULL)
        return extract_instead(field, REASON_FIELD_NULL, ret, result);
    bool computes = field->compute.indicator;
    if (computes || !kind_fits(value, field->type))
        return extract_fail(
            result, REASON_FIELD_TYPE, "%s: %s where %s is wanted", field->at,
            extract_kind_name(value->kind),
            computes ? "an array of numbers" : type_wanted(field->type));
    *ret = value->text;
    if (field->type != FIELD_TIME)
        return extract_storable(field, value->text, result);
    *ret = (struct slice){time, CLOCK_TEXT_BYTES - 1};
    return extract_time(field, value->text, time, result);
}

bool extract_json_failed(const char *why, struct extract_result *result)
{
    enum reason reason =
        why == extract_json_no_memory ? REASON_INTERNAL : REASON_NOT_JSON;
    return extract_fail(result, reason, "%s", why);
}

static bool json_field(struct extractor *extractor, size_t i, struct slice *ret,
                       struct extract_result *result)
{
    const struct field *field = &extractor->worker->fields[i];
    const struct extract_value *value = &extractor->values[i];
    if (field->compute.indicator && value->kind == EXTRACT_ARRAY)
        return extract_compute_field(extractor->compute, i, ret, result);
    return extract_json_field(field, value, extractor->times[i], ret, result);
}

static bool json_fields(struct extractor *extractor, struct slice body,
                        struct slice *ret_fields, struct extract_result *result)
{
    const struct worker *worker = extractor->worker;
    const char *why =
        extract_json_read(extractor->json, body, extractor->values, NULL, NULL);
    if (why)
        return extract_json_failed(why, result);
    for (size_t i = 0; i < worker->n_fields; i++)
        if (!worker->fields[i].at)
            ret_fields[i] = (struct slice){0};
        else if (!json_field(extractor, i, &ret_fields[i], result))
            return false;
    return true;
}

static bool all_fields(struct extractor *extractor, struct slice body,
                       struct slice *ret_fields, struct extract_result *result)
{
    const struct worker *worker = extractor->worker;
    struct slice *sent = extractor->has_values ? extractor->sent : ret_fields;
    if (!(extractor->json
              ? json_fields(extractor, body, sent, result)
              : extract_html_fields(extractor->html, body, sent, result)))
        return false;
    arena_reset(&extractor->arena);
    if (extractor->has_values &&
        !(extract_values(worker->fields, worker->n_fields, NULL, 0, sent,
                         ret_fields, &extractor->arena, result) &&
          extract_requires(worker, ret_fields, &extractor->arena, result)))
        return false;
    for (size_t i = 0; i < worker->n_sets; i++)
        if (!extract_rows_read(extractor->sets[i], body, worker->n_fields, sent,
                               ret_fields, &extractor->rows[i], result))
            return false;
    return true;
}

const struct record_rows *extract_rows(const struct extractor *extractor)
{
    return extractor->worker->n_sets ? extractor->rows : NULL;
}

void extract_fields(struct extractor *extractor, struct slice body,
                    struct slice *ret_fields, struct extract_result *ret)
{
    ret->reason = REASON_NONE;
    ret->detail[0] = '\0';
    all_fields(extractor, body, ret_fields, ret);
}

/* Several keys in one answer */

struct splitting {
    const struct slice *keys;
    size_t n;
    struct slice *parts;
};

/* Two keys may have been asked for as one. */
static void on_part(void *context, struct slice key, struct slice part)
{
    struct splitting *splitting = context;
    for (size_t i = 0; i < splitting->n; i++)
        if (!splitting->parts[i].data && slice_equal(splitting->keys[i], key))
            splitting->parts[i] = part;
}

static bool is_splittable(const struct for_key *for_key, enum extract_kind kind,
                          struct extract_result *result)
{
    if (kind == EXTRACT_OBJECT || (kind == EXTRACT_ARRAY && for_key->key))
        return true;
    enum reason reason = kind == EXTRACT_ABSENT ? REASON_FIELD_MISSING
                         : kind == EXTRACT_NULL ? REASON_FIELD_NULL
                                                : REASON_FIELD_TYPE;
    return extract_fail(result, reason,
                        "for_key, \"%s\": %s where %s is wanted", for_key->each,
                        extract_kind_name(kind),
                        for_key->key ? "an array or object" : "an object");
}

void extract_split(struct extractor *extractor, struct slice body,
                   const struct slice *keys, size_t n, struct slice *ret_parts,
                   struct extract_result *ret)
{
    struct splitting splitting = {keys, n, ret_parts};
    enum extract_kind kind;
    ret->reason = REASON_NONE;
    ret->detail[0] = '\0';
    memset(ret_parts, 0, n * sizeof *ret_parts);
    const char *why =
        extract_parts_read(extractor->parts, body, &kind, on_part, &splitting);
    if (why)
        extract_json_failed(why, ret);
    else
        is_splittable(&extractor->worker->for_key, kind, ret);
}

void extract_part(struct extractor *extractor, struct slice key,
                  struct slice part, struct slice *ret_fields,
                  struct extract_result *ret)
{
    const struct for_key *for_key = &extractor->worker->for_key;
    if (part.data)
        extract_fields(extractor, part, ret_fields, ret);
    else if (for_key->key)
        extract_fail(ret, REASON_NOT_IN_ANSWER,
                     "for_key, \"%s\": no element with \"%.*s\" at %s",
                     for_key->each, SLICE_ARGS(key), for_key->key);
    else
        extract_fail(ret, REASON_NOT_IN_ANSWER,
                     "for_key, \"%s\": no member \"%.*s\"", for_key->each,
                     SLICE_ARGS(key));
}

/* What json_list passed over. */
struct list_reading {
    struct extract_keyset *keys;
    size_t n_elements;
};

static bool on_element(void *context, const struct extract_value *values)
{
    struct list_reading *reading = context;
    reading->n_elements++;
    if (values[0].kind == EXTRACT_STRING || values[0].kind == EXTRACT_NUMBER)
        return extract_keyset_add(reading->keys, values[0].text);
    reading->keys->n_refused++;
    return true;
}

static bool json_keys(struct extractor *extractor, struct slice body,
                      struct extract_keyset *keys,
                      struct extract_result *result)
{
    const struct list_source *source = &extractor->worker->list;
    struct list_reading reading = {keys, 0};
    struct extract_value list;
    const char *why =
        extract_json_read(extractor->json, body, &list, on_element, &reading);
    if (why)
        return extract_json_failed(why, result);
    if (list.kind != EXTRACT_ARRAY)
        return extract_fail(result, REASON_NO_KEYS,
                            "the list at \"%s\": %s where an array is wanted",
                            source->list, extract_kind_name(list.kind));
    if (keys->n == 0)
        return extract_fail(
            result, REASON_NO_KEYS,
            "the list at \"%s\": %zu elements, none with a key at \"%s\"",
            source->list, reading.n_elements, source->key);
    return true;
}

void extract_keys(struct extractor *extractor, struct slice body, size_t limit,
                  struct arena *arena, struct slice **ret_keys,
                  size_t *ret_n_keys, struct extract_result *ret)
{
    ret->reason = REASON_NONE;
    ret->detail[0] = '\0';
    struct extract_keyset keys;
    extract_keyset_init(&keys, arena, limit ? limit : EXTRACT_KEYS_MAX);
    bool found = extractor->json
                     ? json_keys(extractor, body, &keys, ret)
                     : extract_table_keys(extractor->html, body, &keys, ret);
    struct slice *all = found ? extract_keyset_take(&keys) : NULL;
    if (keys.no_memory || (found && !all)) {
        extract_fail(ret, REASON_INTERNAL, "out of memory");
    } else if (found) {
        *ret_keys = all;
        *ret_n_keys = keys.n;
    }
    extract_keyset_fini(&keys);
}

/* Whether `text` lies around some byte `c` of the body, which is its byte
 * number `at`. */
static bool holds_around(struct slice body, struct slice text, size_t at,
                         char c)
{
    const char *from = body.data + at;
    const char *end = body.data + body.len - (text.len - at - 1);
    while ((from = memchr(from, c, (size_t)(end - from)))) {
        if (!strncasecmp(from - at, text.data, text.len))
            return true;
        from++;
    }
    return false;
}

/* Every short answer is searched, so this goes by memchr: for a byte that is
 * no letter if there is one, else for the first letter in both cases. */
static bool holds(struct slice body, struct slice text)
{
    if (text.len == 0 || text.len > body.len)
        return text.len == 0;
    size_t at = 0;
    while (at < text.len && isalpha((unsigned char)text.data[at]))
        at++;
    if (at < text.len)
        return holds_around(body, text, at, text.data[at]);
    int c = (unsigned char)text.data[0];
    return holds_around(body, text, 0, (char)tolower(c)) ||
           holds_around(body, text, 0, (char)toupper(c));
}

bool body_is_refusal(const struct request *request, struct slice body)
{
    if (body.len > REFUSAL_BODY_BYTES)
        return false;
    for (size_t i = 0; i < request->n_refusals; i++)
        if (holds(body, slice_of(request->refusals[i])))
            return true;
    return false;
}
