/* exec_program.h: one worker's program, and its process: see exec.h. */
#ifndef NODE_EXEC_PROGRAM_H
#define NODE_EXEC_PROGRAM_H

#include "exec.h"
#include "exec_keys.h"

struct exec_program;

/* Nothing is started before the first key. NULL: memory is out. */
MUSTCHECK
struct exec_program *exec_program_new(struct event_base *base,
                                      struct launcher *launcher,
                                      const struct worker *worker,
                                      const struct exec_callbacks *callbacks);
void exec_program_free(struct exec_program **program);

/* False when memory is out. */
MUSTCHECK
bool exec_program_ask(struct exec_program *program, uint64_t fetch,
                      struct slice key);
struct exec_keys *exec_program_keys(struct exec_program *program);

#endif
