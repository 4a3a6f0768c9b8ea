/*
 * loop.h: the least that fetches: libcurl's multi handles in libevent's loop,
 * easy handles used again, each body thrown away. What it costs is what no
 * program around the same two libraries can save, so the benchmarks compare a
 * node with it.
 *
 * It is written as libcurl's manual has it, without the node's own ways: a
 * socket is watched when libcurl asks for it and no longer. Its shards are the
 * exception, since one multi handle of thousands would measure libcurl's
 * search through its connections
 * (docs/decisions/0004-several-multi-handles.md).
 */
#ifndef BENCH_LOOP_H
#define BENCH_LOOP_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

struct loop_plan {
    const char *url;  /* "{key}" in it: K0000001, K0000002, ... */
    size_t keys;      /* how many */
    size_t in_flight; /* at a time, at least 1 */
    size_t shard;     /* transfers of one multi handle; 0: all of them */
    bool http2;       /* by ALPN, the streams of a multi handle on one
                         connection; else HTTP/1.1 */
    const char *ca; /* the file of the authority trusted; NULL: the system's */
};

struct loop_result {
    size_t failed;      /* not answered with 200, in the version asked for */
    size_t bytes;       /* of bodies */
    size_t connections; /* made */
};

/* Fetches all of them, once. ERR_MEMORY, ERR_SYSTEM. */
MUSTCHECK
int loop_run(const struct loop_plan *plan, struct loop_result *ret,
             struct error *err);

#endif
