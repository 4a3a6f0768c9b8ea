/*
 * redirects.h: faults that lead elsewhere.
 */
#ifndef ORIGIN_REDIRECTS_H
#define ORIGIN_REDIRECTS_H

#include <stdbool.h>

#include "base/buffer.h"
#include "faults.h"
#include "options.h"

/* Whether `target` is where such a fault has led by now, and it answers. */
bool redirects_over(const struct options *options, enum fault_kind kind,
                    const char *target);

/* Appends the header that leads from `target` on; `kind` is one of them. */
void redirects_head(const struct options *options, enum fault_kind kind,
                    const char *target, struct buffer *to);

#endif
