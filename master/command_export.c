/*
 * command_export.c: `windrow export RUN` or `--table NAME`: rows as CSV or
 * JSON, all of them, to standard output or into a file.
 *
 * Rows carry no run number: those of a run are those of its table that were
 * fetched from its beginning to its end. Whether they are as many as the run
 * stored is told where it can be known.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "commands.h"
#include "find_run.h"
#include "find_sink.h"
#include "rows_out.h"

#define PART_ENDING ".part"

/* What is to be exported. */
struct export
{
    const char *table;
    const struct sink *sink;  /* NULL: all columns of the table */
    const struct sink *types; /* of those, where a run stored them; or NULL */
    struct run_row run;       /* number 0: none */
};

/* ---- into a file ---- */

/* The rows go to FILE.part, which becomes FILE when all are there. */
static char *open_part(const char *into, struct output *ret)
{
    size_t bytes = strlen(into) + sizeof PART_ENDING;
    char *part = malloc(bytes);
    if (part)
        snprintf(part, bytes, "%s" PART_ENDING, into);
    *ret = (struct output){.file = part ? fopen(part, "we") : NULL};
    if (ret->file)
        return part;
    const char *slash = strrchr(into, '/');
    if (part && errno == ENOENT && slash)
        fprintf(stderr,
                "windrow: %s can't be written: there is no folder %.*s\n", into,
                (int)(slash - into), into);
    else
        fprintf(stderr, "windrow: %s can't be written: %s\n", into,
                strerror(part ? errno : ENOMEM));
    free(part);
    return NULL;
}

static int close_part(struct output *output, const char *into, const char *part,
                      bool good)
{
    bool failed = output->failed || ferror(output->file);
    failed |= fflush(output->file) || fsync(fileno(output->file));
    failed |= fclose(output->file) != 0;
    if (!good || failed || rename(part, into)) {
        if (good)
            fprintf(stderr, "windrow: %s can't be written: %s\n", into,
                    strerror(errno));
        unlink(part);
        return EXIT_NOT_FINISHED;
    }
    return 0;
}

/* ---- the rows ---- */

/* A run that stored `stored` keys into its one table has as many rows there. */
static void compare_count(const struct context *context,
                          const struct export *export, int64_t n_rows)
{
    const struct run_row *run = &export->run;
    if (!run->run || find_sink_count(context) != 1 || n_rows == run->stored)
        return;
    fprintf(stderr,
            "windrow: run %" PRId64 " stored %" PRId64 " rows, and %" PRId64
            " were fetched in its time: another run stored into %s "
            "meanwhile, rows were deleted, or clocks differ. "
            "`windrow export --table %s` gives all\n",
            run->run, run->stored, n_rows, export->table, export->table);
}

static int write_rows(struct context *context, const struct export *export,
                      struct output *output, int64_t *ret_n)
{
    struct error err = ERROR_NONE;
    const struct run_row *run = &export->run;
    bool timed = run->run && export->sink &&
                 ledger_dump_column(export->sink, COLUMN_FETCHED_AT);
    const struct dump_query query = {
        .table = export->table,
        .sink = export->sink,
        .types = export->types,
        .since = timed ? run->started_at : 0,
        .until = timed && run->ended_at ? run->ended_at : 0,
    };
    struct rows_out out = {.output = output,
                           .format = context->options->rows_format == ROWS_JSON
                                         ? ROWS_JSON
                                         : ROWS_CSV};
    if (run->run && !timed)
        fprintf(stderr,
                "windrow: table %s has no column for the time of the answer: "
                "these are the rows of all runs\n",
                export->table);
    if (rows_out_dump(&out, context->ledger, &query, &err)) {
        error_context(&err, "table %s", export->table);
        return context_complain(context, &err);
    }
    *ret_n = out.n_rows;
    return 0;
}

static int export_rows(struct context *context, const struct export *export)
{
    const char *into = context->options->into;
    struct output output;
    int64_t n_rows = -1;
    char *part = NULL;
    if (!into)
        output_begin(context->options, &output);
    else if (!(part = open_part(into, &output)))
        return EXIT_BAD_USAGE;
    int status = write_rows(context, export, &output, &n_rows);
    if (!into)
        status = output_end(&output, status);
    else if (close_part(&output, into, part, !status))
        status = EXIT_NOT_FINISHED;
    free(part);
    if (!status && into)
        fprintf(stderr, "windrow: %" PRId64 " row%s into %s\n", n_rows,
                n_rows == 1 ? "" : "s", into);
    if (!status)
        compare_count(context, export, n_rows);
    return status;
}

static int find(struct context *context, struct export *export)
{
    const struct options *options = context->options;
    if (!options->argument) {
        export->table = options->table;
        export->types = find_sink_if_any(context, options->table);
        return 0;
    }
    int status = find_run_row(context, options->argument, &export->run);
    if (!status)
        status =
            find_sink_of(context, &export->run, options->table, &export->sink);
    if (!status)
        export->table = export->sink->table;
    return status;
}

int command_export(const struct options *options)
{
    struct context context;
    struct export export = {.table = NULL};
    if (!options->argument && !options->table) {
        fputs("windrow export: name a RUN, or a table by --table NAME (see "
              "windrow export --help)\n",
              stderr);
        return EXIT_BAD_USAGE;
    }
    int status = context_settings(&context, options, NULL);
    if (!status && !(status = context_open_ledger(&context)) &&
        !(status = find(&context, &export)))
        status = export_rows(&context, &export);
    context_free(&context);
    return status;
}
