/*
 * time_text.c: see time_text.h. By hand and not by strptime(), which goes by
 * the locale and knows neither fractions nor the end of a slice.
 */
#include "base/time_text.h"

#define DAY_SECONDS 86400
#define OFFSET_HOURS_MAX 15                  /* PostgreSQL's too */
#define FIRST (-62135596800 * USEC_PER_SEC)  /* 0001-01-01T00:00:00Z */
#define BEYOND (253402300800 * USEC_PER_SEC) /* 10000-01-01T00:00:00Z */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Takes exactly `n` digits off the front of `text`. */
static bool take_digits(struct slice *text, size_t n, int *ret)
{
    int value = 0;
    if (text->len < n)
        return false;
    for (size_t i = 0; i < n; i++) {
        if (!is_digit(text->data[i]))
            return false;
        value = value * 10 + (text->data[i] - '0');
    }
    *text = (struct slice){text->data + n, text->len - n};
    *ret = value;
    return true;
}

/* Takes one of `set` off the front; NUL where none is there. */
static char take_one(struct slice *text, const char *set)
{
    char c = text->len ? text->data[0] : '\0';
    if (!c || !strchr(set, c))
        return '\0';
    *text = (struct slice){text->data + 1, text->len - 1};
    return c;
}

/* Takes ".5" or ",5" off the front, if it is there, as microseconds; `whole`
 * is how many one unit has. False where the digits are missing. */
static bool take_fraction(struct slice *text, usec_t whole, usec_t *ret,
                          bool *ret_more)
{
    *ret = 0;
    *ret_more = false;
    if (!take_one(text, ".,"))
        return true;
    int digit;
    if (!text->len || !is_digit(text->data[0]))
        return false;
    while (take_digits(text, 1, &digit)) {
        whole /= 10;
        *ret += digit * whole;
        *ret_more |= !whole && digit;
    }
    return true;
}

static bool is_leap(int year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int month_days(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return days[month - 1] + (month == 2 && is_leap(year));
}

/* Days from 1970-01-01 to a day of the Gregorian calendar. */
static int64_t days_of(int year, int month, int day)
{
    int64_t y = year - 1;
    int64_t days = y * 365 + y / 4 - y / 100 + y / 400 + day - 1 - 719162;
    for (int m = 1; m < month; m++)
        days += month_days(year, m);
    return days;
}

static bool take_date(struct slice *text, int64_t *ret_days)
{
    int year, month, day;
    if (!take_digits(text, 4, &year) || !take_one(text, "-") ||
        !take_digits(text, 2, &month) || !take_one(text, "-") ||
        !take_digits(text, 2, &day))
        return false;
    if (year < 1 || month < 1 || month > 12 || day < 1 ||
        day > month_days(year, month))
        return false;
    *ret_days = days_of(year, month, day);
    return true;
}

/* HH:MM[:SS[.fraction]], as microseconds; 24:00 is the day's end. */
static bool take_clock(struct slice *text, usec_t *ret)
{
    int hour, minute, second = 0;
    usec_t fraction = 0;
    bool more;
    if (!take_digits(text, 2, &hour) || !take_one(text, ":") ||
        !take_digits(text, 2, &minute))
        return false;
    if (take_one(text, ":") &&
        (!take_digits(text, 2, &second) ||
         !take_fraction(text, USEC_PER_SEC, &fraction, &more)))
        return false;
    if (minute > 59 || second > 60 || hour > 24 ||
        (hour == 24 && (minute || second || fraction)))
        return false;
    *ret = (hour * 3600 + minute * 60 + second) * USEC_PER_SEC + fraction;
    return true;
}

/* Z, +HH, +HHMM, +HH:MM or nothing. */
static bool take_offset(struct slice *text, usec_t *ret)
{
    int hours, minutes = 0;
    *ret = 0;
    if (!text->len || take_one(text, "Zz"))
        return true;
    char sign = take_one(text, "+-");
    if (!sign || !take_digits(text, 2, &hours))
        return false;
    bool colon = take_one(text, ":");
    if ((colon || text->len) && !take_digits(text, 2, &minutes))
        return false;
    if (hours > OFFSET_HOURS_MAX || minutes > 59)
        return false;
    *ret = (hours * 3600 + minutes * 60) * USEC_PER_SEC;
    if (sign == '-')
        *ret = -*ret;
    return true;
}

static bool is_within(usec_t moment)
{
    return moment >= FIRST && moment < BEYOND;
}

bool time_text_iso(struct slice text, usec_t *ret)
{
    int64_t days;
    usec_t clock = 0, offset = 0;
    if (!take_date(&text, &days))
        return false;
    if (text.len && (!take_one(&text, "Tt ") || !take_clock(&text, &clock) ||
                     !take_offset(&text, &offset)))
        return false;
    usec_t moment = days * DAY_SECONDS * USEC_PER_SEC + clock - offset;
    if (text.len || !is_within(moment))
        return false;
    *ret = moment;
    return true;
}

bool time_text_unix(struct slice text, usec_t usec_per_unit, usec_t *ret)
{
    bool negative = take_one(&text, "-"), more = false;
    usec_t moment = 0, fraction = 0;
    int digit;
    if (!text.len || !is_digit(text.data[0]) || text.len > TIME_TEXT_DIGITS_MAX)
        return false;
    while (take_digits(&text, 1, &digit)) {
        moment = moment * 10 + digit;
        if (moment > BEYOND / usec_per_unit)
            return false;
    }
    if (!take_fraction(&text, usec_per_unit, &fraction, &more) || text.len)
        return false;
    moment = moment * usec_per_unit + fraction;
    if (negative)
        moment = -moment - more;
    if (!is_within(moment))
        return false;
    *ret = moment;
    return true;
}
