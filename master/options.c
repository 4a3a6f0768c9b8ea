/* options.c: see options.h: the line as a whole. */
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "options_private.h"
#include "pipeline/spell.h"

#define WORD_SHOWN 64

PRINTF_LIKE(3, 4)
static bool bad_usage(const struct command *command, int *ret_status,
                      const char *format, ...)
{
    va_list arguments;
    fprintf(stderr, "windrow %s: ", command->name);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fprintf(stderr, " (see windrow %s --help)\n", command->name);
    *ret_status = EXIT_BAD_USAGE;
    return false;
}

/* What getopt_long() stopped at stands before optind, or, where it is one of
 * several letters, at it. */
static bool bad_option(const struct command *command,
                       const struct option *known, int id, char **argv,
                       int *ret_status)
{
    const char *names[OPTIONS_MAX] = {NULL};
    const char *word = argv[optind - 1];
    if (id == ':')
        return bad_usage(command, ret_status, "option %.*s needs a value",
                         WORD_SHOWN, word);
    if (optopt > OPTION_FIRST)
        return bad_usage(command, ret_status, "option %.*s takes no value",
                         WORD_SHOWN, word);
    if (optopt)
        return bad_usage(command, ret_status, "unknown option -%c", optopt);
    size_t n = 0;
    for (; known[n].name; n++)
        names[n] = known[n].name;
    char name[SPELL_WORD_BYTES_MAX + 1];
    snprintf(name, sizeof name, "%.*s", (int)strcspn(word + 2, "="), word + 2);
    const char *near = spell_nearest(name, names, n);
    return bad_usage(command, ret_status, "unknown option --%s%s%s%s", name,
                     near ? "; did you mean --" : "", near ? near : "",
                     near ? "?" : "");
}

static int argument_of(const char *argument)
{
    if (!argument)
        return no_argument;
    return argument[0] == '[' ? optional_argument : required_argument;
}

/* A word behind an option whose value may be left out: it was perhaps meant to
 * be its value, which stands behind "=" alone. */
struct stray {
    const char *option, *word; /* NULL: none */
};

static bool bad_stray(const struct command *command, const struct stray *stray,
                      int *ret_status)
{
    return bad_usage(command, ret_status,
                     "the value of --%s stands behind a \"=\": --%s=%s",
                     stray->option, stray->option, stray->word);
}

/* ADDRESS:PORT, which neither a file nor a run is called. */
static bool is_place(const char *word)
{
    const char *colon = strrchr(word, ':');
    return colon && colon[1] && !strchr(word, '/') &&
           strspn(colon, ":0123456789") == strlen(colon);
}

static bool take_all(const struct command *command, int argc, char **argv,
                     struct options *options, struct stray *ret_stray,
                     int *ret_status)
{
    struct option known[OPTIONS_MAX + 1] = {0};
    size_t n = 0;
    for (size_t i = 0; i < options_n; i++) {
        const struct option_row *row = &options_table[i];
        if (options_belong(row, command))
            known[n++] = (struct option){row->name, argument_of(row->argument),
                                         NULL, (int)row->id};
    }
    int id, place = 0;
    optind = 0; /* begin anew */
    opterr = 0; /* bad_option() says it */
    while ((id = getopt_long(argc, argv, ":h", known, &place)) != -1) {
        if (id == '?' || id == ':')
            return bad_option(command, known, id, argv, ret_status);
        if (id == OPTION_HELP || id == 'h') {
            options_help(command);
            *ret_status = 0;
            return false;
        }
        const char *wanted = options_take(options, (enum option_id)id, optarg);
        if (wanted)
            return bad_usage(command, ret_status, "--%s wants %s, not \"%s\"",
                             known[place].name, wanted, optarg);
        if (known[place].has_arg != optional_argument || optarg ||
            optind == argc || argv[optind][0] == '-')
            continue;
        *ret_stray = (struct stray){known[place].name, argv[optind]};
        if (id == OPTION_DASHBOARD && is_place(argv[optind]))
            return bad_stray(command, ret_stray, ret_status);
    }
    return true;
}

/* As many as the command's argument has words; those in brackets may be
 * absent, and one with dots may be there again and again. */
static bool check_arguments(const struct command *command,
                            const struct options *options,
                            const struct stray *stray, int *ret_status)
{
    const char *word = command->argument ? command->argument : "";
    int n = 0;
    bool more = false;
    for (; *word; word += strcspn(word, " "), word += strspn(word, " ")) {
        more = strstr(word, "...");
        if (n++ >= options->n_arguments && *word != '[')
            return bad_usage(command, ret_status, "%.*s is missing",
                             (int)strcspn(word, " "), word);
    }
    if (options->n_arguments > n && !more && stray->word)
        return bad_stray(command, stray, ret_status);
    if (options->n_arguments > n && !more)
        return bad_usage(command, ret_status, "unexpected argument \"%s\"",
                         options->arguments[n]);
    return true;
}

/* What says more about a schedule, without one. */
static const char *lonely(const struct options *options)
{
    if (options->every)
        return NULL;
    if (options->time_zone)
        return "--time-zone";
    if (options->hours)
        return "--hours";
    if (options->days)
        return "--days";
    if (options->holidays)
        return "--holidays";
    if (options->catch_up)
        return "--missed";
    return options->runs ? "--runs" : NULL;
}

bool options_parse(const struct command *command, int argc, char **argv,
                   struct options *ret, int *ret_status)
{
    *ret = (struct options){.scale = SCALE_AUTO, .scale_most = SCALE_AUTO};
    struct stray stray = {.word = NULL};
    if (!take_all(command, argc, argv, ret, &stray, ret_status))
        return false;
    ret->arguments = argv + optind;
    ret->n_arguments = argc - optind;
    ret->argument = optind < argc ? argv[optind] : NULL;
    if (!check_arguments(command, ret, &stray, ret_status))
        return false;
    const char *alone = lonely(ret);
    return !alone || bad_usage(command, ret_status,
                               "%s is of a schedule: say --every too", alone);
}
