/* command_scale.c: `windrow scale N`: how many local nodes a run should have,
 * told to its master by way of the ledger. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/crash_point.h"
#include "commands.h"
#include "find_run.h"
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

/* --run, or the newest that goes on. */
static int which_run(struct context *context, int64_t *ret)
{
    struct error err = ERROR_NONE;
    if (context->options->run)
        return find_run(context, context->options->run, ret);
    return find_living(context, ret, &err) ? context_complain(context, &err)
                                           : 0;
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
    if (!status && !(status = context_open_ledger(&context)) &&
        !(status = which_run(&context, &run))) {
        if (ledger_run_scale(context.ledger, run, (int)nodes, &err))
            status = context_complain(&context, &err);
        CRASH_POINT("scale_after_write");
        if (!status)
            printf("run %" PRId64 ": %" PRId64 " local nodes are wanted\n", run,
                   nodes);
    }
    context_free(&context);
    return status;
}
