/* units.c: durations and sizes as people write them; see settings.h. */
#include <ctype.h>
#include <string.h>

#include "pipeline/settings.h"

struct unit {
    const char *name;
    int64_t factor;
};

static const struct unit durations[] = {
    {"us", 1},           {"ms", 1000},        {"s", 1000000},
    {"m", 60 * 1000000}, {"h", 3600000000LL}, {"d", 86400000000LL},
};

static const struct unit sizes[] = {
    {"", 1},
    {"B", 1},
    {"KiB", 1LL << 10},
    {"MiB", 1LL << 20},
    {"GiB", 1LL << 30},
    {"TiB", 1LL << 40},
};

static bool parse(const char *text, const struct unit *units, size_t n_units,
                  int64_t *ret)
{
    int64_t number = 0;
    const char *p = text;

    for (; isdigit((unsigned char)*p); p++)
        if (__builtin_mul_overflow(number, 10, &number) ||
            __builtin_add_overflow(number, *p - '0', &number))
            return false;
    if (p == text)
        return false;
    for (size_t i = 0; i < n_units; i++)
        if (!strcmp(p, units[i].name) &&
            !__builtin_mul_overflow(number, units[i].factor, ret))
            return true;
    return false;
}

bool parse_duration(const char *text, int64_t *ret_us)
{
    int64_t value;

    if (!strcmp(text, "0"))
        value = 0;
    else if (!parse(text, durations, sizeof durations / sizeof *durations,
                    &value))
        return false;
    *ret_us = value;
    return true;
}

bool parse_bytes(const char *text, int64_t *ret_bytes)
{
    int64_t value;

    if (!parse(text, sizes, sizeof sizes / sizeof *sizes, &value))
        return false;
    *ret_bytes = value;
    return true;
}
