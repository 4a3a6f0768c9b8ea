/* schema.c: see schema.h. Where memory is out, jansson's calls hand NULL on to
 * each other, up to the whole. */
#include "schema.h"

#include <string.h>

#include "pipeline/shape.h"

#define DRAFT "http://json-schema.org/draft-07/schema#"
#define N_CLASSES (CLASS_STORE + 1)

/* A value without quotes may be a number or a boolean to a YAML server. */
#define ANY_SCALAR "string", "number", "boolean"

static json_t *shape_schema(const struct shape *shape, bool may_be_null);

static json_t *reference(const char *name)
{
    return json_pack("{s:s+}", "$ref", "#/definitions/", name);
}

/* ---- one kind of value ---- */

static json_t *text_schema(const struct shape *shape)
{
    json_t *schema = shape->any_scalar
                         ? json_pack("{s:[s,s,s]}", "type", ANY_SCALAR)
                         : json_pack("{s:s}", "type", "string");
    if (shape->least > 0)
        json_object_set_new(schema, "minLength", json_integer(shape->least));
    if (shape->pattern)
        json_object_set_new(schema, "pattern", json_string(shape->pattern));
    return schema;
}

static json_t *whole_schema(const struct shape *shape)
{
    return json_pack("{s:s, s:I, s:I}", "type", "integer", "minimum",
                     (json_int_t)shape->least, "maximum",
                     (json_int_t)shape->most);
}

static json_t *pattern_schema(const char *pattern)
{
    return json_pack("{s:s, s:s}", "type", "string", "pattern", pattern);
}

/* As the parser sees them: texts; and as YAML servers do. */
static json_t *choice_schema(const char *const *choices)
{
    json_t *all = json_array();
    for (size_t i = 0; choices[i]; i++) {
        json_t *plain = json_loads(choices[i], JSON_DECODE_ANY, NULL);
        if (plain)
            json_array_append_new(all, plain);
        json_array_append_new(all, json_string(choices[i]));
    }
    return json_pack("{s:o}", "enum", all);
}

static json_t *many_schema(const struct shape *shape)
{
    bool list = shape->kind == SHAPE_LIST;
    json_t *schema =
        json_pack("{s:s, s:o, s:I, s:I}", "type", list ? "array" : "object",
                  list ? "items" : "additionalProperties",
                  shape_schema(shape->entry, false),
                  list ? "minItems" : "minProperties", (json_int_t)shape->least,
                  list ? "maxItems" : "maxProperties", (json_int_t)shape->most);
    if (shape->keys)
        json_object_set_new(schema, "propertyNames",
                            json_pack("{s:s}", "pattern", shape->keys));
    return schema;
}

/* The default is shown as a YAML server reads it. */
static json_t *member_schema(const struct member *member, bool may_be_null)
{
    json_t *schema = shape_schema(&member->shape, may_be_null);
    json_object_set_new(schema, "description", json_string(member->help));
    if (member->fallback) {
        json_t *value = json_loads(member->fallback, JSON_DECODE_ANY, NULL);
        json_object_set_new(schema, "default",
                            value ? value : json_string(member->fallback));
    }
    return schema;
}

/* What is not needed may be there without a value. */
static json_t *members_schema(const struct member *members)
{
    json_t *properties = json_object(), *required = json_array();
    for (const struct member *m = members; m->name; m++) {
        json_object_set_new(properties, m->name,
                            member_schema(m, !m->required));
        if (m->required)
            json_array_append_new(required, json_string(m->name));
    }
    return json_pack("{s:s, s:o, s:o, s:b}", "type", "object", "required",
                     required, "properties", properties, "additionalProperties",
                     0);
}

static void add_plain(json_t *alternatives, const struct shape *shape)
{
    switch (shape->kind) {
    case SHAPE_TEXT:
        json_array_append_new(alternatives, text_schema(shape));
        return;
    case SHAPE_INTEGER:
        json_array_append_new(alternatives, whole_schema(shape));
        json_array_append_new(alternatives, pattern_schema("^[+-]?[0-9]+$"));
        return;
    case SHAPE_DURATION:
        json_array_append_new(alternatives,
                              pattern_schema("^[0-9]+(us|ms|s|m|h|d)$"));
        return;
    case SHAPE_BYTES:
        json_array_append_new(alternatives, whole_schema(shape));
        json_array_append_new(alternatives,
                              pattern_schema("^[0-9]+(B|KiB|MiB|GiB|TiB)?$"));
        return;
    case SHAPE_BOOLEAN: {
        static const char *const both[] = {"true", "false", NULL};
        json_array_append_new(alternatives, choice_schema(both));
        return;
    }
    default:
        CHECK(shape->kind == SHAPE_CHOICE);
        json_array_append_new(alternatives, choice_schema(shape->choices));
    }
}

static bool is_plain(const struct shape *shape)
{
    return shape->kind >= SHAPE_TEXT && shape->kind <= SHAPE_CHOICE;
}

static json_t *shape_schema(const struct shape *shape, bool may_be_null)
{
    if (shape->kind == SHAPE_ANY)
        return json_object();
    json_t *alternatives = json_array();
    bool variable = false;
    for (const struct shape *one = shape; one; one = one->or) {
        variable |= is_plain(one);
        if (one->kind == SHAPE_MEMBERS)
            json_array_append_new(alternatives, members_schema(one->members));
        else if (is_plain(one))
            add_plain(alternatives, one);
        else
            json_array_append_new(alternatives, many_schema(one));
    }
    if (variable)
        json_array_append_new(alternatives, reference("variable"));
    if (may_be_null)
        json_array_append_new(alternatives, json_pack("{s:s}", "type", "null"));
    if (json_array_size(alternatives) > 1)
        return json_pack("{s:o}", "anyOf", alternatives);
    json_t *only = json_incref(json_array_get(alternatives, 0));
    json_decref(alternatives);
    return only;
}

/* ---- a class of workers ---- */

static json_t *options_schema(unsigned class, json_t *required_of_worker)
{
    json_t *properties = json_object(), *required = json_array();
    const struct member *option;
    for (size_t i = 0; (option = shape_option(i)); i++) {
        if (!(option->classes & 1u << class))
            continue;
        json_object_set_new(properties, option->name,
                            member_schema(option, false));
        if (option->required & 1u << class)
            json_array_append_new(required, json_string(option->name));
    }
    bool needed = json_array_size(required) > 0;
    if (needed)
        json_array_append_new(required_of_worker, json_string("options"));
    json_t *schema = json_pack("{s:s, s:o, s:o, s:b}", "type", "object",
                               "required", required, "properties", properties,
                               "additionalProperties", 0);
    return needed
               ? schema
               : json_pack("{s:[o, {s:s}]}", "anyOf", schema, "type", "null");
}

/* Which ends a class must have, and which it must not. */
static void set_ends(enum worker_class class, json_t *properties,
                     json_t *required)
{
    bool source = worker_class_is_source(class), sink = class == CLASS_STORE;
    json_t *none = json_pack("{s:s, s:s}", "type", "null", "description",
                             source ? "a source has none" : "a store has none");
    if (source)
        json_object_set(properties, "input_queue", none);
    else
        json_array_append_new(required, json_string("input_queue"));
    if (sink)
        json_object_set(properties, "output_queues", none);
    else
        json_array_append_new(required, json_string("output_queues"));
    if (!sink)
        json_object_set_new(properties, "output_queues",
                            json_pack("{s:i}", "minItems", 1));
    json_decref(none);
}

static json_t *class_schema(enum worker_class class)
{
    json_t *properties = json_object(), *required = json_array();
    int fallback;
    bool needed = false;
    struct shape shape = shape_of_instances(class, &fallback);
    json_t *instances = shape_schema(&shape, true);
    json_object_set_new(instances, "default", json_integer(fallback));
    json_object_set_new(properties, "instances", instances);
    json_object_set_new(properties, "options", options_schema(class, required));
    bool takes = shape_of_input_values(class, &shape, &needed);
    json_object_set_new(properties, "input_values",
                        takes ? shape_schema(&shape, !needed)
                              : json_pack("{s:s}", "type", "null"));
    if (needed)
        json_array_append_new(required, json_string("input_values"));
    set_ends(class, properties, required);
    return json_pack("{s:o, s:o}", "required", required, "properties",
                     properties);
}

/* ---- workers ---- */

static json_t *class_names(void)
{
    json_t *names = json_array();
    for (int i = 0; i < N_CLASSES; i++)
        json_array_append_new(
            names, json_string(worker_class_name((enum worker_class)i)));
    return json_pack("{s:[{s:o}, o]}", "anyOf", "enum", names,
                     reference("variable"));
}

/* By its class, what else a worker must be like. */
static json_t *by_class(void)
{
    json_t *cases = json_array();
    for (int i = 0; i < N_CLASSES; i++) {
        const char *name = worker_class_name((enum worker_class)i);
        json_array_append_new(cases, json_pack("{s:{s:[s], s:{s:{s:s}}}, s:o}",
                                               "if", "required", "class",
                                               "properties", "class", "const",
                                               name, "then", reference(name)));
    }
    return json_pack("{s:{s:o}, s:o}", "properties", "class", class_names(),
                     "allOf", cases);
}

/* The pairs of location and class that stand for built-in workers. */
static json_t *older_pairs(void)
{
    json_t *pairs = json_array();
    const char *location, *class;
    for (size_t i = 0; shape_older_worker(i, &location, &class); i++)
        json_array_append_new(
            pairs, json_pack("{s:{s:{s:s}, s:{s:s}}}", "properties", "location",
                             "const", location, "class", "const", class));
    return json_pack("{s:o}", "anyOf", pairs);
}

static json_t *worker_schema(const struct member *members)
{
    json_t *schema = members_schema(members);
    json_object_set_new(schema, "if",
                        json_pack("{s:[s]}", "required", "location"));
    json_object_set_new(schema, "then", older_pairs());
    json_object_set_new(schema, "else", by_class());
    return schema;
}

/* ---- the whole ---- */

static json_t *definitions(void)
{
    json_t *all =
        json_pack("{s:{s:s, s:s, s:s}, s:o, s:o}", "variable", "type", "string",
                  "pattern", "\\$\\{", "description",
                  "${NAME} or ${NAME:-default}: the environment, then .env",
                  "worker", worker_schema(shape_of_worker), "older_worker",
                  worker_schema(shape_of_older_worker));
    for (int i = 0; i < N_CLASSES; i++)
        json_object_set_new(all, worker_class_name((enum worker_class)i),
                            class_schema((enum worker_class)i));
    return all;
}

/* `queue` and `worker` are what its lists hold. */
static json_t *file_schema(const struct member *queue, const char *worker)
{
    json_t *schema = members_schema(shape_of_file);
    json_t *properties = json_object_get(schema, "properties");
    json_object_set_new(json_object_get(properties, "queues"), "items",
                        members_schema(queue));
    json_object_set_new(json_object_get(properties, "workers"), "items",
                        reference(worker));
    return schema;
}

/* Without version, and with a worker that has a location. */
static json_t *is_older(void)
{
    return json_pack("{s:{s:[s]}, s:[s], s:{s:{s:{s:[s]}}}}", "not", "required",
                     "version", "required", "workers", "properties", "workers",
                     "contains", "required", "location");
}

json_t *schema_build(void)
{
    json_t *older = file_schema(shape_of_older_queue, "older_worker");
    json_object_set_new(older, "required",
                        json_pack("[s, s]", "queues", "workers"));
    return json_pack("{s:s, s:s, s:s, s:o, s:o, s:o, s:o}", "$schema", DRAFT,
                     "title", "Windrow pipeline", "$comment",
                     "printed by windrow schema, version " WINDROW_VERSION,
                     "if", is_older(), "then", older, "else",
                     file_schema(shape_of_queue, "worker"), "definitions",
                     definitions());
}
