/*
 * library.h: what the ledger and the rows say, as JSON. Blocking: it is used by
 * one thread, off the loop (answers.h). docs/dashboard.md describes each
 * answer.
 */
#ifndef DASHBOARD_LIBRARY_H
#define DASHBOARD_LIBRARY_H

#include "base/buffer.h"
#include "base/error.h"
#include "pipeline/settings.h"

#define LIBRARY_RUNS_MAX 100     /* listed */
#define LIBRARY_FAILURES_MAX 100 /* in one answer */
#define LIBRARY_ROWS_MAX 200     /* keys of a table in one answer */
#define LIBRARY_POINTS_MAX 1000  /* of a chart */
#define LIBRARY_TEXT_MAX 512     /* bytes of one text; cut beyond */

struct library;

/* `settings` outlives it; `url` is copied. The database may be away: each
 * question tries again. NULL when memory is out. */
struct library *library_new(const char *url, const struct settings *settings);
void library_free(struct library **library);

/* The ledger's id; "" until it was reached. */
const char *library_ledger_id(const struct library *library);

enum question_kind {
    QUESTION_RUNS,
    QUESTION_RUN,
    QUESTION_FAILURES,
    QUESTION_TABLES,
    QUESTION_ROWS,
    QUESTION_CHART,
};

struct question {
    enum question_kind kind;
    int64_t run;
    int64_t after;      /* failures: after this number */
    const char *reason; /* failures: of this one only; NULL: of any */
    const char *table;
    const char *text; /* rows: part of a key, or NULL; chart: the key */
};

/* Appends the answer. ERR_NOT_FOUND, and what the ledger says. */
MUSTCHECK
int library_answer(struct library *library, const struct question *question,
                   struct buffer *ret, struct error *err);

#endif
