/* spread.c: see spread.h. */
#include "spread.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

struct worker {
    struct spread *spread;
    int i;
    pthread_t thread;
    pid_t pid;
};

struct spread {
    spread_work *work;
    void *context;
    bool processes;
    int n; /* those that were started */
    struct worker workers[SPREAD_WORKERS_MAX];
};

void *spread_shared(size_t bytes)
{
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

static void *in_thread(void *argument)
{
    struct worker *worker = argument;
    worker->spread->work(worker->spread->context, worker->i);
    return NULL;
}

/* 0, or an errno. */
static int start_process(struct worker *worker)
{
    worker->pid = fork();
    if (worker->pid < 0)
        return errno;
    if (worker->pid > 0)
        return 0;
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* it ends with its parent */
    worker->spread->work(worker->spread->context, worker->i);
    _exit(EXIT_SUCCESS);
}

int spread_start(int n, bool processes, spread_work *work, void *context,
                 struct spread **ret, struct error *err)
{
    CHECK(n > 0 && n <= SPREAD_WORKERS_MAX);
    struct spread *spread = calloc(1, sizeof *spread);
    if (!spread)
        return error_set(err, ERR_MEMORY, "out of memory");
    *spread = (struct spread){work, context, processes, 0, {{0}}};
    for (int i = 0; i < n; i++) {
        struct worker *worker = &spread->workers[i];
        worker->spread = spread;
        worker->i = i;
        int failed = processes ? start_process(worker)
                               : pthread_create(&worker->thread, NULL,
                                                in_thread, worker);
        if (failed) {
            error_set(err, ERR_SYSTEM, "worker %d: %s", i, strerror(failed));
            return spread_join(&spread, err);
        }
        spread->n++;
    }
    *ret = spread;
    return 0;
}

static bool join(struct worker *worker)
{
    int status;
    if (!worker->spread->processes)
        return pthread_join(worker->thread, NULL) == 0;
    return waitpid(worker->pid, &status, 0) == worker->pid && status == 0;
}

int spread_join(struct spread **spread, struct error *err)
{
    for (int i = 0; i < (*spread)->n; i++)
        if (!join(&(*spread)->workers[i]))
            error_set(err, ERR_SYSTEM, "worker %d did not end well", i);
    free(*spread);
    *spread = NULL;
    return (int)err->code;
}
