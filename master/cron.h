/*
 * cron.h: times as crontab(5) writes them, five fields with blanks between.
 *
 *     minute 0-59 | hour 0-23 | day of the month 1-31 | month 1-12 or JAN-DEC
 *     | day of the week 0-7 or SUN-SAT, where 0 and 7 are Sunday
 *
 * A field is `*`, a value, a range, or a list of these; a step may follow `*`
 * or a range. Names are of three letters, in either case. As in crontab(5) a
 * day counts if either of its two fields has it, but where one of them begins
 * with `*` both must.
 *
 * Pure: no clock, no zone, no I/O.
 */
#ifndef MASTER_CRON_H
#define MASTER_CRON_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "base/error.h"

#define CRON_HOURS_ALL 0xffffffU

struct cron {
    uint64_t minutes; /* bit 0: minute 0, and so on */
    uint64_t hours;
    uint64_t days;     /* bits 1 to 31 */
    uint64_t months;   /* bits 1 to 12 */
    uint64_t weekdays; /* bit 0: Sunday */
    bool either;       /* neither field of days begins with `*` */
};

/* ERR_USAGE says which field and which character of `text` is wrong, and what
 * may stand there. */
MUSTCHECK
int cron_parse(const char *text, struct cron *ret, struct error *err);

/* One field of weekdays by itself: "mon-fri", "mon,wed". */
MUSTCHECK
int cron_parse_weekdays(const char *text, uint64_t *ret, struct error *err);

/* Whether the day of `at` counts; its hour; and all of it, to the minute. */
bool cron_has_day(const struct cron *cron, const struct tm *at);
bool cron_has_hour(const struct cron *cron, const struct tm *at);
bool cron_has(const struct cron *cron, const struct tm *at);

#endif
