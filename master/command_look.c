/*
 * command_look.c: commands that look at no database: healthy, settings.
 */
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "loop/health.h"
#include "pipeline/settings.h"

/* ---- healthy ---- */

int command_healthy(const struct options *options)
{
    struct error err = ERROR_NONE;
    if (!health_check(options->argument, &err))
        return 0;
    fprintf(stderr, "windrow: %s\n", err.text);
    return 1;
}

/* ---- settings ---- */

int command_settings(const struct options *options)
{
    const char *form = options->argument ? options->argument : "help";
    if (!strcmp(form, "help"))
        settings_print(stdout, SETTINGS_HELP);
    else if (!strcmp(form, "sample"))
        settings_print(stdout, SETTINGS_SAMPLE);
    else if (!strcmp(form, "markdown"))
        settings_print(stdout, SETTINGS_MARKDOWN);
    else {
        fprintf(stderr,
                "windrow settings: help, sample or markdown, not "
                "\"%s\"\n",
                form);
        return EXIT_BAD_USAGE;
    }
    return 0;
}
