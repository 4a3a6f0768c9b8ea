/* exec.c: see exec.h. */
#include "exec.h"

#include <stdlib.h>

#include "exec_program.h"

struct exec_pool {
    struct launcher *launcher; /* NULL: it is not listened to */
    struct exec_program *programs[PIPELINE_WORKERS_MAX]; /* by worker */
};

static int check_allowed(const struct launcher *launcher,
                         const struct pipeline *pipeline, struct error *err)
{
    for (size_t i = 0; i < pipeline->n_workers && !launcher; i++)
        if (pipeline->workers[i].class == CLASS_EXEC)
            return error_set(
                err, ERR_USAGE,
                "worker \"%s\" (exec) runs a program, and this node may start "
                "none: where whoever has the master's key may run programs as "
                "this user, start it with --allow-exec",
                pipeline->workers[i].name);
    return 0;
}

int exec_pool_new(struct event_base *base, struct launcher *launcher,
                  const struct pipeline *pipeline,
                  const struct exec_callbacks *callbacks,
                  struct exec_pool **ret, struct error *err)
{
    if (check_allowed(launcher, pipeline, err) ||
        (launcher && launcher_lock(launcher, pipeline, err)))
        return (int)err->code;
    struct exec_pool *pool = calloc(1, sizeof *pool);
    if (!pool)
        return error_set(err, ERR_MEMORY, "no memory for programs");
    if (pipeline_has_programs(pipeline) && launcher_listen(launcher, base))
        pool->launcher = launcher;
    for (size_t i = 0; i < pipeline->n_workers; i++) {
        const struct worker *worker = &pipeline->workers[i];
        if (worker->class != CLASS_EXEC)
            continue;
        pool->programs[i] = exec_program_new(base, launcher, worker, callbacks);
        if (!pool->launcher || !pool->programs[i]) {
            exec_pool_free(&pool);
            return error_set(err, ERR_MEMORY, "no memory for a program");
        }
    }
    *ret = pool;
    return 0;
}

void exec_pool_free(struct exec_pool **pool)
{
    if (!*pool)
        return;
    for (size_t i = 0; i < PIPELINE_WORKERS_MAX; i++)
        exec_program_free(&(*pool)->programs[i]);
    if ((*pool)->launcher)
        launcher_unlisten((*pool)->launcher);
    free(*pool);
    *pool = NULL;
}

int exec_start(struct exec_pool *pool, uint64_t fetch,
               const struct worker *worker, struct slice key, struct error *err)
{
    CHECK(worker->class == CLASS_EXEC);
    if (exec_program_ask(pool->programs[worker->index], fetch, key))
        return 0;
    return error_set(err, ERR_MEMORY, "no memory for a key");
}

void exec_cancel(struct exec_pool *pool, uint64_t fetch)
{
    for (size_t i = 0; i < PIPELINE_WORKERS_MAX; i++)
        if (pool->programs[i])
            exec_keys_cancel(exec_program_keys(pool->programs[i]), fetch);
}

void exec_cancel_all(struct exec_pool *pool)
{
    for (size_t i = 0; i < PIPELINE_WORKERS_MAX; i++)
        if (pool->programs[i])
            exec_keys_cancel_all(exec_program_keys(pool->programs[i]));
}
