/*
 * try_show.c: the events of try.h. Where memory is out, jansson hands NULL on,
 * and the event is none: the trial says so at its end.
 */
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "extract_table.h"
#include "near.h"
#include "near_text.h"
#include "try_private.h"

static void mask(const struct settings *settings, json_t *value)
{
    const char *key;
    json_t *item;
    size_t index;
    json_object_foreach(value, key, item) mask(settings, item);
    json_array_foreach(value, index, item) mask(settings, item);
    if (!json_is_string(value))
        return;
    char *text = strdup(json_string_value(value));
    if (!text || strlen(text) != json_string_length(value)) {
        free(text);
        return;
    }
    settings_mask_text(settings, text);
    if (strcmp(text, json_string_value(value)) != 0)
        json_string_set(value, text);
    free(text);
}

void try_emit(struct trial *trial, json_t *event)
{
    if (!event) {
        trial->no_memory = true;
        return;
    }
    mask(trial->settings, event);
    json_dumpf(event, stdout, JSON_COMPACT);
    putchar('\n');
    fflush(stdout);
    json_decref(event);
}

static json_t *text_or_null(struct slice text)
{
    return text.data ? near_text(text) : json_null();
}

/* ---- asking ---- */

static bool is_secret(const char *header, size_t len)
{
    static const char *const words[] = {"auth",   "cookie",   "token",  "key",
                                        "secret", "password", "session"};
    char name[64];
    snprintf(name, sizeof name, "%.*s", (int)len, header);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcasestr(name, words[i]))
            return true;
    return false;
}

/* "Name: value" as an entry, its value hidden where the name says so. */
static void add_header(json_t *headers, const char *line)
{
    const char *colon = strchr(line, ':');
    size_t len = colon ? (size_t)(colon - line) : strlen(line);
    const char *value = colon ? colon + 1 : "";
    value += strspn(value, " ");
    json_object_setn_new(headers, line, len,
                         is_secret(line, len) ? json_string("********")
                                              : near_text(slice_of(value)));
}

void try_show_request(struct trial *trial, const struct worker *worker,
                      struct slice key, struct slice url, bool foreign)
{
    const struct request *request = &worker->request;
    json_t *headers = json_pack("{s:o, s:s}", "User-Agent",
                                near_text(slice_of(request->user_agent)),
                                "Accept-Encoding", "gzip");
    for (size_t i = 0; i < request->n_headers; i++)
        if (!foreign || !strncasecmp(request->headers[i], "Accept", 6))
            add_header(headers, request->headers[i]);
    try_emit(trial,
             json_pack("{s:s, s:s, s:s, s:o, s:o, s:o}", "event", "request",
                       "worker", worker->name, "class",
                       worker_class_name(worker->class), "key", near_text(key),
                       "url", near_text(url), "headers", headers));
}

void try_show_asked(struct trial *trial, const struct worker *worker,
                    struct slice key, struct slice line)
{
    try_emit(trial, json_pack("{s:s, s:s, s:s, s:o, s:o}", "event", "request",
                              "worker", worker->name, "class",
                              worker_class_name(worker->class), "key",
                              near_text(key), "line", near_text(line)));
}

/* Those that say something, without the site's cookies. */
static json_t *shown_headers(const json_t *headers)
{
    static const char *const names[] = {
        "content-type", "content-length", "content-encoding",
        "location",     "retry-after",    "server",
        "date",         "cache-control"};
    json_t *shown = json_object();
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        json_t *value = json_object_get(headers, names[i]);
        if (value)
            json_object_set(shown, names[i], value);
    }
    return shown;
}

void try_show_answer(struct trial *trial, const struct worker *worker,
                     const struct try_answer *answer)
{
    struct slice head = buffer_slice(&answer->body);
    head.len = head.len < TRY_HEAD_BYTES ? head.len : TRY_HEAD_BYTES;
    while (head.len && head.len == TRY_HEAD_BYTES &&
           ((unsigned char)answer->body.data[head.len] & 0xC0) == 0x80)
        head.len--;
    try_emit(trial, json_pack("{s:s, s:s, s:s, s:i, s:o, s:I, s:I, s:o, s:s, "
                              "s:o}",
                              "event", "answer", "worker", worker->name,
                              "class", worker_class_name(worker->class),
                              "status", answer->http_status, "headers",
                              shown_headers(answer->headers), "bytes",
                              (json_int_t)answer->body.len, "us",
                              (json_int_t)answer->took, "head", near_text(head),
                              "reason",
                              answer->reason ? reason_name(answer->reason) : "",
                              "detail", near_text(slice_of(answer->detail))));
}

/* ---- fields ---- */

/* What is stored of `n` fields of a copy of the worker, out of a copy of the
 * body: texts and JSON's nulls; NULL where it fails, with `result`. */
static json_t *extract_copy(const struct worker *worker, struct field *fields,
                            size_t n, const struct buffer *body,
                            struct extract_result *result)
{
    struct worker some = *worker;
    struct buffer copy = BUFFER_EMPTY;
    struct slice values[PIPELINE_FIELDS_MAX];
    some.fields = fields;
    some.n_fields = n;
    some.n_sets = some.n_requires = 0;
    *result = (struct extract_result){.reason = REASON_INTERNAL};
    struct extractor *extractor = extractor_new(&some);
    if (extractor && buffer_append_slice(&copy, buffer_slice(body)) &&
        buffer_reserve(&copy, EXTRACT_PADDING))
        extract_fields(extractor, buffer_slice(&copy), values, result);
    json_t *list = result->reason ? NULL : json_array();
    for (size_t i = 0; list && i < n; i++)
        json_array_append_new(list, text_or_null(values[i]));
    extractor_free(&extractor);
    buffer_free(&copy);
    return list;
}

/* What lies at the field's place: a text, JSON's null, or, where it fails, NULL
 * with `result`. */
static json_t *at_place(const struct worker *worker, const struct field *field,
                        const struct buffer *body,
                        struct extract_result *result)
{
    struct field one = *field;
    *result = (struct extract_result){.reason = REASON_NONE};
    if (!field->at)
        return NULL; /* it is computed alone */
    one.value = (struct formula){0};
    one.stored = one.type;
    json_t *list = extract_copy(worker, &one, 1, body, result);
    json_t *value = json_incref(json_array_get(list, 0));
    json_decref(list);
    return value;
}

static json_t *raw_at_place(const struct worker *worker,
                            const struct field *field,
                            const struct buffer *body)
{
    struct field as_text = *field;
    struct extract_result ignored;
    as_text.type = FIELD_TEXT;
    as_text.required = true;
    as_text.default_value = NULL;
    as_text.compute = (struct compute){0};
    return at_place(worker, &as_text, body, &ignored);
}

static json_t *near_field(const struct worker *worker,
                          const struct field *field, struct slice body)
{
    if (!field->at)
        return NULL;
    return worker_class_is_json(worker->class) ? near_pointer(body, field->at)
                                               : near_xpath(body, field->at);
}

/* `stored` is what becomes of it with all the others; NULL: they fail. */
static void show_field(struct trial *trial, const struct worker *worker,
                       const struct field *field, const struct buffer *body,
                       json_t *stored)
{
    struct extract_result result;
    json_t *raw = raw_at_place(worker, field, body);
    json_t *value = at_place(worker, field, body, &result);
    bool found = !field->at || raw || (value && field->compute.indicator);
    json_t *near = found ? NULL : near_field(worker, field, buffer_slice(body));
    if (field->value.text) {
        json_decref(value);
        value = json_incref(stored);
    }
    json_t *event = json_pack(
        "{s:s, s:s, s:s, s:s?, s:s?, s:s, s:b, s:b, s:o?, s:o?, s:O?}", "event",
        "field", "worker", worker->name, "name", field->name, "at", field->at,
        "formula", field->value.text, "type", field_type_name(field->stored),
        "required", field->required, "found", found, "raw", raw, "value", value,
        "near", near);
    if (result.reason) {
        json_object_set_new(event, "reason",
                            json_string(reason_name(result.reason)));
        json_object_set_new(event, "detail",
                            near_text(slice_of(result.detail)));
        if (!trial->near)
            trial->near = json_incref(near);
    }
    json_decref(near);
    try_emit(trial, event);
}

void try_show_fields(struct trial *trial, const struct worker *worker,
                     const struct buffer *body)
{
    struct extract_result ignored;
    json_t *stored =
        extract_copy(worker, worker->fields, worker->n_fields, body, &ignored);
    for (size_t i = 0; i < worker->n_fields; i++)
        show_field(trial, worker, &worker->fields[i], body,
                   json_array_get(stored, i));
    json_decref(stored);
}

/* ---- a part ---- */

void try_show_part(struct trial *trial, const struct worker *worker,
                   struct slice key, struct slice part)
{
    try_emit(trial,
             json_pack("{s:s, s:s, s:s, s:o, s:b, s:I}", "event", "part",
                       "worker", worker->name, "each", worker->for_key.each,
                       "key", near_text(key), "found", part.data != NULL,
                       "bytes", (json_int_t)part.len));
}

/* Where elements have their keys elsewhere, or none; or the names of members.
 */
json_t *try_near_part(const struct worker *worker, struct slice key,
                      struct slice body)
{
    const struct for_key *for_key = &worker->for_key;
    struct buffer pointer = BUFFER_EMPTY;
    json_t *near;
    buffer_append_text(&pointer, for_key->each);
    buffer_append_char(&pointer, '/');
    for (size_t i = 0; i < key.len; i++)
        if (key.data[i] == '~' || key.data[i] == '/')
            buffer_append_text(&pointer, key.data[i] == '~' ? "~0" : "~1");
        else
            buffer_append_char(&pointer, key.data[i]);
    near = for_key->key ? near_element(body, for_key->each, for_key->key)
                        : near_pointer(body, buffer_text(&pointer));
    buffer_free(&pointer);
    const char *up_to = json_string_value(json_object_get(near, "up_to"));
    if (!up_to || !for_key->key || strcmp(up_to, for_key->key) != 0)
        return near;
    json_decref(near); /* it is there: of other keys */
    return NULL;
}

/* ---- keys, the end ---- */

json_t *try_near_list(const struct worker *worker, struct slice body)
{
    if (worker->class == CLASS_HTML_TABLE)
        return near_tables(body);
    json_t *element = near_element(body, worker->list.list, worker->list.key);
    return element ? element : near_pointer(body, worker->list.list);
}

static void find_table(const struct worker *worker, struct slice body,
                       size_t *ret_table, size_t *ret_column)
{
    struct extract_html *html = extract_html_new(worker);
    if (html)
        (void)!extract_table_place(html, body, ret_table, ret_column);
    extract_html_free(&html);
}

void try_show_keys(struct trial *trial, const struct worker *worker,
                   const struct slice *keys, size_t n, struct slice body)
{
    json_t *shown = json_array(), *near = try_near_list(worker, body);
    for (size_t i = 0; i < n && i < TRY_KEYS_SHOWN_MAX; i++)
        json_array_append_new(shown, near_text(keys[i]));
    size_t table = 0, column = 0;
    if (worker->class == CLASS_HTML_TABLE)
        find_table(worker, body, &table, &column);
    try_emit(trial, json_pack("{s:s, s:s, s:I, s:o, s:O?, s:I, s:I}", "event",
                              "keys", "worker", worker->name, "n",
                              (json_int_t)n, "keys", shown, "tables",
                              json_object_get(near, "tables"), "table",
                              (json_int_t)table, "column", (json_int_t)column));
    json_decref(near);
}

void try_show_end(struct trial *trial, const struct worker *worker, bool good)
{
    if (good) {
        bool fetcher = worker_class_is_fetcher(worker->class);
        try_emit(trial, json_pack("{s:s, s:s}", "event", "end", "outcome",
                                  fetcher ? "rows" : "keys"));
        return;
    }
    enum reason reason = trial->result.reason;
    try_emit(trial,
             json_pack("{s:s, s:s, s:s, s:o, s:s, s:s, s:i, s:b, s:o, s:O?}",
                       "event", "end", "outcome", "failure", "worker",
                       trial->worker->name, "key", near_text(trial->key),
                       "reason", reason_name(reason), "means",
                       reason_text(reason), "status", trial->http_status,
                       "may_pass", reason_may_pass(reason), "detail",
                       near_text(slice_of(trial->result.detail)), "near",
                       trial->near));
}
