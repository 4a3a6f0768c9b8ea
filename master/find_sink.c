/* find_sink.c: see find_sink.h. */
#include "find_sink.h"

#include <inttypes.h>

#include "find_run.h"
#include "pipeline/spell.h"

#define RUNS_LOOKED_AT 100 /* the newest, among which a table is looked for */

/* The tables that came by, for the complaint. */
struct tables {
    const char *names[PIPELINE_WORKERS_MAX];
    size_t n;
};

static const struct sink *sink_of(const struct worker *worker)
{
    bool is_sink = worker->class == CLASS_STORE && worker->sink.table &&
                   worker->sink.n_columns;
    return is_sink ? &worker->sink : NULL;
}

static int load(struct context *context, const struct run_row *row,
                struct error *err)
{
    pipeline_free(&context->pipeline);
    if (!pipeline_load_to_look(row->pipeline_text, context->settings,
                               &context->pipeline, err))
        return 0;
    return error_context(err, "run %" PRId64, row->run);
}

static bool add_table(struct context *context, struct tables *tables,
                      const char *name)
{
    for (size_t i = 0; i < tables->n; i++)
        if (!strcmp(tables->names[i], name))
            return true;
    char *copy = arena_copy_text(&context->arena, name);
    if (copy && tables->n < PIPELINE_WORKERS_MAX)
        tables->names[tables->n++] = copy;
    return copy;
}

/* The pipeline's sink for `table`, or for any table; NULL: none. */
static const struct sink *look(struct context *context, const char *table,
                               struct tables *tables)
{
    const struct sink *found = NULL;
    for (size_t i = 0; i < context->pipeline->n_workers; i++) {
        const struct sink *sink = sink_of(&context->pipeline->workers[i]);
        if (!sink)
            continue;
        add_table(context, tables, sink->table);
        if (!found && (!table || !strcmp(table, sink->table)))
            found = sink;
    }
    return found;
}

/* `who` is that of which it is said; `none` the same where `table` is not among
 * its tables. */
static int complain(struct context *context, const struct tables *tables,
                    const char *table, const char *who, const char *none)
{
    struct error err = ERROR_NONE;
    struct buffer list = BUFFER_EMPTY;
    for (size_t i = 0; i < tables->n; i++)
        buffer_printf(&list, "%s%s", i ? ", " : "", tables->names[i]);
    const char *near =
        table ? spell_nearest(table, tables->names, tables->n) : NULL;
    if (!tables->n)
        error_set(&err, ERR_NOT_FOUND,
                  "%s stores into no table that can be read from its pipeline "
                  "here: `windrow export --table NAME` needs none",
                  who);
    else if (table)
        error_set(&err, ERR_NOT_FOUND, "%s table %s%s%s%s (there is: %s)", none,
                  table, near ? "; did you mean " : "", near ? near : "",
                  near ? "?" : "", buffer_text(&list));
    else
        error_set(&err, ERR_USAGE,
                  "%s stores into several tables: name one with --table (%s)",
                  who, buffer_text(&list));
    buffer_free(&list);
    return context_complain(context, &err);
}

int find_sink_of(struct context *context, const struct run_row *row,
                 const char *table, const struct sink **ret)
{
    struct error err = ERROR_NONE;
    struct tables tables = {.n = 0};
    char who[32], none[64];
    snprintf(who, sizeof who, "run %" PRId64, row->run);
    snprintf(none, sizeof none, "%s stores into no", who);
    if (load(context, row, &err))
        return context_complain(context, &err);
    const struct sink *sink = look(context, table, &tables);
    if (!sink || (!table && tables.n > 1))
        return complain(context, &tables, table, who, none);
    *ret = sink;
    return 0;
}

/* That of the newest run that stores into `table`; *ret stays NULL where none
 * does. */
static int look_in_runs(struct context *context, const char *table,
                        struct tables *tables, const struct sink **ret,
                        struct error *err)
{
    struct run_row *rows, row;
    size_t n = 0;
    if (ledger_runs(context->ledger, RUNS_LOOKED_AT, &context->arena, &rows, &n,
                    err))
        return (int)err->code;
    for (size_t i = 0; i < n && !*ret; i++) {
        if (ledger_run_row(context->ledger, rows[i].run, &context->arena, &row,
                           err) ||
            load(context, &row, err))
            return (int)err->code;
        *ret = look(context, table, tables);
    }
    return 0;
}

int find_sink(struct context *context, const char *table,
              const struct sink **ret)
{
    struct error err = ERROR_NONE;
    struct tables tables = {.n = 0};
    const struct sink *sink = NULL;
    struct run_row row;
    if (!table) {
        int status = find_run_row(context, "last", &row);
        return status ? status : find_sink_of(context, &row, NULL, ret);
    }
    if (look_in_runs(context, table, &tables, &sink, &err))
        return context_complain(context, &err);
    if (!sink)
        return complain(context, &tables, table, "no run",
                        "no run here stores into a");
    *ret = sink;
    return 0;
}

const struct sink *find_sink_if_any(struct context *context, const char *table)
{
    struct error unused = ERROR_NONE;
    struct tables tables = {.n = 0};
    const struct sink *sink = NULL;
    (void)!look_in_runs(context, table, &tables, &sink, &unused);
    return sink;
}

size_t find_sink_count(const struct context *context)
{
    size_t n = 0;
    for (size_t i = 0; i < context->pipeline->n_workers; i++)
        n += context->pipeline->workers[i].class == CLASS_STORE;
    return n;
}
