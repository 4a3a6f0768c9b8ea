/*
 * indicators.h: figures over an array of numbers, x[0] to x[n-1], in the
 * order of the answer. Pure, in double arithmetic: these are computed figures,
 * good to about 15 digits, and not prices.
 *
 *   last, first, min, max   one of the numbers: indicators_pick()
 *   sum, mean, count        as they say; of no numbers sum and count are 0
 *   change        x[n-1] / x[0] - 1
 *   return        the mean of the log returns ln(x[i] / x[i-1]), which is
 *                 ln(x[n-1] / x[0]) / (n - 1)
 *   volatility    the sample standard deviation of the log returns, times
 *                 sqrt(252), the trading days of a year: Hull, "Options,
 *                 Futures, and Other Derivatives", "Estimating volatility
 *                 from historical data"
 *   drawdown      the deepest fall below an earlier peak, as a share of the
 *                 peak: the largest 1 - x[j] / x[i] with i <= j
 *   sma N         the mean of the last N numbers
 *   ema N         the mean of the first N numbers, and from there on
 *                 e += (x[i] - e) * 2 / (N + 1)
 *   percentile P  with linear interpolation: at place P / 100 * (n - 1) of
 *                 the sorted numbers (Hyndman and Fan's definition 7, that
 *                 of numpy and of PERCENTILE.INC)
 */
#ifndef NODE_INDICATORS_H
#define NODE_INDICATORS_H

#include <stddef.h>

#include "base/check.h"
#include "pipeline/indicator.h"

enum indicator_outcome {
    INDICATOR_DONE,
    INDICATOR_TOO_FEW,        /* numbers for this indicator */
    INDICATOR_NOT_ABOVE_ZERO, /* a number that is divided by, or in a log */
    INDICATOR_NOT_FINITE,     /* the result */
};

/* Whether the indicator is one of the numbers. */
bool indicators_is_pick(enum indicator indicator);

/* Which one: its place in `x`. At least one number is there. */
size_t indicators_pick(enum indicator indicator, const double *x, size_t n);

/* Any other. `scratch` has room for n numbers; *ret is set when done. */
MUSTCHECK
enum indicator_outcome indicators_compute(struct compute compute,
                                          const double *x, size_t n,
                                          double *scratch, double *ret);

#endif
