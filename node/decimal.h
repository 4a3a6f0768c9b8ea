/*
 * decimal.h: exact decimals: a whole number of any size, and how many of its
 * digits stand behind the point. GMP has the whole numbers.
 *
 * Nothing is rounded but by decimal_round() and decimal_divide(), which are
 * told how. Sizes are bounded, so that no answer makes a node compute for long.
 */
#ifndef NODE_DECIMAL_H
#define NODE_DECIMAL_H

#include <gmp.h>

#include "base/buffer.h"
#include "pipeline/expression.h"

#define DECIMAL_DIGITS_MAX 1000 /* of a number, before and behind the point */

struct decimal {
    mpz_t whole;
    long places; /* the value is whole * 10^-places; may be negative */
};

void decimal_init(struct decimal *decimal);
void decimal_fini(struct decimal *decimal);

/* Reads a JSON number. False where it has more than DECIMAL_DIGITS_MAX. */
MUSTCHECK
bool decimal_read(struct slice text, struct decimal *ret);
/* Appends it without an exponent. */
void decimal_write(const struct decimal *decimal, struct buffer *ret);

/* `ret` may be one of the others. False where the result is too long. */
MUSTCHECK
bool decimal_add(const struct decimal *a, const struct decimal *b,
                 struct decimal *ret);
MUSTCHECK
bool decimal_subtract(const struct decimal *a, const struct decimal *b,
                      struct decimal *ret);
MUSTCHECK
bool decimal_multiply(const struct decimal *a, const struct decimal *b,
                      struct decimal *ret);
/* By a number that divides a power of ten: exactly. */
MUSTCHECK
bool decimal_divide_exactly(const struct decimal *a, const struct decimal *b,
                            struct decimal *ret);
/* `b` is not 0. */
MUSTCHECK
bool decimal_divide(const struct decimal *a, const struct decimal *b,
                    int places, enum rounding rounding, struct decimal *ret);
/* To so many places: fewer are filled up with zeros. */
MUSTCHECK
bool decimal_round(const struct decimal *a, int places, enum rounding rounding,
                   struct decimal *ret);
void decimal_negate(struct decimal *decimal);
int decimal_sign(const struct decimal *decimal);
int decimal_compare(const struct decimal *a, const struct decimal *b);

#endif
