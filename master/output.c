/* output.c: see output.h. */
#include "output.h"

#include <errno.h>
#include <locale.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
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

/* F: end at once where all fits; R: colours; X: leave the text there. */
static FILE *open_pager(void)
{
    const char *pager = getenv("PAGER");
    if (!pager)
        pager = has_less() ? "less" : "";
    if (!*pager || !strcmp(pager, "cat") || setenv("LESS", "FRX", 0))
        return NULL;
    FILE *file = popen(pager, "we");
    if (file) /* Ctrl-C is the pager's, which then goes on */
        signal(SIGINT, SIG_IGN);
    return file;
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
    FILE *pager = able && !options->no_pager ? open_pager() : NULL;
    if (pager) {
        ret->file = pager;
        ret->paged = true;
    }
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
    if (output->paged) {
        pclose(output->file);
        signal(SIGINT, SIG_DFL);
    }
    if (!why)
        return status;
    fprintf(stderr, "windrow: standard output: %s\n", why);
    return EXIT_NOT_FINISHED;
}
