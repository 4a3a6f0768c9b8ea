/* extract_run.c: see extract_run.h. */
#include "extract_run.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static bool is(const char *word, const char *name)
{
    return !strcmp(word, name);
}

static bool is_in(const char *word, const char *const *names, size_t n,
                  int *ret)
{
    for (size_t i = 0; i < n; i++)
        if (is(word, names[i])) {
            *ret = (int)i;
            return true;
        }
    return false;
}

static bool set_class(struct extract_spec *spec, const char *name)
{
    static const char *const names[] = {
        [CLASS_HTML_TABLE] = "html_table",
        [CLASS_JSON_LIST] = "json_list",
        [CLASS_SQL] = "sql",
        [CLASS_FILE] = "file",
        [CLASS_VALUES] = "values",
        [CLASS_HTTP_JSON] = "http_json",
        [CLASS_HTTP_HTML] = "http_html",
    };
    int class;
    if (!is_in(name, names, sizeof names / sizeof *names, &class))
        return false;
    spec->worker.class = (enum worker_class) class;
    if (spec->worker.class == CLASS_JSON_LIST)
        spec->worker.list = (struct list_source){"", ""};
    return true;
}

/* NAME, or NAME NUMBER */
static void set_compute(struct compute *compute, char *text)
{
    char *number = strchr(text, ' ');
    if (number)
        *number++ = '\0';
    while (!is(text, indicator_name(compute->indicator)))
        compute->indicator++;
    compute->n = number ? atoi(number) : 0;
}

static bool set_of_field(struct extract_spec *spec, const char *word,
                         char *rest)
{
    static const char *const types[] = {
        [FIELD_NUMBER] = "number", [FIELD_INTEGER] = "integer",
        [FIELD_TEXT] = "text",     [FIELD_BOOLEAN] = "boolean",
        [FIELD_TIME] = "time",
    };
    struct field *field =
        spec->worker.n_fields ? &spec->fields[spec->worker.n_fields - 1] : NULL;
    int type;
    if (is(word, "field")) {
        char *at = strchr(rest, ' ');
        *at = '\0';
        spec->fields[spec->worker.n_fields++] = (struct field){
            .name = rest, .at = at + 1, .unit = USEC_PER_SEC, .required = true};
    } else if (field && is(word, "optional")) {
        field->required = false;
    } else if (field && is(word, "unit")) {
        field->unit = atoll(rest);
    } else if (field && is(word, "default")) {
        field->default_value = rest;
    } else if (field && is(word, "compute")) {
        set_compute(&field->compute, rest);
    } else if (field && is(word, "type") && is_in(rest, types, 5, &type)) {
        field->type = (enum field_type)type;
    } else {
        return false;
    }
    return true;
}

static bool set_of_source(struct extract_spec *spec, const char *word,
                          char *rest)
{
    struct table_source *table = &spec->worker.table;
    if (is(word, "id"))
        table->id = rest;
    else if (is(word, "class_of_table"))
        table->class = rest;
    else if (is(word, "xpath"))
        table->xpath = rest;
    else if (is(word, "column"))
        table->column = rest;
    else if (is(word, "number"))
        table->column_number = atoi(rest);
    else if (is(word, "list"))
        spec->worker.list.list = rest;
    else if (is(word, "key"))
        spec->worker.list.key = rest;
    else if (is(word, "limit"))
        spec->limit = (size_t)atoi(rest);
    else
        return false;
    return true;
}

/* Several keys: `each`, `of` (the pointer of the key) and, for each, `ask`. */
static bool set_several(struct extract_spec *spec, const char *word,
                        const char *rest)
{
    if (is(word, "each"))
        spec->worker.for_key.each = rest;
    else if (is(word, "of"))
        spec->worker.for_key.key = rest;
    else if (is(word, "ask"))
        spec->asked[spec->n_asked++] = slice_of(rest);
    else
        return false;
    spec->worker.request.keys_per_request = PIPELINE_REQUEST_KEYS_MAX;
    return true;
}

void extract_spec_init(struct extract_spec *spec, const char *text)
{
    *spec = (struct extract_spec){.memory = strdup(text)};
    spec->worker.fields = spec->fields;
    char *next = spec->memory;
    for (char *line; (line = strsep(&next, "\n"));) {
        if (*line == '\0')
            continue;
        char *rest = line + strcspn(line, " ");
        if (*rest)
            *rest++ = '\0';
        if (!(is(line, "class") ? set_class(spec, rest)
                                : set_of_field(spec, line, rest) ||
                                      set_of_source(spec, line, rest) ||
                                      set_several(spec, line, rest))) {
            fprintf(stderr, "no line of a spec: %s %s\n", line, rest);
            abort();
        }
    }
}

void extract_spec_fini(struct extract_spec *spec)
{
    free(spec->memory);
}

static void write_fields(const struct extract_spec *spec,
                         const struct slice *fields,
                         const struct extract_result *result,
                         struct buffer *ret)
{
    for (size_t i = 0; !result->reason && i < spec->worker.n_fields; i++) {
        buffer_printf(ret, "%s ", spec->fields[i].name);
        if (fields[i].data)
            buffer_append_slice(ret, fields[i]);
        else
            buffer_append_text(ret, "(null)");
        buffer_append_char(ret, '\n');
    }
}

static void run_fields(struct extractor *extractor,
                       const struct extract_spec *spec, struct slice body,
                       struct buffer *ret, struct extract_result *result)
{
    struct slice fields[PIPELINE_FIELDS_MAX];
    extract_fields(extractor, body, fields, result);
    write_fields(spec, fields, result, ret);
}

static void run_parts(struct extractor *extractor,
                      const struct extract_spec *spec, struct slice body,
                      struct buffer *ret, struct extract_result *result)
{
    struct slice fields[PIPELINE_FIELDS_MAX], parts[PIPELINE_REQUEST_KEYS_MAX];
    extract_split(extractor, body, spec->asked, spec->n_asked, parts, result);
    for (size_t i = 0; !result->reason && i < spec->n_asked; i++) {
        struct extract_result own;
        buffer_printf(ret, "%.*s: ", SLICE_ARGS(spec->asked[i]));
        extract_part(extractor, spec->asked[i], parts[i], fields, &own);
        write_fields(spec, fields, &own, ret);
        if (own.reason)
            buffer_printf(ret, "%s: %s\n", reason_name(own.reason), own.detail);
    }
}

static void run_keys(struct extractor *extractor,
                     const struct extract_spec *spec, struct slice body,
                     struct buffer *ret, struct extract_result *result)
{
    struct arena arena = ARENA_EMPTY;
    struct slice *keys = NULL;
    size_t n = 0;
    extract_keys(extractor, body, spec->limit, &arena, &keys, &n, result);
    for (size_t i = 0; !result->reason && i < n; i++)
        buffer_printf(ret, "%.*s\n", SLICE_ARGS(keys[i]));
    arena_free(&arena);
}

void extract_run_padded(struct extractor *extractor,
                        const struct extract_spec *spec, struct slice body,
                        char pad, struct buffer *ret)
{
    struct extract_result result;
    char *copy = malloc(body.len + EXTRACT_PADDING);
    assert_non_null(copy);
    if (body.len)
        memcpy(copy, body.data, body.len);
    memset(copy + body.len, pad, EXTRACT_PADDING);
    body.data = copy;
    bool fields = spec->worker.class == CLASS_HTTP_JSON ||
                  spec->worker.class == CLASS_HTTP_HTML;
    (spec->n_asked ? run_parts
     : fields      ? run_fields
                   : run_keys)(extractor, spec, body, ret, &result);
    if (result.reason)
        buffer_printf(ret, "%s: %s\n", reason_name(result.reason),
                      result.detail);
    free(copy);
}

void extract_run(const char *text, struct slice body, struct buffer *ret)
{
    struct extract_spec spec;
    extract_spec_init(&spec, text);
    struct extractor *extractor = extractor_new(&spec.worker);
    assert_non_null(extractor);
    extract_run_padded(extractor, &spec, body, '\0', ret);
    extractor_free(&extractor);
    extract_spec_fini(&spec);
}

void assert_extract_slice(const char *spec, struct slice body,
                          const char *expected)
{
    struct buffer found = BUFFER_EMPTY;
    extract_run(spec, body, &found);
    assert_string_equal(buffer_text(&found), expected);
    buffer_free(&found);
}

void assert_extract(const char *spec, const char *body, const char *expected)
{
    assert_extract_slice(spec, slice_of(body), expected);
}
