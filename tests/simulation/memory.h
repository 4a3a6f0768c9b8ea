/*
 * memory.h: allocations of the cores that fail.
 *
 * The linker puts these in place of malloc, calloc, realloc and strdup
 * (CMakeLists.txt). They fail only where that was asked for, while a core
 * works on an event.
 */
#ifndef SIMULATION_MEMORY_H
#define SIMULATION_MEMORY_H

#include <stdbool.h>
#include <stdint.h>

/* After `n` allocations the next one fails, or all after that. */
void memory_fail_after(int64_t n, bool all);
/* No more; whether any failed. */
bool memory_well(void);

#endif
