/*
 * schedule.h: when a pipeline is due.
 *
 * Ticks are seconds since 1970, UTC. Those of an interval are its multiples,
 * those of five fields (cron.h) the minutes whose local time they name; so two
 * masters with one schedule have the same ticks, whenever they were started.
 * Hours of trade, weekdays and holidays, of local time, take some away.
 *
 * Where clocks go forward, a time that is left out is due at the first moment
 * after it; where they go back, a time that comes twice is due once, the first
 * time. Five fields with every hour are due whenever the clock shows one of
 * their minutes, and an interval does not look at clocks, as cron(8) does it.
 *
 * The zone is the C library's (TZ, tzset()). Nothing else is read, no clock
 * either: the time is an argument.
 */
#ifndef MASTER_SCHEDULE_H
#define MASTER_SCHEDULE_H

#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "cron.h"

#define SCHEDULE_HOLIDAYS_MAX 2000 /* ten years of twenty exchanges */
#define SCHEDULE_INTERVAL_S_MAX (366 * 86400LL)
#define SCHEDULE_YEARS_MAX 50      /* how far schedule_next() looks */
#define SCHEDULE_MISSED_MAX 100000 /* more are counted as so many */
#define SCHEDULE_NEVER (-1)

struct schedule {
    int64_t interval; /* seconds; 0: `cron` says when */
    struct cron cron;
    int opens, closes; /* seconds of the local day; both belong to it */
    uint64_t weekdays; /* bit 0: Sunday */
    size_t n_holidays;
    int32_t holidays[SCHEDULE_HOLIDAYS_MAX]; /* yyyymmdd, sorted */
};

/* "60s", "5m", "1h", whole seconds up to a year; or five fields. At all hours
 * of all days, as yet. ERR_USAGE. */
MUSTCHECK
int schedule_parse(const char *every, struct schedule *ret, struct error *err);

/* "09:30-16:00"; "22:00-06:00" passes midnight. ERR_USAGE. */
MUSTCHECK
int schedule_set_hours(struct schedule *schedule, const char *hours,
                       struct error *err);

/* "mon-fri". ERR_USAGE. */
MUSTCHECK
int schedule_set_days(struct schedule *schedule, const char *days,
                      struct error *err);

/* A date (2026-12-25) a line, # begins a comment. ERR_USAGE names the line. */
MUSTCHECK
int schedule_set_holidays(struct schedule *schedule, struct slice text,
                          struct error *err);

/* The first tick after `after`; SCHEDULE_NEVER where none comes within
 * SCHEDULE_YEARS_MAX years. */
int64_t schedule_next(const struct schedule *schedule, int64_t after);

/* What is to be done at `now` about the ticks from `due` on, the first that
 * had no run. */
struct schedule_look {
    int64_t due;    /* the tick to run or to wait for */
    int64_t missed; /* ticks before it that get no run */
};

/* A tick is missed where the next one has come too, or `late_max` seconds have
 * gone by. With `catch_up` the last one missed is due at once. */
struct schedule_look schedule_look(const struct schedule *schedule, int64_t due,
                                   int64_t now, int64_t late_max,
                                   bool catch_up);

#endif
