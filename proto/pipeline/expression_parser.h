/*
 * expression_parser.h: shared by expression*.c alone.
 *
 * Whatever gives an expression gives NULL after a problem: the first one is
 * kept, and the callers let it pass.
 */
#ifndef PIPELINE_EXPRESSION_PARSER_H
#define PIPELINE_EXPRESSION_PARSER_H

#include "pipeline/expression.h"
#include "pipeline/pipeline.h"

struct parser {
    const char *text;
    size_t at;
    const struct expression_scope *scope;
    struct arena *arena;
    struct expression_problem *problem;
    int depth;
    bool failed;
    bool no_memory;
};

/* Returns NULL, for the caller to return. */
void *expression_fail(struct parser *p, size_t at, const char *format, ...)
    PRINTF_LIKE(3, 4);
struct expression *expression_make(struct parser *p, enum expression_op op,
                                   enum field_type type, size_t n_args);

struct expression *expression_make_one(struct parser *p, enum expression_op op,
                                       enum field_type type,
                                       struct expression *a);
struct expression *expression_make_two(struct parser *p, enum expression_op op,
                                       enum field_type type,
                                       struct expression *a,
                                       struct expression *b);

/* White space; a sign or a word, if it is there; one that must be. */
void expression_skip(struct parser *p);
bool expression_take(struct parser *p, const char *sign);
bool expression_want(struct parser *p, const char *sign);

/* A null is of any type. */
bool expression_is_number(const struct expression *e);
bool expression_is_boolean(const struct expression *e);
bool expression_same_type(const struct expression *a,
                          const struct expression *b);
const char *expression_type_name(const struct expression *e); /* "a text" */

/* The level below conditions. */
struct expression *expression_parse_sum(struct parser *p);

/* expression_condition.c: the lowest level. */
struct expression *expression_parse_or(struct parser *p);

/* expression_call.c */

/* FUNCTION_COUNT where there is none of that name. */
enum expression_function expression_function_of(const char *name);
/* From behind its bracket on; `at` is where its name begins. */
struct expression *expression_parse_call(struct parser *p, size_t at,
                                         enum expression_function function);

#endif
