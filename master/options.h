/*
 * options.h: what stands on the command line of `windrow`.
 *
 * One table (options_table.c) has every option: its commands, argument, and
 * help.
 */
#ifndef MASTER_OPTIONS_H
#define MASTER_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/log.h"

#define ENV_FILES_MAX 8
#define RUN_NAME_BYTES_MAX 100
#define SCALE_AUTO (-1)
#define LIMIT_MAX (INT64_MAX / 2) /* one more is a number still */

/* Exit statuses (DESIGN: "a run always ends"). */
enum {
    EXIT_ALL_STORED = 0,
    EXIT_NOT_THERE = 1, /* of commands that look: no such key, no such life */
    EXIT_BAD_USAGE = 2,
    EXIT_SOME_FAILED = 3,
    EXIT_NOT_FINISHED = 4,
    EXIT_INTERRUPTED = 130,
};

/* How rows of a table are printed. */
enum rows_format { ROWS_TABLE, ROWS_CSV, ROWS_JSON };

enum progress_mode {
    PROGRESS_AUTO, /* a bar on a terminal, plain lines elsewhere */
    PROGRESS_BAR,
    PROGRESS_PLAIN,
    PROGRESS_JSON,
    PROGRESS_NONE,
};

struct options {
    const char *argument;   /* the pipeline or the run; NULL: none given */
    char *const *arguments; /* all of them; `argument` is the first */
    int n_arguments;
    const char *store;
    const char *health_file;
    const char *env_files[ENV_FILES_MAX];
    size_t n_env_files;
    const char *summary;
    const char *name;   /* --name; NULL: none */
    const char *run;    /* --run; NULL: none */
    const char *record; /* --record; "": named after the key; NULL: none */
    int scale;          /* nodes at the start; SCALE_AUTO: one a core */
    int scale_most;     /* more than scale: follow the work up to there */
    int batch;
    int64_t limit;               /* 0: none */
    int64_t after;               /* failures: those with higher numbers */
    const char *reason, *worker; /* failures; NULL: all */
    const char *table, *since;   /* rows; NULL: none given */
    const char *into;            /* export: a file; NULL: standard output */
    bool latest;
    enum rows_format rows_format;
    enum progress_mode progress;
    enum log_format log_format;
    const char *log_level, *log_file; /* NULL: none given */
    bool json;
    bool dry_run;
    bool fetch_lists;
    bool force;
    bool no_pager;
    const char *listen;     /* NULL: none given, as for the next two */
    const char *task_ports; /* FIRST-LAST */
    const char *keys;
    const char *node;      /* keygen: the node whose key is made */
    const char *dashboard; /* --dashboard's place, "": none named; NULL: no */
    pid_t parent;          /* --parent: end when it ends; 0: none */
    bool insecure;
    bool if_missing;
    const char *every;     /* NULL: one run, now; the next five are of it */
    const char *time_zone; /* NULL: the system's */
    const char *hours, *days, *holidays;
    bool catch_up; /* --missed catch-up */
    int64_t runs;  /* 0: no end */
};

struct command {
    const char *name;
    const char *argument; /* "PIPELINE", "PIPELINE KEY"; NULL: none; in
                             brackets: may be left out; with dots: as many as
                             there are */
    const char *summary;  /* one line */
    const char *text;     /* more, for its --help */
    int (*run)(const struct options *options); /* exit status */
};

/* Parses what follows the command's name. True: go on; false: *ret_status is
 * the exit status (help was asked for, or usage is bad and was told). */
bool options_parse(const struct command *command, int argc, char **argv,
                   struct options *ret, int *ret_status);

#endif
