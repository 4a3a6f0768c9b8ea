/* store_statements.c: see store_statements.h. */
#include "store_statements.h"

#include <stdio.h>

int statements_init(struct statements *statements,
                    const struct pipeline *pipeline, struct error *err)
{
    statements->pipeline = pipeline;
    for (size_t i = 0; i < pipeline->n_workers; i++) {
        const struct worker *worker = &pipeline->workers[i];
        struct statement *statement = &statements->of[i];
        if (worker->class == CLASS_STORE)
            continue;
        snprintf(statement->name, sizeof statement->name, "close%zu", i);
        if (ledger_close_statement(pipeline, worker, &statement->text,
                                   &statement->n_params, err))
            return (int)err->code;
    }
    return 0;
}

void statements_free(struct statements *statements)
{
    for (size_t i = 0; i < PIPELINE_WORKERS_MAX; i++)
        buffer_free(&statements->of[i].text);
    close_params_free(&statements->params);
}

bool statements_send_session(const struct statements *statements, PGconn *pq)
{
    if (!ledger_postgres_send_session_settings(pq))
        return false;
    for (size_t i = 0; i < statements->pipeline->n_workers; i++) {
        const struct statement *statement = &statements->of[i];
        if (statement->text.len &&
            !PQsendPrepare(pq, statement->name, statement->text.data, 0, NULL))
            return false;
    }
    return PQpipelineSync(pq);
}

bool statements_send_closing(struct statements *statements, PGconn *pq,
                             bool owns_session, const struct closing *closing,
                             struct error *err)
{
    struct statement *statement = &statements->of[closing->worker];
    struct close_params *params = &statements->params;
    if (ledger_close_bind(statements->pipeline, closing, params, err))
        return false;
    if (owns_session)
        return PQsendQueryPrepared(pq, statement->name, params->n,
                                   params->values, params->lengths,
                                   params->formats, 0) &&
               PQpipelineSync(pq);
    return ledger_postgres_send_settings(pq) &&
           PQsendQueryParams(pq, buffer_text(&statement->text), params->n, NULL,
                             params->values, params->lengths, params->formats,
                             0) &&
           PQpipelineSync(pq);
}

bool statements_send_ask(PGconn *pq, bool owns_session,
                         const struct closing *closing)
{
    char run[24], batch[24], children[24];
    snprintf(run, sizeof run, "%lld", (long long)closing->run);
    snprintf(batch, sizeof batch, "%lld", (long long)closing->batch);
    snprintf(children, sizeof children, "%zu", closing->n_children);
    const char *values[] = {run, batch, closing->closer, children};
    return (owns_session || ledger_postgres_send_settings(pq)) &&
           PQsendQueryParams(pq, ledger_close_ask_sql, 4, NULL, values, NULL,
                             NULL, 0) &&
           PQpipelineSync(pq);
}
