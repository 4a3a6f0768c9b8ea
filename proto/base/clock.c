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
    char date[20];
    CHECK(gmtime_r(&seconds, &utc));
    CHECK(strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &utc) == 19);
    snprintf(text, CLOCK_TEXT_BYTES, "%s.%06dZ", date, micros);
}
