/*
 * pipeline_exec.c: the options of exec, which asks a program of the user's:
 * its command, its environment, and whether it is there.
 *
 * A command without a slash is looked for in PATH, as a shell would; one with a
 * slash begins at the pipeline file's folder, in which the program runs.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pipeline/loader.h"

#define PATH_FALLBACK "/usr/local/bin:/usr/bin:/bin"

void exec_defaults(struct worker *worker)
{
    request_defaults(&worker->request, true);
    worker->request.user_agent = NULL; /* the web is not asked */
    worker->request.n_refusals = 0;
    worker->program = (struct program){.memory_bytes_max = PROGRAM_MEMORY};
}

/* Command and variables together, as they are handed to the program. */
static void check_bytes(struct loader *loader, const struct program *program,
                        const struct yaml_node *node)
{
    size_t bytes = 0;

    for (size_t i = 0; i < program->n_command; i++)
        bytes += strlen(program->command[i]) + 1;
    for (size_t i = 0; i < program->n_variables; i++)
        bytes += strlen(program->variables[i]) + 1;
    if (bytes > PROGRAM_BYTES_MAX)
        complain(loader, node,
                 "command and env have %zu bytes; at most %d are allowed",
                 bytes, PROGRAM_BYTES_MAX);
}

void read_command(struct loader *loader, struct worker *worker,
                  const struct yaml_node *node)
{
    struct program *program = &worker->program;

    program->line = node->line;
    program->column = node->column;
    if (!load_texts(loader, node, "option 'command'", PROGRAM_ARGUMENTS_MAX,
                    &program->command, &program->n_command))
        return;
    if (!program->n_command)
        complain(loader, node, "option 'command' is empty: [PROGRAM, ...]");
    check_bytes(loader, program, node);
}

static bool is_variable(const char *name)
{
    if (!isalpha((unsigned char)*name) && *name != '_')
        return false;
    for (; *name; name++)
        if (!isalnum((unsigned char)*name) && *name != '_')
            return false;
    return true;
}

void read_env(struct loader *loader, struct worker *worker,
              const struct yaml_node *node)
{
    struct program *program = &worker->program;

    if (!load_map(loader, node, "option 'env'", PROGRAM_VARIABLES_MAX))
        return;
    program->variables =
        load_alloc(loader, node->n_items, sizeof *program->variables);
    if (!program->variables)
        return;
    for (const struct yaml_node *n = node->first; n; n = n->next) {
        if (!is_variable(n->key->text))
            complain(loader, n->key,
                     "'%s' is no name of a variable: letters of ASCII, digits "
                     "and _ are allowed",
                     shown(n->key->text).text);
        else if (n->kind != YAML_TEXT)
            complain(loader, n, "a variable must be a text");
        else
            program->variables[program->n_variables++] =
                load_printf(loader, "%s=%s", n->key->text, n->text);
        if (loader->out_of_memory)
            return;
    }
    check_bytes(loader, program, node);
}

/* ---- whether it is there ---- */

/* 0, or why the file can't be started. */
static int why_not(const char *path)
{
    struct stat status;
    if (stat(path, &status))
        return errno;
    if (!S_ISREG(status.st_mode))
        return EACCES;
    return access(path, X_OK) ? errno : 0;
}

static bool is_in_path(struct loader *loader, const char *name)
{
    const char *own = getenv("PATH");
    char *list = strdup(own ? own : PATH_FALLBACK);
    bool found = false;

    loader->out_of_memory |= !list;
    for (char *rest = list, *folder; !found && (folder = strsep(&rest, ":"));) {
        const char *path =
            load_printf(loader, "%s/%s", *folder ? folder : ".", name);
        found = path && !why_not(path);
    }
    free(list);
    return found;
}

/* Where a file that a command names is, seen from the program's folder. */
static const char *path_of(struct loader *loader, const char *name)
{
    return *name == '/'
               ? name
               : load_printf(loader, "%s/%s", loader->pipeline->folder, name);
}

static bool is_file(const char *path)
{
    struct stat status;
    return !stat(path, &status) && S_ISREG(status.st_mode);
}

static void find_program(struct loader *loader, const struct program *program)
{
    const char *name = program->command[0];
    const char *path = path_of(loader, name);

    if (!path)
        return;
    int why = why_not(path);
    if (strchr(name, '/') && why)
        complain_at(loader, program->line, program->column,
                    "the program '%s' can't be started: %s%s", shown(name).text,
                    strerror(why),
                    why == EACCES && is_file(path)
                        ? "; chmod +x makes a file executable"
                        : "");
    else if (!strchr(name, '/') && !is_in_path(loader, name))
        complain_at(loader, program->line, program->column,
                    why == ENOENT ? "there is no program '%s' in PATH"
                                  : "there is no program '%s' in PATH; for the "
                                    "one beside the pipeline say './%s'",
                    shown(name).text, shown(name).text);
}

static bool is_script(const char *name)
{
    static const char *const ends[] = {".py", ".sh", ".js", ".rb", ".pl"};
    const char *dot = strrchr(name, '.');

    if (!dot || *name == '-' || strpbrk(name, " \t\n"))
        return false;
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        if (!strcmp(dot, ends[i]))
            return true;
    return false;
}

/* An argument that looks like a script and is not there may be meant so: a
 * note, the first of the command. There is room for one a worker. */
static void find_script(struct loader *loader, const struct program *program)
{
    struct pipeline *p = loader->pipeline;

    for (size_t i = 1; i < program->n_command; i++) {
        const char *name = program->command[i];
        const char *path = is_script(name) ? path_of(loader, name) : NULL;
        if (!path || access(path, F_OK) == 0)
            continue;
        const char *text =
            load_printf(loader,
                        "there is no file '%s', which the program is given; it "
                        "runs in the folder of the pipeline",
                        shown(name).text);
        CHECK(p->n_notes < p->n_workers);
        if (text)
            p->notes[p->n_notes++] =
                (struct pipeline_note){program->line, program->column, text};
        return;
    }
}

int pipeline_find_programs(struct pipeline *pipeline,
                           const struct settings *settings,
                           struct complaints *complaints, struct error *err)
{
    struct loader loader = {
        .pipeline = pipeline, .settings = settings, .complaints = complaints};

    for (size_t i = 0; i < pipeline->n_workers; i++) {
        if (pipeline->workers[i].class != CLASS_EXEC)
            continue;
        find_program(&loader, &pipeline->workers[i].program);
        find_script(&loader, &pipeline->workers[i].program);
    }
    if (loader.out_of_memory)
        return error_set(err, ERR_MEMORY, "no memory for the pipeline");
    return complaints->n
               ? error_set(err, ERR_PIPELINE, "line %d: %s",
                           complaints->items[0].line, complaints->items[0].text)
               : 0;
}

bool pipeline_has_programs(const struct pipeline *pipeline)
{
    for (size_t i = 0; i < pipeline->n_workers; i++)
        if (pipeline->workers[i].class == CLASS_EXEC)
            return true;
    return false;
}

usec_t pipeline_end_time(const struct pipeline *pipeline)
{
    return pipeline_has_programs(pipeline) ? 2 * PROGRAM_GRACE : 0;
}
