/*
 * expression_condition.c: the lower levels of expressions: comparisons, and
 * what joins them.
 */
#include "pipeline/expression_parser.h"

bool expression_same_type(const struct expression *a,
                          const struct expression *b)
{
    return a->op == OP_NULL || b->op == OP_NULL || a->type == b->type ||
           (expression_is_number(a) && expression_is_number(b));
}

static struct expression *compare(struct parser *p, size_t at,
                                  enum expression_op op, struct expression *a)
{
    struct expression *b = expression_parse_sum(p);
    if (!b)
        return NULL;
    if (a->op == OP_NULL || b->op == OP_NULL)
        return expression_fail(p, at,
                               "nothing equals null: say 'is null' or "
                               "'is not null'");
    if (!expression_same_type(a, b))
        return expression_fail(p, at, "%s can't be compared with %s",
                               expression_type_name(a),
                               expression_type_name(b));
    if (a->type == FIELD_BOOLEAN && op != OP_EQUAL && op != OP_UNEQUAL)
        return expression_fail(p, at, "booleans have no order");
    return expression_make_two(p, op, FIELD_BOOLEAN, a, b);
}

static struct expression *parse_in(struct parser *p, struct expression *a)
{
    struct expression *args[EXPRESSION_ARGS_MAX + 1] = {a};
    size_t n = 1;
    if (!expression_want(p, "("))
        return NULL;
    do {
        expression_skip(p);
        size_t at = p->at;
        if (n > EXPRESSION_ARGS_MAX)
            return expression_fail(p, at, "more than %d values",
                                   EXPRESSION_ARGS_MAX);
        struct expression *e = expression_parse_sum(p);
        if (!e)
            return NULL;
        if (e->op == OP_NULL || !expression_same_type(a, e))
            return expression_fail(p, at, "%s can't be compared with %s",
                                   expression_type_name(a),
                                   expression_type_name(e));
        args[n++] = e;
    } while (expression_take(p, ","));
    if (!expression_want(p, ")"))
        return NULL;
    struct expression *e = expression_make(p, OP_IN, FIELD_BOOLEAN, n);
    if (e)
        memcpy(e->args, args, n * sizeof *args);
    return e;
}

static struct expression *negated(struct parser *p, struct expression *e)
{
    return e ? expression_make_one(p, OP_NOT, FIELD_BOOLEAN, e) : NULL;
}

static struct expression *parse_comparison(struct parser *p)
{
    static const struct {
        const char *sign;
        enum expression_op op;
    } signs[] = {{"==", OP_EQUAL},      {"!=", OP_UNEQUAL},
                 {"<=", OP_LESS_EQUAL}, {">=", OP_MORE_EQUAL},
                 {"<", OP_LESS},        {">", OP_MORE}};
    struct expression *e = expression_parse_sum(p);
    if (!e)
        return NULL;
    expression_skip(p);
    size_t at = p->at;
    for (size_t i = 0; i < sizeof signs / sizeof *signs; i++)
        if (expression_take(p, signs[i].sign))
            return compare(p, at, signs[i].op, e);
    if (p->text[at] == '=')
        return expression_fail(p, at, "'==' compares");
    if (expression_take(p, "is")) {
        bool not = expression_take(p, "not");
        if (!expression_want(p, "null"))
            return NULL;
        e = expression_make_one(p, OP_IS_NULL, FIELD_BOOLEAN, e);
        return not ? negated(p, e) : e;
    }
    if (expression_take(p, "in"))
        return parse_in(p, e);
    if (expression_take(p, "not"))
        return expression_want(p, "in") ? negated(p, parse_in(p, e)) : NULL;
    return e;
}

bool expression_is_boolean(const struct expression *e)
{
    return e->op == OP_NULL || e->type == FIELD_BOOLEAN;
}

static struct expression *parse_not(struct parser *p)
{
    expression_skip(p);
    size_t at = p->at;
    if (!expression_take(p, "not"))
        return parse_comparison(p);
    if (p->depth++ >= EXPRESSION_DEPTH_MAX)
        return expression_fail(p, at, "nested too deeply");
    struct expression *e = parse_not(p);
    p->depth--;
    if (e && !expression_is_boolean(e))
        return expression_fail(p, at, "'not' is for conditions");
    return negated(p, e);
}

/* Conditions of the next higher level, joined by `word`. */
static struct expression *
parse_joined(struct parser *p, struct expression *(*operand)(struct parser *p),
             const char *word, enum expression_op op)
{
    struct expression *e = operand(p);
    for (;;) {
        expression_skip(p);
        size_t at = p->at;
        if (!e || !expression_take(p, word))
            return e;
        struct expression *b = operand(p);
        if (b && (!expression_is_boolean(e) || !expression_is_boolean(b)))
            return expression_fail(p, at, "'%s' is for conditions", word);
        e = b ? expression_make_two(p, op, FIELD_BOOLEAN, e, b) : NULL;
    }
}

static struct expression *parse_and(struct parser *p)
{
    return parse_joined(p, parse_not, "and", OP_AND);
}

struct expression *expression_parse_or(struct parser *p)
{
    expression_skip(p);
    if (p->depth++ >= EXPRESSION_DEPTH_MAX)
        return expression_fail(p, p->at, "nested too deeply");
    struct expression *e = parse_joined(p, parse_and, "or", OP_OR);
    p->depth--;
    return e;
}
