/*
 * evaluate.c: see evaluate.h.
 *
 * A value is its text, as a field has it: numbers with the digits that were
 * sent, until something is computed of them. Types were checked when the file
 * was read. A null argument makes a result null, except where said otherwise.
 */
#include "evaluate.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/time_text.h"
#include "decimal.h"
#include "extract_result.h"
#include "extract_text.h"

struct evaluation {
    const struct formula *formula;
    const struct evaluate_values *values;
    struct arena *arena;
    struct extract_result *result;
};

static const struct slice null;

static bool compute(struct evaluation *ev, const struct expression *e,
                    struct slice *ret);

static bool fail(struct evaluation *ev, const char *why)
{
    return extract_fail(ev->result, REASON_VALUE, "%s: %s", ev->formula->text,
                        why);
}

static bool give(struct evaluation *ev, const void *data, size_t len,
                 struct slice *ret)
{
    if (len > EXTRACT_VALUE_BYTES_MAX)
        return fail(ev, "the result is too long");
    const char *copy = arena_copy(ev->arena, data, len);
    if (!copy)
        return extract_fail(ev->result, REASON_INTERNAL, "out of memory");
    *ret = (struct slice){copy, len};
    return true;
}

static bool give_boolean(bool yes, struct slice *ret)
{
    *ret = slice_of(yes ? "true" : "false");
    return true;
}

static bool is_true(struct slice value)
{
    return value.data && slice_equal(value, slice_of("true"));
}

/* Conditions */

/* With what one side alone decides ("true" of or, "false" of and). */
static bool compute_logic(struct evaluation *ev, const struct expression *e,
                          struct slice *ret)
{
    struct slice a = null, b = null,
                 decides = slice_of(e->op == OP_OR ? "true" : "false");
    if (!compute(ev, e->args[0], &a))
        return false;
    if (a.data && slice_equal(a, decides)) {
        *ret = a;
        return true;
    }
    if (!compute(ev, e->args[1], &b))
        return false;
    *ret = b.data && slice_equal(b, decides) ? b : a.data ? b : null;
    return true;
}

static int compare_bytes(struct slice a, struct slice b)
{
    size_t len = a.len < b.len ? a.len : b.len;
    int order = len ? memcmp(a.data, b.data, len) : 0;
    return order ? order : (a.len > b.len) - (a.len < b.len);
}

static bool too_long(struct evaluation *ev)
{
    char why[64];
    snprintf(why, sizeof why, "a number of more than %d digits",
             DECIMAL_DIGITS_MAX);
    return fail(ev, why);
}

/* Texts by their bytes, times alike, as they have one form. */
static bool compare(struct evaluation *ev, const struct expression *a_of,
                    struct slice a, struct slice b, int *ret)
{
    if (a_of->type != FIELD_NUMBER && a_of->type != FIELD_INTEGER) {
        *ret = compare_bytes(a, b);
        return true;
    }
    struct decimal x, y;
    decimal_init(&x);
    decimal_init(&y);
    bool good = decimal_read(a, &x) && decimal_read(b, &y);
    if (good)
        *ret = decimal_compare(&x, &y);
    decimal_fini(&x);
    decimal_fini(&y);
    return good || too_long(ev);
}

static bool holds(enum expression_op op, int order)
{
    switch (op) {
    case OP_EQUAL:
        return order == 0;
    case OP_UNEQUAL:
        return order != 0;
    case OP_LESS:
        return order < 0;
    case OP_LESS_EQUAL:
        return order <= 0;
    case OP_MORE:
        return order > 0;
    default:
        return order >= 0;
    }
}

static bool compute_comparison(struct evaluation *ev,
                               const struct expression *e, struct slice *ret)
{
    struct slice a = null, b = null;
    int order = 0;
    if (!compute(ev, e->args[0], &a) || !compute(ev, e->args[1], &b))
        return false;
    *ret = null;
    if (!a.data || !b.data)
        return true;
    return compare(ev, e->args[0], a, b, &order) &&
           give_boolean(holds(e->op, order), ret);
}

static bool compute_in(struct evaluation *ev, const struct expression *e,
                       struct slice *ret)
{
    struct slice a = null, b = null;
    if (!compute(ev, e->args[0], &a))
        return false;
    *ret = null;
    for (size_t i = 1; a.data && i < e->n_args; i++) {
        int order = 0;
        if (!compute(ev, e->args[i], &b) ||
            (b.data && !compare(ev, e->args[0], a, b, &order)))
            return false;
        if (b.data && order == 0)
            return give_boolean(true, ret);
    }
    return !a.data || give_boolean(false, ret);
}

static bool compute_not(struct evaluation *ev, const struct expression *e,
                        struct slice *ret)
{
    struct slice a = null;
    if (!compute(ev, e->args[0], &a))
        return false;
    *ret = null;
    return !a.data || give_boolean(!is_true(a), ret);
}

static bool compute_is_null(struct evaluation *ev, const struct expression *e,
                            struct slice *ret)
{
    struct slice a = null;
    return compute(ev, e->args[0], &a) && give_boolean(!a.data, ret);
}

/* Numbers */

static bool calculate(const struct expression *e, const struct decimal *a,
                      const struct decimal *b, struct decimal *ret)
{
    switch (e->op) {
    case OP_ADD:
        return decimal_add(a, b, ret);
    case OP_SUBTRACT:
        return decimal_subtract(a, b, ret);
    case OP_MULTIPLY:
        return decimal_multiply(a, b, ret);
    case OP_DIVIDE:
        return decimal_divide_exactly(a, b, ret);
    default:
        break;
    }
    if (e->op == OP_CALL && e->function == FUNCTION_DIVIDE)
        return decimal_divide(a, b, e->places, e->rounding, ret);
    if (e->op == OP_CALL && e->function == FUNCTION_ROUND)
        return decimal_round(a, e->places, e->rounding, ret);
    /* OP_NEGATE, FUNCTION_ABS */
    mpz_set(ret->whole, a->whole);
    ret->places = a->places;
    if (e->op == OP_NEGATE || decimal_sign(a) < 0)
        decimal_negate(ret);
    return true;
}

static bool compute_decimals(struct evaluation *ev, const struct expression *e,
                             const struct slice *texts, struct decimal *x,
                             struct slice *ret)
{
    for (size_t i = 0; i < e->n_args; i++)
        if (!decimal_read(texts[i], &x[i]))
            return too_long(ev);
    if (e->op == OP_CALL && e->function == FUNCTION_DIVIDE &&
        decimal_sign(&x[1]) == 0)
        return fail(ev, "division by zero");
    if (!calculate(e, &x[0], &x[1], &x[2]))
        return too_long(ev);
    struct buffer text = BUFFER_EMPTY;
    decimal_write(&x[2], &text);
    bool good = !text.failed && give(ev, text.data, text.len, ret);
    if (text.failed)
        extract_fail(ev->result, REASON_INTERNAL, "out of memory");
    buffer_free(&text);
    return good;
}

/* Of one or two numbers. */
static bool compute_number(struct evaluation *ev, const struct expression *e,
                           const struct slice *args, struct slice *ret)
{
    struct decimal x[3];
    CHECK(e->n_args <= 2);
    for (size_t i = 0; i < 3; i++)
        decimal_init(&x[i]);
    bool good = compute_decimals(ev, e, args, x, ret);
    for (size_t i = 0; i < 3; i++)
        decimal_fini(&x[i]);
    return good;
}

/* All arguments of `e`; *ret_any_null: one is null. */
static bool compute_args(struct evaluation *ev, const struct expression *e,
                         struct slice *ret_args, bool *ret_any_null)
{
    *ret_any_null = false;
    for (size_t i = 0; i < e->n_args; i++) {
        if (!compute(ev, e->args[i], &ret_args[i]))
            return false;
        *ret_any_null |= !ret_args[i].data;
    }
    return true;
}

static bool compute_arithmetic(struct evaluation *ev,
                               const struct expression *e, struct slice *ret)
{
    struct slice args[2] = {{0}};
    bool any_null;
    *ret = null;
    return compute_args(ev, e, args, &any_null) &&
           (any_null || compute_number(ev, e, args, ret));
}

/* Texts */

/* ASCII letters alone: what else there is depends on a language. */
static bool change_case(struct evaluation *ev, struct slice text, bool up,
                        struct slice *ret)
{
    if (!give(ev, text.data, text.len, ret))
        return false;
    char *data = (char *)(uintptr_t)ret->data; /* our own copy */
    for (size_t i = 0; i < ret->len; i++) {
        char c = data[i];
        if (up && c >= 'a' && c <= 'z')
            data[i] = (char)(c - 'a' + 'A');
        else if (!up && c >= 'A' && c <= 'Z')
            data[i] = (char)(c - 'A' + 'a');
    }
    return true;
}

static bool replace(struct evaluation *ev, const struct slice *args,
                    struct slice *ret)
{
    struct slice text = args[0], from = args[1], to = args[2];
    struct buffer out = BUFFER_EMPTY;
    size_t i = 0;
    while (i < text.len && out.len <= EXTRACT_VALUE_BYTES_MAX) {
        if (from.len && from.len <= text.len - i &&
            !memcmp(text.data + i, from.data, from.len)) {
            buffer_append_slice(&out, to);
            i += from.len;
        } else {
            buffer_append_char(&out, text.data[i++]);
        }
    }
    bool good = !out.failed && give(ev, buffer_text(&out), out.len, ret);
    if (out.failed)
        extract_fail(ev->result, REASON_INTERNAL, "out of memory");
    buffer_free(&out);
    return good;
}

static bool concat(struct evaluation *ev, const struct slice *args, size_t n,
                   struct slice *ret)
{
    struct buffer out = BUFFER_EMPTY;
    for (size_t i = 0; i < n; i++)
        buffer_append_slice(&out, args[i]);
    bool good = !out.failed && give(ev, buffer_text(&out), out.len, ret);
    if (out.failed)
        extract_fail(ev->result, REASON_INTERNAL, "out of memory");
    buffer_free(&out);
    return good;
}

static bool to_number(struct evaluation *ev, struct slice text,
                      struct slice *ret)
{
    *ret = extract_text_trim(text);
    return extract_text_is_number(*ret) || fail(ev, "the text is no number");
}

static bool to_time(struct evaluation *ev, struct slice text, struct slice *ret)
{
    char written[CLOCK_TEXT_BYTES];
    usec_t moment;
    if (!time_text_iso(extract_text_trim(text), &moment))
        return fail(ev, "the text is no time in ISO 8601");
    clock_format(moment, written);
    return give(ev, written, sizeof written - 1, ret);
}

/* Seconds since 1970, with six places. */
static bool to_unix(struct evaluation *ev, struct slice time, struct slice *ret)
{
    char text[40];
    usec_t moment = 0;
    CHECK(time_text_iso(time, &moment)); /* it is one of ours */
    usec_t size = moment < 0 ? -moment : moment;
    int n = snprintf(text, sizeof text, "%s%" PRId64 ".%06" PRId64,
                     moment < 0 ? "-" : "", size / USEC_PER_SEC,
                     size % USEC_PER_SEC);
    return give(ev, text, (size_t)n, ret);
}

/* Functions */

static bool compute_if(struct evaluation *ev, const struct expression *e,
                       struct slice *ret)
{
    struct slice condition = null;
    return compute(ev, e->args[0], &condition) &&
           compute(ev, e->args[is_true(condition) ? 1 : 2], ret);
}

static bool compute_coalesce(struct evaluation *ev, const struct expression *e,
                             struct slice *ret)
{
    *ret = null;
    for (size_t i = 0; i < e->n_args && !ret->data; i++)
        if (!compute(ev, e->args[i], ret))
            return false;
    return true;
}

/* Of arguments of which none is null. */
static bool call(struct evaluation *ev, const struct expression *e,
                 const struct slice *args, struct slice *ret)
{
    switch (e->function) {
    case FUNCTION_CONCAT:
        return concat(ev, args, e->n_args, ret);
    case FUNCTION_DATE:
        return give(ev, args[0].data, strlen("2026-11-22"), ret);
    case FUNCTION_LOWER:
    case FUNCTION_UPPER:
        return change_case(ev, args[0], e->function == FUNCTION_UPPER, ret);
    case FUNCTION_NUMBER:
        return to_number(ev, args[0], ret);
    case FUNCTION_REPLACE:
        return replace(ev, args, ret);
    case FUNCTION_TEXT:
        *ret = args[0];
        return true;
    case FUNCTION_TIME:
        return to_time(ev, args[0], ret);
    case FUNCTION_TRIM:
        *ret = extract_text_trim(args[0]);
        return true;
    case FUNCTION_UNIX:
        return to_unix(ev, args[0], ret);
    default:
        return compute_number(ev, e, args, ret);
    }
}

static bool compute_call(struct evaluation *ev, const struct expression *e,
                         struct slice *ret)
{
    struct slice args[EXPRESSION_ARGS_MAX] = {{0}};
    bool any_null;
    if (e->function == FUNCTION_IF)
        return compute_if(ev, e, ret);
    if (e->function == FUNCTION_COALESCE)
        return compute_coalesce(ev, e, ret);
    *ret = null;
    return compute_args(ev, e, args, &any_null) &&
           (any_null || call(ev, e, args, ret));
}

/* As deep as the expression has operators: EXPRESSION_BYTES_MAX bounds them. */
static bool compute(struct evaluation *ev, const struct expression *e,
                    struct slice *ret)
{
    switch (e->op) {
    case OP_NULL:
        *ret = null;
        return true;
    case OP_LITERAL:
        *ret = e->text;
        return true;
    case OP_FIELD:
        *ret = ev->values->n_record > e->index ? ev->values->record[e->index]
                                               : null;
        return true;
    case OP_ELEMENT:
        *ret = ev->values->n_element > e->index ? ev->values->element[e->index]
                                                : null;
        return true;
    case OP_OR:
    case OP_AND:
        return compute_logic(ev, e, ret);
    case OP_NOT:
        return compute_not(ev, e, ret);
    case OP_IS_NULL:
        return compute_is_null(ev, e, ret);
    case OP_IN:
        return compute_in(ev, e, ret);
    case OP_ADD:
    case OP_SUBTRACT:
    case OP_MULTIPLY:
    case OP_DIVIDE:
    case OP_NEGATE:
        return compute_arithmetic(ev, e, ret);
    case OP_CALL:
        return compute_call(ev, e, ret);
    default:
        return compute_comparison(ev, e, ret);
    }
}

bool evaluate(const struct formula *formula,
              const struct evaluate_values *values, struct arena *arena,
              struct slice *ret, struct extract_result *result)
{
    struct evaluation ev = {formula, values, arena, result};
    return compute(&ev, formula->expression, ret);
}
