/*
 * expression.h: what a field's `value` and a condition are made of.
 *
 *   if(currency == 'GBp', price / 100, price)
 *   close is not null and volume > 0
 *
 * An expression is read once, when the file is, and has a type then, so that
 * nothing about it can be wrong later but what the data make of it. Nodes
 * compute it (node/evaluate.h); numbers are exact decimals all the way.
 *
 *   or  and  not
 *   ==  !=  <  <=  >  >=   of two numbers, texts, times; booleans: == and !=
 *   is null   is not null   in ('a', 'b')   not in (1, 2)
 *   +  -  *  /             of numbers; what is divided by stands in the file,
 *                          and leaves a finite decimal: 100, 8, 0.25
 *   'text'  12.50  true  false  null  name  "any-name"  function(...)
 *
 * A null makes a result null, except where a function or `and` and `or` know
 * better; a condition that is null is not met.
 */
#ifndef PIPELINE_EXPRESSION_H
#define PIPELINE_EXPRESSION_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/slice.h"

#define EXPRESSION_BYTES_MAX 1000
#define EXPRESSION_DEPTH_MAX 32
#define EXPRESSION_ARGS_MAX 16    /* of a function, or after `in` */
#define EXPRESSION_PLACES_MAX 100 /* decimal places that are rounded to */

struct field;

enum expression_op {
    OP_NULL,
    OP_LITERAL,
    OP_FIELD,   /* number `index` of the record */
    OP_ELEMENT, /* number `index` of the element */
    OP_OR,
    OP_AND,
    OP_NOT,
    OP_EQUAL, /* and the other comparisons, in this order */
    OP_UNEQUAL,
    OP_LESS,
    OP_LESS_EQUAL,
    OP_MORE,
    OP_MORE_EQUAL,
    OP_IS_NULL,
    OP_IN, /* the first argument in the others */
    OP_ADD,
    OP_SUBTRACT,
    OP_MULTIPLY,
    OP_DIVIDE, /* by a literal, exactly */
    OP_NEGATE,
    OP_CALL, /* of `function` */
};

enum expression_function {
    FUNCTION_ABS,
    FUNCTION_COALESCE,
    FUNCTION_CONCAT,
    FUNCTION_DATE,
    FUNCTION_DIVIDE,
    FUNCTION_IF,
    FUNCTION_LOWER,
    FUNCTION_NUMBER,
    FUNCTION_REPLACE,
    FUNCTION_ROUND,
    FUNCTION_TEXT,
    FUNCTION_TIME,
    FUNCTION_TRIM,
    FUNCTION_UNIX,
    FUNCTION_UPPER,
    FUNCTION_COUNT
};

/* How a number is made shorter. */
enum rounding {
    ROUND_HALF_EVEN, /* to the nearest; a half to the even digit; the default */
    ROUND_HALF_UP,   /* to the nearest; a half away from zero */
    ROUND_DOWN,      /* towards zero */
    ROUND_UP,        /* away from zero */
    ROUND_FLOOR,
    ROUND_CEILING,
};

struct expression {
    enum expression_op op;
    enum expression_function function;
    int type;          /* enum field_type; OP_NULL has none */
    struct slice text; /* OP_LITERAL */
    size_t index;      /* OP_FIELD, OP_ELEMENT */
    struct expression **args;
    size_t n_args;
    int places; /* FUNCTION_ROUND, FUNCTION_DIVIDE */
    enum rounding rounding;
};

/* What names mean: fields of the element if there is one, then of the
 * record. */
struct expression_scope {
    const struct field *record, *element;
    size_t n_record, n_element;
    /* Whether names mean what is stored, and not what was sent. */
    bool stored;
    /* The number of the field whose value this is, in the innermost list:
     * fields without a place in the answer are known if they stand above. */
    size_t own;
};

/* Why a text is no expression: at which byte of it. */
struct expression_problem {
    size_t at;
    char text[400];
    const char *unknown; /* a name that was not found, in the arena; NULL */
    const char *what;    /* "field", "function" or "rounding" */
};

/*
 * Reads `text` into `arena`. NULL where it is none, with the problem filled,
 * or where memory is out (`*ret_no_memory`).
 */
const struct expression *expression_parse(const char *text,
                                          const struct expression_scope *scope,
                                          struct arena *arena,
                                          struct expression_problem *problem,
                                          bool *ret_no_memory);

/* The names of all functions, NULL at the end; for messages. */
extern const char *const expression_functions[];
extern const char *const expression_roundings[];

#endif
