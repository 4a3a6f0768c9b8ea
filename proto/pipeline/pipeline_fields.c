/*
 * pipeline_fields.c: `fields` of fetchers and `columns` of stores.
 */
#include <strings.h>

#include "base/time_text.h"
#include "pipeline/loader.h"
#include "pipeline/spell.h"

/* RFC 6901, 3: "" or "/"-led parts in which "~" is followed by 0 or 1. */
bool check_pointer(struct loader *loader, const struct yaml_node *at,
                   const char *pointer)
{
    if (*pointer && *pointer != '/') {
        complain(loader, at,
                 "'%s' is no JSON Pointer: it begins with '/', as in "
                 "/chart/result/0 (RFC 6901)",
                 shown(pointer).text);
        return false;
    }
    for (const char *p = pointer; (p = strchr(p, '~')); p++)
        if (p[1] != '0' && p[1] != '1') {
            complain(loader, at,
                     "'%s' is no JSON Pointer: '~' is written ~0, and '/' "
                     "within a name ~1 (RFC 6901)",
                     shown(pointer).text);
            return false;
        }
    return true;
}

const char *load_pointer(struct loader *loader, const struct yaml_node *node,
                         const char *what)
{
    if (node->kind == YAML_TEXT && !node->plain && !*node->text)
        return node->text;
    const char *pointer = load_text(loader, node, what);
    return pointer && check_pointer(loader, node, pointer) ? pointer : "";
}

static const char *const type_names[] = {
    [FIELD_NUMBER] = "number", [FIELD_INTEGER] = "integer",
    [FIELD_TEXT] = "text",     [FIELD_BOOLEAN] = "boolean",
    [FIELD_TIME] = "time",     NULL};
static const char *const unit_names[] = {"seconds", "milliseconds",
                                         "microseconds", NULL};

const char *field_type_name(enum field_type type)
{
    return type_names[type];
}

/* A field is where it is found, or a map. */
#define FIELD_MEMBERS(place, where)                                            \
    {.name = "at", .shape = place, .help = where},                             \
        {.name = "default",                                                    \
         .shape = {.kind = SHAPE_TEXT, .any_scalar = true},                    \
         .help = "what is stored where it is absent"},                         \
        {.name = "required",                                                   \
         .shape = {.kind = SHAPE_BOOLEAN},                                     \
         .fallback = "true",                                                   \
         .help = "whether its absence fails the key; without a default"},      \
        {.name = "type",                                                       \
         .shape = SHAPE_OF_CHOICE(type_names),                                 \
         .fallback = "number",                                                 \
         .help = "what it must be"},                                           \
        {.name = "unit",                                                       \
         .shape = SHAPE_OF_CHOICE(unit_names),                                 \
         .fallback = "seconds",                                                \
         .help = "of a time that is a number, since 1970"},                    \
    {                                                                          \
        .name = "value", .shape = SHAPE_OF_TEXT,                               \
        .help = "an expression: what is stored in place of what was sent"      \
    }

static const struct member json_field_members[] = {
    FIELD_MEMBERS(SHAPE_OF_PATTERN(SHAPE_POINTER_PATTERN),
                  "a JSON Pointer (RFC 6901)"),
    {.name = "compute",
     .shape = COMPUTE_SHAPE,
     .help = "an indicator over the array of numbers at that place"},
    {0}};
static const struct member html_field_members[] = {
    FIELD_MEMBERS(SHAPE_OF_TEXT, "an XPath"), {0}};
static const struct shape json_field_map = SHAPE_OF_MEMBERS(json_field_members);
static const struct shape html_field_map = SHAPE_OF_MEMBERS(html_field_members);
const struct shape json_field_shape = {.kind = SHAPE_TEXT,
                                       .pattern = SHAPE_POINTER_PATTERN,
                                       .or = &json_field_map};
const struct shape html_field_shape = {
    .kind = SHAPE_TEXT, .least = 1, .or = &html_field_map};

/* The type that others call `name`; else the one that is spelt like it. */
static const char *meant_type(const char *name)
{
    static const struct {
        const char *name;
        enum field_type type;
    } others[] = {
        {"bigint", FIELD_INTEGER},   {"bool", FIELD_BOOLEAN},
        {"date", FIELD_TIME},        {"datetime", FIELD_TIME},
        {"decimal", FIELD_NUMBER},   {"double", FIELD_NUMBER},
        {"float", FIELD_NUMBER},     {"int", FIELD_INTEGER},
        {"long", FIELD_INTEGER},     {"numeric", FIELD_NUMBER},
        {"real", FIELD_NUMBER},      {"str", FIELD_TEXT},
        {"string", FIELD_TEXT},      {"timestamp", FIELD_TIME},
        {"timestamptz", FIELD_TIME}, {"varchar", FIELD_TEXT},
    };

    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (!strcasecmp(others[i].name, name))
            return type_names[others[i].type];
    return spell_nearest(name, type_names, FIELD_TIME + 1);
}

static bool parse_type(struct loader *loader, const struct yaml_node *node,
                       enum field_type *ret)
{
    const char *name = load_text(loader, node, "type");

    for (int i = 0; name && i <= FIELD_TIME; i++)
        if (!strcmp(type_names[i], name)) {
            *ret = (enum field_type)i;
            return true;
        }
    if (name)
        complain_unknown_near(loader, node, "type", NULL, name, type_names,
                              FIELD_TIME + 1, meant_type(name));
    return false;
}

/* How many microseconds one of a time's numbers stands for. */
static void parse_unit(struct loader *loader, struct field *field,
                       const struct yaml_node *node)
{
    static const usec_t units[] = {USEC_PER_SEC, USEC_PER_MSEC, 1};
    const char *name = load_text(loader, node, "unit");

    if (!name)
        return;
    if (field->type != FIELD_TIME) {
        complain(loader, node->key, "only a field of type time has a unit");
        return;
    }
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (!strcmp(unit_names[i], name)) {
            field->unit = units[i];
            return;
        }
    complain_unknown(loader, node, "unit", NULL, name, unit_names, 3);
}

/* A time, in the form in which it is stored; NULL: it is none. */
static const char *time_of(struct loader *loader, const struct field *field,
                           const char *text)
{
    char written[CLOCK_TEXT_BYTES];
    usec_t moment;

    if (!time_text_unix(slice_of(text), field->unit, &moment) &&
        !time_text_iso(slice_of(text), &moment))
        return NULL;
    clock_format(moment, written);
    return load_printf(loader, "%s", written);
}

static const char *skip_digits(const char *p)
{
    return p + strspn(p, "0123456789");
}

/* RFC 8259, 6: whether `text` is a JSON number. */
static bool is_number(const char *text, bool integer)
{
    const char *p = text + (*text == '-');
    const char *q = *p == '0' ? p + 1 : skip_digits(p);

    if (q == p)
        return false;
    if (!integer && *q == '.') {
        p = q + 1;
        q = skip_digits(p);
        if (q == p)
            return false;
    }
    if (!integer && (*q == 'e' || *q == 'E')) {
        p = q + 1;
        p += *p == '+' || *p == '-';
        q = skip_digits(p);
        if (q == p)
            return false;
    }
    return !*q;
}

static void parse_default(struct loader *loader, struct field *field,
                          const struct yaml_node *node)
{
    if (node->kind != YAML_TEXT) {
        complain(loader, node, "default must be a single value");
        return;
    }
    const char *text = node->text;
    bool good = true;
    switch (field->type) {
    case FIELD_NUMBER:
    case FIELD_INTEGER:
        good = is_number(text, field->type == FIELD_INTEGER);
        break;
    case FIELD_BOOLEAN:
        good = !strcmp(text, "true") || !strcmp(text, "false");
        break;
    case FIELD_TIME:
        text = time_of(loader, field, text);
        good = text || loader->out_of_memory;
        break;
    case FIELD_TEXT:
        break;
    }
    if (good)
        field->default_value = text;
    else
        complain(loader, node, "default '%s' is not of the field's type",
                 shown(node->text).text);
}

/* Where the field is: a pointer or an XPath, by the worker's class. */
static void parse_at(struct loader *loader, const struct worker *worker,
                     struct field *field, const struct yaml_node *node)
{
    field->at = "";
    if (worker_class_is_json(worker->class) && node->kind == YAML_TEXT &&
        !node->plain && !*node->text)
        return; /* the document itself */
    const char *what = load_printf(loader, "field '%s'", field->name);
    const char *at = what ? load_text(loader, node, what) : NULL;
    if (!at)
        return;
    field->at = at;
    if (worker_class_is_json(worker->class))
        check_pointer(loader, node, at);
    else
        check_xpath(loader, node, at);
}

/* The type, which the indicator of a computed field fixes. */
static bool parse_kind(struct loader *loader, const struct worker *worker,
                       struct field *field, const struct yaml_node *node)
{
    const struct yaml_node *type = yaml_get(node, "type");
    const struct yaml_node *compute =
        worker_class_is_json(worker->class) ? yaml_get(node, "compute") : NULL;

    if (compute && type)
        complain(loader, type,
                 "a computed field takes no type: count is an integer, all "
                 "else a number");
    if (compute)
        return read_compute(loader, compute, field);
    return !type || parse_type(loader, type, &field->type);
}

/* {at, type, unit, required, default, compute} */
static void parse_field_map(struct loader *loader, const struct worker *worker,
                            struct field *field, const struct yaml_node *node)
{
    const struct yaml_node *at = yaml_get(node, "at");
    const struct yaml_node *required = yaml_get(node, "required");
    const struct yaml_node *fallback = yaml_get(node, "default");
    const struct yaml_node *unit = yaml_get(node, "unit");
    const struct yaml_node *value = yaml_get(node, "value");

    load_check_keys(loader, node, "a field",
                    worker_class_is_json(worker->class) ? json_field_members
                                                        : html_field_members);
    if (at)
        parse_at(loader, worker, field, at);
    else if (!value)
        complain(loader, node, "a field needs 'at': a %s",
                 worker_class_is_json(worker->class) ? "JSON Pointer"
                                                     : "XPath");
    if (value)
        load_formula(loader, value, "value", &field->value);
    if (value && !at && yaml_get(node, "type"))
        complain(loader, yaml_get(node, "type")->key,
                 "its type is that of its value: type is what is wanted 'at' "
                 "a place");
    if (!parse_kind(loader, worker, field, node))
        return;
    field->stored = field->type;
    if (unit)
        parse_unit(loader, field, unit);
    if (fallback) {
        field->required = false;
        if (at || !value)
            parse_default(loader, field, fallback);
        else
            complain(loader, fallback->key,
                     "a field of its value alone has no default: "
                     "coalesce(..., DEFAULT) is one");
    }
    if (required)
        load_boolean(loader, required, "required", &field->required);
    if (fallback && field->required)
        complain(loader, required, "a required field takes no default");
}

void load_fields(struct loader *loader, const struct worker *worker,
                 const struct yaml_node *node, const char *what, bool required,
                 struct field **ret, size_t *ret_n)
{
    if (!load_map(loader, node, what, PIPELINE_FIELDS_MAX))
        return;
    if (!node->n_items)
        complain(loader, node, "%s is empty", what);
    *ret = load_alloc(loader, node->n_items, sizeof **ret);
    if (!*ret)
        return;
    for (const struct yaml_node *n = node->first; n; n = n->next) {
        struct field *field = &(*ret)[(*ret_n)++];
        *field = (struct field){
            .name = n->key->text, .unit = USEC_PER_SEC, .required = required};
        if (!load_name_is_good(field->name))
            complain(loader, n->key, "'%s' is no name of a field",
                     shown(field->name).text);
        else if (!strcmp(field->name, "fetched_at"))
            complain(loader, n->key,
                     "fetched_at is the time of the answer; "
                     "name the field otherwise");
        if (n->kind == YAML_MAP)
            parse_field_map(loader, worker, field, n);
        else
            parse_at(loader, worker, field, n);
    }
}

void read_fields(struct loader *loader, struct worker *worker,
                 const struct yaml_node *node)
{
    load_fields(loader, worker, node, "option 'fields'", true, &worker->fields,
                &worker->n_fields);
}

void read_columns(struct loader *loader, struct worker *worker,
                  const struct yaml_node *node)
{
    struct sink *sink = &worker->sink;

    loader->columns_nodes[worker->index] = node;
    if (!load_map(loader, node, "option 'columns'", PIPELINE_FIELDS_MAX))
        return;
    if (!node->n_items)
        complain(loader, node, "option 'columns' is empty");
    sink->columns = load_alloc(loader, node->n_items, sizeof *sink->columns);
    if (!sink->columns)
        return;
    for (const struct yaml_node *n = node->first; n; n = n->next) {
        const char *what = load_printf(loader, "column '%s'", n->key->text);
        const char *from = what ? load_text(loader, n, what) : NULL;
        if (!load_name_is_good(n->key->text))
            complain(loader, n->key, "'%s' is no name of a column",
                     shown(n->key->text).text);
        else if (!strcasecmp(n->key->text, "id"))
            complain(loader, n->key, "column 'id' is the table's own number");
        if (!from)
            continue;
        struct column *column = &sink->columns[sink->n_columns++];
        *column = (struct column){.name = n->key->text};
        if (!strcmp(from, "key")) {
            column->source = COLUMN_KEY;
        } else if (!strcmp(from, "fetched_at")) {
            column->source = COLUMN_FETCHED_AT;
        } else {
            column->source = COLUMN_FIELD;
            column->field = from;
        }
    }
}
