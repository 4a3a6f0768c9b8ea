/*
 * indicator.h: what a field may compute over an array of numbers. The names
 * are those of the pipeline file; node/indicators.h has the formulas.
 */
#ifndef PIPELINE_INDICATOR_H
#define PIPELINE_INDICATOR_H

#include <stdbool.h>

#define INDICATOR_SPAN_MAX 1000 /* of sma and ema: four years of days */

enum indicator {
    INDICATOR_NONE, /* the field is the value itself */
    INDICATOR_LAST,
    INDICATOR_FIRST,
    INDICATOR_MIN,
    INDICATOR_MAX,
    INDICATOR_SUM,
    INDICATOR_MEAN,
    INDICATOR_COUNT,
    INDICATOR_CHANGE,
    INDICATOR_RETURN,
    INDICATOR_VOLATILITY,
    INDICATOR_DRAWDOWN,
    INDICATOR_SMA,        /* these three have a number */
    INDICATOR_EMA,        /* 1 to INDICATOR_SPAN_MAX */
    INDICATOR_PERCENTILE, /* 1 to 99 */
};

struct compute {
    enum indicator indicator;
    int n; /* of sma, ema and percentile; else 0 */
};

/* "volatility" and so on, as the file has it. */
const char *indicator_name(enum indicator indicator);
bool indicator_has_number(enum indicator indicator);

#endif
