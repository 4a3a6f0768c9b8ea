/* output.c: see output.h. */
#include "output.h"

#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGER_PATH_BYTES 4096

/* Where no PAGER is named: whether there is `less`, so that nothing is lost to
 * a program that can't be started. */
static bool has_less(void)
{
    const char *at = getenv("PATH");
    char path[PAGER_PATH_BYTES];
    while (at && *at) {
        size_t len = strcspn(at, ":");
        if (snprintf(path, sizeof path, "%.*s/less", (int)len, at) <
                (int)sizeof path &&
            access(path, X_OK) == 0)
            return true;
        at += len + (at[len] == ':');
    }
    return false;
}

/* PAGER may have arguments, and so is the shell's. 0: it could not be started.
 */
static pid_t start_pager(const char *pager, int input)
{
    const char *arguments[] = {"sh", "-c", pager, NULL};
    posix_spawn_file_actions_t actions;
    pid_t pid = 0;
    if (posix_spawn_file_actions_init(&actions))
        return 0;
    if (posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO) ||
        posix_spawn(&pid, "/bin/sh", &actions, NULL,
                    (char *const *)(uintptr_t)arguments, environ))
        pid = 0;
    posix_spawn_file_actions_destroy(&actions);
    return pid;
}

/* F: end at once where all fits; R: colours; X: leave the text there. */
static void open_pager(struct output *output)
{
    const char *pager = getenv("PAGER");
    int ends[2];
    if (!pager)
        pager = has_less() ? "less" : "";
    if (!*pager || !strcmp(pager, "cat") || setenv("LESS", "FRX", 0) ||
        pipe2(ends, O_CLOEXEC))
        return;
    FILE *file = fdopen(ends[1], "w");
    if (file)
        output->pager = start_pager(pager, ends[0]);
    close(ends[0]);
    if (output->pager) {
        output->file = file;
        signal(SIGINT, SIG_IGN); /* Ctrl-C is the pager's, which goes on */
    } else if (file) {
        fclose(file);
    } else {
        close(ends[1]);
    }
}

void output_begin(const struct options *options, struct output *ret)
{
    const char *term = getenv("TERM"), *no_color = getenv("NO_COLOR");
    bool terminal = isatty(STDOUT_FILENO);
    bool able = terminal && term && *term && strcmp(term, "dumb");
    *ret = (struct output){.file = stdout};
    ret->colours = able && !(no_color && *no_color);
    setlocale(LC_CTYPE, "C.UTF-8"); /* for the width of characters */
    signal(SIGPIPE, SIG_DFL);
    if (able && !options->no_pager)
        open_pager(ret);
}

const char *output_on(const struct output *output, enum output_style style)
{
    static const char *const codes[] = {
        [STYLE_PLAIN] = "",        [STYLE_TITLE] = "\033[1m",
        [STYLE_GOOD] = "\033[32m", [STYLE_DOUBTFUL] = "\033[33m",
        [STYLE_BAD] = "\033[31m",
    };
    return output->colours ? codes[style] : "";
}

const char *output_off(const struct output *output, enum output_style style)
{
    return output->colours && style != STYLE_PLAIN ? "\033[0m" : "";
}

static void print_json(struct output *output, json_t *value, size_t flags)
{
    if (!value || json_dumpf(value, output->file, flags))
        output->failed = true;
    putc('\n', output->file);
    json_decref(value);
}

void output_json(struct output *output, json_t *value)
{
    print_json(output, value, JSON_INDENT(2));
}

void output_json_line(struct output *output, json_t *value)
{
    print_json(output, value, JSON_COMPACT);
}

int output_end(struct output *output, int status)
{
    const char *why = output->failed ? "out of memory" : NULL;
    errno = 0;
    if (fflush(output->file) == EOF || ferror(output->file))
        why = errno ? strerror(errno) : "not all could be written";
    if (output->pager) {
        fclose(output->file);
        waitpid(output->pager, NULL, 0);
        signal(SIGINT, SIG_DFL);
    }
    if (!why)
        return status;
    fprintf(stderr, "windrow: standard output: %s\n", why);
    return EXIT_NOT_FINISHED;
}
