/*
 * indicators.c: see indicators.h.
 *
 * Each is a plain loop over the numbers, in their order, so that a program in
 * another language gets the same figure by the same steps.
 */
#include "indicators.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define TRADING_DAYS 252.0

bool indicators_is_pick(enum indicator indicator)
{
    return indicator >= INDICATOR_LAST && indicator <= INDICATOR_MAX;
}

size_t indicators_pick(enum indicator indicator, const double *x, size_t n)
{
    size_t found = 0;
    CHECK(n > 0 && indicators_is_pick(indicator));
    if (indicator == INDICATOR_LAST)
        return n - 1;
    for (size_t i = 1; i < n && indicator != INDICATOR_FIRST; i++)
        if (indicator == INDICATOR_MIN ? x[i] < x[found] : x[i] > x[found])
            found = i;
    return found;
}

static double sum(const double *x, size_t n)
{
    double all = 0;
    for (size_t i = 0; i < n; i++)
        all += x[i];
    return all;
}

static double mean(const double *x, size_t n)
{
    return sum(x, n) / (double)n;
}

static double volatility(const double *x, size_t n, double *returns)
{
    double squares = 0;
    for (size_t i = 1; i < n; i++)
        returns[i - 1] = log(x[i] / x[i - 1]);
    double centre = mean(returns, n - 1);
    for (size_t i = 0; i < n - 1; i++)
        squares += (returns[i] - centre) * (returns[i] - centre);
    return sqrt(squares / (double)(n - 2)) * sqrt(TRADING_DAYS);
}

static double drawdown(const double *x, size_t n)
{
    double peak = x[0], deepest = 0;
    for (size_t i = 1; i < n; i++) {
        if (x[i] > peak)
            peak = x[i];
        else if (1 - x[i] / peak > deepest)
            deepest = 1 - x[i] / peak;
    }
    return deepest;
}

static double ema(const double *x, size_t n, size_t span)
{
    double e = mean(x, span);
    for (size_t i = span; i < n; i++)
        e += (x[i] - e) * 2 / (double)(span + 1);
    return e;
}

static int by_size(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

static double percentile(const double *x, size_t n, int p, double *sorted)
{
    memcpy(sorted, x, n * sizeof *x);
    qsort(sorted, n, sizeof *sorted, by_size);
    double place = (double)p / 100 * (double)(n - 1);
    size_t below = (size_t)place;
    if (below + 1 >= n)
        return sorted[n - 1];
    return sorted[below] +
           (place - (double)below) * (sorted[below + 1] - sorted[below]);
}

/* How many numbers the indicator is defined for. */
static size_t at_least(struct compute compute)
{
    switch (compute.indicator) {
    case INDICATOR_SUM:
    case INDICATOR_COUNT:
        return 0;
    case INDICATOR_RETURN:
        return 2;
    case INDICATOR_VOLATILITY:
        return 3; /* two returns */
    case INDICATOR_SMA:
    case INDICATOR_EMA:
        return (size_t)compute.n;
    default:
        return 1;
    }
}

/* Whether what is divided by, or in a logarithm, is above zero. */
static bool is_above_zero(enum indicator indicator, const double *x, size_t n)
{
    if (indicator == INDICATOR_CHANGE)
        return x[0] > 0;
    if (indicator == INDICATOR_RETURN)
        return x[0] > 0 && x[n - 1] > 0;
    if (indicator != INDICATOR_VOLATILITY && indicator != INDICATOR_DRAWDOWN)
        return true;
    for (size_t i = 0; i < n; i++)
        if (x[i] <= 0)
            return false;
    return true;
}

static double figure(struct compute compute, const double *x, size_t n,
                     double *scratch)
{
    size_t span = (size_t)compute.n;
    switch (compute.indicator) {
    case INDICATOR_SUM:
        return sum(x, n);
    case INDICATOR_MEAN:
        return mean(x, n);
    case INDICATOR_COUNT:
        return (double)n;
    case INDICATOR_CHANGE:
        return x[n - 1] / x[0] - 1;
    case INDICATOR_RETURN:
        return log(x[n - 1] / x[0]) / (double)(n - 1);
    case INDICATOR_VOLATILITY:
        return volatility(x, n, scratch);
    case INDICATOR_DRAWDOWN:
        return drawdown(x, n);
    case INDICATOR_SMA:
        return mean(x + n - span, span);
    case INDICATOR_EMA:
        return ema(x, n, span);
    case INDICATOR_PERCENTILE:
        return percentile(x, n, compute.n, scratch);
    default:
        CHECK(!"an indicator that is computed");
        return 0;
    }
}

enum indicator_outcome indicators_compute(struct compute compute,
                                          const double *x, size_t n,
                                          double *scratch, double *ret)
{
    if (n < at_least(compute))
        return INDICATOR_TOO_FEW;
    if (!is_above_zero(compute.indicator, x, n))
        return INDICATOR_NOT_ABOVE_ZERO;
    double result = figure(compute, x, n, scratch);
    if (!isfinite(result))
        return INDICATOR_NOT_FINITE;
    *ret = result;
    return INDICATOR_DONE;
}
