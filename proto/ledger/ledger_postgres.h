/*
 * ledger_postgres.h: the closing as one PostgreSQL statement, and how a
 * connection is made for it.
 *
 * For a node, which sends it through libpq's pipeline mode without blocking,
 * and for ledger_close_batch(). The statement is fixed for a worker of a
 * pipeline (its sinks are part of the text), so it can be prepared once a
 * connection; everything else is a parameter. The pipeline must have been
 * through ledger_use_pipeline() on that database, which notes the columns that
 * are texts; all others get numeric, boolean or timestamptz, and the INSERT's
 * assignment casts do the rest, in UTC because of ledger_postgres_setup_sql.
 */
#ifndef LEDGER_LEDGER_POSTGRES_H
#define LEDGER_LEDGER_POSTGRES_H

#include <libpq-fe.h>

#include "base/buffer.h"
#include "ledger/closing.h"
#include "pipeline/pipeline.h"

#define CLOSE_PARAMS_MAX 600
#define CLOSE_BYTES_MAX (256 * 1024 * 1024) /* a message must be below 1 GB */

/* For PQconnectdbParams() and PQconnectStartParams() with expand_dbname: what
 * the URL leaves open (time-outs, keepalives) and what must hold (UTF-8). The
 * arrays have room for LEDGER_CONNECT_PARAMS and keep pointing at `url`. */
#define LEDGER_CONNECT_PARAMS 9
void ledger_postgres_connect_params(const char *url, const char **keywords,
                                    const char **values);

/* ERR_SETTING where libpq can't read the URL, or reads a piece of an unescaped
 * password as host or port. To be asked first: libpq's own complaint would
 * show that piece. */
MUSTCHECK
int ledger_postgres_check_url(const char *url, struct error *err);

/* To be sent (simple protocol, before pipeline mode) once after each connect:
 * UTC, READ COMMITTED, durable commits, time limits. Startup options would
 * not get through pgbouncer. */
extern const char ledger_postgres_setup_sql[];

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
