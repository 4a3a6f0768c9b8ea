/*
 * ledger_backend.h: what the two backends of the ledger share. Only for
 * ledger*.c; everybody else includes ledger.h.
 *
 * A backend is a struct that begins with `struct ledger` and a table of
 * functions with the meaning that ledger.h gives to the function of the same
 * name. What both must decide alike (what text is clean,
 * which table fits) are decided once, in ledger_text.c and ledger_table.c.
 */
#ifndef LEDGER_LEDGER_BACKEND_H
#define LEDGER_LEDGER_BACKEND_H

#include "ledger/ledger.h"
#include "ledger/ledger_dump.h"

struct ledger_ops {
    bool is_postgres;
    void (*close)(struct ledger *ledger);
    int (*use_pipeline)(struct ledger *ledger, const struct pipeline *pipeline,
                        struct error *err);
    int (*run_begin)(struct ledger *ledger, const struct run_spec *spec,
                     int64_t *ret_run, int64_t *ret_epoch, struct error *err);
    int (*run_add_batch)(struct ledger *ledger, int64_t run,
                         const struct closing_child *batch, struct error *err);
    int (*run_commit)(struct ledger *ledger, struct error *err);
    void (*run_rollback)(struct ledger *ledger);
    /* Whether the run was free to take; 0 rows taken is no error. */
    int (*run_take)(struct ledger *ledger, int64_t run, const char *owner,
                    usec_t lease, bool *ret_taken, struct error *err);
    int (*run_renew)(struct ledger *ledger, int64_t run, int64_t epoch,
                     usec_t lease, struct error *err);
    /* Whether the run was open. */
    int (*run_scale)(struct ledger *ledger, int64_t run, int nodes,
                     bool *ret_scaled, struct error *err);
    int (*run_end)(struct ledger *ledger, int64_t run, int64_t epoch,
                   enum run_state state, struct error *err);
    int (*open_batches)(struct ledger *ledger, int64_t run, int64_t after,
                        size_t limit, struct batch_row *ret, size_t *ret_n,
                        struct error *err);
    int (*look)(struct ledger *ledger, int64_t run, const int64_t *batches,
                size_t n, struct batch_look *ret, struct error *err);
    /* The run, or with run 0 the newest `limit` runs, without their text. */
    int (*runs)(struct ledger *ledger, int64_t run, size_t limit,
                struct arena *arena, struct run_row **ret, size_t *ret_n,
                struct error *err);
    /* 0: there is none. */
    int (*run_named)(struct ledger *ledger, const char *name, int64_t *ret,
                     struct error *err);
    int (*failure_counts)(struct ledger *ledger, int64_t run,
                          struct reason_count *ret, size_t *ret_n,
                          struct error *err);
    int (*recall)(struct ledger *ledger, const struct worker *worker,
                  const struct slice *urls, size_t n, struct arena *arena,
                  struct last_answer *ret, struct error *err);
    int (*failures)(struct ledger *ledger, int64_t run,
                    const struct failure_filter *filter,
                    void (*each)(void *context, const struct failure_row *row),
                    void *context, struct error *err);
    int (*worker_counts)(struct ledger *ledger, int64_t run,
                         struct worker_count *ret, size_t *ret_n,
                         struct error *err);
    int (*dump)(struct ledger *ledger, const struct dump_query *query,
                const struct dump *dump, struct error *err);
    int (*pace)(struct ledger *ledger, int64_t run, size_t n, struct pace *ret,
                struct error *err);
    int (*rows)(struct ledger *ledger, const struct row_query *query,
                ledger_on_row *each, void *context, struct error *err);
    int (*close_batch)(struct ledger *ledger, const struct closing *closing,
                       struct close_result *result, struct error *err);
};

struct ledger {
    const struct ledger_ops *ops;
    const struct pipeline *pipeline; /* NULL until ledger_use_pipeline() */
    char id[LEDGER_ID_BYTES];
};

int ledger_postgres_open(const char *url, bool to_look, struct ledger **ret,
                         struct error *err);
int ledger_sqlite_open(const char *path, bool to_look, struct ledger **ret,
                       struct error *err);
/* What a ledger to look at says where there is none. */
int ledger_not_there(struct error *err);

/* ledger.c: what is left of a run's fields after reading a row. */
enum run_state ledger_run_state_parse(const char *name);
/* The run that `spec` describes is there already. */
int ledger_run_taken(const struct run_spec *spec, struct error *err);
int ledger_lease_lost(int64_t run, int64_t epoch, struct error *err);
/* How many failures the next page may have: 0 when all were given that
 * `filter` asks for; `given` is their number so far. */
int64_t ledger_failures_page(const struct failure_filter *filter,
                             int64_t given);
/* ERR_VERSION unless the tables' version is LEDGER_VERSION. */
int ledger_check_version(int64_t version, struct error *err);
/* ERR_DATABASE unless the row's id is one of ours; then copies it. */
int ledger_take_id(struct ledger *ledger, const char *id, struct error *err);
int ledger_no_memory(struct error *err);

/* ledger_text.c */

/* Appends what is left of `text` for people: at most `bytes_max`, cut between
 * characters, with `?` for each byte that is no UTF-8 or a control. */
void ledger_text_clean(struct slice text, size_t bytes_max, struct buffer *ret);
/* Appends ["a","b"]. */
void ledger_keys_json(const struct slice *keys, size_t n, struct buffer *ret);
/* Appends a name quoted for SQL; a table may be schema.table. */
void ledger_quote_name(struct slice name, struct buffer *ret);
void ledger_quote_table(const char *table, struct buffer *ret);
/* Copies a database's message into a text of `size` bytes, on one line: where
 * one ended there is a full stop, unless it had one. */
void ledger_one_line(const char *message, char *ret, size_t size);
int ledger_random_id(char ret[LEDGER_ID_BYTES], struct error *err);

/* ledger_dump.c */

/* $1 or ?1 are the keys, a JSON array; 2 and 3 the times. */
struct dump_dialect {
    const char *collate;       /* behind the key, where it is sorted */
    const char *in_keys;       /* behind the key */
    const char *since, *until; /* behind the time */
};
void ledger_dump_sql(const struct dump_query *query,
                     const struct dump_dialect *dialect, struct buffer *sql);
/* What the pipeline says of the column of this name, number `i` of those that
 * are given; without one, text. */
enum dump_kind ledger_dump_kind(const struct dump_query *query, size_t i,
                                const char *name);

/* ledger_table.c */

/* What a column of a sink must be able to hold. */
enum column_kind {
    KIND_TEXT,
    KIND_TIME,
    KIND_NUMBER,
    KIND_INTEGER,
    KIND_BOOLEAN,
    KIND_COUNT
};
enum column_kind ledger_column_kind(const struct column *column);

/* How a database spells the kinds: the type to create, and for complaints
 * the types that are accepted. */
struct table_dialect {
    const char *id_column; /* definition of the first column, `id` */
    const char *types[KIND_COUNT];
    const char *accepted[KIND_COUNT];
};

extern const struct table_dialect ledger_sqlite_dialect,
    ledger_postgres_dialect;

/* Whether every producer always gives the column a value. */
bool ledger_always_has_value(const struct pipeline *pipeline,
                             const struct worker *store,
                             const struct column *column);

/* A column that is there. */
struct table_column {
    const char *name;
    const char *type; /* for people */
    unsigned holds;   /* bits: 1u << enum column_kind */
    bool generated;   /* takes no value */
    bool needs_value; /* not null, without default */
};

/* Appends CREATE TABLE for a sink. */
void ledger_table_create_sql(const struct pipeline *pipeline,
                             const struct worker *store,
                             const struct table_dialect *dialect,
                             struct buffer *ret);
/* ERR_TABLE where the table can't hold the sink's rows. */
int ledger_table_check(const struct worker *store,
                       const struct table_dialect *dialect,
                       const struct table_column *columns, size_t n,
                       struct error *err);
/* The next store after `after` (NULL: the first) that gets records of
 * `worker`; NULL: none. */
const struct worker *ledger_next_sink(const struct pipeline *pipeline,
                                      const struct worker *worker,
                                      const struct worker *after);
/* The closing's rows for a sink; NULL where it has none. */
const struct closing_rows *ledger_rows_of(const struct closing *closing,
                                          const struct worker *store);
/* How many rows a store makes of a record. */
size_t ledger_record_rows(const struct worker *worker,
                          const struct worker *store,
                          const struct record *record);
/* The values, packed, that these rows have for a COLUMN_ELEMENT. */
struct slice ledger_record_column(const struct worker *worker,
                                  const struct worker *store,
                                  const struct column *column,
                                  const struct record *record);
/* The value that all rows of a record have for a COLUMN_KEY or a COLUMN_FIELD;
 * data NULL is SQL NULL. */
struct slice ledger_record_value(const struct worker *worker,
                                 const struct column *column,
                                 const struct record *record);
bool ledger_is_fetcher(const struct pipeline *pipeline, int worker);

#endif
