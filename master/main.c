/*
 * main.c: the program `windrow`: which command is meant.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "base/check.h"
#include "base/process.h"
#include "commands.h"
#include "pipeline/spell.h"

#define RUN_TEXT                                                               \
    "RUN is a run's number, its name, or `last`; `windrow runs` lists them.\n"

static const struct command commands[] = {
    {"run", "[PIPELINE]", "Run a pipeline from its beginning to its end",
     "PIPELINE is its YAML file; without one, PIPELINE_LOCATION names it.\n"
     "Ctrl-C pauses the run within a second; `windrow resume` goes on.\n"
     "\n"
     "Exit status: 0 all stored, 3 finished with recorded failures,\n"
     "4 could not finish, 2 bad usage or pipeline, 130 interrupted.\n",
     command_run},
    {"resume", "RUN", "Go on with a run that was interrupted",
     RUN_TEXT "What is stored is not asked for again. Exit status: as for "
              "run.\n",
     command_resume},
    {"retry", "RUN", "Try a run's failed keys again, in a new run",
     RUN_TEXT
     "Its pipeline is the one in the ledger. Sources that failed are "
     "read again.\nA run is retried once, when it has ended: what fails again "
     "is retried in\nthe new run. Exit status: as for run; 0 where nothing "
     "failed.\n",
     command_retry},
    {"scale", "N", "Have N local nodes from now on, in a run that goes on",
     "Its master hears of it within two seconds (a third of its lease). Nodes\n"
     "that are too many hand back what they hold and end. Without --run it is\n"
     "the newest run that goes on.\n",
     command_scale},
    {"dashboard", "[ADDRESS:PORT]",
     "Show runs in a web page, and their metrics",
     "The page is at http://127.0.0.1:8765/ unless ADDRESS:PORT is given. It\n"
     "shows the runs in the database, and those that go on on this machine as\n"
     "they go. Elsewhere than on loopback it needs WINDROW_DASHBOARD_TOKEN.\n"
     "/metrics is for Prometheus, /healthz and /readyz for probes.\n",
     command_dashboard},
    {"check", "[PIPELINE]...", "Check pipeline files and do nothing else",
     "Complaints are FILE:LINE:COLUMN: what is wrong; exit status 2. With\n"
     "--format json they are a list of objects, for editors.\n",
     command_check},
    {"schema", NULL, "Print the JSON Schema of pipeline files, for editors",
     "In a pipeline's first line, with the schema's file:\n"
     "# yaml-language-server: $schema=FILE\n",
     command_schema},
    {"plan", "[PIPELINE]", "Show what a run would do, and how long it takes",
     "The graph, the first requests, hosts with their budgets, retries, "
     "tables,\n"
     "and an estimate of the time. Nothing is fetched but, with "
     "--fetch-lists,\n"
     "the lists; nothing is stored.\n",
     command_plan},
    {"try", "PIPELINE [KEY]", "Take one key through a pipeline, store nothing",
     "Each step is shown: request, answer, what each field found, the row. "
     "The\n"
     "key goes to the first fetcher, or to --worker; a source takes no key.\n"
     "\n"
     "Exit status: 0 a row, or keys; 3 the key would be a recorded failure;\n"
     "4 the list gave nothing, or the site did not answer; 2 bad usage.\n",
     command_try},
    {"test", "[PIPELINE] [CASE]...",
     "Hold a pipeline against recorded answers, without a network",
     "The cases of FILE.yaml are the folders in FILE.cases; windrow try\n"
     "--record makes one. Exit status: 0 all pass, 3 some fail, 2 a case that\n"
     "is wrong in itself, or bad usage.\n",
     command_test},
    {"runs", NULL, "List the runs in the database, the newest first", NULL,
     command_runs},
    {"show", "RUN", "Show one run whole, and how to go on", RUN_TEXT,
     command_show},
    {"failures", "RUN", "List the keys of a run that failed, and why", RUN_TEXT,
     command_failures},
    {"prices", "[KEY...]", "Show the rows of a table, the newest of each key",
     "`windrow rows` is the same. The table is that which the newest run\n"
     "stores into, or --table. KEY is one as it is stored, AAPL.\n"
     "Exit status: 1 where a KEY has no row.\n",
     command_prices},
    {"export", "[RUN]", "Write the rows of a run or a table as CSV or JSON",
     RUN_TEXT "Its rows are those of its table that were fetched in its time; "
              "without\nRUN, --table says of which table all rows are "
              "written, with all columns.\nCSV is that of RFC 4180, JSON an "
              "object a line; digits are as stored.\n",
     command_export},
    {"healthy", "FILE", "Say whether the process that touches FILE lives",
     "FILE is its --health-file. Exit status: 0 it does, 1 it does not.\n",
     command_healthy},
    {"keygen", "DIR", "Make the keys of a cluster over several machines",
     "DIR gets master.key and allowed/node.pub, for the master (--keys DIR),\n"
     "and master.pub and node.key, for the nodes (--keys DIR). Keys are files\n"
     "of mode 0600; whoever has node.key may take part. --node NAME makes a\n"
     "key of its own for one more node: NAME.key and allowed/NAME.pub.\n",
     command_keygen},
    {"settings", "[help|sample|markdown]",
     "Explain the settings, or print a sample .env", NULL, command_settings},
};
#define N_COMMANDS (sizeof commands / sizeof *commands)

static void print_usage(FILE *out)
{
    fputs("Usage: windrow COMMAND [ARGUMENT] [OPTION]...\n"
          "Read keys from the web, fetch a page for each, store the fields "
          "that matter.\n\nCommands:\n",
          out);
    for (size_t i = 0; i < N_COMMANDS; i++) {
        char left[48];
        snprintf(left, sizeof left, "%s %s", commands[i].name,
                 commands[i].argument ? commands[i].argument : "");
        fprintf(out, "  %-32s %s\n", left, commands[i].summary);
    }
    fputs("\nwindrow help COMMAND tells more; windrow --version.\n", out);
}

/* `prices` by the name that fits every pipeline. */
static const char prices[] = "prices", rows[] = "rows";

static const struct command *find(const char *name)
{
    if (!strcmp(name, rows))
        name = prices;
    for (size_t i = 0; i < N_COMMANDS; i++)
        if (!strcmp(name, commands[i].name))
            return &commands[i];
    return NULL;
}

static int no_command(const char *name)
{
    const char *names[N_COMMANDS];
    for (size_t i = 0; i < N_COMMANDS; i++)
        names[i] = commands[i].name;
    const char *near = spell_nearest(name, names, N_COMMANDS);
    if (!*name) {
        print_usage(stderr);
        return EXIT_BAD_USAGE;
    }
    fprintf(stderr, "windrow: no command \"%s\"%s%s%s (see windrow --help)\n",
            name, near ? "; did you mean " : "", near ? near : "",
            near ? "?" : "");
    return EXIT_BAD_USAGE;
}

/* `windrow help COMMAND` */
static int help_of(char *name)
{
    struct options options;
    int status;
    char *argv[] = {name, (char[]){"--help"}, NULL};
    const struct command *command = find(name);
    if (!command)
        return no_command(name);
    CHECK(!options_parse(command, 2, argv, &options, &status));
    return status;
}

static void raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

int main(int argc, char **argv)
{
    process_harden();
    const char *name = argc > 1 ? argv[1] : "";
    if (!strcmp(name, "--version")) {
        puts("windrow " WINDROW_VERSION);
        return 0;
    }
    if (!strcmp(name, "help") && argc > 2 && *argv[2] != '-')
        return help_of(argv[2]);
    if (!strcmp(name, "--help") || !strcmp(name, "-h") ||
        !strcmp(name, "help")) {
        print_usage(stdout);
        return 0;
    }
    const struct command *command = find(name);
    if (!command)
        return no_command(name);
    struct options options;
    int status;
    if (!options_parse(command, argc - 1, argv + 1, &options, &status))
        return status;
    signal(SIGPIPE, SIG_IGN);
    raise_descriptor_limit();
    return command->run(&options);
}
