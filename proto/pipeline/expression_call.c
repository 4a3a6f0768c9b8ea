/*
 * expression_call.c: the functions of expressions: their names, what they
 * want, and the type of what they give.
 */
#include "pipeline/expression_parser.h"

const char *const expression_functions[FUNCTION_COUNT + 1] = {
    [FUNCTION_ABS] = "abs",         [FUNCTION_COALESCE] = "coalesce",
    [FUNCTION_CONCAT] = "concat",   [FUNCTION_DATE] = "date",
    [FUNCTION_DIVIDE] = "divide",   [FUNCTION_IF] = "if",
    [FUNCTION_LOWER] = "lower",     [FUNCTION_NUMBER] = "number",
    [FUNCTION_REPLACE] = "replace", [FUNCTION_ROUND] = "round",
    [FUNCTION_TEXT] = "text",       [FUNCTION_TIME] = "time",
    [FUNCTION_TRIM] = "trim",       [FUNCTION_UNIX] = "unix",
    [FUNCTION_UPPER] = "upper",     NULL};

const char *const expression_roundings[] = {[ROUND_HALF_EVEN] = "half_even",
                                            [ROUND_HALF_UP] = "half_up",
                                            [ROUND_DOWN] = "down",
                                            [ROUND_UP] = "up",
                                            [ROUND_FLOOR] = "floor",
                                            [ROUND_CEILING] = "ceiling",
                                            NULL};

/* How a function is called. A letter an argument: n number, t text, c
 * condition, m time, a anything, p places, r a rounding, s the type of the
 * first such; what may be left out stands behind '?', and '*' repeats the last
 * letter. The type it gives, 's' for that of its arguments. */
static const struct {
    const char *args;
    char gives;
    const char *like;
} calls[FUNCTION_COUNT] = {
    [FUNCTION_ABS] = {"n", 's', "abs(NUMBER)"},
    [FUNCTION_COALESCE] = {"ss*", 's', "coalesce(A, B, ...), of one type"},
    [FUNCTION_CONCAT] = {"tt*", 't', "concat(TEXT, TEXT, ...)"},
    [FUNCTION_DATE] = {"m", 't', "date(TIME)"},
    [FUNCTION_DIVIDE] = {"nnp?r", 'n',
                         "divide(NUMBER, NUMBER, PLACES, "
                         "'half_even')"},
    [FUNCTION_IF] = {"css", 's', "if(CONDITION, A, B), A and B of one type"},
    [FUNCTION_LOWER] = {"t", 't', "lower(TEXT)"},
    [FUNCTION_NUMBER] = {"t", 'n', "number(TEXT)"},
    [FUNCTION_REPLACE] = {"ttt", 't', "replace(TEXT, FROM, TO)"},
    [FUNCTION_ROUND] = {"np?r", 'n', "round(NUMBER, PLACES, 'half_even')"},
    [FUNCTION_TEXT] = {"a", 't', "text(ANY)"},
    [FUNCTION_TIME] = {"t", 'm', "time(TEXT), in ISO 8601"},
    [FUNCTION_TRIM] = {"t", 't', "trim(TEXT)"},
    [FUNCTION_UNIX] = {"m", 'n', "unix(TIME)"},
    [FUNCTION_UPPER] = {"t", 't', "upper(TEXT)"},
};

const char *expression_type_name(const struct expression *e)
{
    static const char *const names[] = {[FIELD_NUMBER] = "a number",
                                        [FIELD_INTEGER] = "a number",
                                        [FIELD_TEXT] = "a text",
                                        [FIELD_BOOLEAN] = "a condition",
                                        [FIELD_TIME] = "a time"};
    return e->op == OP_NULL ? "null" : names[e->type];
}

enum expression_function expression_function_of(const char *name)
{
    for (int i = 0; i < FUNCTION_COUNT; i++)
        if (!strcmp(expression_functions[i], name))
            return (enum expression_function)i;
    return FUNCTION_COUNT;
}

/* "places" is a whole number in the file, and "rounding" a text. */
static bool set_places(struct parser *p, size_t at, struct expression *call,
                       const struct expression *e)
{
    int places = 0;
    if (e->op == OP_LITERAL && e->type == FIELD_INTEGER && e->text.len <= 3)
        for (size_t i = 0; i < e->text.len; i++)
            places = places * 10 + (e->text.data[i] - '0');
    else
        places = EXPRESSION_PLACES_MAX + 1;
    call->places = places;
    return places <= EXPRESSION_PLACES_MAX ||
           expression_fail(p, at, "how many places is a number from 0 to %d",
                           EXPRESSION_PLACES_MAX);
}

static bool set_rounding(struct parser *p, size_t at, struct expression *call,
                         const struct expression *e)
{
    for (int i = 0; e->op == OP_LITERAL && expression_roundings[i]; i++)
        if (slice_equal(e->text, slice_of(expression_roundings[i]))) {
            call->rounding = (enum rounding)i;
            return true;
        }
    return expression_fail(p, at,
                           "no rounding: 'half_even', 'half_up', 'down', "
                           "'up', 'floor' or 'ceiling' is allowed");
}

/* The type of the arguments that share one; a null has none. */
static void share_type(struct expression *call, const struct expression *e)
{
    if (e->op == OP_NULL)
        return;
    bool first = call->op == OP_NULL;
    call->op = OP_CALL;
    if (first)
        call->type = e->type;
    else if (call->type != e->type) /* an integer and a number */
        call->type = FIELD_NUMBER;
}

static bool is_fit(const struct expression *call, char letter,
                   const struct expression *e)
{
    switch (letter) {
    case 'n':
        return expression_is_number(e);
    case 't':
        return e->op == OP_NULL || e->type == FIELD_TEXT;
    case 'c':
        return expression_is_boolean(e);
    case 'm':
        return e->op == OP_NULL || e->type == FIELD_TIME;
    case 's':
        return expression_same_type(call, e);
    default:
        return true;
    }
}

/* One argument, which stands at `at`. */
static bool add(struct parser *p, struct expression *call, char letter,
                size_t at, struct expression *e)
{
    if (letter == 'p')
        return set_places(p, at, call, e);
    if (letter == 'r')
        return set_rounding(p, at, call, e);
    if (!is_fit(call, letter, e))
        return expression_fail(p, at, "%s is not what is wanted here: %s",
                               expression_type_name(e),
                               calls[call->function].like);
    if (letter == 's' || calls[call->function].gives == 's')
        if (letter != 'c')
            share_type(call, e);
    call->args[call->n_args++] = e;
    return true;
}

static enum field_type given_type(const struct expression *call)
{
    switch (calls[call->function].gives) {
    case 'n':
        return FIELD_NUMBER;
    case 't':
        return FIELD_TEXT;
    case 'm':
        return FIELD_TIME;
    default:
        return (enum field_type)call->type;
    }
}

struct expression *expression_parse_call(struct parser *p, size_t at,
                                         enum expression_function function)
{
    const char *letter = calls[function].args;
    struct expression *call =
        expression_make(p, OP_NULL, FIELD_NUMBER, EXPRESSION_ARGS_MAX);
    if (!call)
        return NULL;
    call->function = function;
    call->n_args = 0;
    do {
        letter += *letter == '?';
        const char *wanted = *letter == '*' ? letter - 1 : letter;
        expression_skip(p);
        size_t here = p->at;
        if (!*wanted || call->n_args >= EXPRESSION_ARGS_MAX)
            return expression_fail(p, here, "too many arguments: %s",
                                   calls[function].like);
        struct expression *e = expression_parse_or(p);
        if (!e || !add(p, call, *wanted, here, e))
            return NULL;
        letter += *letter != '*';
    } while (expression_take(p, ","));
    if (!expression_want(p, ")"))
        return NULL;
    if (*letter && *letter != '?' && *letter != '*')
        return expression_fail(p, at, "arguments are missing: %s",
                               calls[function].like);
    if (call->op == OP_NULL && calls[function].gives == 's')
        return expression_fail(p, at, "all of its values are null");
    call->op = OP_CALL;
    call->type = (int)given_type(call);
    return call;
}
