/* once.c: see once.h. The job is a file in memory, so that neither side waits
 * for the other with a full pipe. */
#include "once.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buffer.h"
#include "processes.h"

#define ARGUMENTS_MAX 32
#define RECORD_DESCRIPTOR 3 /* node/try.h */

/* The descriptor of a file that holds the job, at its beginning; -1. */
static int job_file(const json_t *job)
{
    int fd = memfd_create("windrow-job", MFD_CLOEXEC);
    if (fd >= 0 &&
        (json_dumpfd(job, fd, JSON_COMPACT) || lseek(fd, 0, SEEK_SET) != 0)) {
        close(fd);
        return -1;
    }
    return fd;
}

static int spawn(const struct once_options *options, int job, int events,
                 pid_t *ret, struct error *err)
{
    char program[PATH_MAX], parent[16];
    const char *arguments[ARGUMENTS_MAX] = {"windrow-node", "--try", "--parent",
                                            parent};
    size_t n = 4;
    posix_spawn_file_actions_t actions;
    if (processes_find_program(program, err))
        return (int)err->code;
    snprintf(parent, sizeof parent, "%d", (int)getpid());
    if (options->allow_exec)
        arguments[n++] = "--allow-exec";
    for (size_t i = 0; i < options->n_env_files && n < ARGUMENTS_MAX - 2; i++) {
        arguments[n++] = "--env";
        arguments[n++] = options->env_files[i];
    }
    if (posix_spawn_file_actions_init(&actions))
        return error_set(err, ERR_MEMORY, "no memory for a process");
    posix_spawn_file_actions_adddup2(&actions, job, STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, events, STDOUT_FILENO);
    if (options->record >= 0)
        posix_spawn_file_actions_adddup2(&actions, options->record,
                                         RECORD_DESCRIPTOR);
    posix_spawn_file_actions_addclosefrom_np(
        &actions, RECORD_DESCRIPTOR + (options->record >= 0));
    int status = posix_spawn(ret, program, &actions, NULL,
                             (char *const *)(uintptr_t)arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    return status ? error_set(err, ERR_SYSTEM, "%s can't be started: %s",
                              program, strerror(status))
                  : 0;
}

/* All that it tells, up to its end. */
static int read_all(int fd, struct buffer *ret, struct error *err)
{
    char chunk[65536];
    for (;;) {
        ssize_t n = read(fd, chunk, sizeof chunk);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return 0;
        if (ret->len + (size_t)n > ONCE_BYTES_MAX)
            return error_set(err, ERR_LIMIT, "the node tells more than %d MiB",
                             ONCE_BYTES_MAX >> 20);
        if (!buffer_append(ret, chunk, (size_t)n))
            return error_set(err, ERR_MEMORY,
                             "no memory for what a node tells");
    }
}

/* An event a line. */
static int read_events(int fd, json_t *events, struct error *err)
{
    struct buffer text = BUFFER_EMPTY;
    read_all(fd, &text, err);
    const char *line = buffer_text(&text), *end;
    for (; err->code == ERR_NONE && *line; line = end + 1) {
        if (!(end = strchr(line, '\n')))
            break; /* cut short: then there is no `end` either */
        json_t *event = json_loadb(line, (size_t)(end - line), 0, NULL);
        if (!json_is_string(json_object_get(event, "event")))
            error_set(err, ERR_MESSAGE, "the node tells something else");
        json_array_append(events, event);
        json_decref(event);
    }
    buffer_free(&text);
    return (int)err->code;
}

static bool has_end(const json_t *events)
{
    const json_t *last = json_array_get(events, json_array_size(events) - 1);
    const char *name = json_string_value(json_object_get(last, "event"));
    return name && !strcmp(name, "end");
}

/* Takes what the child tells, and waits for it. */
static int attend(pid_t pid, int fd, json_t *events, struct error *err)
{
    int status = 0;
    if (read_events(fd, events, err))
        kill(pid, SIGKILL);
    close(fd);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (err->code != ERR_NONE)
        return (int)err->code;
    if (WIFSIGNALED(status))
        return error_set(err, ERR_MESSAGE,
                         "the node was ended by signal %d (%s)",
                         WTERMSIG(status), strsignal(WTERMSIG(status)));
    if (!has_end(events))
        return error_set(err, ERR_MESSAGE, "the node ended with status %d",
                         WEXITSTATUS(status));
    return 0;
}

int once_run(const struct once_options *options, const json_t *job,
             json_t **ret_events, struct error *err)
{
    int ends[2];
    pid_t pid = 0;
    int input = job_file(job);
    if (input < 0)
        return error_set(err, ERR_SYSTEM, "the node's job can't be written");
    if (pipe2(ends, O_CLOEXEC)) {
        close(input);
        return error_set(err, ERR_SYSTEM, "a pipe: %s", strerror(errno));
    }
    json_t *events = json_array();
    int status = spawn(options, input, ends[1], &pid, err);
    close(input);
    close(ends[1]);
    if (status)
        close(ends[0]);
    else
        status = attend(pid, ends[0], events, err);
    if (status)
        json_decref(events);
    else
        *ret_events = events;
    return status;
}
