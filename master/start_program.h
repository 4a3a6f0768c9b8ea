/* start_program.h: how the master starts a program: with posix_spawn, for it
 * has threads and ZeroMQ, and must never fork. */
#ifndef MASTER_START_PROGRAM_H
#define MASTER_START_PROGRAM_H

#include <sys/types.h>

/* In a process group of its own (Ctrl-C is the master's), with no signal
 * blocked or ignored, nothing to read, and no descriptor but the two that are
 * written to; `errors` is its standard error, -1: ours. 0, or an errno. */
int start_program(const char *program, char *const *arguments, int errors,
                  pid_t *ret_pid);

#endif
