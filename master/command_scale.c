/* command_scale.c: `windrow scale N`: how many local nodes a run should have,
 * told to its master by way of the ledger. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/crash_point.h"
#include "commands.h"
#include "context.h"
#include "processes.h"

#define RUNS_LOOKED_AT 100

static bool parse(const char *text, int64_t most, int64_t *ret)
{
    char *end;
    long long number = strtoll(text, &end, 10);
    if (!*text || *end || number < 1 || number > most)
        return false;
    *ret = number;
    return true;
}

/* The newest run that a master holds. */
static int find_living(struct context *context, int64_t *ret_run,
                       struct error *err)
{
    struct run_row *rows;
    size_t n;
    if (ledger_runs(context->ledger, RUNS_LOOKED_AT, &context->arena, &rows, &n,
                    err))
        return (int)err->code;
    for (size_t i = 0; i < n; i++) {
        *ret_run = rows[i].run;
        if (rows[i].state == RUN_OPEN && rows[i].lease_left > 0)
            return 0;
    }
    return error_set(err, ERR_NOT_FOUND, "no run goes on in this database");
}

/* --run is a run's number or its name. */
static int find_run(struct context *context, int64_t *ret_run,
                    struct error *err)
{
    const char *run = context->options->run;
    if (!run)
        return find_living(context, ret_run, err);
    if (parse(run, INT64_MAX, ret_run))
        return 0;
    return ledger_run_named(context->ledger, run, ret_run, err);
}

int command_scale(const struct options *options)
{
    struct context context;
    struct error err = ERROR_NONE;
    int64_t nodes = 0, run = 0;
    int status = context_settings(&context, options, NULL);
    if (!status && !parse(options->argument, PROCESSES_MAX, &nodes)) {
        fprintf(stderr, "windrow scale: N is a number from 1 to %d, not %s\n",
                PROCESSES_MAX, options->argument);
        status = EXIT_BAD_USAGE;
    }
    if (!status && !(status = context_open_ledger(&context))) {
        if (find_run(&context, &run, &err) ||
            ledger_run_scale(context.ledger, run, (int)nodes, &err))
            status = context_complain(&context, &err);
        CRASH_POINT("scale_after_write");
        if (!status)
            printf("run %" PRId64 ": %" PRId64 " local nodes are wanted\n", run,
                   nodes);
    }
    context_free(&context);
    return status;
}
