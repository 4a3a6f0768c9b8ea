/* When a pipeline is due: schedule.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "schedule.h"

#define NEW_YORK "America/New_York"

static struct schedule schedule;

static void zone(const char *name)
{
    assert_int_equal(setenv("TZ", name, 1), 0);
    tzset();
}

static void every(const char *text)
{
    struct error err = ERROR_NONE;
    if (schedule_parse(text, &schedule, &err))
        fail_msg("%s", err.text);
}

static void hours(const char *text)
{
    struct error err = ERROR_NONE;
    if (schedule_set_hours(&schedule, text, &err))
        fail_msg("%s", err.text);
}

static void days(const char *text)
{
    struct error err = ERROR_NONE;
    if (schedule_set_days(&schedule, text, &err))
        fail_msg("%s", err.text);
}

static void holidays(const char *text)
{
    struct error err = ERROR_NONE;
    if (schedule_set_holidays(&schedule, slice_of(text), &err))
        fail_msg("%s", err.text);
}

/* "2026-11-28 13:55:00", UTC. */
static int64_t utc(const char *text)
{
    struct tm tm = {0};
    char *end = strptime(text, "%Y-%m-%d %H:%M:%S", &tm);
    if (!end || *end)
        fail_msg("no time: %s", text);
    return timegm(&tm);
}

/* The ticks after `after` (UTC) are these, in local time with its offset. */
static void assert_ticks(const char *after, const char *const *ticks)
{
    int64_t at = utc(after);
    for (; *ticks; ticks++) {
        char text[64];
        at = schedule_next(&schedule, at);
        time_t time = (time_t)at;
        struct tm tm;
        localtime_r(&time, &tm);
        strftime(text, sizeof text, "%F %T %z", &tm);
        assert_string_equal(text, *ticks);
    }
}
#define TICKS(after, ...)                                                      \
    assert_ticks(after, (const char *const[]){__VA_ARGS__, NULL})

/* The multiples of it since 1970, whenever one asks. */
static void test_interval(void **state)
{
    (void)state;
    zone("UTC");
    every("60s");
    assert_int_equal(schedule_next(&schedule, 0), 60);
    assert_int_equal(schedule_next(&schedule, 59), 60);
    assert_int_equal(schedule_next(&schedule, 60), 120);
    every("5m");
    TICKS("2026-11-28 13:57:12", "2026-11-28 14:00:00 +0000",
          "2026-11-28 14:05:00 +0000");
    every("1s");
    TICKS("2026-11-28 23:59:58", "2026-11-28 23:59:59 +0000",
          "2026-11-29 00:00:00 +0000");
    every("366d");
    assert_int_equal(schedule.interval, SCHEDULE_INTERVAL_S_MAX);
}

static void test_bad_every(void **state)
{
    (void)state;
    static const char *const table[] = {"",    "0",      "0s",   "60",
                                        "1ms", "1500ms", "367d", "5 m",
                                        "-5s", "x",      "5min", "999999999d"};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct error err = ERROR_NONE;
        if (!schedule_parse(table[i], &schedule, &err))
            fail_msg("\"%s\" was taken", table[i]);
        assert_int_equal(err.code, ERR_USAGE);
    }
}

/* Each five minutes of the working day; the weekend is leapt over. */
static void test_working_hours(void **state)
{
    (void)state;
    zone("UTC");
    every("*/5 9-16 * * mon-fri");
    TICKS("2026-11-27 16:50:00", "2026-11-27 16:55:00 +0000",
          "2026-11-30 09:00:00 +0000", "2026-11-30 09:05:00 +0000");
}

/* Months have an end: the 31st comes in seven of them, 29 February in leap
 * years, also past a year that is none (2100). */
static void test_ends_of_months(void **state)
{
    (void)state;
    zone("UTC");
    every("0 12 31 * *");
    TICKS("2026-01-31 12:00:00", "2026-03-31 12:00:00 +0000",
          "2026-05-31 12:00:00 +0000", "2026-07-31 12:00:00 +0000",
          "2026-08-31 12:00:00 +0000");
    every("0 0 29 feb *");
    TICKS("2026-01-01 00:00:00", "2028-02-29 00:00:00 +0000",
          "2032-02-29 00:00:00 +0000");
    TICKS("2096-02-29 00:00:00", "2104-02-29 00:00:00 +0000");
    every("59 23 31 12 *");
    TICKS("2026-12-31 23:58:59", "2026-12-31 23:59:00 +0000",
          "2027-12-31 23:59:00 +0000");
}

/* The 13th and each Friday; and Fridays of the first week. */
static void test_day_or_weekday(void **state)
{
    (void)state;
    zone("UTC");
    every("0 0 13 * fri");
    TICKS("2026-02-01 00:00:00", "2026-02-06 00:00:00 +0000",
          "2026-02-13 00:00:00 +0000", "2026-02-20 00:00:00 +0000");
    TICKS("2026-04-11 00:00:00", "2026-04-13 00:00:00 +0000");
    every("0 0 */10 * fri");
    TICKS("2026-04-01 00:00:00", "2026-05-01 00:00:00 +0000");
}

/* A date that no year has is never due. */
static void test_never(void **state)
{
    (void)state;
    zone(NEW_YORK);
    every("0 0 30 feb *");
    assert_int_equal(schedule_next(&schedule, utc("2026-01-01 00:00:00")),
                     SCHEDULE_NEVER);
    every("30 4 * * *");
    hours("09:30-16:00");
    assert_int_equal(schedule_next(&schedule, utc("2026-01-01 00:00:00")),
                     SCHEDULE_NEVER);
}

/* 2026-03-08, 02:00 to 03:00 does not exist: what was due then is due at its
 * end, once. */
static void test_clocks_go_forward(void **state)
{
    (void)state;
    zone(NEW_YORK);
    every("30 2 * * *");
    TICKS("2026-03-07 00:00:00", "2026-03-07 02:30:00 -0500",
          "2026-03-08 03:00:00 -0400", "2026-03-09 02:30:00 -0400");
    every("0,15,30 2,3 * * *");
    TICKS("2026-03-08 06:00:00", "2026-03-08 03:00:00 -0400",
          "2026-03-08 03:15:00 -0400");
    every("*/30 * * * *");
    TICKS("2026-03-08 06:00:00", "2026-03-08 01:30:00 -0500",
          "2026-03-08 03:00:00 -0400", "2026-03-08 03:30:00 -0400");
    every("0 4 * * *");
    TICKS("2026-03-07 12:00:00", "2026-03-08 04:00:00 -0400");
}

/* 2026-11-01, 01:00 to 02:00 comes twice: what is due then is due the first
 * time; what is due each hour goes on each hour. */
static void test_clocks_go_back(void **state)
{
    (void)state;
    zone(NEW_YORK);
    every("30 1 * * *");
    TICKS("2026-10-31 12:00:00", "2026-11-01 01:30:00 -0400",
          "2026-11-02 01:30:00 -0500");
    every("*/30 1,2 * * *");
    TICKS("2026-11-01 05:10:00", "2026-11-01 01:30:00 -0400",
          "2026-11-01 02:00:00 -0500");
    every("*/30 * * * *");
    TICKS("2026-11-01 05:10:00", "2026-11-01 01:30:00 -0400",
          "2026-11-01 01:00:00 -0500", "2026-11-01 01:30:00 -0500",
          "2026-11-01 02:00:00 -0500");
    every("30m");
    TICKS("2026-11-01 05:10:00", "2026-11-01 01:30:00 -0400",
          "2026-11-01 01:00:00 -0500");
}

/* Clocks that change by half an hour (Lord Howe), at midnight (Beirut), and a
 * minute after it (St. John's, in 2010); and a day that an island left out. */
static void test_odd_changes(void **state)
{
    (void)state;
    zone("Australia/Lord_Howe"); /* 02:00 is 02:30 */
    every("15 2 * * *");
    TICKS("2026-10-03 00:00:00", "2026-10-04 02:30:00 +1100",
          "2026-10-05 02:15:00 +1100");
    every("45 1 * * *"); /* 02:00 is 01:30 again */
    TICKS("2026-04-04 00:00:00", "2026-04-05 01:45:00 +1100",
          "2026-04-06 01:45:00 +1030");
    zone("Asia/Beirut"); /* 00:00 is 01:00 */
    every("0 0 * * sun");
    TICKS("2026-03-23 00:00:00", "2026-03-29 01:00:00 +0300",
          "2026-04-05 00:00:00 +0300");
    zone("America/St_Johns"); /* 00:01 is 01:01 */
    every("1 1 14 3 *");
    TICKS("2010-01-01 00:00:00", "2010-03-14 01:01:00 -0230",
          "2011-03-14 01:01:00 -0230");
    zone("Pacific/Apia"); /* no 2011-12-30 */
    every("0 12 30 * *");
    TICKS("2011-12-01 00:00:00", "2011-12-31 00:00:00 +1400",
          "2012-01-30 12:00:00 +1400");
}

/* Both ends belong to the hours, in summer and in winter. */
static void test_hours_of_trade(void **state)
{
    (void)state;
    zone(NEW_YORK);
    every("30m");
    hours("09:30-16:00");
    days("mon-fri");
    TICKS("2026-03-06 20:10:00", "2026-03-06 15:30:00 -0500",
          "2026-03-06 16:00:00 -0500", "2026-03-09 09:30:00 -0400");
    every("*/10 * * * *");
    hours("09:30-16:00");
    days("mon-fri");
    TICKS("2026-03-06 20:55:00", "2026-03-06 16:00:00 -0500",
          "2026-03-09 09:30:00 -0400", "2026-03-09 09:40:00 -0400");
    every("7s");
    hours("09:30-09:31");
    assert_int_equal(schedule_next(&schedule, utc("2026-03-06 20:55:00")) % 7,
                     0);
    every("1h");
    hours("00:00-24:00");
    TICKS("2026-03-06 20:55:00", "2026-03-06 16:00:00 -0500");
}

/* From evening to morning; the day is that of the tick itself. */
static void test_hours_past_midnight(void **state)
{
    (void)state;
    zone("UTC");
    every("2h");
    hours("22:00-02:00");
    days("mon-fri");
    TICKS("2026-11-26 21:00:00", "2026-11-26 22:00:00 +0000",
          "2026-11-27 00:00:00 +0000", "2026-11-27 02:00:00 +0000",
          "2026-11-27 22:00:00 +0000", "2026-11-30 00:00:00 +0000");
}

static void test_bad_hours_and_days(void **state)
{
    (void)state;
    static const char *const table[] = {"",
                                        "9:30-16:00",
                                        "09:30",
                                        "09:30-16:0x",
                                        "09:60-16:00",
                                        "09:30-24:01",
                                        "24:00-09:30",
                                        "09:30-09:30",
                                        "09:30_16:00",
                                        "09:30-160:0",
                                        "09.30-16.00"};
    every("1h");
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct error err = ERROR_NONE;
        assert_int_equal(schedule_set_hours(&schedule, table[i], &err),
                         ERR_USAGE);
    }
    struct error err = ERROR_NONE;
    assert_int_equal(schedule_set_days(&schedule, "workdays", &err), ERR_USAGE);
}

/* Thanksgiving and Christmas, in any order, with comments. */
static void test_holidays(void **state)
{
    (void)state;
    zone(NEW_YORK);
    every("0 10 * * mon-fri");
    holidays("# New York\n\n2026-12-25 # Christmas\r\n  2026-11-26\n"
             "2028-02-29");
    assert_int_equal(schedule.n_holidays, 3);
    TICKS("2026-11-25 12:00:00", "2026-11-25 10:00:00 -0500",
          "2026-11-27 10:00:00 -0500");
    TICKS("2026-12-24 20:00:00", "2026-12-28 10:00:00 -0500");
    holidays("");
    TICKS("2026-12-24 20:00:00", "2026-12-25 10:00:00 -0500");
}

static void test_bad_holidays(void **state)
{
    (void)state;
    static const char *const table[] = {
        "2026-02-29", "2026-13-01", "2026-00-01", "2026-01-00", "2026-04-31",
        "1900-02-29", "26-01-01",   "2026/01/01", "2026-1-1",   "2026-01-01 x",
        "Christmas",  "2100-02-29", "1969-12-31"};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct error err = ERROR_NONE;
        char text[64];
        snprintf(text, sizeof text, "# first\n%s\n", table[i]);
        if (!schedule_set_holidays(&schedule, slice_of(text), &err))
            fail_msg("\"%s\" was taken", table[i]);
        assert_memory_equal(err.text, "line 2: \"", 9);
    }
}

/* So many dates are taken, and one more is not. */
static void test_most_holidays(void **state)
{
    (void)state;
    static char text[(SCHEDULE_HOLIDAYS_MAX + 1) * 11 + 1];
    for (int i = 0; i <= SCHEDULE_HOLIDAYS_MAX; i++)
        snprintf(text + (size_t)i * 11, 12, "%04u-01-01\n",
                 (2000u + (unsigned)i) % 10000);
    struct error err = ERROR_NONE;
    struct slice all = slice_of(text), good = {text, all.len - 11};
    assert_int_equal(schedule_set_holidays(&schedule, good, &err), 0);
    assert_int_equal(schedule_set_holidays(&schedule, all, &err), ERR_USAGE);
    assert_string_equal(err.text, "line 2001: more than 2000 dates");
}

static struct schedule_look look(int64_t now, bool catch_up)
{
    return schedule_look(&schedule, 600, now, 30, catch_up);
}

static void assert_look(struct schedule_look look, int64_t due, int64_t missed)
{
    assert_int_equal(look.due, due);
    assert_int_equal(look.missed, missed);
}

/* A tick a moment ago is run; where the next one has come, or too much time
 * has gone by, it is left out, or made up for by one run. */
static void test_missed(void **state)
{
    (void)state;
    zone("UTC");
    every("1m");
    assert_look(look(540, false), 600, 0);
    assert_look(look(600, false), 600, 0);
    assert_look(look(630, false), 600, 0);
    assert_look(look(631, false), 660, 1);
    assert_look(look(660, false), 720, 2);
    assert_look(look(900, false), 960, 6);
    assert_look(look(540, true), 600, 0);
    assert_look(look(631, true), 600, 0);
    assert_look(look(660, true), 660, 1);
    assert_look(look(900, true), 900, 5);
}

/* A machine that slept for long is no reason to count for ever. */
static void test_missed_for_long(void **state)
{
    (void)state;
    zone("UTC");
    every("1s");
    int64_t now = 600 + 10LL * SCHEDULE_MISSED_MAX;
    assert_look(look(now, false), now + 1, SCHEDULE_MISSED_MAX + 1);
    assert_look(look(now, true), 600 + SCHEDULE_MISSED_MAX,
                SCHEDULE_MISSED_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_interval),
        cmocka_unit_test(test_bad_every),
        cmocka_unit_test(test_working_hours),
        cmocka_unit_test(test_ends_of_months),
        cmocka_unit_test(test_day_or_weekday),
        cmocka_unit_test(test_never),
        cmocka_unit_test(test_clocks_go_forward),
        cmocka_unit_test(test_clocks_go_back),
        cmocka_unit_test(test_odd_changes),
        cmocka_unit_test(test_hours_of_trade),
        cmocka_unit_test(test_hours_past_midnight),
        cmocka_unit_test(test_bad_hours_and_days),
        cmocka_unit_test(test_holidays),
        cmocka_unit_test(test_bad_holidays),
        cmocka_unit_test(test_most_holidays),
        cmocka_unit_test(test_missed),
        cmocka_unit_test(test_missed_for_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
