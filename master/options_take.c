/* options_take.c: an option's value: what it may be, and where it goes. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "options_private.h"
#include "processes.h"
#include "wire/message.h"

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
static const char *take_number(struct options *options, enum option_id id,
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

static const char *take_choice(struct options *options, enum option_id id,
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
static bool take_network(struct options *options, enum option_id id,
                         const char *value)
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
static bool take_schedule(struct options *options, enum option_id id,
                          const char *value)
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
static bool take_look(struct options *options, enum option_id id,
                      const char *value)
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

const char *options_take(struct options *options, enum option_id id,
                         const char *value)
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
            return "at most 8 files";
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
