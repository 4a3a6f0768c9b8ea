/*
 * time_text.h: moments as they are written elsewhere, into microseconds.
 *
 * Exact: no double is made on the way; what is finer than a microsecond is
 * cut off, towards the past. Years 1 to 9999, so that what clock_format()
 * writes sorts as text.
 */
#ifndef BASE_TIME_TEXT_H
#define BASE_TIME_TEXT_H

#include <stdbool.h>

#include "base/clock.h"
#include "base/slice.h"

#define TIME_TEXT_DIGITS_MAX 64 /* of a number; no time has more */

/*
 * ISO 8601, extended: a date, or a date and a time of day, with `T`, `t` or a
 * space between; seconds and their fraction may be left out; then `Z`, an
 * offset (+02:00, +0200, +02) or nothing, which is UTC. A leap second is the
 * second after it. False where it is none.
 */
bool time_text_iso(struct slice text, usec_t *ret);

/*
 * A JSON number without an exponent of whatever `usec_per_unit` says (for Unix
 * seconds USEC_PER_SEC; a unit divides a second by a power of ten). False
 * where it is none, or beyond the years.
 */
bool time_text_unix(struct slice text, usec_t usec_per_unit, usec_t *ret);

#endif
