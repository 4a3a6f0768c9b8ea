/*
 * pipeline_values.c: `value` of fields, `require` of fetchers, `where` of
 * rows.
 *
 * A value sees what was sent, and the values of fields above it that are
 * computed alone; a condition sees what is stored.
 */
#include "pipeline/loader.h"
#include "pipeline/spell.h"

void load_formula(struct loader *loader, const struct yaml_node *node,
                  const char *what, struct formula *ret)
{
    const char *text = load_text(loader, node, what);

    if (text)
        *ret = (struct formula){.text = text,
                                .line = node->line,
                                .column = node->column + !node->plain};
}

void read_require(struct loader *loader, struct worker *worker,
                  const struct yaml_node *node)
{
    if (node->kind != YAML_LIST || node->n_items > PIPELINE_REQUIRES_MAX) {
        complain(loader, node,
                 "option 'require' must be a list of at most %d conditions",
                 PIPELINE_REQUIRES_MAX);
        return;
    }
    worker->requires =
        load_alloc(loader, node->n_items + 1, sizeof *worker->requires);
    for (const struct yaml_node *n = node->first; worker->requires && n;
         n = n->next)
        load_formula(loader, n, "a condition",
                     &worker->requires[worker->n_requires++]);
}

/* In characters, from the formula's first one. */
static int column_of(const struct formula *formula, size_t at)
{
    int column = formula->column;

    for (size_t i = 0; i < at && formula->text[i]; i++)
        column += ((unsigned char)formula->text[i] & 0xc0) != 0x80;
    return column;
}

/* The nearest name that is known, as "; did you mean 'X'?". */
static const char *suggestion(struct loader *loader,
                              const struct expression_scope *scope,
                              const struct expression_problem *problem)
{
    const char *names[2 * PIPELINE_FIELDS_MAX];
    size_t n = 0;

    if (!problem->unknown)
        return "";
    if (!strcmp(problem->what, "function")) {
        for (; expression_functions[n]; n++)
            names[n] = expression_functions[n];
    } else {
        for (size_t i = 0; i < scope->n_element; i++)
            names[n++] = scope->element[i].name;
        for (size_t i = 0; i < scope->n_record; i++)
            names[n++] = scope->record[i].name;
    }
    const char *near = spell_nearest(problem->unknown, names, n);
    const char *text =
        near ? load_printf(loader, "; did you mean '%s'?", near) : "";
    return text ? text : "";
}

static bool parse_formula(struct loader *loader, struct formula *formula,
                          const struct expression_scope *scope)
{
    struct expression_problem problem;
    bool no_memory;

    if (!formula->text)
        return false;
    formula->expression = expression_parse(
        formula->text, scope, &loader->pipeline->arena, &problem, &no_memory);
    loader->out_of_memory |= no_memory;
    if (!formula->expression && !no_memory)
        complain_at(loader, formula->line, column_of(formula, problem.at),
                    "%s%s", problem.text, suggestion(loader, scope, &problem));
    return formula->expression;
}

static void parse_condition(struct loader *loader, struct formula *formula,
                            const struct expression_scope *scope)
{
    if (parse_formula(loader, formula, scope) &&
        formula->expression->type != FIELD_BOOLEAN)
        complain_at(loader, formula->line, formula->column,
                    "a condition is true or false, as in price > 0");
}

/* The values of `n` fields, in their order; `scope` has all but `own`. */
static void parse_fields(struct loader *loader, struct field *fields, size_t n,
                         struct expression_scope *scope)
{
    for (size_t i = 0; i < n; i++) {
        scope->own = i;
        if (!parse_formula(loader, &fields[i].value, scope))
            continue;
        fields[i].stored = (enum field_type)fields[i].value.expression->type;
        if (!fields[i].at)
            fields[i].type = fields[i].stored;
    }
}

void parse_values(struct loader *loader, struct worker *worker)
{
    struct expression_scope scope = {.record = worker->fields,
                                     .n_record = worker->n_fields};

    parse_fields(loader, worker->fields, worker->n_fields, &scope);
    scope.stored = true;
    for (size_t i = 0; i < worker->n_requires; i++)
        parse_condition(loader, &worker->requires[i], &scope);
    for (size_t i = 0; i < worker->n_sets; i++) {
        struct row_set *set = &worker->sets[i];
        scope.element = set->fields;
        scope.n_element = set->n_fields;
        scope.stored = false;
        parse_fields(loader, set->fields, set->n_fields, &scope);
        scope.stored = true;
        parse_condition(loader, &set->where, &scope);
    }
}
