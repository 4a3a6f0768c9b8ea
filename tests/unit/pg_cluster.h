/*
 * pg_cluster.h: a PostgreSQL server of a test's own: a fresh cluster in a
 * temporary folder, on a unix socket only, gone when the test ends, however it
 * ends.
 */
#ifndef TESTS_PG_CLUSTER_H
#define TESTS_PG_CLUSTER_H

#include <stdbool.h>

struct pg_cluster;

/* NULL where this machine has no server programs (says so). `durable`: with
 * fsync, for measuring. */
struct pg_cluster *pg_cluster_start(bool durable);
void pg_cluster_stop(struct pg_cluster **cluster);
/* postgresql://… as superuser, for the database `postgres`. */
const char *pg_cluster_url(const struct pg_cluster *cluster);
/* Ends the server as a crash would, and starts it again. */
bool pg_cluster_crash(struct pg_cluster *cluster);
bool pg_cluster_start_again(struct pg_cluster *cluster);

#endif
