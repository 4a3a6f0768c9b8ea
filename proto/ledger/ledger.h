/*
 * ledger.h: runs, batches and failures, in the database that holds the rows.
 *
 * This is the blocking interface: the master calls it from a thread of its
 * own, a node's SQLite store too, tests directly. A node's PostgreSQL store
 * uses the same statements without blocking (ledger_postgres.h). Both
 * backends behave the same; tests/unit/test_ledger_agree.c holds them to it.
 *
 * Tables: windrow_ledger (id, version), windrow_runs, windrow_batches,
 * windrow_failures, windrow_keys (keys of shared queues, unique). A batch's
 * keys are there while it is open; afterwards nobody reads them again.
 *
 * A ledger is used by one thread at a time. No error's text holds the URL.
 *
 * Errors: ERR_DATABASE_AWAY (SQLSTATE 08, 40, 53, 57, 25006, 55P03;
 * SQLITE_BUSY, _FULL, _IOERR, _READONLY, _CANTOPEN; no connection): wait and
 * try again; the ledger connects and prepares anew by itself.
 * ERR_DATABASE: a bug or a broken schema. ERR_LEASE_LOST: another master has
 * the run.
 */
#ifndef LEDGER_LEDGER_H
#define LEDGER_LEDGER_H

#include "base/buffer.h"
#include "base/error.h"
#include "ledger/closing.h"
#include "pipeline/pipeline.h"

#define LEDGER_VERSION 3   /* 1 had no names of runs, 2 no retries */
#define LEDGER_ID_BYTES 33 /* 32 hexadecimal digits and a NUL */
#define LEDGER_PAGE_MAX 1024
#define LEDGER_LOOK_MAX (5 * USEC_PER_SEC)
#define LEDGER_PACE_MAX 240   /* parts of a run's time */
#define LEDGER_ROWS_MAX 20000 /* of a table, looked at for one answer */
#define LEDGER_LEASE_MAX                                                       \
    (10 * 60 * USEC_PER_SEC) /* of WINDROW_MASTER_LEASE. One that seems to     \
                                last longer is void: the clock was set back */

enum run_state {
    RUN_OPEN,        /* being worked on, or resumable */
    RUN_DONE,        /* all keys stored */
    RUN_FAILED_KEYS, /* finished with recorded failures */
    RUN_NO_KEYS,     /* the list gave nothing */
};
const char *run_state_name(enum run_state state); /* "open", "done", ... */

struct run_spec {
    const char *name;           /* unique in the ledger; NULL: none */
    struct slice pipeline_text; /* unexpanded */
    const char *pipeline_name;
    const char *pipeline_path;
    const char *settings_json; /* those that are no secret */
    const char *owner;         /* host and pid, for people */
    usec_t lease;              /* how long it is owned without renewal */
    int64_t key_limit;         /* --limit; 0: none */
    int64_t retry_of;          /* the run whose failed keys these are; 0 */
    bool keep_keys;            /* shared queues have had that run's keys */
};

/* A row of windrow_runs, with counts where asked for. Text belongs to the
 * arena given. */
struct run_row {
    int64_t run;
    int64_t epoch;
    enum run_state state;
    const char *name;   /* "": none */
    int64_t retry_of;   /* the run whose failed keys it tries; 0: none */
    int64_t retried_by; /* the run that tries what failed in it; 0: none */
    int nodes_wanted;   /* by ledger_run_scale(); 0: nobody has said */
    const char *pipeline_name;
    const char *pipeline_path;
    struct slice pipeline_text;
    const char *settings_json;
    const char *owner;
    int64_t key_limit;
    usec_t started_at, ended_at; /* wall clock; ended_at 0: not ended */
    usec_t lease_left;           /* 0: nobody owns it */
    int64_t stored;              /* rows, in all sinks */
    int64_t keys_done;           /* keys of fetchers that ended */
    int64_t failed;
    int64_t open_keys; /* in open batches of fetchers */
    int64_t open_batches;
};

/* An open batch as the master needs it. */
struct batch_row {
    int64_t batch;
    int worker;
    int attempt;
    usec_t delay; /* until it may be handed out; 0: now */
    size_t n_keys;
    char *keys_json; /* an array of strings; malloc'ed, the receiver's */
};

enum batch_state { BATCH_OPEN, BATCH_CLOSED, BATCH_UNKNOWN };

struct batch_look {
    enum batch_state state;
    struct batch_row row; /* batch always; the rest where it is open */
};

struct reason_count {
    enum reason reason;
    int64_t keys;
};

struct failure_row {
    int64_t failure; /* its number: later ones have higher ones */
    struct slice key;
    const char *worker; /* its name in the pipeline */
    enum reason reason;
    int http_status;
    int attempts;
    usec_t failed_at;
    struct slice detail;
};

/* Which failures; zeroed: all of them. */
struct failure_filter {
    enum reason reason; /* REASON_NONE: any */
    const char *worker; /* NULL: any */
    int64_t after;      /* those with higher numbers */
    int64_t limit;      /* at most so many; 0: no limit */
};

/* A fingerprint: 16 hexadecimal digits of FNV-1a, to tell texts apart, not to
 * hide them. */
void ledger_hash_text(struct slice text, char ret[17]);

struct ledger;

/*
 * Connects, creates windrow_ tables if absent, checks their version. `url`:
 * postgresql://… or sqlite:FILE. ERR_SETTING for another scheme,
 * ERR_DATABASE_AWAY, ERR_VERSION.
 */
MUSTCHECK
int ledger_open(const char *url, struct ledger **ret, struct error *err);
/* The same for one that only looks: nothing is created or brought up to date
 * (ERR_NOT_FOUND where there is no ledger), every transaction is read-only, and
 * one that takes longer than LEDGER_LOOK_MAX ends with ERR_DATABASE_AWAY. */
MUSTCHECK
int ledger_open_to_look(const char *url, struct ledger **ret,
                        struct error *err);
void ledger_close(struct ledger **ledger);

/* Whether there is a ledger in that database; none is made. ERR_DATABASE_AWAY
 * of PostgreSQL; a file that is not there holds none. */
MUSTCHECK
int ledger_is_there(const char *url, bool *ret, struct error *err);
/* The type that ledger_use_pipeline() gives a column of a table that it makes
 * there, and whether it is NOT NULL. */
const char *ledger_column_type(const char *url, const struct pipeline *pipeline,
                               const struct worker *store,
                               const struct column *column, bool *ret_needed);
bool ledger_is_postgres(const struct ledger *ledger);
/* The random id made with the tables. */
const char *ledger_id(const struct ledger *ledger);

/*
 * Creates the sinks' tables if absent (for prices: id serial primary key,
 * then the columns, not null where the field is required), and checks that
 * those there can hold the rows: ERR_TABLE names table, column, what it is
 * and what it would have to be. Extra columns must be nullable or have a
 * default. Remembers the pipeline for ledger_close_batch(): it must outlive
 * the ledger.
 */
MUSTCHECK
int ledger_use_pipeline(struct ledger *ledger, const struct pipeline *pipeline,
                        struct error *err);

/* A new run: begin, any number of root batches, commit: one transaction,
 * after ledger_use_pipeline(). The lease begins anew with the commit. Keys of a
 * batch with queue >= 0 that the run's queue has had are dropped (a batch of
 * none is not made). After a failure: nothing was written, and the transaction
 * is over; only after ERR_DATABASE_AWAY from the commit the run may be there,
 * owned by nobody once its lease is over. A key that is no UTF-8 is
 * ERR_DATABASE_DATA, from its own call or a later one. ERR_CONFLICT where a run
 * of that name is there, or one that retries the same run; where another master
 * is just writing one, this waits to see whether it does. */
MUSTCHECK
int ledger_run_begin(struct ledger *ledger, const struct run_spec *spec,
                     int64_t *ret_run, int64_t *ret_epoch, struct error *err);
MUSTCHECK
int ledger_run_add_batch(struct ledger *ledger, int64_t run,
                         const struct closing_child *batch, struct error *err);
MUSTCHECK
int ledger_run_commit(struct ledger *ledger, struct error *err);
void ledger_run_rollback(struct ledger *ledger);

/*
 * Takes an open run over: a new epoch and lease. ERR_NOT_FOUND; ERR_CONFLICT
 * where it is owned still (the text says by whom and for how long) or has
 * ended already. Text in `ret` lives in `arena`.
 */
MUSTCHECK
int ledger_run_take(struct ledger *ledger, int64_t run, const char *owner,
                    usec_t lease, struct arena *arena, struct run_row *ret,
                    struct error *err);
/* ERR_LEASE_LOST where the run's epoch is not `epoch` any more. */
MUSTCHECK
int ledger_run_renew(struct ledger *ledger, int64_t run, int64_t epoch,
                     usec_t lease, struct error *err);
/* Says how many local nodes an open run's master should have; it hears of it
 * with its next renewal. ERR_NOT_FOUND; ERR_CONFLICT where the run has ended.
 */
MUSTCHECK
int ledger_run_scale(struct ledger *ledger, int64_t run, int nodes,
                     struct error *err);
/* Ends the run in `state`; RUN_OPEN only gives the lease back. */
MUSTCHECK
int ledger_run_end(struct ledger *ledger, int64_t run, int64_t epoch,
                   enum run_state state, struct error *err);

/* Open batches with numbers above `after`, by number, at most `limit` (at
 * most LEDGER_PAGE_MAX); fewer than `limit` means that there are no more. */
MUSTCHECK
int ledger_open_batches(struct ledger *ledger, int64_t run, int64_t after,
                        size_t limit, struct batch_row *ret, size_t *ret_n,
                        struct error *err);
/* The state of each of `n` batches (at most LEDGER_PAGE_MAX). */
MUSTCHECK
int ledger_look(struct ledger *ledger, int64_t run, const int64_t *batches,
                size_t n, struct batch_look *ret, struct error *err);

/* One run with its counts. ERR_NOT_FOUND. */
MUSTCHECK
int ledger_run_row(struct ledger *ledger, int64_t run, struct arena *arena,
                   struct run_row *ret, struct error *err);
/* The number of the run that has this name. ERR_NOT_FOUND. */
MUSTCHECK
int ledger_run_named(struct ledger *ledger, const char *name, int64_t *ret,
                     struct error *err);
/* The newest runs first, at most `limit`, without pipeline_text. */
MUSTCHECK
int ledger_runs(struct ledger *ledger, size_t limit, struct arena *arena,
                struct run_row **ret, size_t *ret_n, struct error *err);
/* Failures by reason, the most frequent first: room for REASON_COUNT. */
MUSTCHECK
int ledger_failure_counts(struct ledger *ledger, int64_t run,
                          struct reason_count *ret, size_t *ret_n,
                          struct error *err);
/* Calls `each` for the failures of the run that `filter` (NULL: all) lets
 * through, in the order they were written; streaming, so that memory does not
 * grow with their number. */
MUSTCHECK
int ledger_failures(struct ledger *ledger, int64_t run,
                    const struct failure_filter *filter,
                    void (*each)(void *context, const struct failure_row *row),
                    void *context, struct error *err);

/* What a run's batches come to, by worker: room for PIPELINE_WORKERS_MAX. */
struct worker_count {
    int worker;
    int64_t stored, done, failed; /* as in a run_row */
    int64_t open_keys, open_batches, batches;
};
MUSTCHECK
int ledger_worker_counts(struct ledger *ledger, int64_t run,
                         struct worker_count *ret, size_t *ret_n,
                         struct error *err);

/* How many keys ended when: the time from the first to the last closing of the
 * run in `n` equal parts (at most LEDGER_PACE_MAX). */
struct pace {
    usec_t began, ended; /* wall clock; 0: nothing is closed */
    size_t n;
    int64_t done[LEDGER_PACE_MAX], failed[LEDGER_PACE_MAX];
};
MUSTCHECK
int ledger_pace(struct ledger *ledger, int64_t run, size_t n, struct pace *ret,
                struct error *err);

/*
 * Rows of a sink's table, the newest first, its columns as texts (data NULL is
 * SQL NULL). The newest are those with the greatest `id`, where the table has
 * one, else those fetched last.
 */
struct row_query {
    const struct sink *sink;
    const char *key;  /* only rows of this key; NULL: of any */
    const char *part; /* whose key has this in it, whatever its case; NULL */
    int limit;        /* at most LEDGER_ROWS_MAX */
};
typedef void ledger_on_row(void *context, const struct slice *values);
MUSTCHECK
int ledger_rows(struct ledger *ledger, const struct row_query *query,
                ledger_on_row *each, void *context, struct error *err);

/* The last answer of each of `n` URLs, asked by `worker`, whose option `cache`
 * is set, into ret[n], copied into `arena`; `fields` is NULL where there is
 * none. The table must be there: ledger_use_pipeline() makes it, of this ledger
 * or another. */
MUSTCHECK
int ledger_recall(struct ledger *ledger, const struct worker *worker,
                  const struct slice *urls, size_t n, struct arena *arena,
                  struct last_answer *ret, struct error *err);

/* Executes a closing and waits for its commit. After ERR_DATABASE_AWAY it is
 * not known whether it was committed: call again with the same closing, and
 * CLOSE_WON with the children is the answer if it was. */
MUSTCHECK
int ledger_close_batch(struct ledger *ledger, const struct closing *closing,
                       struct close_result *result, struct error *err);

#endif
