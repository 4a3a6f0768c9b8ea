/* clock.c: see clock.h. */
#include "base/clock.h"

#include <stdio.h>
#include <time.h>

#include "base/check.h"

static usec_t read_clock(clockid_t which)
{
    struct timespec now;
    CHECK(clock_gettime(which, &now) == 0);
    return (usec_t)now.tv_sec * USEC_PER_SEC + now.tv_nsec / 1000;
}

usec_t clock_monotonic(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

usec_t clock_wall(void)
{
    return read_clock(CLOCK_REALTIME);
}

usec_t clock_process_cpu(void)
{
    return read_clock(CLOCK_PROCESS_CPUTIME_ID);
}

void clock_format(usec_t wall, char text[CLOCK_TEXT_BYTES])
{
    time_t seconds = (time_t)(wall / USEC_PER_SEC);
    int micros = (int)(wall % USEC_PER_SEC);
    if (micros < 0) {
        micros += (int)USEC_PER_SEC;
        seconds--;
    }
    struct tm utc;
    CHECK(gmtime_r(&seconds, &utc));
    /* Not strftime(): its %Y writes the year 1 as "1". */
    int n =
        snprintf(text, CLOCK_TEXT_BYTES, "%04d-%02d-%02dT%02d:%02d:%02d.%06dZ",
                 utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday, utc.tm_hour,
                 utc.tm_min, utc.tm_sec, micros);
    CHECK(n == CLOCK_TEXT_BYTES - 1);
}
