/*
 * Stands in for windrow-node in test_processes.c: does what its --connect says
 * in place of a cluster's place: "status:N" ends so, "signal:N" kills itself,
 * "first:N" kills itself once (a file beside it remembers), all else waits for
 * SIGTERM.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    const char *order = "";
    for (int i = 1; i + 1 < argc; i++)
        if (!strcmp(argv[i], "--connect"))
            order = argv[i + 1];
    const char *colon = strchr(order, ':');
    int number = colon ? (int)strtol(colon + 1, NULL, 10) : 0;
    const char *memory = colon ? strchr(colon + 1, ':') : NULL;
    if (!strncmp(order, "status:", 7))
        return number;
    if (!strncmp(order, "signal:", 7))
        raise(number);
    if (!strncmp(order, "first:", 6) && memory &&
        open(memory + 1, O_CREAT | O_EXCL | O_CLOEXEC, 0600) >= 0)
        raise(number);
    for (;;)
        pause();
}
