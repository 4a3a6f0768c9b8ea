/*
 * confine.h: a process gives up what it does not need, so that whoever takes it
 * over by what it is sent can do little with it.
 *
 * After confine() this process and its threads can't (they get EPERM or
 * EACCES, and live on):
 *   - start a program or a process (threads are allowed);
 *   - open a file for writing, make, rename or remove one, outside the places
 *     named with confine_allow(); reading is not restricted;
 *   - trace or signal another process, or reach into its memory;
 *   - mount, change namespaces, load modules, kernels or BPF, use keyrings,
 *     io_uring, userfaultfd, perf events, or set clocks and host names;
 *   - open sockets other than TCP, UDP, Unix and (for the names' look-up)
 *     netlink, or raw ones of any kind; push input into a terminal;
 *   - use root's powers, if root started it, but for reading other users' files
 *     (and, with places, for writing there, in its owner's name).
 *
 * The means are Landlock (landlock(7)) for the files and a seccomp filter
 * (seccomp(2)) for the rest. Where nothing may be written the filter refuses
 * every opening for writing as well, so that it holds without Landlock.
 */
#ifndef BASE_CONFINE_H
#define BASE_CONFINE_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

#define CONFINE_PLACES_MAX 16

struct confinement {
    char places[CONFINE_PLACES_MAX][PATH_MAX];
    size_t n_places;
};

/* Allows writing to the folder `path` and all below it; or, where it is a
 * file, or is not there, to the folder that holds it. ERR_FILE where no such
 * folder is there, ERR_LIMIT beyond CONFINE_PLACES_MAX. */
MUSTCHECK
int confine_allow(struct confinement *confinement, const char *path,
                  struct error *err);

/* What of it this kernel could do. */
struct confined {
    int landlock; /* its ABI version; 0: it has none, or it is switched off */
    bool seccomp;
};

/*
 * To be called once, before there are threads: only those started later are
 * confined too. Needs process_harden() before. There is no way back.
 */
void confine(const struct confinement *confinement, struct confined *ret);

#endif
