/*
 * series.h: two years of days, as the end of Yahoo's chart answer.
 *
 * To write 3,000 numbers takes longer than to send them, so there are
 * SERIES_SHAPES courses of prices, each written when it is first asked for and
 * then kept: 0.9 MB in all, however many symbols there are.
 */
#ifndef ORIGIN_SERIES_H
#define ORIGIN_SERIES_H

#include "base/buffer.h"

#define SERIES_SHAPES 16
#define SERIES_DAYS 502 /* two years, without weekends and holidays */

struct series {
    struct buffer shapes[SERIES_SHAPES];
};

/*
 * From `"timestamp":[` to the document's end, about 56 KB: the symbol's course
 * of days, the same each time. Each number is that of a float, as Yahoo's are;
 * one day of it is null. The text lives as long as `series`, which begins
 * zeroed; empty when memory is out.
 */
struct slice series_of(struct series *series, const char *symbol);
void series_fini(struct series *series);

#endif
