/*
 * processes.c: see processes.h. A process is watched through SIGCHLD and its
 * own waitpid(): only those started here are ever reaped or killed.
 */
#include "processes.h"

#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "cores.h"
#include "log_pipe.h"
#include "start_program.h"
#include "wire/message.h"

#define BACKOFF_MIN (100 * USEC_PER_MSEC)
#define BACKOFF_MAX (5 * USEC_PER_SEC)
#define GOOD_LIFE (60 * USEC_PER_SEC)
#define ARGUMENTS_MAX 32

struct process {
    struct processes *owner;
    char name[NODE_NAME_BYTES];
    pid_t pid; /* 0: not running */
    int cpu;   /* -1: not pinned */
    usec_t started;
    usec_t backoff;
    int restarts;
    bool leaving; /* it was asked to end, since fewer are wanted */
    struct event *again;
};

struct processes {
    struct event_base *base;
    struct processes_options options;
    struct processes_callbacks callbacks;
    char program[PATH_MAX];
    struct process *list; /* PROCESSES_MAX, in place: events point at them */
    int n_made, n_wanted; /* the first n_made were started once */
    struct event *child;
    cpu_set_t mask;       /* of the master */
    struct log_pipe *log; /* NULL: their standard error is ours */
    bool ending;
};

/* The node's program lies beside our own. */
int processes_find_program(char program[PATH_MAX], struct error *err)
{
    ssize_t len = readlink("/proc/self/exe", program, PATH_MAX - 1);
    if (len < 0)
        return error_set(err, ERR_SYSTEM, "can't read /proc/self/exe: %s",
                         strerror(errno));
    program[len] = '\0';
    char *slash = strrchr(program, '/');
    size_t room = (size_t)(program + PATH_MAX - slash - 1);
    if (snprintf(slash + 1, room, "windrow-node") >= (int)room ||
        access(program, X_OK))
        return error_set(err, ERR_SYSTEM,
                         "the program %s can't be started: %s; it is "
                         "installed beside windrow",
                         program, strerror(errno));
    return 0;
}

/* The child's affinity is ours at the time of its start. */
static void pin_for(const struct process *process)
{
    if (process->cpu < 0)
        return;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET((size_t)process->cpu, &one);
    sched_setaffinity(0, sizeof one, &one);
}

static int start(struct process *process, struct error *err)
{
    struct processes *processes = process->owner;
    const struct processes_options *options = &processes->options;
    char parent[16], core[16];
    snprintf(parent, sizeof parent, "%d", (int)getpid());
    snprintf(core, sizeof core, "%d", process->cpu);
    const char *arguments[ARGUMENTS_MAX] = {
        "windrow-node", "--connect", options->connect, "--name",
        process->name,  "--parent",  parent,           "--once"};
    size_t n = 8;
    if (options->keys) {
        arguments[n++] = "--keys";
        arguments[n++] = options->keys;
    }
    if (process->cpu >= 0) {
        arguments[n++] = "--core";
        arguments[n++] = core;
    }
    if (options->allow_exec)
        arguments[n++] = "--allow-exec";
    if (options->log_json) {
        arguments[n++] = "--log-format";
        arguments[n++] = "json";
    }
    for (size_t i = 0; i < options->n_env_files && n < ARGUMENTS_MAX - 2; i++) {
        arguments[n++] = "--env";
        arguments[n++] = options->env_files[i];
    }
    pin_for(process);
    int status = start_program(
        processes->program, (char *const *)(uintptr_t)arguments,
        processes->log ? log_pipe_end(processes->log) : -1, &process->pid);
    sched_setaffinity(0, sizeof processes->mask, &processes->mask);
    if (status) {
        process->pid = 0;
        return error_set(err, ERR_SYSTEM, "%s can't be started: %s",
                         processes->program, strerror(status));
    }
    process->started = clock_monotonic();
    return 0;
}

static bool is_crash(int status)
{
    if (!WIFSIGNALED(status))
        return false;
    int number = WTERMSIG(status);
    return number == SIGSEGV || number == SIGABRT || number == SIGBUS ||
           number == SIGILL || number == SIGFPE;
}

static void describe(const struct process *process, int status, char *why,
                     size_t room)
{
    if (WIFSIGNALED(status))
        snprintf(why, room, "%s (pid %d) was ended by signal %d (%s)",
                 process->name, (int)process->pid, WTERMSIG(status),
                 strsignal(WTERMSIG(status)));
    else
        snprintf(why, room, "%s (pid %d) ended with status %d", process->name,
                 (int)process->pid, WEXITSTATUS(status));
}

static void hopeless(struct processes *processes, const char *why)
{
    if (!processes->ending)
        processes->callbacks.on_hopeless(processes->callbacks.context, why);
    processes->ending = true;
}

static void forget_deaths(struct process *process)
{
    process->restarts = 0;
    process->backoff = 0;
}

static void restart_later(struct process *process)
{
    if (clock_monotonic() - process->started > GOOD_LIFE)
        forget_deaths(process);
    process->restarts++;
    process->backoff = process->backoff ? process->backoff * 2 : BACKOFF_MIN;
    if (process->backoff > BACKOFF_MAX)
        process->backoff = BACKOFF_MAX;
    struct timeval after = {process->backoff / USEC_PER_SEC,
                            process->backoff % USEC_PER_SEC};
    evtimer_add(process->again, &after);
}

/* Status 0 before the end, or a signal, is worth another start; a complaint
 * about usage, settings or the database is not. */
static void process_ended(struct process *process, int status)
{
    struct processes *processes = process->owner;
    char why[256];
    describe(process, status, why, sizeof why);
    bool left = process->leaving;
    process->leaving = false;
    bool useless = WIFEXITED(status) && WEXITSTATUS(status) != 0 &&
                   WEXITSTATUS(status) != 1;
    bool wanted = process - processes->list < processes->n_wanted;
    bool again = wanted && !processes->ending && !useless &&
                 process->restarts < PROCESS_RESTARTS_MAX;
    process->pid = 0;
    processes->callbacks.on_exit(processes->callbacks.context, process->name,
                                 is_crash(status), again, why);
    if (again)
        restart_later(process);
    else if (wanted || !left)
        hopeless(processes, why);
}

static void on_child(evutil_socket_t number, short what, void *context)
{
    (void)number;
    (void)what;
    struct processes *processes = context;
    for (int i = 0; i < processes->n_made; i++) {
        struct process *process = &processes->list[i];
        int status;
        if (process->pid > 0 &&
            waitpid(process->pid, &status, WNOHANG) == process->pid)
            process_ended(process, status);
    }
}

static void on_again(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct process *process = context;
    struct error err = ERROR_NONE;
    if (!process->owner->ending && process->pid == 0 && start(process, &err))
        hopeless(process->owner, err.text);
}

static int start_first(struct processes *processes, int number,
                       struct error *err)
{
    struct process *process = &processes->list[number];
    struct cores cores;
    cores_read(&cores);
    bool pin = (size_t)number < cores.n_granted &&
               (size_t)processes->n_wanted <= cores.n_granted &&
               cores.n_granted == cores.n_cpus;
    process->owner = processes;
    process->cpu = pin ? cores.cpus[number] : -1;
    snprintf(process->name, sizeof process->name, "node-%d", number + 1);
    process->again = evtimer_new(processes->base, on_again, process);
    if (!process->again)
        return error_set(err, ERR_MEMORY, "no memory for a node");
    processes->n_made++;
    return start(process, err);
}

/* One that is about to start again needs no more. */
static void let_leave(struct process *process)
{
    evtimer_del(process->again);
    if (process->pid > 0 && !process->leaving) {
        process->leaving = true;
        kill(process->pid, SIGTERM);
    }
}

int processes_scale(struct processes *processes, int n, struct error *err)
{
    CHECK(n >= 0 && n <= PROCESSES_MAX);
    if (processes->ending)
        return 0;
    for (int i = n; i < processes->n_made; i++)
        let_leave(&processes->list[i]);
    int status = 0, before = processes->n_wanted;
    processes->n_wanted = n;
    for (int i = before; i < n && !status; i++) {
        struct process *process = &processes->list[i];
        if (i == processes->n_made)
            status = start_first(processes, i, err);
        else if (process->pid == 0)
            status = start(process, err);
        /* else: it is still leaving, and is started again when it has */
    }
    return status;
}

int processes_wanted(const struct processes *processes)
{
    return processes->n_wanted;
}

int processes_new(struct event_base *base,
                  const struct processes_options *options,
                  const struct processes_callbacks *callbacks,
                  struct processes **ret, struct error *err)
{
    CHECK(options->n_nodes >= 0 && options->n_nodes <= PROCESSES_MAX);
    struct processes *processes = calloc(1, sizeof *processes);
    if (!processes)
        return error_set(err, ERR_MEMORY, "no memory for nodes");
    processes->base = base;
    processes->options = *options;
    processes->callbacks = *callbacks;
    sched_getaffinity(0, sizeof processes->mask, &processes->mask);
    processes->list = calloc(PROCESSES_MAX, sizeof *processes->list);
    processes->child = evsignal_new(base, SIGCHLD, on_child, processes);
    if (!processes->list || !processes->child ||
        evsignal_add(processes->child, NULL))
        error_set(err, ERR_MEMORY, "no memory for nodes");
    else if ((!options->log_pipe ||
              !log_pipe_new(base, &processes->log, err)) &&
             !processes_find_program(processes->program, err))
        (void)!processes_scale(processes, options->n_nodes, err);
    if (err->code != ERR_NONE) {
        processes_free(&processes);
        return (int)err->code;
    }
    *ret = processes;
    return 0;
}

void processes_worked(struct processes *processes, const char *name)
{
    for (int i = 0; i < processes->n_made; i++)
        if (!strcmp(processes->list[i].name, name))
            forget_deaths(&processes->list[i]);
}

void processes_let_end(struct processes *processes)
{
    processes->ending = true;
}

void processes_ask_to_end(struct processes *processes)
{
    processes->ending = true;
    for (int i = 0; i < processes->n_made; i++)
        if (processes->list[i].pid > 0)
            kill(processes->list[i].pid, SIGTERM);
}

int processes_running(const struct processes *processes)
{
    int n = 0;
    for (int i = 0; i < processes->n_made; i++)
        n += processes->list[i].pid > 0;
    return n;
}

void processes_free(struct processes **ptr)
{
    struct processes *processes = *ptr;
    if (!processes)
        return;
    processes->ending = true;
    for (int i = 0; processes->list && i < processes->n_made; i++) {
        struct process *process = &processes->list[i];
        if (process->pid > 0) {
            kill(process->pid, SIGKILL);
            waitpid(process->pid, NULL, 0);
        }
        if (process->again)
            event_free(process->again);
    }
    if (processes->child)
        event_free(processes->child);
    log_pipe_free(&processes->log);
    free(processes->list);
    free(processes);
    *ptr = NULL;
}
