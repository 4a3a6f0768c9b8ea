/*
 * decimal.c: see decimal.h. Two numbers are brought to the same number of
 * places first, where an operation wants that.
 */
#include "decimal.h"

#include <stdlib.h>
#include <string.h>

void decimal_init(struct decimal *decimal)
{
    mpz_init(decimal->whole);
    decimal->places = 0;
}

void decimal_fini(struct decimal *decimal)
{
    mpz_clear(decimal->whole);
}

static bool fits(const struct decimal *decimal)
{
    return labs(decimal->places) <= DECIMAL_DIGITS_MAX &&
           mpz_sizeinbase(decimal->whole, 10) <= 2 * DECIMAL_DIGITS_MAX + 1;
}

/* The exponent that `text` ends with; false where no number can have it. */
static bool read_exponent(struct slice text, long *ret)
{
    char digits[8];
    *ret = 0;
    if (!text.len)
        return true;
    text.data++; /* e */
    text.len--;
    if (text.len >= sizeof digits)
        return false;
    memcpy(digits, text.data, text.len);
    digits[text.len] = '\0';
    *ret = strtol(digits, NULL, 10);
    return true;
}

bool decimal_read(struct slice text, struct decimal *ret)
{
    char digits[DECIMAL_DIGITS_MAX + 2];
    size_t n = 0, i = 0;
    long places = 0, exponent;
    bool behind = false;
    for (; i < text.len && text.data[i] != 'e' && text.data[i] != 'E'; i++) {
        behind |= text.data[i] == '.';
        if (text.data[i] == '.')
            continue;
        if (n == DECIMAL_DIGITS_MAX + 1)
            return false;
        digits[n++] = text.data[i];
        places += behind;
    }
    digits[n] = '\0';
    if (!read_exponent((struct slice){text.data + i, text.len - i}, &exponent))
        return false;
    ret->places = places - exponent;
    return mpz_set_str(ret->whole, digits, 10) == 0 && fits(ret);
}

/* `whole` times 10^n; n is not negative. */
static void shift(mpz_t ret, const mpz_t whole, unsigned long n)
{
    mpz_t power;
    mpz_init(power);
    mpz_ui_pow_ui(power, 10, n);
    mpz_mul(ret, whole, power);
    mpz_clear(power);
}

void decimal_write(const struct decimal *decimal, struct buffer *ret)
{
    char digits[3 * DECIMAL_DIGITS_MAX + 8];
    mpz_t whole;
    long places = decimal->places > 0 ? decimal->places : 0;
    mpz_init(whole);
    shift(whole, decimal->whole, (unsigned long)(places - decimal->places));
    mpz_abs(whole, whole);
    mpz_get_str(digits, 10, whole);
    mpz_clear(whole);
    if (mpz_sgn(decimal->whole) < 0)
        buffer_append_char(ret, '-');
    size_t len = strlen(digits), before = 0;
    if (len > (size_t)places)
        before = len - (size_t)places;
    else
        buffer_append_char(ret, '0');
    buffer_append(ret, digits, before);
    if (places)
        buffer_append_char(ret, '.');
    for (size_t zeros = len; zeros < (size_t)places; zeros++)
        buffer_append_char(ret, '0');
    buffer_append(ret, digits + before, len - before);
}

/* Both with the larger number of places. */
static long align(const struct decimal *a, const struct decimal *b, mpz_t ret_a,
                  mpz_t ret_b)
{
    long places = a->places > b->places ? a->places : b->places;
    shift(ret_a, a->whole, (unsigned long)(places - a->places));
    shift(ret_b, b->whole, (unsigned long)(places - b->places));
    return places;
}

bool decimal_add(const struct decimal *a, const struct decimal *b,
                 struct decimal *ret)
{
    mpz_t x, y;
    mpz_inits(x, y, NULL);
    ret->places = align(a, b, x, y);
    mpz_add(ret->whole, x, y);
    mpz_clears(x, y, NULL);
    return fits(ret);
}

bool decimal_subtract(const struct decimal *a, const struct decimal *b,
                      struct decimal *ret)
{
    struct decimal minus;
    decimal_init(&minus);
    mpz_neg(minus.whole, b->whole);
    minus.places = b->places;
    bool good = decimal_add(a, &minus, ret);
    decimal_fini(&minus);
    return good;
}

bool decimal_multiply(const struct decimal *a, const struct decimal *b,
                      struct decimal *ret)
{
    mpz_mul(ret->whole, a->whole, b->whole);
    ret->places = a->places + b->places;
    return fits(ret);
}

bool decimal_divide_exactly(const struct decimal *a, const struct decimal *b,
                            struct decimal *ret)
{
    mpz_t power;
    unsigned long n = 0;
    mpz_init_set_ui(power, 1);
    while (!mpz_divisible_p(power, b->whole) && n < 64) {
        mpz_mul_ui(power, power, 10);
        n++;
    }
    mpz_divexact(power, power, b->whole);
    mpz_mul(ret->whole, a->whole, power);
    ret->places = a->places + (long)n - b->places;
    mpz_clear(power);
    return fits(ret);
}

/* Whether a quotient that was cut has to go one away from zero. */
static bool goes_away(const mpz_t quotient, const mpz_t rest,
                      const mpz_t divisor, int sign, enum rounding rounding)
{
    if (mpz_sgn(rest) == 0)
        return false;
    mpz_t twice;
    mpz_init(twice);
    mpz_mul_ui(twice, rest, 2);
    int half = mpz_cmpabs(twice, divisor);
    mpz_clear(twice);
    switch (rounding) {
    case ROUND_HALF_EVEN:
        return half > 0 || (half == 0 && mpz_odd_p(quotient));
    case ROUND_HALF_UP:
        return half >= 0;
    case ROUND_DOWN:
        return false;
    case ROUND_UP:
        return true;
    case ROUND_FLOOR:
        return sign < 0;
    case ROUND_CEILING:
        return sign > 0;
    }
    return false;
}

/* a / b as whole numbers, rounded. */
static void divide(mpz_t ret, const mpz_t a, const mpz_t b,
                   enum rounding rounding)
{
    mpz_t quotient, rest;
    int sign = mpz_sgn(a) * mpz_sgn(b);
    mpz_inits(quotient, rest, NULL);
    mpz_tdiv_qr(quotient, rest, a, b);
    if (goes_away(quotient, rest, b, sign, rounding)) {
        if (sign < 0)
            mpz_sub_ui(quotient, quotient, 1);
        else
            mpz_add_ui(quotient, quotient, 1);
    }
    mpz_set(ret, quotient);
    mpz_clears(quotient, rest, NULL);
}

bool decimal_divide(const struct decimal *a, const struct decimal *b,
                    int places, enum rounding rounding, struct decimal *ret)
{
    mpz_t x, y;
    mpz_inits(x, y, NULL);
    align(a, b, x, y);
    shift(x, x, (unsigned long)places);
    divide(ret->whole, x, y, rounding);
    ret->places = places;
    mpz_clears(x, y, NULL);
    return fits(ret);
}

bool decimal_round(const struct decimal *a, int places, enum rounding rounding,
                   struct decimal *ret)
{
    struct decimal one;
    decimal_init(&one);
    mpz_set_ui(one.whole, 1);
    bool good = decimal_divide(a, &one, places, rounding, ret);
    decimal_fini(&one);
    return good;
}

void decimal_negate(struct decimal *decimal)
{
    mpz_neg(decimal->whole, decimal->whole);
}

int decimal_sign(const struct decimal *decimal)
{
    return mpz_sgn(decimal->whole);
}

int decimal_compare(const struct decimal *a, const struct decimal *b)
{
    mpz_t x, y;
    mpz_inits(x, y, NULL);
    align(a, b, x, y);
    int order = mpz_cmp(x, y);
    mpz_clears(x, y, NULL);
    return order;
}
