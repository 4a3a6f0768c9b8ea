/*
 * store_statements.h: what goes to PostgreSQL for a closing.
 *
 * A connection that owns its session gets, once, settings and prepared
 * statements (send_session); through a pooler each closing brings its
 * settings and an unnamed statement. All of it in pipeline mode, and each of
 * the calls ends with a Sync: one transaction.
 */
#ifndef NODE_STORE_STATEMENTS_H
#define NODE_STORE_STATEMENTS_H

#include "ledger/ledger_postgres.h"

struct statement {
    struct buffer text; /* empty: of this worker no node closes batches */
    int n_params;
    char name[32]; /* in a session that has it prepared */
};

/* Of one pipeline; zeroed before statements_init(). */
struct statements {
    const struct pipeline *pipeline;
    struct statement of[PIPELINE_WORKERS_MAX];
    struct close_params params;
};

/* ERR_MEMORY, ERR_LIMIT (a sink has too many columns). The pipeline must have
 * been through ledger_use_pipeline(). */
MUSTCHECK
int statements_init(struct statements *statements,
                    const struct pipeline *pipeline, struct error *err);
void statements_free(struct statements *statements);

/* False: as PQsendQuery. */
MUSTCHECK
bool statements_send_session(const struct statements *statements, PGconn *pq);

/* False with `err` set: ERR_MEMORY, ERR_LIMIT; with `err` untouched: as
 * PQsendQuery. */
MUSTCHECK
bool statements_send_closing(struct statements *statements, PGconn *pq,
                             bool owns_session, const struct closing *closing,
                             struct error *err);

/* Whether it was this very closing that closed its batch:
 * ledger_close_ask_read(). False: as PQsendQuery. */
MUSTCHECK
bool statements_send_ask(PGconn *pq, bool owns_session,
                         const struct closing *closing);

#endif
