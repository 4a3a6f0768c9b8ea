/*
 * fuzz_expression.c: any text as an expression, over fields of each type. What
 * is read has a type, and is computed: over an answer that the last byte
 * chooses; the result is of the type, or there is a reason.
 */
#include <stdint.h>
#include <stdlib.h>

#include "base/time_text.h"
#include "evaluate.h"
#include "extract_text.h"

static const struct field fields[] = {
    {.name = "n", .at = "/n", .type = FIELD_NUMBER},
    {.name = "i", .at = "/i", .type = FIELD_INTEGER, .stored = FIELD_INTEGER},
    {.name = "t", .at = "/t", .type = FIELD_TEXT, .stored = FIELD_TEXT},
    {.name = "b", .at = "/b", .type = FIELD_BOOLEAN, .stored = FIELD_BOOLEAN},
    {.name = "m", .at = "/m", .type = FIELD_TIME, .stored = FIELD_TIME},
};
#define N_FIELDS (sizeof fields / sizeof *fields)

static const char *const answers[][N_FIELDS] = {
    {"12.50", "-7", " a'B ", "true", "2026-08-07T20:00:01.250000Z"},
    {NULL, NULL, NULL, NULL, NULL},
    {"-1.5E-300", "0", "", "false", "0001-01-01T00:00:00.000000Z"},
    {"1e999", "99999999999999999999", "1,234", NULL,
     "9999-12-31T23:59:59.999999Z"},
};
#define N_ANSWERS (sizeof answers / sizeof *answers)

static void check(const struct expression *e, struct slice value)
{
    usec_t moment;
    if (!value.data)
        return;
    switch ((enum field_type)e->type) {
    case FIELD_NUMBER:
        CHECK(extract_text_is_number(value));
        break;
    case FIELD_INTEGER:
        CHECK(extract_text_is_integer(value));
        break;
    case FIELD_BOOLEAN:
        CHECK(slice_equal(value, slice_of("true")) ||
              slice_equal(value, slice_of("false")));
        break;
    case FIELD_TIME:
        CHECK(time_text_iso(value, &moment));
        break;
    case FIELD_TEXT:
        break;
    }
}

static void compute(const struct formula *formula, struct arena *arena)
{
    for (size_t a = 0; a < N_ANSWERS; a++) {
        struct slice record[N_FIELDS], value = {NULL, 0};
        struct extract_result result = {.reason = REASON_NONE};
        for (size_t i = 0; i < N_FIELDS; i++)
            record[i] = slice_of(answers[a][i]);
        const struct evaluate_values values = {.record = record,
                                               .n_record = N_FIELDS};
        if (evaluate(formula, &values, arena, &value, &result))
            check(formula->expression, value);
        else
            CHECK(result.reason != REASON_NONE && *result.detail);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = calloc(1, size + 1);
    CHECK(text);
    if (size)
        memcpy(text, data, size);
    struct arena arena = ARENA_EMPTY;
    struct expression_problem problem;
    bool no_memory;
    const struct expression_scope scope = {.record = fields,
                                           .n_record = N_FIELDS};
    struct formula formula = {.text = text,
                              .expression = expression_parse(
                                  text, &scope, &arena, &problem, &no_memory)};
    CHECK(!no_memory);
    if (formula.expression)
        compute(&formula, &arena);
    else
        CHECK(*problem.text && problem.at <= strlen(text));
    arena_free(&arena);
    free(text);
    return 0;
}
