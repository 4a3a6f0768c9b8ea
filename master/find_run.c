/* find_run.c: see find_run.h. */
#include "find_run.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/spell.h"

#define RUNS_SPELLED_MAX 1000 /* names to look for the nearest in */

static bool is_number(const char *text, int64_t *ret)
{
    char *end;
    errno = 0;
    long long number = strtoll(text, &end, 10);
    if (strspn(text, "0123456789") != strlen(text) || !*text || errno)
        return false;
    *ret = number;
    return true;
}

/* A pipeline's name is taken for a run's; the rows are the newest first. */
static int64_t newest_of(const char *pipeline, const struct run_row *rows,
                         size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!strcmp(rows[i].pipeline_name, pipeline))
            return rows[i].run;
    return 0;
}

static int no_such_run(struct context *context, const char *text,
                       struct error *err)
{
    struct error look = ERROR_NONE;
    struct run_row *rows;
    size_t n = 0, n_names = 0;
    const char *names[RUNS_SPELLED_MAX];
    if (ledger_runs(context->ledger, RUNS_SPELLED_MAX, &context->arena, &rows,
                    &n, &look))
        return error_set(err, look.code, "%s", look.text);
    int64_t newest = newest_of(text, rows, n);
    if (newest)
        return error_set(err, ERR_NOT_FOUND,
                         "there is no run named %s; %s is a pipeline, whose "
                         "newest run is %" PRId64,
                         text, text, newest);
    for (size_t i = 0; i < n; i++)
        if (rows[i].name[0])
            names[n_names++] = rows[i].name;
    const char *near = spell_nearest(text, names, n_names);
    return error_set(err, ERR_NOT_FOUND,
                     "there is no run named %s%s%s%s (`windrow runs` lists "
                     "numbers and names; `last` is the newest)",
                     text, near ? "; did you mean " : "", near ? near : "",
                     near ? "?" : "");
}

static int find_last(struct context *context, int64_t *ret, struct error *err)
{
    struct run_row *rows;
    size_t n = 0;
    if (ledger_runs(context->ledger, 1, &context->arena, &rows, &n, err))
        return (int)err->code;
    if (!n)
        return error_set(err, ERR_NOT_FOUND, "this database has no run yet");
    *ret = rows[0].run;
    return 0;
}

static int find(struct context *context, const char *text, int64_t *ret,
                struct error *err)
{
    int64_t run = 0;
    if (!strcmp(text, "last"))
        return find_last(context, ret, err);
    if (is_number(text, &run)) {
        *ret = run;
        return 0;
    }
    int rc = ledger_run_named(context->ledger, text, &run, err);
    if (rc == ERR_NOT_FOUND) {
        *err = ERROR_NONE;
        return no_such_run(context, text, err);
    }
    if (rc == 0)
        *ret = run;
    return rc;
}

int find_run(struct context *context, const char *text, int64_t *ret)
{
    struct run_row row = {.run = 0};
    int status = find_run_row(context, text, &row);
    if (!status)
        *ret = row.run;
    return status;
}

int find_run_row(struct context *context, const char *text, struct run_row *ret)
{
    struct error err = ERROR_NONE;
    int64_t run = 0;
    if (find(context, text, &run, &err) ||
        ledger_run_row(context->ledger, run, &context->arena, ret, &err))
        return context_complain(context, &err);
    return 0;
}
