/*
 * command_check.c: `windrow check` and `windrow schema`: what a pipeline file
 * must be like, and whether it is.
 */
#include <jansson.h>
#include <stdio.h>

#include "commands.h"
#include "context.h"
#include "output.h"
#include "schema.h"

/* One file's outcome. Complaints and notes go to `found` where it is a list,
 * for --format json, and to standard error else. */
struct checking {
    struct context context;
    const char *file;
    json_t *found; /* NULL: for people */
};

static void tell(const struct checking *checking, int line, int column,
                 const char *severity, const char *text)
{
    bool note = strcmp(severity, "error") != 0;
    if (checking->found)
        json_array_append_new(checking->found,
                              json_pack("{s:s, s:i, s:i, s:s, s:s}", "file",
                                        checking->file, "line", line, "column",
                                        column, "severity", severity, "text",
                                        text));
    else if (note)
        fprintf(stderr, "windrow: note: line %d: %s\n", line, text);
    else
        fprintf(stderr, "%s:%d:%d: %s\n", checking->file, line, column, text);
}

static void tell_all(const struct checking *checking,
                     const struct complaints *complaints)
{
    char more[64];
    for (size_t i = 0; i < complaints->n; i++)
        tell(checking, complaints->items[i].line, complaints->items[i].column,
             "error", complaints->items[i].text);
    snprintf(more, sizeof more, "and %zu more", complaints->dropped);
    if (complaints->dropped && checking->found)
        tell(checking, complaints->items[complaints->n - 1].line, 1, "error",
             more);
    else if (complaints->dropped)
        fprintf(stderr, "%s: %s\n", checking->file, more);
}

/* A file that can't be read has a complaint too, for who reads JSON. */
static int tell_error(const struct checking *checking, struct error *err)
{
    if (checking->found) {
        settings_mask_text(checking->context.settings, err->text);
        tell(checking, 1, 1, "error", err->text);
    } else {
        context_complain(&checking->context, err);
    }
    return EXIT_BAD_USAGE;
}

static int check_pipeline(struct checking *checking)
{
    struct context *context = &checking->context;
    struct complaints complaints = {0};
    struct error err = ERROR_NONE;
    int status = 0;
    if (pipeline_read_file(checking->file, &context->pipeline_text, &err)) {
        status = tell_error(checking, &err);
    } else if (context_check_pipeline(context, &complaints, &err)) {
        tell_all(checking, &complaints);
        if (!checking->found && complaints.n)
            context_note_empty(context);
        status = complaints.n ? EXIT_BAD_USAGE : tell_error(checking, &err);
    } else {
        for (size_t i = 0; i < context->pipeline->n_notes; i++) {
            const struct pipeline_note *note = &context->pipeline->notes[i];
            tell(checking, note->line, note->column, "note", note->text);
        }
        if (!checking->found)
            printf("%s: %zu workers, %zu queues: no complaints\n",
                   checking->file, context->pipeline->n_workers,
                   context->pipeline->n_queues);
    }
    complaints_free(&complaints);
    return status;
}

/* `path` NULL: what PIPELINE_LOCATION names. */
static int check_file(const struct options *options, const char *path,
                      json_t *found)
{
    struct checking checking = {.found = found};
    struct context *context = &checking.context;
    struct options one = *options;
    one.argument = path;
    int status = context_settings_read(context, &one, path);
    if (!status && !(status = context_find_pipeline(context))) {
        checking.file = context->pipeline_path;
        status = check_pipeline(&checking);
    }
    context_free(context);
    return status;
}

int command_check(const struct options *options)
{
    json_t *found = options->json ? json_array() : NULL;
    int status = options->n_arguments ? 0 : check_file(options, NULL, found);
    struct output output;
    for (int i = 0; i < options->n_arguments; i++) {
        int one = check_file(options, options->arguments[i], found);
        status = status ? status : one;
    }
    if (!options->json)
        return status;
    output_begin(options, &output);
    output_json(&output, found);
    return output_end(&output, status);
}

int command_schema(const struct options *options)
{
    struct output output;
    output_begin(options, &output);
    output_json(&output, schema_build());
    return output_end(&output, 0);
}
