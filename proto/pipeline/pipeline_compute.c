/*
 * pipeline_compute.c: `compute` of a field: one name, or a map of one name and
 * its number.
 */
#include "pipeline/loader.h"

const char *const compute_choices[] = {
    "last",  "first",  "min",    "max",        "sum",      "mean",
    "count", "change", "return", "volatility", "drawdown", NULL};

static const struct member with_number[] = {
    {.name = "sma",
     .shape = SHAPE_OF_NUMBER(SHAPE_INTEGER, 1, INDICATOR_SPAN_MAX),
     .help = "the mean of the last so many numbers"},
    {.name = "ema",
     .shape = SHAPE_OF_NUMBER(SHAPE_INTEGER, 1, INDICATOR_SPAN_MAX),
     .help = "the exponential moving average over so many numbers"},
    {.name = "percentile",
     .shape = SHAPE_OF_NUMBER(SHAPE_INTEGER, 1, 99),
     .help = "the number that so many per cent are below"},
    {0},
};
const struct shape compute_with_number = SHAPE_OF_MEMBERS(with_number);

bool indicator_has_number(enum indicator indicator)
{
    return indicator >= INDICATOR_SMA;
}

const char *indicator_name(enum indicator indicator)
{
    if (indicator_has_number(indicator))
        return with_number[indicator - INDICATOR_SMA].name;
    return indicator ? compute_choices[indicator - INDICATOR_LAST] : "";
}

/* Where `name` stands is `at`. INDICATOR_NONE after a complaint. */
static enum indicator find(struct loader *loader, const struct yaml_node *at,
                           const char *name)
{
    const char *names[INDICATOR_PERCENTILE];

    for (int i = INDICATOR_LAST; i <= INDICATOR_PERCENTILE; i++) {
        names[i - INDICATOR_LAST] = indicator_name((enum indicator)i);
        if (!strcmp(names[i - INDICATOR_LAST], name))
            return (enum indicator)i;
    }
    complain_unknown(loader, at, "indicator", NULL, name, names,
                     sizeof names / sizeof *names);
    return INDICATOR_NONE;
}

/* {sma: 50} */
static bool read_with_number(struct loader *loader,
                             const struct yaml_node *node, struct compute *ret)
{
    const struct yaml_node *n = node->first;

    if (node->n_items != 1) {
        complain(loader, node, "compute is one indicator, as in {sma: 50}");
        return false;
    }
    const char *name = n->key->text;
    enum indicator found = find(loader, n->key, name);
    if (!found)
        return false;
    if (!indicator_has_number(found)) {
        complain(loader, n->key, "%s takes no number: write compute: %s", name,
                 name);
        return false;
    }
    ret->indicator = found;
    return load_value(loader, n, name,
                      &with_number[found - INDICATOR_SMA].shape, &ret->n);
}

bool read_compute(struct loader *loader, const struct yaml_node *node,
                  struct field *field)
{
    if (node->kind == YAML_MAP)
        return read_with_number(loader, node, &field->compute);
    const char *name = load_text(loader, node, "compute");
    enum indicator found = name ? find(loader, node, name) : INDICATOR_NONE;
    if (indicator_has_number(found)) {
        complain(loader, node, "%s needs its number, as in compute: {%s: 50}",
                 name, name);
        return false;
    }
    field->compute.indicator = found;
    if (found == INDICATOR_COUNT)
        field->type = FIELD_INTEGER;
    return found;
}
