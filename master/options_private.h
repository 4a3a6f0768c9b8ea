/* options_private.h: what options*.c share. */
#ifndef MASTER_OPTIONS_PRIVATE_H
#define MASTER_OPTIONS_PRIVATE_H

#include "options.h"

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

struct option_row {
    const char *name;
    enum option_id id;
    const char *argument; /* NULL: none; in brackets: may be left out */
    const char *commands; /* " run resume retry "; NULL: all */
    const char *help;
};

/* options_table.c: every option, sorted by name. */
#define OPTIONS_MAX 80
extern const struct option_row options_table[];
extern const size_t options_n;
bool options_belong(const struct option_row *row,
                    const struct command *command);
/* What --help prints. */
void options_help(const struct command *command);

/* options_take.c: the value (NULL: none) of the option `id` into `options`.
 * NULL, or what the value would have to be. */
const char *options_take(struct options *options, enum option_id id,
                         const char *value);

#endif
