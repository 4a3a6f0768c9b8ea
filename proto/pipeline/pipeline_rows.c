/*
 * pipeline_rows.c: `rows` of an http_json: several rows out of one answer.
 *
 *   bars: {at: /chart/result/0, zip: {time: /timestamp, close: /close}}
 *   splits: {each: /items, fields: {date: /date, ratio: /ratio}}
 *
 * A zip's pointers are put behind its `at` here, so that nobody after has to
 * know of it.
 */
#include "pipeline/loader.h"

static const char *const length_names[] = {[LENGTHS_EQUAL] = "equal",
                                           [LENGTHS_LONGEST] = "longest",
                                           [LENGTHS_SHORTEST] = "shortest",
                                           NULL};

#define FIELDS                                                                 \
    SHAPE_OF_MANY(SHAPE_MAP, 1, PIPELINE_FIELDS_MAX, &json_field_shape)
#define POINTER SHAPE_OF_PATTERN(SHAPE_POINTER_PATTERN)

static const struct member set_members[] = {
    {.name = "at",
     .shape = POINTER,
     .fallback = "\"\"",
     .help = "where the pointers of zip begin"},
    {.name = "each",
     .shape = POINTER,
     .help = "the array, or object, of which each element is a row"},
    {.name = "fields",
     .shape = FIELDS,
     .help = "with each: pointers that begin at an element"},
    {.name = "lengths",
     .shape = SHAPE_OF_CHOICE(length_names),
     .fallback = "equal",
     .help = "with zip: how many rows arrays of unequal length make"},
    {.name = "required",
     .shape = {.kind = SHAPE_BOOLEAN},
     .fallback = "true",
     .help = "whether its absence fails the key"},
    {.name = "where",
     .shape = SHAPE_OF_TEXT,
     .help = "a condition; rows that do not meet it are left out"},
    {.name = "zip",
     .shape = FIELDS,
     .help = "arrays side by side: their first elements are the first row"},
    {0},
};
const struct shape row_set_shape = SHAPE_OF_MEMBERS(set_members);

static void parse_lengths(struct loader *loader, struct row_set *set,
                          const struct yaml_node *node)
{
    const char *name = load_text(loader, node, "lengths");

    for (int i = 0; name && length_names[i]; i++)
        if (!strcmp(length_names[i], name)) {
            set->lengths = (enum row_lengths)i;
            return;
        }
    if (name)
        complain_unknown(loader, node, "lengths", NULL, name, length_names, 3);
}

/* Arrays side by side. */
static void parse_zip(struct loader *loader, const struct worker *worker,
                      struct row_set *set, const struct yaml_node *node,
                      const struct yaml_node *zip)
{
    const struct yaml_node *at = yaml_get(node, "at");
    const struct yaml_node *lengths = yaml_get(node, "lengths");
    const struct yaml_node *fields = yaml_get(node, "fields");
    const char *base = at ? load_pointer(loader, at, "at") : "";

    set->zip = true;
    if (fields)
        complain(loader, fields->key,
                 "fields go with 'each'; those of a zip "
                 "stand in it");
    load_fields(loader, worker, zip, "zip", false, &set->fields,
                &set->n_fields);
    for (size_t i = 0; i < set->n_fields && *base; i++) {
        struct field *field = &set->fields[i];
        const char *whole =
            field->at ? load_printf(loader, "%s%s", base, field->at) : NULL;
        if (whole)
            field->at = whole;
    }
    if (lengths)
        parse_lengths(loader, set, lengths);
}

/* The elements of one array. */
static void parse_each(struct loader *loader, const struct worker *worker,
                       struct row_set *set, const struct yaml_node *node,
                       const struct yaml_node *each)
{
    static const char *const of_zip[] = {"at", "lengths"};
    const struct yaml_node *fields = yaml_get(node, "fields");

    set->each = load_pointer(loader, each, "each");
    for (size_t i = 0; i < 2; i++) {
        const struct yaml_node *other = yaml_get(node, of_zip[i]);
        if (other)
            complain(loader, other->key, "%s goes with 'zip', not with 'each'",
                     of_zip[i]);
    }
    if (fields)
        load_fields(loader, worker, fields, "fields", false, &set->fields,
                    &set->n_fields);
    else
        complain(loader, node,
                 "'each' needs 'fields': pointers that begin at an element");
}

/* An indicator is of a record: what it computes over is an array. */
static void refuse_compute(struct loader *loader, const struct row_set *set,
                           const struct yaml_node *node)
{
    for (size_t i = 0; i < set->n_fields; i++)
        if (set->fields[i].compute.indicator)
            complain(loader, node,
                     "field '%s': compute is for a field of 'fields', not for "
                     "one of rows",
                     set->fields[i].name);
}

static bool has_place(const struct row_set *set)
{
    for (size_t i = 0; i < set->n_fields; i++)
        if (set->fields[i].at)
            return true;
    return false;
}

static void parse_set(struct loader *loader, const struct worker *worker,
                      struct row_set *set, const struct yaml_node *node)
{
    const struct yaml_node *each = yaml_get(node, "each");
    const struct yaml_node *zip = yaml_get(node, "zip");
    const struct yaml_node *required = yaml_get(node, "required");
    const struct yaml_node *where = yaml_get(node, "where");

    load_check_keys(loader, node, "rows", set_members);
    if (!each == !zip)
        complain(loader, node,
                 "rows '%s' need one of 'each' (the elements of an array) and "
                 "'zip' (arrays side by side)",
                 set->name);
    else if (zip)
        parse_zip(loader, worker, set, node, zip);
    else
        parse_each(loader, worker, set, node, each);
    refuse_compute(loader, set, node);
    if (set->n_fields && !has_place(set))
        complain(loader, node,
                 "rows '%s' need a field with a place in the answer",
                 set->name);
    if (required)
        load_boolean(loader, required, "required", &set->required);
    if (where)
        load_formula(loader, where, "where", &set->where);
}

void read_rows(struct loader *loader, struct worker *worker,
               const struct yaml_node *node)
{
    if (!load_map(loader, node, "option 'rows'", PIPELINE_ROW_SETS_MAX))
        return;
    if (!node->n_items)
        complain(loader, node, "option 'rows' is empty");
    worker->sets = load_alloc(loader, node->n_items, sizeof *worker->sets);
    if (!worker->sets)
        return;
    for (const struct yaml_node *n = node->first; n; n = n->next) {
        struct row_set *set = &worker->sets[worker->n_sets++];
        *set = (struct row_set){
            .name = n->key->text, .each = "", .required = true};
        const char *what = load_printf(loader, "rows '%s'", set->name);
        if (!load_name_is_good(set->name))
            complain(loader, n->key, "'%s' is no name of rows",
                     shown(set->name).text);
        if (what && load_map(loader, n, what, YAML_ITEMS_MAX))
            parse_set(loader, worker, set, n);
    }
}
