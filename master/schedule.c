/*
 * schedule.c: see schedule.h.
 *
 * The next tick is looked for from moment to moment: each is a tick, or says
 * how far the next one is worth a look. A leap over hours or days is only made
 * where the zone's offset is the same on both sides; near a change of the
 * clocks the search goes step by step, so that none of its rules has to be
 * solved backwards.
 */
#include "schedule.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "pipeline/settings.h"

#define MINUTE 60
#define HOUR 3600
#define DAY 86400

/* ---- what people write ---- */

int schedule_parse(const char *every, struct schedule *ret, struct error *err)
{
    *ret = (struct schedule){.closes = DAY, .weekdays = 0x7f};
    int64_t us;
    if (strpbrk(every, " \t"))
        return cron_parse(every, &ret->cron, err);
    if (parse_duration(every, &us) && us >= USEC_PER_SEC &&
        us % USEC_PER_SEC == 0 && us / USEC_PER_SEC <= SCHEDULE_INTERVAL_S_MAX)
        ret->interval = us / USEC_PER_SEC;
    else
        return error_set(err, ERR_USAGE,
                         "\"%s\" is neither whole seconds from 1s to 366d "
                         "(60s, 5m, 1h) nor five fields like \"*/5 9-16 * * "
                         "mon-fri\"",
                         every);
    return 0;
}

/* HH:MM; 24:00 is the day's end. */
static bool parse_clock(const char *text, int *ret)
{
    for (int i = 0; i < 5; i++)
        if (i == 2 ? text[i] != ':' : !isdigit((unsigned char)text[i]))
            return false;
    int hour = (text[0] - '0') * 10 + text[1] - '0';
    int minute = (text[3] - '0') * 10 + text[4] - '0';
    *ret = hour * HOUR + minute * MINUTE;
    return minute < 60 && *ret <= DAY;
}

int schedule_set_hours(struct schedule *schedule, const char *hours,
                       struct error *err)
{
    int opens, closes;
    if (strlen(hours) != strlen("09:30-16:00") || hours[5] != '-' ||
        !parse_clock(hours, &opens) || !parse_clock(hours + 6, &closes) ||
        opens == closes || opens == DAY)
        return error_set(err, ERR_USAGE,
                         "\"%s\" is not like 09:30-16:00, from 00:00 to 24:00",
                         hours);
    schedule->opens = opens;
    schedule->closes = closes;
    return 0;
}

int schedule_set_days(struct schedule *schedule, const char *days,
                      struct error *err)
{
    return cron_parse_weekdays(days, &schedule->weekdays, err);
}

static int days_of(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap);
}

/* yyyy-mm-dd; 0: it is no date. */
static int32_t parse_date(struct slice text)
{
    int digits = 0;
    if (text.len != strlen("2026-12-25"))
        return 0;
    for (size_t i = 0; i < text.len; i++) {
        bool dash = i == 4 || i == 7;
        if (dash ? text.data[i] != '-' : !isdigit((unsigned char)text.data[i]))
            return 0;
        if (!dash)
            digits = digits * 10 + text.data[i] - '0';
    }
    int year = digits / 10000, month = digits / 100 % 100, day = digits % 100;
    bool good = year >= 1970 && month >= 1 && month <= 12 && day >= 1 &&
                day <= days_of(year, month);
    return good ? digits : 0;
}

static int compare_dates(const void *a, const void *b)
{
    int32_t one = *(const int32_t *)a, other = *(const int32_t *)b;
    return (one > other) - (one < other);
}

/* Without comment and blanks around it. */
static struct slice bare_line(const char *line, size_t len)
{
    const char *comment = memchr(line, '#', len);
    if (comment)
        len = (size_t)(comment - line);
    while (len && isspace((unsigned char)line[len - 1]))
        len--;
    for (; len && isspace((unsigned char)*line); len--)
        line++;
    return (struct slice){line, len};
}

int schedule_set_holidays(struct schedule *schedule, struct slice text,
                          struct error *err)
{
    const char *at = text.data, *end = text.data + text.len;
    schedule->n_holidays = 0;
    for (int number = 1; at < end; number++) {
        const char *line_end = memchr(at, '\n', (size_t)(end - at));
        size_t len = (size_t)((line_end ? line_end : end) - at);
        struct slice line = bare_line(at, len);
        at += len + 1;
        if (!line.len)
            continue;
        int32_t date = parse_date(line);
        if (!date)
            return error_set(
                err, ERR_USAGE, "line %d: \"%.*s\" is no date like 2026-12-25",
                number, (int)(line.len < 40 ? line.len : 40), line.data);
        if (schedule->n_holidays == SCHEDULE_HOLIDAYS_MAX)
            return error_set(err, ERR_USAGE, "line %d: more than %d dates",
                             number, SCHEDULE_HOLIDAYS_MAX);
        schedule->holidays[schedule->n_holidays++] = date;
    }
    qsort(schedule->holidays, schedule->n_holidays, sizeof(int32_t),
          compare_dates);
    return 0;
}

/* ---- moments ---- */

static struct tm local_time(int64_t at)
{
    time_t time = (time_t)at;
    struct tm local = {0};
    localtime_r(&time, &local);
    return local;
}

static int64_t offset(int64_t at)
{
    return local_time(at).tm_gmtoff;
}

static int second_of_day(const struct tm *at)
{
    return at->tm_hour * HOUR + at->tm_min * MINUTE + at->tm_sec;
}

static bool is_day_of_trade(const struct schedule *schedule,
                            const struct tm *at)
{
    int32_t date =
        (at->tm_year + 1900) * 10000 + (at->tm_mon + 1) * 100 + at->tm_mday;
    return schedule->weekdays >> at->tm_wday & 1 &&
           !bsearch(&date, schedule->holidays, schedule->n_holidays,
                    sizeof date, compare_dates);
}

static bool is_hour_of_trade(const struct schedule *schedule,
                             const struct tm *at)
{
    int now = second_of_day(at);
    bool after = now >= schedule->opens, before = now <= schedule->closes;
    return schedule->opens < schedule->closes ? after && before
                                              : after || before;
}

/* ---- the clocks change ---- */

/* The same local time has been before. */
static bool is_repeated(int64_t at)
{
    int64_t before = offset(at - DAY), now = offset(at);
    return before > now && offset(at - (before - now)) == before;
}

/* The clocks have just left out a time that is due. */
static bool is_due_since_gap(const struct cron *cron, int64_t at)
{
    int64_t before = offset(at - MINUTE), gap = offset(at) - before;
    for (int64_t i = 0; i < gap; i += MINUTE) {
        time_t left_out = (time_t)(at + before + i);
        struct tm local;
        gmtime_r(&left_out, &local);
        if (cron_has(cron, &local))
            return true;
    }
    return false;
}

static bool cron_is_due(const struct cron *cron, int64_t at,
                        const struct tm *local)
{
    if (cron->hours == CRON_HOURS_ALL)
        return cron_has(cron, local);
    return is_due_since_gap(cron, at) ||
           (cron_has(cron, local) && !is_repeated(at));
}

/* ---- ticks ---- */

/* Seconds until something may be due that is not at `local`; 0: it may be the
 * next step. */
static int64_t pause_after(const struct schedule *schedule,
                           const struct tm *local)
{
    int now = second_of_day(local);
    bool cron = !schedule->interval;
    if (!is_day_of_trade(schedule, local) ||
        (cron && !cron_has_day(&schedule->cron, local)))
        return DAY - now;
    if (cron && !cron_has_hour(&schedule->cron, local))
        return HOUR - now % HOUR;
    if (!is_hour_of_trade(schedule, local))
        return (schedule->opens - now + DAY) % DAY;
    return 0;
}

int64_t schedule_next(const struct schedule *schedule, int64_t after)
{
    int64_t step = schedule->interval ? schedule->interval : MINUTE;
    int64_t end = after + SCHEDULE_YEARS_MAX * 366LL * DAY;
    int64_t at = after - after % step + step;
    while (at < end) {
        struct tm local = local_time(at);
        bool due =
            schedule->interval || cron_is_due(&schedule->cron, at, &local);
        if (due && is_day_of_trade(schedule, &local) &&
            is_hour_of_trade(schedule, &local))
            return at;
        int64_t steps = (pause_after(schedule, &local) + step - 1) / step;
        int64_t leap = at + steps * step;
        at = leap > at && offset(leap) == local.tm_gmtoff ? leap : at + step;
    }
    return SCHEDULE_NEVER;
}

struct schedule_look schedule_look(const struct schedule *schedule, int64_t due,
                                   int64_t now, int64_t late_max, bool catch_up)
{
    struct schedule_look look = {.due = due};
    int64_t next = due > now ? SCHEDULE_NEVER : schedule_next(schedule, due);
    while (next != SCHEDULE_NEVER && next <= now &&
           look.missed < SCHEDULE_MISSED_MAX) {
        look.due = next;
        look.missed++;
        next = schedule_next(schedule, next);
    }
    bool late = look.missed || look.due + late_max < now;
    if (late && !catch_up) {
        look.missed++;
        look.due = schedule_next(schedule, now);
    }
    return look;
}
