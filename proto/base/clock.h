/*
 * clock.h: the two clocks.
 *
 * Inside, time is one type: usec_t, microseconds. Durations and deadlines use
 * the monotonic clock; the wall clock is only for what is stored or shown.
 * The cores (node_core, master_core) get the time as an argument and never
 * call these.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

typedef int64_t usec_t;

#define USEC_PER_MSEC ((usec_t)1000)
#define USEC_PER_SEC ((usec_t)1000000)
#define USEC_NEVER INT64_MAX

/* CLOCK_MONOTONIC. */
usec_t clock_monotonic(void);

/* CLOCK_REALTIME, microseconds since 1970-01-01T00:00:00Z. */
usec_t clock_wall(void);

/* CPU time of the calling process, all threads. */
usec_t clock_process_cpu(void);

/* "2026-11-22T18:17:49.123456Z" and its NUL; years 1 to 9999. */
#define CLOCK_TEXT_BYTES 28
void clock_format(usec_t wall, char text[CLOCK_TEXT_BYTES]);

#endif
