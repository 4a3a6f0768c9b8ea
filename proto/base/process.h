/*
 * process.h: what each program gives up as its first act, and what it took.
 */
#ifndef BASE_PROCESS_H
#define BASE_PROCESS_H

#include <stdint.h>

/*
 * No core dump; no reading of this process's memory or environment, and no
 * attaching to it, by others of the same user; no program that it starts may
 * gain privileges (PR_SET_DUMPABLE(2const), PR_SET_NO_NEW_PRIVS(2const)). So
 * a password stays in here. The first two must be done again after an exec.
 */
void process_harden(void);

/* The most memory that this process had, in bytes; 0: not known. */
int64_t process_memory_peak(void);

#endif
