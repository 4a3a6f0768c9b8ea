/* clock.c: see clock.h. */
#include "base/clock.h"

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

/* `n` digits, and what follows them. By hand, since a series has many times,
 * and printf() takes longer over one than all else that is done with it. */
static char *put_digits(char *at, int value, int n, char then)
{
    CHECK(value >= 0);
    for (int i = n - 1; i >= 0; i--) {
        at[i] = (char)('0' + value % 10);
        value /= 10;
    }
    CHECK(value == 0);
    at[n] = then;
    return at + n + 1;
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
    char *at = put_digits(text, utc.tm_year + 1900, 4, '-');
    at = put_digits(at, utc.tm_mon + 1, 2, '-');
    at = put_digits(at, utc.tm_mday, 2, 'T');
    at = put_digits(at, utc.tm_hour, 2, ':');
    at = put_digits(at, utc.tm_min, 2, ':');
    at = put_digits(at, utc.tm_sec, 2, '.');
    at = put_digits(at, micros, 6, 'Z');
    *at = '\0';
}
