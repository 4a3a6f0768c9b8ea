/*
 * process.c: see process.h.
 *
 * A failure changes nothing that anyone could see or mend: none is reported.
 */
#include "base/process.h"

#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>

/* A leak checker at the end of a sanitized build attaches to its own process,
 * and may do so only while that is "dumpable". */
#ifdef WINDROW_SANITIZED
#define DUMPABLE 1
#else
#define DUMPABLE 0
#endif

void process_harden(void)
{
    const struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    prctl(PR_SET_DUMPABLE, DUMPABLE, 0, 0, 0);
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}
