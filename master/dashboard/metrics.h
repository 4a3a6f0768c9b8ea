/*
 * metrics.h: what Prometheus is told
 * (https://prometheus.io/docs/instrumenting/exposition_formats/).
 *
 * All names begin with windrow_, units are seconds and bytes. What nodes count
 * and time is the lists of wire/message.h.
 */
#ifndef DASHBOARD_METRICS_H
#define DASHBOARD_METRICS_H

#include "base/buffer.h"
#include "masters.h"

#define METRICS_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* What this process says of itself. */
struct metrics_own {
    bool ledger_up;
    size_t connections, pages;
    int64_t requests;
};

/* Appends all of them; nothing is told of a run whose master is gone. */
void metrics_write(const struct masters *masters, const struct metrics_own *own,
                   struct buffer *ret);

#endif
