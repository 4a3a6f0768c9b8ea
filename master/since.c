/* since.c: see since.h. */
#include "since.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "pipeline/settings.h"

/* Reads exactly `digits` of them at *at, and goes on behind them. */
static bool number(const char **at, int digits, int least, int most, int *ret)
{
    int value = 0;
    for (int i = 0; i < digits; i++, (*at)++) {
        if (**at < '0' || **at > '9')
            return false;
        value = value * 10 + (**at - '0');
    }
    *ret = value;
    return value >= least && value <= most;
}

static bool letter(const char **at, const char *any_of)
{
    if (!**at || !strchr(any_of, **at))
        return false;
    (*at)++;
    return true;
}

static bool read_date(const char **at, struct tm *ret)
{
    if (!number(at, 4, 1970, 9999, &ret->tm_year) || !letter(at, "-") ||
        !number(at, 2, 1, 12, &ret->tm_mon) || !letter(at, "-") ||
        !number(at, 2, 1, 31, &ret->tm_mday))
        return false;
    ret->tm_year -= 1900;
    ret->tm_mon--;
    return true;
}

/* HH:MM, :SS, .FRACTION; what is beyond microseconds is cut. */
static bool read_time(const char **at, struct tm *ret, usec_t *ret_fraction)
{
    if (!number(at, 2, 0, 23, &ret->tm_hour) || !letter(at, ":") ||
        !number(at, 2, 0, 59, &ret->tm_min))
        return false;
    if (!letter(at, ":"))
        return true;
    if (!number(at, 2, 0, 59, &ret->tm_sec))
        return false;
    if (!letter(at, "."))
        return true;
    usec_t place = USEC_PER_SEC;
    size_t digits = strspn(*at, "0123456789");
    for (size_t i = 0; i < digits; i++)
        *ret_fraction += ((*at)[i] - '0') * (place /= 10);
    *at += digits;
    return digits > 0;
}

static bool read_zone(const char **at, usec_t *ret_ahead)
{
    int hours = 0, minutes = 0;
    bool west = **at == '-';
    if (!**at || letter(at, "Z"))
        return true;
    if (!letter(at, "+-") || !number(at, 2, 0, 23, &hours))
        return false;
    letter(at, ":");
    if (**at && !number(at, 2, 0, 59, &minutes))
        return false;
    *ret_ahead = (west ? -1 : 1) * (hours * 60 + minutes) * 60 * USEC_PER_SEC;
    return true;
}

bool since_parse(const char *text, usec_t now, usec_t *ret)
{
    int64_t ago = 0;
    if (parse_duration(text, &ago)) {
        *ret = ago < now ? now - ago : 1;
        return ago > 0;
    }
    struct tm tm = {0};
    usec_t fraction = 0, ahead = 0;
    const char *at = text;
    if (!read_date(&at, &tm) ||
        (letter(&at, "T ") && !read_time(&at, &tm, &fraction)) ||
        !read_zone(&at, &ahead) || *at)
        return false;
    int day = tm.tm_mday;
    usec_t seconds = timegm(&tm);
    if (tm.tm_mday != day) /* 31 February */
        return false;
    *ret = seconds * USEC_PER_SEC + fraction - ahead;
    return true;
}
