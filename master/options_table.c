/* options_table.c: every option: its commands, argument, and help. */
#include <stdio.h>
#include <string.h>

#include "options_private.h"

const struct option_row options_table[] = {
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
     "write them there, instead of to standard output; a file\n"
     "                        of that name is replaced"},
    {"keys", OPTION_KEYS, "DIR", " run resume retry ",
     "the keys of the cluster, made by `windrow keygen DIR`"},
    {"latest", OPTION_LATEST, NULL, " prices ",
     "only the newest row of each key: the default without\n"
     "                        --since"},
    {"limit", OPTION_LIMIT, "N", " run plan ",
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
const size_t options_n = sizeof options_table / sizeof *options_table;
_Static_assert(sizeof options_table / sizeof *options_table <= OPTIONS_MAX,
               "OPTIONS_MAX is too small");

bool options_belong(const struct option_row *row, const struct command *command)
{
    char word[32];
    snprintf(word, sizeof word, " %s ", command->name);
    return !row->commands || strstr(row->commands, word);
}

void options_help(const struct command *command)
{
    printf("Usage: windrow %s%s%s [OPTION]...\n%s.\n", command->name,
           command->argument ? " " : "",
           command->argument ? command->argument : "", command->summary);
    if (command->text)
        printf("\n%s", command->text);
    puts("\nOptions:");
    for (size_t i = 0; i < options_n; i++) {
        const struct option_row *row = &options_table[i];
        if (!options_belong(row, command))
            continue;
        char left[48];
        bool optional = row->argument && row->argument[0] == '[';
        snprintf(left, sizeof left, "--%s%s%s", row->name,
                 row->argument && !optional ? " " : "",
                 row->argument ? row->argument : "");
        if (strlen(left) > 20)
            printf("  %s\n%24s%s\n", left, "", row->help);
        else
            printf("  %-22s%s\n", left, row->help);
    }
}
