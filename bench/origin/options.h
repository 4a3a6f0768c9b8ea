/*
 * options.h: the command line.
 */
#ifndef ORIGIN_OPTIONS_H
#define ORIGIN_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/error.h"
#include "faults.h"

struct options {
    const char *listen;       /* ADDR:PORT */
    const char *port_file;    /* NULL: none */
    const char *symbols_file; /* NULL: none */
    const char *replay_dir;   /* NULL: none */
    const char *robots;       /* text of /robots.txt; NULL: none */
    const char *price_of;     /* print this symbol's price and end; NULL: no */
    int64_t count;            /* of generated symbols; -1: not asked for */
    usec_t latency;
    usec_t jitter;
    usec_t wiki_latency; /* USEC_NEVER: as `latency` */
    usec_t slow;
    usec_t drip_interval;
    uint64_t seed;
    uint64_t huge_bytes;
    uint64_t bears;           /* requests a second; 0: any number */
    const char *retry_after;  /* what stands in the header */
    const char *redirect_url; /* without a path */
    uint64_t redirect_hops;
    const char *cache_control; /* of charts and quotes; NULL: no header */
    bool etag, last_modified;  /* of these; and 304 where asked */
    bool user_agent_check;
    bool help;
    bool version;
    struct faults *faults;
};

/* The strings stay those of argv. On success free with options_fini(). */
MUSTCHECK
int options_init(struct options *options, int argc, char **argv,
                 struct error *err);
void options_fini(struct options *options);

/* What --help prints. */
void options_print_help(void);

#endif
