/*
 * try_exec.h: one key for a program of the user's, waited for; or its line out
 * of a record, without a program.
 */
#ifndef NODE_TRY_EXEC_H
#define NODE_TRY_EXEC_H

#include "launcher.h"
#include "try_private.h"

/* Its programs, where the trial's pipeline has some and no record is replayed.
 * What exec_pool_new() says. */
MUSTCHECK
int try_exec_new(struct trial *trial, struct launcher *launcher,
                 struct try_exec **ret, struct error *err);
void try_exec_free(struct try_exec **exec);

/* Asks the worker's program once, and shows both lines. `ret` is zeroed, and to
 * be freed in any case; its body is the record. */
void try_exec_ask(struct trial *trial, const struct worker *worker,
                  struct slice key, struct try_answer *ret);

#endif
