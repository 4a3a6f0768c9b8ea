/*
 * ledger_postgres.h: the closing as one PostgreSQL statement, how a connection
 * is made for it, and what goes before it in its transaction.
 *
 * For a node, which sends it through libpq's pipeline mode without blocking,
 * and for ledger_close_batch(). The statement is fixed for a worker of a
 * pipeline (its sinks are part of the text); everything else is a parameter.
 * The pipeline must have been through ledger_use_pipeline() on that database,
 * which notes the columns that are texts; all others get numeric, boolean or
 * timestamptz, and the INSERT's assignment casts do the rest, in UTC because of
 * ledger_postgres_send_settings().
 *
 * A pooler (pgbouncer in transaction mode) gives each transaction another
 * session. Through one, nothing relies on the session: no prepared statement,
 * no SET that outlives its transaction. Where there is none, statements are
 * prepared and settings made once a connection, which halves what a closing
 * costs the server.
 */
#ifndef LEDGER_LEDGER_POSTGRES_H
#define LEDGER_LEDGER_POSTGRES_H

#include <libpq-fe.h>

#include "base/buffer.h"
#include "ledger/closing.h"
#include "pipeline/pipeline.h"

#define CLOSE_PARAMS_MAX 600
/* A server that gives no answer for so long stands still: its own limit of
 * time for a statement is a minute. */
#define LEDGER_ANSWER_MAX (75 * USEC_PER_SEC)
#define CLOSE_BYTES_MAX (256 * 1024 * 1024) /* a message must be below 1 GB */

/* Connects, blocking: what the URL leaves open (time-outs, keepalives) is
 * filled in, and texts are UTF-8. NULL with `err` set: as
 * ledger_postgres_error(), ERR_MEMORY. */
MUSTCHECK
PGconn *ledger_postgres_connect(const char *url, struct error *err);

/* ERR_SETTING where libpq can't read the URL, or reads a piece of an unescaped
 * password as host or port. To be asked first: libpq's own complaint would
 * show that piece. */
MUSTCHECK
int ledger_postgres_check_url(const char *url, struct error *err);

/* In pipeline mode, first in each transaction: READ COMMITTED, UTC, a durable
 * commit, a time limit, a generic plan, all until its end. Two statements,
 * answered by PGRES_COMMAND_OK and PGRES_TUPLES_OK. False: as PQsendQuery. */
MUSTCHECK
bool ledger_postgres_send_settings(PGconn *connection);

/* The same for all transactions to come, where the session is the
 * connection's own: one statement, answered by PGRES_TUPLES_OK. */
MUSTCHECK
bool ledger_postgres_send_session_settings(PGconn *connection);

/* Whether the session at the other end stays this connection's: the process
 * that answers is the one that the server named as it let us in. A pooler
 * names one that it made up. Blocking, outside of pipeline mode; false also
 * where there is no answer. */
MUSTCHECK
bool ledger_postgres_owns_session(PGconn *connection);

/* Appends the text of the statement for closings of `worker`; *ret_n_params
 * is how many parameters it has. ERR_MEMORY, ERR_LIMIT. */
MUSTCHECK
int ledger_close_statement(const struct pipeline *pipeline,
                           const struct worker *worker, struct buffer *ret,
                           int *ret_n_params, struct error *err);

/* The parameters of one closing, all in binary, built in one buffer; reused
 * from closing to closing. Zeroed before the first. */
struct close_params {
    struct buffer data;
    const char *values[CLOSE_PARAMS_MAX];
    int lengths[CLOSE_PARAMS_MAX];
    int formats[CLOSE_PARAMS_MAX];
    int n;
};
/* ERR_MEMORY; ERR_LIMIT beyond CLOSE_BYTES_MAX. */
MUSTCHECK
int ledger_close_bind(const struct pipeline *pipeline,
                      const struct closing *closing,
                      struct close_params *params, struct error *err);
void close_params_free(struct close_params *params);

/*
 * Reads the answer of the statement (text format) into `result`. Returns 0
 * where it is final. *ret_ask is set where the batch was closed before and it
 * must be asked whether it was this very closing, whose answer was lost: then
 * send ledger_close_ask_sql (parameters: run, batch, closer, number of
 * children) and read that answer with ledger_close_ask_read(). Errors: as
 * ledger.h says.
 */
MUSTCHECK
int ledger_close_read(const PGresult *answer, const struct closing *closing,
                      struct close_result *result, bool *ret_ask,
                      struct error *err);
extern const char ledger_close_ask_sql[];
MUSTCHECK
int ledger_close_ask_read(const PGresult *answer, const struct closing *closing,
                          struct close_result *result, struct error *err);

/* Sorts a failed answer (or a lost connection, `answer` NULL) into
 * ERR_DATABASE_AWAY, ERR_DATABASE_DATA or ERR_DATABASE, with a text. Either
 * may be NULL. */
int ledger_postgres_error(const PGconn *connection, const PGresult *answer,
                          struct error *err);

#endif
