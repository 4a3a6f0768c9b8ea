/*
 * compute.h: the same figures over a chart of two years, again and again: work
 * that only computes. They are those of figures.py, by a node's own code.
 */
#ifndef MODELS_COMPUTE_H
#define MODELS_COMPUTE_H

#include <stdbool.h>

#include "base/error.h"

struct compute_plan {
    const char *chart; /* the file of an answer */
    long answers;      /* all in all */
    int workers;
    bool processes; /* instead of threads */
};

/* Reads and computes, `answers` times. ERR_FILE, ERR_MEMORY, ERR_SYSTEM. */
MUSTCHECK
int compute_run(const struct compute_plan *plan, struct error *err);

/* Prints a line for each figure: "close_volatility 0.18". */
MUSTCHECK
int compute_print(const char *chart, struct error *err);

#endif
