/* options.c: see options.h. */
#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/spell.h"
#include "processes.h"
#include "wire/message.h"

enum option_id {
    OPTION_FIRST = 1000, /* behind all letters */
    OPTION_AFTER,
    OPTION_BATCH,
    OPTION_DASHBOARD,
    OPTION_DAYS,
    OPTION_DRY_RUN,
    OPTION_ENV,
    OPTION_EVERY,
    OPTION_FETCH_LISTS,
    OPTION_FORCE,
    OPTION_FORMAT,
    OPTION_FORMAT_EXPORT,
    OPTION_FORMAT_ROWS,
    OPTION_HEALTH_FILE,
    OPTION_HELP,
    OPTION_HOLIDAYS,
    OPTION_HOURS,
    OPTION_IF_MISSING,
    OPTION_INSECURE,
    OPTION_INTO,
    OPTION_KEYS,
    OPTION_LATEST,
    OPTION_LIMIT,
    OPTION_LISTEN,
    OPTION_LOG_FILE,
    OPTION_LOG_FORMAT,
    OPTION_LOG_LEVEL,
    OPTION_MISSED,
    OPTION_NAME,
    OPTION_NODE,
    OPTION_NO_PAGER,
    OPTION_PARENT,
    OPTION_PROGRESS,
    OPTION_REASON,
    OPTION_RECORD,
    OPTION_RUN,
    OPTION_RUNS,
    OPTION_SCALE,
    OPTION_SINCE,
    OPTION_STORE,
    OPTION_SUMMARY,
    OPTION_TABLE,
    OPTION_TASK_PORTS,
    OPTION_TIME_ZONE,
    OPTION_WORKER,
};

static const struct {
    const char *name;
    enum option_id id;
    const char *argument; /* NULL: none; in brackets: may be left out */
    const char *commands; /* " run resume retry " */
    const char *help;
} table[] = {
    {"after", OPTION_AFTER, "N", " failures ",
     "only failures behind number N: the next page"},
    {"batch", OPTION_BATCH, "N", " run resume retry ",
     "keys in a batch, 1 to 512 (default: by keys and nodes)"},
    {"dashboard", OPTION_DASHBOARD, "[=ADDRESS:PORT]", " run resume retry ",
     "show the run in a web page while it goes on (default:\n"
     "                        127.0.0.1:8765)"},
    {"days", OPTION_DAYS, "DAYS", " run ",
     "of --every: on these days only, like mon-fri"},
    {"dry-run", OPTION_DRY_RUN, NULL, " run ",
     "check pipeline, settings and database, making the\n"
     "                        tables that are missing; start nothing;\n"
     "                        with --every: say when the next runs are due"},
    {"env", OPTION_ENV, "FILE",
     " run resume retry runs failures check scale prices export show "
     "dashboard plan try test ",
     "settings, below the environment; may be repeated\n"
     "                        (default: .env beside the pipeline)"},
    {"every", OPTION_EVERY, "TIME", " run ",
     "again and again: 60s, 5m, or five fields of crontab(5)\n"
     "                        like \"*/5 9-16 * * mon-fri\""},
    {"fetch-lists", OPTION_FETCH_LISTS, NULL, " plan ",
     "ask for the lists, and for nothing else, to know\n"
     "                        the keys"},
    {"force", OPTION_FORCE, NULL, " resume retry ",
     "go on although the settings differ from the run's"},
    {"format", OPTION_FORMAT, "text|json",
     " run resume retry runs failures check show try test plan ",
     "of what is printed on standard output"},
    {"format", OPTION_FORMAT_EXPORT, "csv|json", " export ",
     "of the rows (default csv)"},
    {"format", OPTION_FORMAT_ROWS, "table|csv|json", " prices ",
     "of what is printed (default table)"},
    {"health-file", OPTION_HEALTH_FILE, "FILE", " run resume retry ",
     "touch FILE each second, as WINDROW_HEALTH_FILE"},
    {"help", OPTION_HELP, NULL, NULL, "this text"},
    {"holidays", OPTION_HOLIDAYS, "FILE", " run ",
     "of --every: not on these days, a date (2026-12-25) a line"},
    {"hours", OPTION_HOURS, "HH:MM-HH:MM", " run ",
     "of --every: within these hours only, like 09:30-16:00"},
    {"if-missing", OPTION_IF_MISSING, NULL, " keygen ",
     "leave what is there as it is, without a complaint"},
    {"insecure", OPTION_INSECURE, NULL, " run resume retry ",
     "let nodes of other machines take part without keys"},
    {"into", OPTION_INTO, "FILE", " export ",
     "write them there, instead of to standard output"},
    {"keys", OPTION_KEYS, "DIR", " run resume retry ",
     "the keys of the cluster, made by `windrow keygen DIR`"},
    {"latest", OPTION_LATEST, NULL, " prices ",
     "only the newest row of each key: the default without\n"
     "                        --since"},
    {"limit", OPTION_LIMIT, "N", " run ",
     "take only the first N keys of each source"},
    {"limit", OPTION_LIMIT, "N", " failures ", "show at most N"},
    {"listen", OPTION_LISTEN, "tcp://ADDRESS:PORT", " run resume retry ",
     "let nodes of other machines take part, at PORT and\n"
     "                        PORT + 1 and --task-ports"},
    {"log-file", OPTION_LOG_FILE, "FILE", " run resume retry ",
     "log there instead, the local nodes too; SIGHUP: open it\n"
     "                        anew"},
    {"log-format", OPTION_LOG_FORMAT, "text|json",
     " run resume retry dashboard ", "of the lines on standard error"},
    {"log-level", OPTION_LOG_LEVEL, "debug|info|warn|error",
     " run resume retry ", "the least that is logged (default info)"},
    {"missed", OPTION_MISSED, "skip|catch-up", " run ",
     "of --every: leave out times that came during a run or\n"
     "                        while the machine slept, or make up for them\n"
     "                        by one run at once (default skip)"},
    {"name", OPTION_NAME, "NAME", " run ",
     "of several masters with this name one leads the run,\n"
     "                        the others stand by; it is not run twice"},
    {"no-pager", OPTION_NO_PAGER, NULL,
     " runs failures prices export show check schema plan try test ",
     "print on the terminal as elsewhere, not through PAGER"},
    {"node", OPTION_NODE, "NAME", " keygen ", "make the key of one more node"},
    {"parent", OPTION_PARENT, "PID", " dashboard ",
     "end when this process, the parent, ends"},
    {"progress", OPTION_PROGRESS, "auto|bar|plain|json|none",
     " run resume retry ", "auto: a bar on a terminal, else lines"},
    {"reason", OPTION_REASON, "REASON", " failures ",
     "only those that failed for it, as timed_out"},
    {"record", OPTION_RECORD, "[=NAME]", " try ",
     "make a case for windrow test of it (default: named\n"
     "                        after the key)"},
    {"run", OPTION_RUN, "RUN", " scale ", "the run: its number or its name"},
    {"runs", OPTION_RUNS, "N", " run ", "of --every: end after N runs"},
    {"scale", OPTION_SCALE, "N|auto|A-B", " run resume retry ",
     "node processes here (default auto: one a core);\n"
     "                        0 with --listen"},
    {"since", OPTION_SINCE, "TIME", " prices ",
     "rows fetched since then: 2h, 3d, 2026-11-22T18:00"},
    {"store", OPTION_STORE, "URL",
     " run resume retry runs failures scale prices export show dashboard "
     "plan ",
     "postgresql://… or sqlite:FILE, as DATABASE_URL"},
    {"summary", OPTION_SUMMARY, "FILE", " run resume retry ",
     "write the summary there too, as JSON"},
    {"table", OPTION_TABLE, "NAME", " prices export ",
     "the table, where a pipeline has several, or another"},
    {"task-ports", OPTION_TASK_PORTS, "FIRST-LAST", " run resume retry ",
     "one for each node (default: any that are free)"},
    {"time-zone", OPTION_TIME_ZONE, "ZONE", " run ",
     "of --every: whose times are meant, like\n"
     "                        America/New_York (default: the system's)"},
    {"worker", OPTION_WORKER, "NAME", " failures try ",
     "only those of one worker; of try: who takes the key,\n"
     "                        or the list"},
};
#define N_OPTIONS (sizeof table / sizeof *table)

static bool belongs(size_t i, const struct command *command)
{
    char word[32];
    snprintf(word, sizeof word, " %s ", command->name);
    return !table[i].commands || strstr(table[i].commands, word);
}

static void print_help(const struct command *command)
{
    printf("Usage: windrow %s%s%s [OPTION]...\n%s.\n", command->name,
           command->argument ? " " : "",
           command->argument ? command->argument : "", command->summary);
    if (command->text)
        printf("\n%s", command->text);
    puts("\nOptions:");
    for (size_t i = 0; i < N_OPTIONS; i++) {
        if (!belongs(i, command))
            continue;
        char left[48];
        bool optional = table[i].argument && table[i].argument[0] == '[';
        snprintf(left, sizeof left, "--%s%s%s", table[i].name,
                 table[i].argument && !optional ? " " : "",
                 table[i].argument ? table[i].argument : "");
        if (strlen(left) > 20)
            printf("  %s\n%24s%s\n", left, "", table[i].help);
        else
            printf("  %-22s%s\n", left, table[i].help);
    }
}

static bool parse_integer(const char *text, int64_t least, int64_t most,
                          int64_t *ret)
{
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (!*text || *end || errno || value < least || value > most)
        return false;
    *ret = value;
    return true;
}

/* The place of `text` in "a|b|c", or -1. */
static int choice(const char *text, const char *choices)
{
    size_t len = strlen(text);
    int place = 0;
    for (const char *at = choices; at; place++) {
        const char *bar = strchr(at, '|');
        size_t choice_len = bar ? (size_t)(bar - at) : strlen(at);
        if (len == choice_len && !memcmp(text, at, len))
            return place;
        at = bar ? bar + 1 : NULL;
    }
    return -1;
}

/* auto, N, or LEAST-MOST. */
static const char *take_scale(struct options *options, const char *value)
{
    static const char wanted[] =
        "auto, a number from 0 to 1024, or LEAST-MOST like 1-8";
    char least_text[8];
    int64_t least = SCALE_AUTO, most;
    const char *dash = strchr(value, '-');
    size_t len = dash ? (size_t)(dash - value) : strlen(value);
    if (strcmp(value, "auto")) {
        if (len >= sizeof least_text)
            return wanted;
        snprintf(least_text, sizeof least_text, "%.*s", (int)len, value);
        if (!parse_integer(least_text, dash ? 1 : 0, PROCESSES_MAX, &least))
            return wanted;
    }
    most = least;
    if (dash && !parse_integer(dash + 1, least, PROCESSES_MAX, &most))
        return wanted;
    options->scale = (int)least;
    options->scale_most = (int)most;
    return NULL;
}

/* NULL, or what the value would have to be. */
static const char *take_number(struct options *options, int id,
                               const char *value)
{
    int64_t number = 0;
    switch (id) {
    case OPTION_BATCH:
        if (!parse_integer(value, 1, TASK_KEYS_MAX, &number))
            return "a number from 1 to 512";
        options->batch = (int)number;
        return NULL;
    case OPTION_AFTER:
        if (!parse_integer(value, 0, INT64_MAX, &options->after))
            return "a number from 0 up";
        return NULL;
    case OPTION_LIMIT:
        if (!parse_integer(value, 1, LIMIT_MAX, &options->limit))
            return "a number from 1 up";
        return NULL;
    case OPTION_RUNS:
        if (!parse_integer(value, 1, INT64_MAX, &options->runs))
            return "a number from 1 up";
        return NULL;
    case OPTION_PARENT:
        if (!parse_integer(value, 1, INT32_MAX, &number))
            return "a process";
        options->parent = (pid_t)number;
        return NULL;
    default:
        return take_scale(options, value);
    }
}

static const char *take_choice(struct options *options, int id,
                               const char *value)
{
    int place;
    if (id == OPTION_PROGRESS) {
        place = choice(value, "auto|bar|plain|json|none");
        if (place < 0)
            return "auto, bar, plain, json or none";
        options->progress = (enum progress_mode)place;
        return NULL;
    }
    if (id == OPTION_MISSED) {
        place = choice(value, "skip|catch-up");
        if (place < 0)
            return "skip or catch-up";
        options->catch_up = place == 1;
        return NULL;
    }
    if (id == OPTION_FORMAT_ROWS || id == OPTION_FORMAT_EXPORT) {
        place = choice(value, "table|csv|json");
        bool all = id == OPTION_FORMAT_ROWS;
        if (place < (int)(all ? ROWS_TABLE : ROWS_CSV))
            return all ? "table, csv or json" : "csv or json";
        options->rows_format = (enum rows_format)place;
        return NULL;
    }
    if (id == OPTION_LOG_LEVEL) {
        options->log_level = value;
        return log_level_parse(value) < 0 ? "debug, info, warn or error" : NULL;
    }
    place = choice(value, "text|json");
    if (place < 0)
        return "text or json";
    if (id == OPTION_FORMAT)
        options->json = place == 1;
    else
        options->log_format = place ? LOG_FORMAT_JSON : LOG_FORMAT_TEXT;
    return NULL;
}

static bool is_run_name(const char *name)
{
    size_t len = strlen(name);
    for (size_t i = 0; i < len; i++)
        if (name[i] < ' ' || name[i] > '~')
            return false;
    return len > 0 && len <= RUN_NAME_BYTES_MAX;
}

/* False: it is none of these. */
static bool take_network(struct options *options, int id, const char *value)
{
    switch (id) {
    case OPTION_IF_MISSING:
        options->if_missing = true;
        return true;
    case OPTION_DASHBOARD:
        options->dashboard = value ? value : "";
        return true;
    case OPTION_INSECURE:
        options->insecure = true;
        return true;
    case OPTION_KEYS:
        options->keys = value;
        return true;
    case OPTION_LISTEN:
        options->listen = value;
        return true;
    case OPTION_NODE:
        options->node = value;
        return true;
    case OPTION_TASK_PORTS:
        options->task_ports = value;
        return true;
    default:
        return false;
    }
}

/* False: it is none of these. */
static bool take_schedule(struct options *options, int id, const char *value)
{
    switch (id) {
    case OPTION_DAYS:
        options->days = value;
        return true;
    case OPTION_EVERY:
        options->every = value;
        return true;
    case OPTION_HOLIDAYS:
        options->holidays = value;
        return true;
    case OPTION_HOURS:
        options->hours = value;
        return true;
    case OPTION_TIME_ZONE:
        options->time_zone = value;
        return true;
    default:
        return false;
    }
}

/* What the commands that look at runs have. False: it is none of these. */
static bool take_look(struct options *options, int id, const char *value)
{
    switch (id) {
    case OPTION_INTO:
        options->into = value;
        return true;
    case OPTION_LATEST:
        options->latest = true;
        return true;
    case OPTION_LOG_FILE:
        options->log_file = value;
        return true;
    case OPTION_NO_PAGER:
        options->no_pager = true;
        return true;
    case OPTION_REASON:
        options->reason = value;
        return true;
    case OPTION_RUN:
        options->run = value;
        return true;
    case OPTION_SINCE:
        options->since = value;
        return true;
    case OPTION_TABLE:
        options->table = value;
        return true;
    case OPTION_WORKER:
        options->worker = value;
        return true;
    default:
        return false;
    }
}

static const char *take(struct options *options, int id, const char *value)
{
    if (take_network(options, id, value) || take_look(options, id, value) ||
        take_schedule(options, id, value))
        return NULL;
    switch (id) {
    case OPTION_AFTER:
    case OPTION_BATCH:
    case OPTION_LIMIT:
    case OPTION_PARENT:
    case OPTION_RUNS:
    case OPTION_SCALE:
        return take_number(options, id, value);
    case OPTION_FORMAT:
    case OPTION_FORMAT_EXPORT:
    case OPTION_FORMAT_ROWS:
    case OPTION_LOG_FORMAT:
    case OPTION_LOG_LEVEL:
    case OPTION_MISSED:
    case OPTION_PROGRESS:
        return take_choice(options, id, value);
    case OPTION_ENV:
        if (options->n_env_files == ENV_FILES_MAX)
            return "given at most 8 times";
        options->env_files[options->n_env_files++] = value;
        return NULL;
    case OPTION_HEALTH_FILE:
        options->health_file = value;
        return NULL;
    case OPTION_NAME:
        options->name = value;
        return is_run_name(value) ? NULL
                                  : "1 to 100 printable ASCII characters";
    case OPTION_RECORD:
        options->record = value ? value : "";
        return NULL;
    case OPTION_STORE:
        options->store = value;
        return NULL;
    case OPTION_SUMMARY:
        options->summary = value;
        return NULL;
    case OPTION_DRY_RUN:
        options->dry_run = true;
        return NULL;
    case OPTION_FETCH_LISTS:
        options->fetch_lists = true;
        return NULL;
    default:
        options->force = true;
        return NULL;
    }
}

static bool bad_usage(const struct command *command, int *ret_status,
                      const char *what, const char *value)
{
    fprintf(stderr, "windrow %s: %s%s%s (see windrow %s --help)\n",
            command->name, what, *value ? ": " : "", value, command->name);
    *ret_status = EXIT_BAD_USAGE;
    return false;
}

/* What getopt_long() stopped at stands before optind, or, where it is one of
 * several letters, at it. */
static bool bad_option(const struct command *command,
                       const struct option *known, int id, char **argv,
                       int *ret_status)
{
    const char *names[N_OPTIONS] = {NULL};
    const char *word = argv[optind - 1];
    char what[160];
    if (id == ':') {
        snprintf(what, sizeof what, "option %.64s needs a value", word);
        return bad_usage(command, ret_status, what, "");
    }
    if (optopt > OPTION_FIRST) {
        snprintf(what, sizeof what, "option %.64s takes no value", word);
        return bad_usage(command, ret_status, what, "");
    }
    if (optopt) {
        snprintf(what, sizeof what, "unknown option -%c", optopt);
        return bad_usage(command, ret_status, what, "");
    }
    size_t n = 0;
    for (; known[n].name; n++)
        names[n] = known[n].name;
    char name[SPELL_WORD_BYTES_MAX + 1];
    snprintf(name, sizeof name, "%.*s", (int)strcspn(word + 2, "="), word + 2);
    const char *near = spell_nearest(name, names, n);
    snprintf(what, sizeof what, "unknown option --%s%s%s%s", name,
             near ? "; did you mean --" : "", near ? near : "",
             near ? "?" : "");
    return bad_usage(command, ret_status, what, "");
}

static int argument_of(const char *argument)
{
    if (!argument)
        return no_argument;
    return argument[0] == '[' ? optional_argument : required_argument;
}

static bool take_all(const struct command *command, int argc, char **argv,
                     struct options *options, int *ret_status)
{
    struct option known[N_OPTIONS + 1] = {0};
    size_t n = 0;
    for (size_t i = 0; i < N_OPTIONS; i++)
        if (belongs(i, command))
            known[n++] =
                (struct option){table[i].name, argument_of(table[i].argument),
                                NULL, (int)table[i].id};
    int id, place = 0;
    optind = 0; /* begin anew */
    opterr = 0; /* bad_option() says it */
    while ((id = getopt_long(argc, argv, ":h", known, &place)) != -1) {
        if (id == '?' || id == ':')
            return bad_option(command, known, id, argv, ret_status);
        if (id == OPTION_HELP || id == 'h') {
            print_help(command);
            *ret_status = 0;
            return false;
        }
        const char *wanted = take(options, id, optarg);
        if (wanted) {
            char what[96];
            snprintf(what, sizeof what, "--%s wants %s, not", known[place].name,
                     wanted);
            return bad_usage(command, ret_status, what, optarg);
        }
    }
    return true;
}

/* As many as the command's argument has words; those in brackets may be
 * absent, and one with dots may be there again and again. */
static bool check_arguments(const struct command *command,
                            const struct options *options, int *ret_status)
{
    const char *word = command->argument ? command->argument : "";
    int n = 0;
    bool more = false;
    for (; *word; word += strcspn(word, " "), word += strspn(word, " ")) {
        more = strstr(word, "...");
        if (n++ >= options->n_arguments && *word != '[')
            return bad_usage(command, ret_status, "what is missing", word);
    }
    if (options->n_arguments > n && !more)
        return bad_usage(command, ret_status, "unexpected argument",
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
    if (!take_all(command, argc, argv, ret, ret_status))
        return false;
    ret->arguments = argv + optind;
    ret->n_arguments = argc - optind;
    ret->argument = optind < argc ? argv[optind] : NULL;
    if (!check_arguments(command, ret, ret_status))
        return false;
    const char *alone = lonely(ret);
    return !alone || bad_usage(command, ret_status,
                               "what wants --every beside it", alone);
}
