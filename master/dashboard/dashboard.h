/*
 * dashboard.h: the process that shows runs: pages, a JSON interface, metrics.
 *
 * It only looks: it reads the ledger, listens to masters of this machine, and
 * answers GET. Beside the run's own processes, so that neither a page nor a
 * slow database holds up a run.
 */
#ifndef DASHBOARD_DASHBOARD_H
#define DASHBOARD_DASHBOARD_H

#include "access.h"
#include "pipeline/settings.h"

struct dashboard_options {
    struct access access;
    const struct settings *settings;
    const char *database; /* its URL */
};

/* Until SIGINT or SIGTERM: 0. ERR_…: it could not begin. */
MUSTCHECK
int dashboard_run(const struct dashboard_options *options, struct error *err);

#endif
