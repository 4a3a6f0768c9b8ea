/* find_sink.h: whose table is meant where rows are asked for. */
#ifndef MASTER_FIND_SINK_H
#define MASTER_FIND_SINK_H

#include "context.h"

/* The sink of this run's pipeline that stores into `table`; with NULL, the one
 * that it has. It lives in context->pipeline. Complains, naming the tables,
 * and returns the exit status, or 0. */
MUSTCHECK
int find_sink_of(struct context *context, const struct run_row *row,
                 const char *table, const struct sink **ret);

/* The same of the newest run that stores into `table`; with NULL, of the newest
 * run. */
MUSTCHECK
int find_sink(struct context *context, const char *table,
              const struct sink **ret);

/* The same of the newest run that stores into `table`, without a complaint;
 * NULL: there is none, or it can't be read. */
const struct sink *find_sink_if_any(struct context *context, const char *table);

/* How many sinks the context's pipeline has. */
size_t find_sink_count(const struct context *context);

#endif
