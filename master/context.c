/* context.c: see context.h. */
#include "context.h"

#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ledger/run_settings.h"

#define DEFAULT_ENV_FILE ".env"

int context_complain(const struct context *context, struct error *err)
{
    if (context->settings)
        settings_mask_text(context->settings, err->text);
    fprintf(stderr, "windrow: %s\n", err->text);
    return error_code_kind(err->code) == ERROR_USER ? EXIT_BAD_USAGE
                                                    : EXIT_NOT_FINISHED;
}

static int read_env_file(struct context *context, const char *path)
{
    struct error err = ERROR_NONE;
    if (settings_read_file(context->settings, path, &err)) {
        err.code = ERR_USAGE; /* whatever it was: a file that was named */
        return context_complain(context, &err);
    }
    context->env_files[context->n_env_files++] = path;
    return 0;
}

/* The .env beside the pipeline, or in the current folder where none is known;
 * if there is one. */
static int read_own_env_file(struct context *context, const char *pipeline_path)
{
    const char *slash = strrchr(pipeline_path, '/');
    size_t folder_len = slash ? (size_t)(slash - pipeline_path) + 1 : 0;
    char *path = malloc(folder_len + sizeof DEFAULT_ENV_FILE);
    if (!path)
        return EXIT_NOT_FINISHED;
    memcpy(path, pipeline_path, folder_len);
    memcpy(path + folder_len, DEFAULT_ENV_FILE, sizeof DEFAULT_ENV_FILE);
    context->own_env_file = path;
    return access(path, F_OK) == 0 ? read_env_file(context, path) : 0;
}

int context_settings_read(struct context *context,
                          const struct options *options,
                          const char *pipeline_path)
{
    *context = (struct context){.options = options};
    struct error err = ERROR_NONE;
    if (!(context->settings = settings_new())) {
        error_set(&err, ERR_MEMORY, "no memory for settings");
        return context_complain(context, &err);
    }
    int status = 0;
    for (size_t i = 0; i < options->n_env_files && !status; i++)
        status = read_env_file(context, options->env_files[i]);
    if (!status && !options->n_env_files) {
        const char *path = pipeline_path ? pipeline_path
                                         : settings_get(context->settings,
                                                        "PIPELINE_LOCATION");
        status = read_own_env_file(context, path ? path : "");
    }
    if (!status && (settings_read_secrets(context->settings, &err) ||
                    settings_check(context->settings, &err)))
        status = context_complain(context, &err);
    return status;
}

int context_settings(struct context *context, const struct options *options,
                     const char *pipeline_path)
{
    struct error err = ERROR_NONE;
    if ((options->store && setenv("DATABASE_URL", options->store, 1)) ||
        (options->log_level &&
         setenv("WINDROW_LOG_LEVEL", options->log_level, 1)) ||
        (options->health_file &&
         setenv("WINDROW_HEALTH_FILE", options->health_file, 1))) {
        *context = (struct context){.options = options};
        error_set(&err, ERR_MEMORY, "no memory for settings");
        return context_complain(context, &err);
    }
    int status = context_settings_read(context, options, pipeline_path);
    if (!status && settings_export_libpq(context->settings, &err))
        status = context_complain(context, &err);
    return status;
}

int context_find_pipeline(struct context *context)
{
    const char *path = context->options->argument;
    if (!path)
        path = settings_get(context->settings, "PIPELINE_LOCATION");
    if (path && *path) {
        context->pipeline_path = path;
        return 0;
    }
    struct error err = ERROR_NONE;
    error_set(&err, ERR_USAGE,
              "no pipeline: name its file, or set PIPELINE_LOCATION");
    return context_complain(context, &err);
}

int context_read_pipeline(struct context *context)
{
    struct error err = ERROR_NONE;
    if (!pipeline_read_file(context->pipeline_path, &context->pipeline_text,
                            &err))
        return 0;
    context_complain(context, &err);
    return EXIT_BAD_USAGE;
}

static void print_complaints(const struct context *context,
                             const struct complaints *complaints)
{
    for (size_t i = 0; i < complaints->n; i++)
        fprintf(stderr, "%s:%d:%d: %s\n", context->pipeline_path,
                complaints->items[i].line, complaints->items[i].column,
                complaints->items[i].text);
    if (complaints->dropped)
        fprintf(stderr, "%s: and %zu more\n", context->pipeline_path,
                complaints->dropped);
    context_note_empty(context);
}

/* ${NAME}, and not ${NAME:-default}, which an empty one leaves its default. */
static bool is_named(const struct context *context, const char *name)
{
    struct buffer reference = BUFFER_EMPTY;
    buffer_printf(&reference, "${%s}", name);
    bool named = memmem(context->pipeline_text.data, context->pipeline_text.len,
                        buffer_text(&reference), reference.len);
    buffer_free(&reference);
    return named;
}

void context_note_empty(const struct context *context)
{
    char *text =
        run_settings(context->settings, buffer_slice(&context->pipeline_text));
    json_t *all = text ? json_loads(text, 0, NULL) : NULL, *described;
    const char *name;
    json_object_foreach(all, name, described)
    {
        const char *value = settings_get(context->settings, name);
        if (value && !*value && is_named(context, name))
            fprintf(stderr, "windrow: note: %s is set, but empty\n", name);
    }
    json_decref(all);
    free(text);
}

/* Reading an SQLite file in WAL mode writes beside it: our nodes, which are
 * confined (docs/security.md), are allowed to do so for the sources' files. */
static int allow_sources(const struct context *context, struct error *err)
{
    static const char sqlite[] = "sqlite:", name[] = "WINDROW_NODE_WRITES";
    struct buffer list = BUFFER_EMPTY;
    const char *own = settings_get(context->settings, name);
    buffer_append_text(&list, own ? own : "");
    for (size_t i = 0; i < context->pipeline->n_workers; i++) {
        const struct worker *worker = &context->pipeline->workers[i];
        const char *url =
            worker->class == CLASS_SQL ? worker->sql.database : NULL;
        if (!url || strncmp(url, sqlite, sizeof sqlite - 1))
            continue;
        const char *path = url + sizeof sqlite - 1;
        if (!strchr(path, ':') && access(path, F_OK) == 0)
            buffer_printf(&list, ":%s", path);
    }
    bool failed =
        list.failed || (list.len && setenv(name, buffer_text(&list), 1));
    buffer_free(&list);
    return failed ? error_set(err, ERR_MEMORY, "no memory for a setting") : 0;
}

int context_check_pipeline(struct context *context,
                           struct complaints *complaints, struct error *err)
{
    int status = pipeline_load(buffer_slice(&context->pipeline_text),
                               context->pipeline_path, context->settings,
                               complaints, &context->pipeline, err);
    return status ? status
                  : pipeline_find_programs(context->pipeline, context->settings,
                                           complaints, err);
}

int context_load_pipeline(struct context *context)
{
    struct error err = ERROR_NONE;
    struct complaints complaints = {0};
    int status = context_check_pipeline(context, &complaints, &err);
    if (!status)
        status = allow_sources(context, &err);
    if (status && complaints.n) {
        print_complaints(context, &complaints);
        status = EXIT_BAD_USAGE;
    } else if (status) {
        status = context_complain(context, &err);
    }
    complaints_free(&complaints);
    return status;
}

int context_load(struct context *context, const struct options *options)
{
    int status = context_settings(context, options, options->argument);
    if (!status && !(status = context_find_pipeline(context)) &&
        !(status = context_read_pipeline(context)))
        status = context_load_pipeline(context);
    return status;
}

/* Whether a file can be made there, as far as its folder tells. */
static int check_folder(const char *path, struct error *err)
{
    char folder[PATH_MAX];
    const char *slash = strrchr(path, '/');
    if (!slash || slash == path ||
        snprintf(folder, sizeof folder, "%.*s", (int)(slash - path), path) >=
            (int)sizeof folder ||
        access(folder, F_OK) == 0 || errno != ENOENT)
        return 0;
    return error_set(err, ERR_NOT_FOUND,
                     "the database %s can't be made: there is no folder %s",
                     path, folder);
}

/* Only a run makes a database: who looks at one wants the one that is there. */
static int check_database(const struct context *context, struct error *err)
{
    static const char sqlite[] = "sqlite:";
    const char *url = buffer_text(&context->database_url);
    const char *path = url + sizeof sqlite - 1;
    if (strncmp(url, sqlite, sizeof sqlite - 1) != 0)
        return 0;
    path += strncmp(path, "//", 2) ? 0 : 2; /* as ledger_open() has it */
    if (context->pipeline)
        return check_folder(path, err);
    if (access(path, F_OK) == 0)
        return 0;
    return error_set(err, ERR_NOT_FOUND,
                     "there is no database %s; name it with --store, or in "
                     "DATABASE_URL",
                     url);
}

int context_check_database(const struct context *context)
{
    struct error err = ERROR_NONE;
    return check_database(context, &err) ? context_complain(context, &err) : 0;
}

int context_set_log(const struct context *context)
{
    const struct options *options = context->options;
    const char *level = settings_get(context->settings, "WINDROW_LOG_LEVEL");
    int least = level ? log_level_parse(level) : -1;
    struct error err = ERROR_NONE;
    log_configure(least < 0 ? LOG_LEVEL_INFO : (enum log_level)least,
                  options->log_format);
    if (!options->log_file || !log_to_file(options->log_file, &err))
        return 0;
    err.code = ERR_USAGE; /* a file that was named */
    return context_complain(context, &err);
}

int context_open_ledger(struct context *context)
{
    struct error err = ERROR_NONE;
    if (settings_database_url(context->settings, &context->database_url,
                              &err) ||
        check_database(context, &err) ||
        ledger_open(buffer_text(&context->database_url), &context->ledger,
                    &err) ||
        (context->pipeline &&
         ledger_use_pipeline(context->ledger, context->pipeline, &err)))
        return context_complain(context, &err);
    return 0;
}

void context_free(struct context *context)
{
    ledger_close(&context->ledger);
    pipeline_free(&context->pipeline);
    buffer_free(&context->pipeline_text);
    buffer_free(&context->database_url);
    settings_free(&context->settings);
    arena_free(&context->arena);
    free(context->own_env_file);
}
