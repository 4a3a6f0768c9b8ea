/*
 * process.c: see process.h.
 *
 * A failure changes nothing that anyone could see or mend: none is reported.
 */
#include "base/process.h"

#include <stdio.h>
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

int64_t process_memory_peak(void)
{
    FILE *status = fopen("/proc/self/status", "re");
    if (!status)
        return 0;
    char line[128];
    long kilobytes = 0;
    while (fgets(line, sizeof line, status))
        if (sscanf(line, "VmHWM: %ld", &kilobytes) == 1)
            break;
    fclose(status);
    return (int64_t)kilobytes * 1024;
}
