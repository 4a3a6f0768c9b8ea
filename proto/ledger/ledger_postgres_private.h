/*
 * ledger_postgres_private.h: shared by ledger_postgres*.c alone.
 */
#ifndef LEDGER_LEDGER_POSTGRES_PRIVATE_H
#define LEDGER_LEDGER_POSTGRES_PRIVATE_H

#include "ledger/ledger_backend.h"
#include "ledger/ledger_postgres.h"

#define PG_MICROSECONDS(x) "(extract(epoch FROM " x ") * 1000000)::bigint"
#define LEDGER_PIPE_BATCHES 64 /* root batches sent before one waits */

struct ledger_postgres {
    struct ledger base;
    PGconn *connection;
    char *url;
    bool to_look;
    bool in_run; /* between run_begin and run_commit: no reconnecting */
    int64_t run; /* being written */
    usec_t lease;
    size_t piped; /* root batches sent, whose answers were not read yet */
    struct close_params params;
};

#define AUTO_RESULT __attribute__((cleanup(ledger_result_clear))) PGresult
static inline void ledger_result_clear(PGresult **result)
{
    PQclear(*result);
}

/* Parameters of a small statement: numbers as text, texts in binary. */
#define PG_ARGS_MAX 10
struct pg_args {
    const char *values[PG_ARGS_MAX];
    int lengths[PG_ARGS_MAX];
    int formats[PG_ARGS_MAX];
    char numbers[PG_ARGS_MAX][24];
    int n;
};
void pg_arg_int(struct pg_args *args, int64_t value);
void pg_arg_text(struct pg_args *args, struct slice text);

static inline struct ledger_postgres *ledger_postgres(struct ledger *ledger)
{
    CHECK(ledger->ops->is_postgres);
    return (struct ledger_postgres *)ledger;
}

/* ledger_postgres.c */

/* Connected, anew if need be. */
int pg_ready(struct ledger_postgres *pg, struct error *err);
/* Runs one statement and waits, in the transaction that pg_begin() began or in
 * one of its own; `args` may be NULL. */
int pg_query(struct ledger_postgres *pg, const char *sql,
             const struct pg_args *args, PGresult **ret, struct error *err);
int pg_execute(struct ledger_postgres *pg, const char *sql, struct error *err);
/* The transaction's settings, as ledger_postgres_send_settings(). */
int pg_begin(struct ledger_postgres *pg, struct error *err);
int64_t pg_int(const PGresult *result, int row, int column);

/* ledger_postgres_schema.c */
int pg_schema_open(struct ledger_postgres *pg, struct error *err);
int pg_use_pipeline(struct ledger *ledger, const struct pipeline *pipeline,
                    struct error *err);

/* ledger_postgres_runs.c */
int pg_run_begin(struct ledger *ledger, const struct run_spec *spec,
                 int64_t *ret_run, int64_t *ret_epoch, struct error *err);
int pg_run_add_batch(struct ledger *ledger, int64_t run,
                     const struct closing_child *batch, struct error *err);
int pg_run_commit(struct ledger *ledger, struct error *err);
void pg_run_rollback(struct ledger *ledger);
int pg_run_take(struct ledger *ledger, int64_t run, const char *owner,
                usec_t lease, bool *ret_taken, struct error *err);
int pg_run_renew(struct ledger *ledger, int64_t run, int64_t epoch,
                 usec_t lease, struct error *err);
int pg_run_scale(struct ledger *ledger, int64_t run, int nodes,
                 bool *ret_scaled, struct error *err);
int pg_run_end(struct ledger *ledger, int64_t run, int64_t epoch,
               enum run_state state, struct error *err);

/* ledger_postgres_read.c */
int pg_open_batches(struct ledger *ledger, int64_t run, int64_t after,
                    size_t limit, struct batch_row *ret, size_t *ret_n,
                    struct error *err);
int pg_look(struct ledger *ledger, int64_t run, const int64_t *batches,
            size_t n, struct batch_look *ret, struct error *err);
int pg_run_named(struct ledger *ledger, const char *name, int64_t *ret,
                 struct error *err);
int pg_runs(struct ledger *ledger, int64_t run, size_t limit,
            struct arena *arena, struct run_row **ret, size_t *ret_n,
            struct error *err);
int pg_failure_counts(struct ledger *ledger, int64_t run,
                      struct reason_count *ret, size_t *ret_n,
                      struct error *err);
int pg_recall(struct ledger *ledger, const struct worker *worker,
              const struct slice *urls, size_t n, struct arena *arena,
              struct last_answer *ret, struct error *err);
int pg_failures(struct ledger *ledger, int64_t run,
                const struct failure_filter *filter,
                void (*each)(void *context, const struct failure_row *row),
                void *context, struct error *err);

/* ledger_postgres_show.c */
int pg_worker_counts(struct ledger *ledger, int64_t run,
                     struct worker_count *ret, size_t *ret_n,
                     struct error *err);

/* ledger_postgres_page.c */
int pg_pace(struct ledger *ledger, int64_t run, size_t n, struct pace *ret,
            struct error *err);
int pg_rows(struct ledger *ledger, const struct row_query *query,
            ledger_on_row *each, void *context, struct error *err);

/* ledger_postgres_dump.c */
int pg_dump(struct ledger *ledger, const struct dump_query *query,
            const struct dump *dump, struct error *err);

/* ledger_postgres_close.c and ledger_postgres_bind.c */

/* How many parameters ledger_children_sql() uses, from number `first` on; $1
 * is the run. The SQL ends with a part `c` of child_no and batch. */
#define CHILDREN_PARAMS 7

/* The numbers of a closing's parameters; a sink has one for each column. */
enum close_param {
    P_RUN = 1,
    P_BATCH,
    P_CLOSER,
    P_STORED,
    P_FAILED,
    P_DONE,
    P_WORKER_NAME,
    P_FAILURES,
    P_CHILDREN = P_FAILURES + 6,
    P_SINKS = P_CHILDREN + CHILDREN_PARAMS,
};

/* How many parameters a closing's answers are, behind those of the sinks. */
#define ANSWER_PARAMS 8

void ledger_children_sql(struct buffer *sql, const char *parent,
                         const char *child_no, const char *when, int first);

/* For root batches, which have a child's parameters and no closing's. */
void ledger_bind_children(const struct pipeline *pipeline,
                          const struct closing_child *children, size_t n,
                          struct close_params *params);
void ledger_params_begin(struct close_params *params);
int ledger_params_end(struct close_params *params, struct error *err);
void ledger_param_int8(struct close_params *params, int64_t value);
void ledger_param_text(struct close_params *params, struct slice text);

#endif
