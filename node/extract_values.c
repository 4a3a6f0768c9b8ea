/* extract_values.c: see extract_values.h. */
#include "extract_values.h"

#include "extract_result.h"

bool extract_has_values(const struct worker *worker)
{
    for (size_t i = 0; i < worker->n_fields; i++)
        if (worker->fields[i].value.expression)
            return true;
    return worker->n_requires > 0;
}

/* What a field of its own value is, where it may not be null. */
static bool may_be(const struct field *field, struct slice value,
                   struct extract_result *result)
{
    if (value.data || (!field->required && !field->default_value))
        return true;
    return extract_fail(result, REASON_FIELD_NULL, "%s: null: %s", field->name,
                        field->value.text);
}

bool extract_values(const struct field *fields, size_t n,
                    const struct slice *record, size_t n_record,
                    struct slice *sent, struct slice *stored,
                    struct arena *arena, struct extract_result *result)
{
    const struct evaluate_values values = {
        .record = record ? record : sent,
        .n_record = record ? n_record : n,
        .element = record ? sent : NULL,
        .n_element = record ? n : 0,
    };
    for (size_t i = 0; i < n; i++) {
        const struct field *field = &fields[i];
        if (!field->value.expression) {
            stored[i] = sent[i];
            continue;
        }
        if (!evaluate(&field->value, &values, arena, &stored[i], result) ||
            !may_be(field, stored[i], result))
            return false;
        if (!field->at)
            sent[i] = stored[i];
    }
    return true;
}

bool extract_meets(const struct formula *formula,
                   const struct evaluate_values *values, struct arena *arena,
                   struct extract_result *result)
{
    struct slice met = {0};
    return evaluate(formula, values, arena, &met, result) && met.data &&
           slice_equal(met, slice_of("true"));
}

bool extract_requires(const struct worker *worker, const struct slice *stored,
                      struct arena *arena, struct extract_result *result)
{
    const struct evaluate_values values = {.record = stored,
                                           .n_record = worker->n_fields};
    for (size_t i = 0; i < worker->n_requires; i++) {
        const struct formula *formula = &worker->requires[i];
        if (extract_meets(formula, &values, arena, result))
            continue;
        return result->reason == REASON_NONE
                   ? extract_fail(result, REASON_REQUIRE, "not met: %s",
                                  formula->text)
                   : false;
    }
    return true;
}
