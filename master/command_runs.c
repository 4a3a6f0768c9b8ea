/* command_runs.c: `windrow runs`: the runs in the database. */
#include "commands.h"
#include "context.h"
#include "output.h"
#include "run_text.h"
#include "table.h"

#define RUNS_SHOWN_MAX 1000

static void print_runs(struct output *out, const struct run_row *rows, size_t n)
{
    static const struct table_title titles[] = {
        {"run", true},    {"state", false},   {"stored", true},
        {"failed", true}, {"open", true},     {"started (UTC)", false},
        {"name", false},  {"pipeline", false}};
    struct table *table =
        table_new(out, titles, sizeof titles / sizeof *titles);
    for (size_t i = 0; i < n; i++) {
        char started[CLOCK_TEXT_BYTES];
        run_text_time(rows[i].started_at, started);
        table_cell_int(table, rows[i].run);
        table_cell_styled(table, run_text_style(&rows[i]),
                          slice_of(run_text_state(&rows[i])));
        table_cell_int(table, rows[i].stored);
        table_cell_int(table, rows[i].failed);
        table_cell_int(table, rows[i].open_keys);
        table_cell(table, slice_of(started));
        table_cell(table, slice_of(rows[i].name));
        table_cell(table, slice_of(rows[i].pipeline_name));
    }
    table_end(&table);
}

static void print_runs_json(struct output *out, const struct run_row *rows,
                            size_t n)
{
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(list, run_text_json(&rows[i]));
    output_json(out, list);
}

int command_runs(const struct options *options)
{
    struct context context;
    struct error err = ERROR_NONE;
    struct run_row *rows;
    size_t n;
    int status = context_settings(&context, options, NULL);
    if (!status && !(status = context_open_ledger(&context))) {
        if (ledger_runs(context.ledger, RUNS_SHOWN_MAX, &context.arena, &rows,
                        &n, &err)) {
            status = context_complain(&context, &err);
        } else {
            struct output out;
            output_begin(options, &out);
            (options->json ? print_runs_json : print_runs)(&out, rows, n);
            status = output_end(&out, 0);
        }
    }
    context_free(&context);
    return status;
}
