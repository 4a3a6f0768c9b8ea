/*
 * listen.h: where a master listens, by its options and settings.
 *
 * Refused before anything starts: an address that others can reach without
 * keys, unless that is what was asked for; a database that other machines
 * can't reach; keys that are no good; a port that is taken.
 */
#ifndef MASTER_LISTEN_H
#define MASTER_LISTEN_H

#include "options.h"
#include "pipeline/settings.h"

struct listen {
    const char *place;   /* tcp://ADDRESS:PORT; NULL: this machine */
    int first_task_port; /* 0: any that is free */
    int last_task_port;  /* inclusive */
    const char *keys;    /* a folder: wire/curve.h; NULL: none */
};

/* The texts are those of `options` and `settings`. ERR_USAGE, ERR_SETTING, and
 * what wire_socket_bind() and curve_read_master() say. */
MUSTCHECK
int listen_read(const struct options *options, const struct settings *settings,
                struct listen *ret, struct error *err);

#endif
