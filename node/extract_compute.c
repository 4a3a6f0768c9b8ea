/*
 * extract_compute.c: see extract_compute.h.
 *
 * What the array holds was read once, however many fields compute over it.
 * An array with too few numbers for an indicator (empty, of nulls, or shorter
 * than its span) is as good as none: such a field is null.
 */
#include "extract_compute.h"

#include <stdlib.h>

#include "indicators.h"

struct extract_compute {
    const struct worker *worker;
    const struct extract_json *json;
    double *scratch;
    size_t room;                        /* of scratch */
    char texts[][EXTRACT_NUMBER_BYTES]; /* by field */
};

struct extract_compute *extract_compute_new(const struct worker *worker,
                                            struct extract_json *json)
{
    struct extract_compute *compute =
        calloc(1, sizeof *compute + worker->n_fields * EXTRACT_NUMBER_BYTES);
    if (!compute)
        return NULL;
    compute->worker = worker;
    compute->json = json;
    for (size_t i = 0; i < worker->n_fields; i++)
        if (worker->fields[i].compute.indicator &&
            !extract_json_keep_numbers(json, i)) {
            extract_compute_free(&compute);
            return NULL;
        }
    return compute;
}

void extract_compute_free(struct extract_compute **compute)
{
    if (*compute)
        free((*compute)->scratch);
    free(*compute);
    *compute = NULL;
}

static bool make_room(struct extract_compute *compute, size_t n)
{
    if (n <= compute->room)
        return true;
    double *scratch = realloc(compute->scratch, n * sizeof *scratch);
    if (!scratch)
        return false;
    compute->scratch = scratch;
    compute->room = n;
    return true;
}

static bool are_good(const struct extract_numbers *numbers,
                     const struct field *field, struct extract_result *result)
{
    if (numbers->odd == EXTRACT_NUMBER)
        return extract_fail(result, REASON_FIELD_TYPE,
                            "%s/%zu: a number that no double holds", field->at,
                            numbers->odd_at);
    if (numbers->odd)
        return extract_fail(result, REASON_FIELD_TYPE,
                            "%s/%zu: %s where a number or null is wanted",
                            field->at, numbers->odd_at,
                            extract_kind_name(numbers->odd));
    if (numbers->more)
        return extract_fail(result, REASON_TOO_LARGE,
                            "%s: more than %d numbers", field->at,
                            EXTRACT_NUMBERS_MAX);
    return true;
}

static bool too_few(const struct extract_numbers *numbers,
                    const struct field *field, struct slice *ret,
                    struct extract_result *result)
{
    if (extract_instead(field, REASON_FIELD_NULL, ret, result))
        return true;
    return extract_fail(result, REASON_FIELD_NULL,
                        "%s: %zu numbers, too few for %s", field->at,
                        numbers->n, indicator_name(field->compute.indicator));
}

static bool computed(struct extract_compute *compute, size_t i,
                     const struct extract_numbers *numbers, struct slice *ret,
                     struct extract_result *result)
{
    const struct field *field = &compute->worker->fields[i];
    double figure = 0;
    if (!make_room(compute, numbers->n))
        return extract_fail(result, REASON_INTERNAL, "out of memory");
    switch (indicators_compute(field->compute, numbers->values, numbers->n,
                               compute->scratch, &figure)) {
    case INDICATOR_DONE:
        break;
    case INDICATOR_TOO_FEW:
        return too_few(numbers, field, ret, result);
    case INDICATOR_NOT_ABOVE_ZERO:
        return extract_fail(result, REASON_FIELD_TYPE,
                            "%s: %s needs numbers above 0", field->at,
                            indicator_name(field->compute.indicator));
    case INDICATOR_NOT_FINITE:
        return extract_fail(result, REASON_FIELD_TYPE,
                            "%s: %s is beyond what a double holds", field->at,
                            indicator_name(field->compute.indicator));
    }
    size_t len = extract_json_print(figure, compute->texts[i]);
    *ret = (struct slice){compute->texts[i], len};
    return true;
}

bool extract_compute_field(struct extract_compute *compute, size_t i,
                           struct slice *ret, struct extract_result *result)
{
    const struct field *field = &compute->worker->fields[i];
    const struct extract_numbers *numbers =
        extract_json_numbers(compute->json, i);
    enum indicator indicator = field->compute.indicator;
    if (!are_good(numbers, field, result))
        return false;
    if (!indicators_is_pick(indicator))
        return computed(compute, i, numbers, ret, result);
    if (!numbers->n)
        return too_few(numbers, field, ret, result);
    *ret =
        numbers->texts[indicators_pick(indicator, numbers->values, numbers->n)];
    return extract_storable(field, *ret, result);
}
