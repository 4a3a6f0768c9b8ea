/* run_begin.c: a new run: it and its root batches in the ledger, or, for a dry
 * run, everything but the commit. */
#include <stdlib.h>

#include "base/crash_point.h"
#include "ledger/run_settings.h"
#include "plan.h"
#include "run.h"

static int write_run(struct run *run, const char *settings, struct error *err)
{
    const struct context *context = &run->context;
    const struct run_spec spec = {
        .name = context->options->name,
        .pipeline_text = buffer_slice(&context->pipeline_text),
        .pipeline_name = context->pipeline->name,
        .pipeline_path = context->pipeline_path,
        .settings_json = settings,
        .owner = run->owner,
        .lease = run->lease,
        .key_limit = run->key_limit,
        .retry_of = run->retry_of,
        .keep_keys = run->retry.keep_keys,
    };
    const struct plan_options plan = {
        .pipeline = context->pipeline,
        .n_nodes = run->n_nodes,
        .batch_keys = context->options->batch,
        .key_limit = run->key_limit,
    };
    if (ledger_run_begin(context->ledger, &spec, &run->number, &run->epoch,
                         err))
        return (int)err->code;
    CRASH_POINT("master_after_run_row");
    if (run->retry_of ? plan_retry_write(&plan, &run->retry, context->ledger,
                                         run->number, err)
                      : plan_write(&plan, context->ledger, run->number, err)) {
        ledger_run_rollback(context->ledger);
        return (int)err->code;
    }
    CRASH_POINT("master_after_root_batches");
    if (!context->options->dry_run)
        return ledger_run_commit(context->ledger, err);
    ledger_run_rollback(context->ledger);
    return 0;
}

int run_begin(struct run *run, bool *ret_name_taken)
{
    struct error err = ERROR_NONE;
    char *settings = run_settings(run->context.settings,
                                  buffer_slice(&run->context.pipeline_text));
    int status = settings ? write_run(run, settings, &err)
                          : error_set(&err, ERR_MEMORY, "no memory for a run");
    free(settings);
    if (ret_name_taken)
        *ret_name_taken = err.code == ERR_CONFLICT;
    if (ret_name_taken && *ret_name_taken)
        return 0;
    return status ? context_complain(&run->context, &err) : 0;
}
