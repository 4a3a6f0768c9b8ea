/*
 * pipeline.h: the pipeline file as checked structs.
 *
 * pipeline_load() reads the YAML, expands ${NAME} and ${NAME:-default} inside
 * values, checks everything that can be checked before a run starts, and
 * returns either a pipeline that needs no further checks or a list of
 * complaints, each with line and column. After that the model is read only.
 *
 * All text lives in the pipeline's arena and ends with a NUL.
 */
#ifndef PIPELINE_PIPELINE_H
#define PIPELINE_PIPELINE_H

#include <regex.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/slice.h"
#include "pipeline/expression.h"
#include "pipeline/indicator.h"
#include "pipeline/settings.h"

#define PIPELINE_VERSION 1
#define PIPELINE_FILE_BYTES_MAX (256 * 1024)
#define PIPELINE_QUEUES_MAX 64
#define PIPELINE_WORKERS_MAX 64
#define PIPELINE_INPUT_VALUES_MAX 1000
#define PIPELINE_FIELDS_MAX 64
#define PIPELINE_ROW_SETS_MAX 8 /* `rows` of one fetcher */
#define PIPELINE_REQUIRES_MAX 32
#define PIPELINE_HEADERS_MAX 32
#define PIPELINE_REFUSALS_MAX 32
#define PIPELINE_REPLACES_MAX 32
#define PIPELINE_INSTANCES_MAX 20000
#define PIPELINE_REQUEST_KEYS_MAX 100 /* keys_per_request */
#define PIPELINE_CONNECTIONS_MAX 64   /* instances of sources and stores */
#define PIPELINE_UNANSWERED_MAX 1000  /* instances of exec */
#define PIPELINE_COLUMN_NUMBER_MAX 1000
#define PIPELINE_RATE_MIN 0.0001 /* requests a second: one in some hours */
#define PIPELINE_RATE_MAX 1e6
#define PIPELINE_IN_FLIGHT_MAX 1000000
#define PROGRAM_ARGUMENTS_MAX 64
#define PROGRAM_VARIABLES_MAX 64
#define PROGRAM_BYTES_MAX (16 * 1024)    /* its command and its variables */
#define PROGRAM_GRACE (2 * USEC_PER_SEC) /* to end after its input did */
#define PROGRAM_MEMORY (1LL << 30)
#define PIPELINE_COMPLAINTS_MAX 50
#define KEY_BYTES_MAX 512 /* of a key; longer ones are refused */

enum worker_class {
    CLASS_HTML_TABLE, /* source, run by a node: one page in, keys out */
    CLASS_JSON_LIST,  /* source, run by a node */
    CLASS_SQL,        /* source, run by a node */
    CLASS_FILE,       /* source, read by the master */
    CLASS_VALUES,     /* source, read by the master: input_values are keys */
    CLASS_HTTP_JSON,  /* fetcher: one key in, one record out */
    CLASS_HTTP_HTML,  /* fetcher */
    CLASS_EXEC,       /* fetcher: asks a program of the user's */
    CLASS_STORE,      /* sink */
};

/* "html_table" and so on, as the file has it. */
const char *worker_class_name(enum worker_class class);
bool worker_class_is_source(enum worker_class class);
bool worker_class_is_fetcher(enum worker_class class);
/* Whether it asks URLs; whether what it is answered is JSON. */
bool worker_class_asks_web(enum worker_class class);
bool worker_class_is_json(enum worker_class class);

struct queue {
    const char *name;
    const char *description; /* "" if none */
    int *producers;          /* indices of workers, in the file's order */
    size_t n_producers;
    int *consumers;
    size_t n_consumers;
};

/* One pair of key_replace: a POSIX extended expression and what replaces the
 * match, in which \0 to \9 stand for the match and its groups. */
struct replace {
    const char *expression;
    const char *with;
    regex_t compiled;
};

/* What a fetcher makes of the answers of runs before. */
enum request_cache {
    CACHE_IGNORE,     /* the default: each answer is fetched anew */
    CACHE_REVALIDATE, /* the site is asked whether it has changed */
    CACHE_OBEY,       /* unless it said how long it would not */
};

/* How a worker asks the web: html_table, json_list, http_json, http_html. Of
 * exec only the timeout, body_bytes_max and retry count. */
struct request {
    const char *url;       /* fetchers: a template with {key}, or with {keys};
                              sources:       NULL */
    int keys_per_request;  /* {keys}: so many at most; 0: {key} */
    const char *separator; /* between {keys}, as the URL has it; default "," */
    const char *separator_in_key; /* how it stands in the URL in a key */
    struct replace *replaces;
    size_t n_replaces;
    const char **headers; /* "Name: value" */
    size_t n_headers;
    const char *user_agent; /* default REQUEST_USER_AGENT */
    usec_t timeout;         /* of one transfer, all in all; default 30 s */
    usec_t connect_timeout; /* default 5 s */
    int64_t body_bytes_max; /* decoded; default 1 MiB, sources 8 MiB */
    int redirects;          /* default 3 */
    const char **refusals;  /* texts in a body that mean "come back later" */
    size_t n_refusals;      /* default: "Too Many Requests" alone, looked for
                               in bodies of at most REFUSAL_BODY_BYTES */
    int attempts;           /* retry.attempts, all in all; default 5 */
    usec_t backoff;         /* retry.backoff; default 500 ms */
    usec_t backoff_max;     /* retry.backoff_max; default 30 s */
    usec_t hold;            /* first hold-back of a host that refuses without
                               Retry-After; grows 1, 3, 6 times; default 5 s */
    double rate;            /* requests a second for each host over the whole
                               cluster; 0: unlimited */
    int max_in_flight;      /* for each host over the cluster; 0: unlimited */
    bool adaptive;          /* rate is a ceiling: find what a site bears */
    bool robots;            /* obey the sites' robots.txt */
    bool deny_private;      /* refuse private and loopback addresses */
    enum request_cache cache;
};

#define REQUEST_USER_AGENT                                                     \
    "Mozilla/5.0 (compatible; windrow/" WINDROW_VERSION ")"
#define REFUSAL_BODY_BYTES 4096
#define RETRY_AFTER_MAX (10 * 60 * USEC_PER_SEC) /* longer ones are cut */

enum field_type {
    FIELD_NUMBER,  /* exact text of a JSON number; the default */
    FIELD_INTEGER, /* a number without fraction or exponent */
    FIELD_TEXT,
    FIELD_BOOLEAN,
    FIELD_TIME, /* a moment; from here on as clock_format() writes it */
};

/* An expression, and how it stands in the file. */
struct formula {
    const char *text; /* NULL: none */
    int line, column;
    const struct expression *expression;
};
/* "number" and so on, as the file has it. */
const char *field_type_name(enum field_type type);

/* Whatever of it decides what is stored must be in answer_shape(). */
struct field {
    const char *name;
    const char *at; /* JSON Pointer (RFC 6901), or XPath for http_html; NULL:
                       it is computed alone */
    enum field_type type;      /* that is wanted at `at` */
    enum field_type stored;    /* the same, or that of its value */
    usec_t unit;               /* FIELD_TIME: of numbers; default a second */
    struct compute compute;    /* http_json: over the array at `at` */
    bool required;             /* default true */
    const char *default_value; /* NULL: none (then SQL NULL when absent) */
    struct formula value;      /* what is stored instead of what was sent */
};

/* How long a zip's rows are where its arrays are not equally long. */
enum row_lengths {
    LENGTHS_EQUAL,    /* the key fails; the default */
    LENGTHS_LONGEST,  /* filled up with nulls */
    LENGTHS_SHORTEST, /* cut */
};

/* One of `rows` of an http_json: several rows out of one answer. */
struct row_set {
    const char *name;
    bool zip; /* the fields are arrays side by side, element by element, and
                 their pointers begin at the document; else: */
    const char *each; /* the array (or object) whose elements are the rows;
                         the fields' pointers begin at an element */
    enum row_lengths lengths; /* of a zip */
    bool required; /* where nothing is there the key fails; default true */
    struct field *fields;
    size_t n_fields;
    struct formula where; /* rows that do not meet it are left out */
};

/* html_table. Exactly one way to find the table is set; with none, it is the
 * first table that has the column. */
struct table_source {
    const char *id;     /* options.table: the table's id, ... */
    const char *class;  /* options.table_class: one of its classes */
    const char *xpath;  /* options.table_xpath */
    const char *column; /* options.column: header text, ... */
    int column_number;  /* ... or its number, from 1; else 0 */
};

/* Where in an answer to several keys each one's part is, at which the pointers
 * of fields and rows begin. */
struct for_key {
    const char *each; /* an array or object: its elements are the parts */
    const char *key;  /* in each element its key; NULL: the member's name */
};

/* json_list: `list` points at an array; `key` points, inside each element, at
 * the key ("" is the element itself). */
struct list_source {
    const char *list; /* options.list, default "" (the document) */
    const char *key;  /* options.key, default "" */
};

/* file: one key a line, or a column of a CSV file with a header line. */
struct file_source {
    const char *path;   /* options.path or the one input value; relative to
                           the pipeline file's folder */
    const char *column; /* options.column: CSV; NULL: one key a line */
};

/* sql: the first column of the query, as text. Read in pages ordered by it. */
struct sql_source {
    const char *query;
    const char *database; /* URL; NULL: where the rows go */
};

/* exec: what is started, once in each node, in the pipeline file's folder. It
 * needs no shell: the first text is the program, looked for in PATH where it
 * has no slash. */
struct program {
    const char **command;
    size_t n_command;
    const char **variables; /* "NAME=value" */
    size_t n_variables;
    int64_t memory_bytes_max;
    int line, column; /* of the command, in the file */
};

enum column_source {
    COLUMN_KEY,
    COLUMN_FETCHED_AT,
    COLUMN_FIELD,   /* of the record */
    COLUMN_ELEMENT, /* a field of the sink's row set */
};

struct column {
    const char *name;
    enum column_source source;
    const char *field;    /* COLUMN_FIELD, COLUMN_ELEMENT: its name */
    enum field_type type; /* of that field, with all producers */
    bool is_text; /* the table that is there holds it as text, so as sent: set
                     by ledger_use_pipeline(), the one thing set so late */
};

struct sink {
    const char *table; /* "name" or "schema.name"; quoted when used */
    const char *rows;  /* a row for each element of this row set of all
                          producers; NULL: one row a record */
    struct column *columns;
    size_t n_columns;
};

struct worker {
    int index; /* in pipeline.workers */
    const char *name;
    enum worker_class class;
    int input_queue; /* index in pipeline.queues; -1: none */
    int *output_queues;
    size_t n_output_queues;
    int instances; /* fetchers: transfers in flight in a node, default 64;
                      exec: keys that its program has, default 16; sources:
                      default 4; store: connections, default 2 */
    const char **input_values;
    size_t n_input_values;
    struct request request; /* where the class asks the web */
    struct field *fields;   /* fetchers; a field named "key" is the key for
                               the next fetcher, otherwise the same key */
    size_t n_fields;
    struct formula *requires; /* fetchers: a record meets them, or fails */
    size_t n_requires;
    struct row_set *sets; /* http_json, exec */
    size_t n_sets;
    struct for_key for_key; /* http_json with keys_per_request */
    union {
        struct table_source table;
        struct list_source list;
        struct file_source file;
        struct sql_source sql;
        struct program program;
        struct sink sink;
    };
};

struct pipeline {
    const char *name;
    const char *folder; /* of the pipeline file, for relative paths */
    struct queue *queues;
    size_t n_queues;
    struct worker *workers;
    size_t n_workers;
    struct arena arena;
    struct pipeline_note
        *notes; /* what was accepted and may not be meant, for the user */
    size_t n_notes;
};

struct pipeline_note {
    int line;   /* from 1 */
    int column; /* from 1 */
    const char *text;
};

struct complaint {
    int line;
    int column;
    char *text;
};

struct complaints {
    struct complaint items[PIPELINE_COMPLAINTS_MAX];
    size_t n;       /* sorted by line and column */
    size_t dropped; /* beyond the maximum */
};

void complaints_free(struct complaints *complaints);

/*
 * Reads `text` (the file's bytes). `path` is only for relative paths of
 * `file` sources. On success 0 and a pipeline in *ret, to be freed by
 * pipeline_free(). On failure ERR_PIPELINE and at least one complaint, or
 * ERR_MEMORY. `complaints` must be zeroed and is freed by the caller.
 */
MUSTCHECK
int pipeline_load(struct slice text, const char *path,
                  const struct settings *settings,
                  struct complaints *complaints, struct pipeline **ret,
                  struct error *err);
/*
 * What can be read here of a pipeline that ran once, for those who look at its
 * run: settings that it names may be missing by now. Its workers and queues
 * are there as far as they can be read: `table` of a sink may be NULL, an
 * input queue -1. ERR_PIPELINE where not even that can be read.
 */
MUSTCHECK
int pipeline_load_to_look(struct slice text, const struct settings *settings,
                          struct pipeline **ret, struct error *err);
void pipeline_free(struct pipeline **pipeline);

/*
 * Whether each program that the pipeline names may be started, as this process
 * sees it: ERR_PIPELINE and complaints where not; notes of scripts that are not
 * there. Once; no part of pipeline_load(), which is for other places too.
 */
MUSTCHECK
int pipeline_find_programs(struct pipeline *pipeline,
                           const struct settings *settings,
                           struct complaints *complaints, struct error *err);
/* Whether any worker is of class exec. */
bool pipeline_has_programs(const struct pipeline *pipeline);
/* How much longer its nodes may take to end, for their programs. */
usec_t pipeline_end_time(const struct pipeline *pipeline);

/* Reads the file at `path` into `ret` (ERR_FILE, ERR_LIMIT). */
MUSTCHECK
int pipeline_read_file(const char *path, struct buffer *ret, struct error *err);

/*
 * The sinks that records of `worker` go to, one for each output queue that a
 * store reads. Where several stores read one queue, record number `turn`
 * goes to consumers[turn % n]. The same rule picks the next fetcher for
 * batches of keys.
 */
const struct worker *pipeline_consumer(const struct pipeline *pipeline,
                                       int queue, size_t turn);

/* Whether keys put into `queue` must be made unique by the ledger: more than
 * one source batch, or any fetcher, or a file or sql source writes it. */
bool pipeline_queue_is_shared(const struct pipeline *pipeline, int queue);

/* A batch of about `keys` keys, at most `most`, for `worker`: of whole
 * requests, where it asks for several keys with one. Where it takes several of
 * the largest to keep all its transfers busy, a bit less, so that they do
 * exactly: what is left over would wait for a whole answer of the others. */
size_t worker_batch_keys(const struct worker *worker, size_t keys, size_t most);

/* The field's index in worker->fields; -1 where the worker has none such. */
int worker_field(const struct worker *worker, const char *name);
/* The same of its row sets, and of the fields of one. */
int worker_set(const struct worker *worker, const char *name);
int set_field(const struct row_set *set, const char *name);

#endif
