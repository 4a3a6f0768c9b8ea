/*
 * context.h: what every command begins with: settings, pipeline, database.
 *
 * Each step prints its own complaint, to standard error, and returns the exit
 * status that goes with it, or 0.
 */
#ifndef MASTER_CONTEXT_H
#define MASTER_CONTEXT_H

#include "ledger/ledger.h"
#include "options.h"
#include "pipeline/pipeline.h"
#include "pipeline/settings.h"

struct context {
    const struct options *options;
    struct settings *settings;
    const char *env_files[ENV_FILES_MAX]; /* those read */
    size_t n_env_files;
    char *own_env_file; /* malloc'ed: the .env beside the pipeline */
    const char *pipeline_path;
    struct buffer pipeline_text;
    struct pipeline *pipeline;
    struct buffer database_url;
    struct ledger *ledger;
    struct arena arena;
};

/* Settings from --env or the .env beside `pipeline_path` (NULL: beside
 * PIPELINE_LOCATION, or in the current folder), and
 * --store, which nodes inherit as DATABASE_URL. */
MUSTCHECK
int context_settings(struct context *context, const struct options *options,
                     const char *pipeline_path);
/* pipeline_path is the argument, or PIPELINE_LOCATION. */
/* The same, for who only reads: nothing is set in the environment. */
MUSTCHECK
int context_settings_read(struct context *context,
                          const struct options *options,
                          const char *pipeline_path);
MUSTCHECK
int context_find_pipeline(struct context *context);
MUSTCHECK
int context_read_pipeline(struct context *context);
/* Appends what pipeline_text is checked with: 0, or its error's code. */
MUSTCHECK
int context_check_pipeline(struct context *context,
                           struct complaints *complaints, struct error *err);
/* Checks pipeline_text; complaints go to standard error. */
MUSTCHECK
int context_load_pipeline(struct context *context);
/* Settings and the checked pipeline that the options name: the above, one
 * after the other. */
MUSTCHECK
int context_load(struct context *context, const struct options *options);
/* Names settings of pipeline_text that are set but empty, where it has
 * mistakes: they may lie there. */
void context_note_empty(const struct context *context);
/* Whether the database of database_url is there, as far as a file tells. */
MUSTCHECK
int context_check_database(const struct context *context);
/* As WINDROW_LOG_LEVEL, --log-format and --log-file say. */
MUSTCHECK
int context_set_log(const struct context *context);
MUSTCHECK
int context_open_ledger(struct context *context);

void context_free(struct context *context);

/* Prints "windrow: TEXT" and returns the exit status for the error's kind.
 * Secret values in the text are masked. */
int context_complain(const struct context *context, struct error *err);

#endif
