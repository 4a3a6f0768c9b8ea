/*
 * expression.c: reads expressions. See expression.h.
 *
 * By recursive descent, one function for each level of precedence; each gives
 * an expression that has its type already, or NULL with the first problem
 * kept. Here are the levels from literals to sums; conditions are in
 * expression_condition.c, functions in expression_call.c.
 */
#include "pipeline/expression_parser.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

/* Problems and memory */

void *expression_fail(struct parser *p, size_t at, const char *format, ...)
{
    if (p->failed)
        return NULL;
    va_list args;
    va_start(args, format);
    vsnprintf(p->problem->text, sizeof p->problem->text, format, args);
    va_end(args);
    p->problem->at = at;
    p->failed = true;
    return NULL;
}

static void *unknown(struct parser *p, size_t at, const char *what,
                     const char *name)
{
    if (!p->failed) {
        p->problem->unknown = name;
        p->problem->what = what;
    }
    return expression_fail(p, at, "unknown %s '%s'", what, name);
}

static void *no_memory(struct parser *p)
{
    p->no_memory = p->failed = true;
    return NULL;
}

struct expression *expression_make(struct parser *p, enum expression_op op,
                                   enum field_type type, size_t n_args)
{
    struct expression *e = arena_alloc(p->arena, sizeof *e);
    struct expression **args =
        arena_alloc(p->arena, (n_args + 1) * sizeof *args);
    if (!e || !args)
        return no_memory(p);
    *e = (struct expression){
        .op = op, .type = (int)type, .args = args, .n_args = n_args};
    return e;
}

struct expression *expression_make_two(struct parser *p, enum expression_op op,
                                       enum field_type type,
                                       struct expression *a,
                                       struct expression *b)
{
    struct expression *e = expression_make(p, op, type, 2);
    if (e) {
        e->args[0] = a;
        e->args[1] = b;
    }
    return e;
}

struct expression *expression_make_one(struct parser *p, enum expression_op op,
                                       enum field_type type,
                                       struct expression *a)
{
    struct expression *e = expression_make(p, op, type, 1);
    if (e)
        e->args[0] = a;
    return e;
}

/* Tokens */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* What names begin with, and beyond ASCII all. */
static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           (unsigned char)c >= 0x80;
}

void expression_skip(struct parser *p)
{
    p->at += strspn(p->text + p->at, " \t\n");
}

bool expression_take(struct parser *p, const char *sign)
{
    expression_skip(p);
    size_t len = strlen(sign);
    const char *here = p->text + p->at;
    if (strncmp(here, sign, len) != 0)
        return false;
    if (is_letter(*sign) && (is_letter(here[len]) || is_digit(here[len])))
        return false;
    p->at += len;
    return true;
}

bool expression_want(struct parser *p, const char *sign)
{
    if (expression_take(p, sign))
        return true;
    expression_fail(p, p->at, "'%s' is wanted here", sign);
    return false;
}

/* A text up to its quote, which is written twice inside. */
static const char *take_quoted(struct parser *p, char quote, size_t *ret_len)
{
    size_t begin = p->at++, n = 0;
    char *copy = arena_alloc(p->arena, strlen(p->text + p->at) + 1);
    if (!copy)
        return no_memory(p);
    for (;;) {
        char c = p->text[p->at];
        if (!c)
            return expression_fail(p, begin, "a quote that is not closed");
        p->at++;
        if (c == quote && p->text[p->at] != quote)
            break;
        p->at += c == quote;
        copy[n++] = c;
    }
    *ret_len = n;
    return copy;
}

static const char *take_name(struct parser *p)
{
    size_t n = 0, len;
    if (p->text[p->at] == '"')
        return take_quoted(p, '"', &len);
    const char *here = p->text + p->at;
    while (is_letter(here[n]) || is_digit(here[n]))
        n++;
    p->at += n;
    const char *name = arena_copy(p->arena, here, n);
    return name ? name : no_memory(p);
}

/* Literals and names */

static struct expression *parse_number(struct parser *p)
{
    const char *here = p->text + p->at;
    size_t n = strspn(here, "0123456789");
    enum field_type type = FIELD_INTEGER;
    if (here[n] == '.' && is_digit(here[n + 1])) {
        n += 1 + strspn(here + n + 1, "0123456789");
        type = FIELD_NUMBER;
    }
    if ((n > 1 && here[0] == '0' && is_digit(here[1])) || is_letter(here[n]) ||
        here[n] == '.')
        return expression_fail(p, p->at, "no number: 12 or 12.50 is allowed");
    struct expression *e = expression_make(p, OP_LITERAL, type, 0);
    if (e)
        e->text = (struct slice){here, n};
    p->at += n;
    return e;
}

static struct expression *parse_text(struct parser *p)
{
    size_t len;
    const char *text = take_quoted(p, '\'', &len);
    struct expression *e =
        text ? expression_make(p, OP_LITERAL, FIELD_TEXT, 0) : NULL;
    if (e)
        e->text = (struct slice){text, len};
    return e;
}

/* A name of one of the lists; *ret is false where it is not in it. */
static struct expression *field_of(struct parser *p, size_t at,
                                   const char *name, enum expression_op op,
                                   const struct field *fields, size_t n,
                                   bool innermost)
{
    for (size_t i = 0; i < n; i++) {
        const struct field *field = &fields[i];
        if (strcmp(field->name, name) != 0)
            continue;
        if (innermost && !p->scope->stored && !field->at && i >= p->scope->own)
            return expression_fail(p, at,
                                   "'%s' is not known yet: a value may use "
                                   "computed fields that stand above it",
                                   name);
        struct expression *e = expression_make(
            p, op, p->scope->stored ? field->stored : field->type, 0);
        if (e)
            e->index = i;
        return e;
    }
    return NULL;
}

static struct expression *parse_name(struct parser *p)
{
    const struct expression_scope *scope = p->scope;
    size_t at = p->at;
    bool quoted = p->text[at] == '"';
    const char *name = take_name(p);
    if (!name)
        return NULL;
    expression_skip(p);
    if (!quoted && p->text[p->at] == '(') {
        enum expression_function function = expression_function_of(name);
        if (function == FUNCTION_COUNT)
            return unknown(p, at, "function", name);
        p->at++;
        return expression_parse_call(p, at, function);
    }
    struct expression *e = NULL;
    if (scope->element)
        e = field_of(p, at, name, OP_ELEMENT, scope->element, scope->n_element,
                     true);
    if (!e && !p->failed)
        e = field_of(p, at, name, OP_FIELD, scope->record, scope->n_record,
                     !scope->element);
    return e || p->failed ? e : unknown(p, at, "field", name);
}

static struct expression *parse_boolean(struct parser *p, const char *text)
{
    struct expression *e = expression_make(p, OP_LITERAL, FIELD_BOOLEAN, 0);
    if (e)
        e->text = slice_of(text);
    return e;
}

static struct expression *parse_primary(struct parser *p)
{
    expression_skip(p);
    char c = p->text[p->at];
    if (is_digit(c))
        return parse_number(p);
    if (c == '\'')
        return parse_text(p);
    if (expression_take(p, "true"))
        return parse_boolean(p, "true");
    if (expression_take(p, "false"))
        return parse_boolean(p, "false");
    if (expression_take(p, "null"))
        return expression_make(p, OP_NULL, FIELD_NUMBER, 0);
    if (expression_take(p, "(")) {
        struct expression *e = expression_parse_or(p);
        return e && expression_want(p, ")") ? e : NULL;
    }
    if (is_letter(c) || c == '"')
        return parse_name(p);
    if (!c)
        return expression_fail(p, p->at, "a value is wanted at the end");
    return expression_fail(p, p->at, "a value is wanted here, not '%c'", c);
}

/* Numbers */

bool expression_is_number(const struct expression *e)
{
    return e->op == OP_NULL || e->type == FIELD_NUMBER ||
           e->type == FIELD_INTEGER;
}

static struct expression *parse_unary(struct parser *p)
{
    expression_skip(p);
    size_t at = p->at;
    if (!expression_take(p, "-"))
        return parse_primary(p);
    if (p->depth++ >= EXPRESSION_DEPTH_MAX)
        return expression_fail(p, at, "nested too deeply");
    struct expression *e = parse_unary(p);
    p->depth--;
    if (e && !expression_is_number(e))
        return expression_fail(p, at, "'-' is for numbers");
    return e ? expression_make_one(p, OP_NEGATE, (enum field_type)e->type, e)
             : NULL;
}

/* Whether 1 / `text` is a finite decimal. */
static bool divides(struct slice text)
{
    uint64_t value = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] == '.')
            continue;
        if (value > UINT64_MAX / 10 - 1)
            return false;
        value = value * 10 + (uint64_t)(text.data[i] - '0');
    }
    while (value && value % 2 == 0)
        value /= 2;
    while (value && value % 5 == 0)
        value /= 5;
    return value == 1;
}

static struct expression *make_arithmetic(struct parser *p, size_t at,
                                          enum expression_op op,
                                          struct expression *a,
                                          struct expression *b)
{
    if (!expression_is_number(a) || !expression_is_number(b))
        return expression_fail(p, at, "'%c' is for numbers", p->text[at]);
    if (op == OP_DIVIDE && (b->op != OP_LITERAL || !divides(b->text)))
        return expression_fail(
            p, at,
            "'/' is for numbers in the file that leave a finite decimal, as "
            "100 or 8; for others divide(a, b, PLACES) says where to round");
    bool whole =
        op != OP_DIVIDE && a->type == FIELD_INTEGER && b->type == FIELD_INTEGER;
    return expression_make_two(p, op, whole ? FIELD_INTEGER : FIELD_NUMBER, a,
                               b);
}

/* Operands of the next higher level, joined from left to right by the first or
 * the second of `signs`, which stand for `ops`. */
static struct expression *
parse_level(struct parser *p, struct expression *(*operand)(struct parser *p),
            const char signs[2], const enum expression_op ops[2])
{
    struct expression *e = operand(p);
    for (;;) {
        expression_skip(p);
        size_t at = p->at;
        char c = e ? p->text[at] : '\0';
        if (!c || (c != signs[0] && c != signs[1]))
            return e;
        p->at++;
        struct expression *b = operand(p);
        e = b ? make_arithmetic(p, at, ops[c == signs[1]], e, b) : NULL;
    }
}

static struct expression *parse_term(struct parser *p)
{
    static const enum expression_op ops[] = {OP_MULTIPLY, OP_DIVIDE};
    return parse_level(p, parse_unary, "*/", ops);
}

struct expression *expression_parse_sum(struct parser *p)
{
    static const enum expression_op ops[] = {OP_ADD, OP_SUBTRACT};
    return parse_level(p, parse_term, "+-", ops);
}

const struct expression *expression_parse(const char *text,
                                          const struct expression_scope *scope,
                                          struct arena *arena,
                                          struct expression_problem *problem,
                                          bool *ret_no_memory)
{
    struct parser p = {
        .text = text, .scope = scope, .arena = arena, .problem = problem};
    *problem = (struct expression_problem){0};
    if (strlen(text) > EXPRESSION_BYTES_MAX)
        expression_fail(&p, 0, "longer than %d bytes", EXPRESSION_BYTES_MAX);
    struct expression *e = p.failed ? NULL : expression_parse_or(&p);
    expression_skip(&p);
    if (e && text[p.at])
        e = expression_fail(&p, p.at, "something follows the expression");
    if (e && e->op == OP_NULL)
        e = expression_fail(&p, 0, "null has no type");
    *ret_no_memory = p.no_memory;
    return e;
}
