/* dashboard_process.c: see dashboard_process.h. */
#include "dashboard_process.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "dashboard/access.h"
#include "start_program.h"

#define WHO "master"
#define ARGUMENTS_MAX (8 + 2 * ENV_FILES_MAX)

int dashboard_process_check(const struct context *context)
{
    struct access access;
    struct error err = ERROR_NONE;
    const char *place = context->options->dashboard;
    if (place &&
        access_read(place,
                    settings_get(context->settings, "WINDROW_DASHBOARD_TOKEN"),
                    &access, &err))
        return context_complain(context, &err);
    return 0;
}

void dashboard_process_start(const struct context *context, pid_t *ret)
{
    const struct options *options = context->options;
    char program[PATH_MAX], parent[16];
    size_t n = 0;
    const char *arguments[ARGUMENTS_MAX] = {NULL};
    *ret = 0;
    if (!options->dashboard)
        return;
    snprintf(parent, sizeof parent, "%d", (int)getpid());
    arguments[n++] = "windrow";
    arguments[n++] = "dashboard";
    arguments[n++] = options->dashboard;
    arguments[n++] = "--parent";
    arguments[n++] = parent;
    for (size_t i = 0; i < context->n_env_files; i++) {
        arguments[n++] = "--env";
        arguments[n++] = context->env_files[i];
    }
    ssize_t len = readlink("/proc/self/exe", program, sizeof program - 1);
    if (len < 0) {
        log_warn(WHO, "no dashboard: /proc/self/exe: %s", strerror(errno));
        return;
    }
    program[len] = '\0';
    int status =
        start_program(program, (char *const *)(uintptr_t)arguments, -1, ret);
    if (!status)
        return;
    *ret = 0;
    log_warn(WHO, "no dashboard: %s can't be started: %s", program,
             strerror(status));
}

void dashboard_process_end(pid_t *process)
{
    if (!*process)
        return;
    kill(*process, SIGTERM);
    waitpid(*process, NULL, 0);
    *process = 0;
}
