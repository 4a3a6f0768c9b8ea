/* library_private.h: shared by library*.c alone. */
#ifndef DASHBOARD_LIBRARY_PRIVATE_H
#define DASHBOARD_LIBRARY_PRIVATE_H

#include <jansson.h>

#include "ledger/ledger.h"
#include "library.h"

#define LIBRARY_PIPELINES_MAX 16 /* kept as they were read */

struct known_pipeline {
    int64_t run;
    struct pipeline *pipeline;  /* NULL: it can't be read, */
    char why[ERROR_TEXT_BYTES]; /* since */
    int64_t used;               /* a count of uses: the least goes first */
};

struct library {
    char *url;
    const struct settings *settings;
    struct ledger *ledger; /* NULL: not reached yet */
    struct known_pipeline pipelines[LIBRARY_PIPELINES_MAX];
    int64_t uses;
    struct arena arena; /* of one answer */
};

/* At most LIBRARY_TEXT_MAX bytes, cut between characters; data NULL is null. */
json_t *library_text(struct slice text);

/* The pipeline of a run that was read before; NULL: it was not, or long ago. */
const struct known_pipeline *library_known(struct library *library,
                                           int64_t run);
/* The pipeline of a run whose row is at hand, with its text. */
const struct known_pipeline *library_pipeline(struct library *library,
                                              const struct run_row *row);

/* library_run.c */
json_t *library_run(struct library *library, const struct run_row *row,
                    struct error *err);

/* library_rows.c: NULL, and what is wrong. */
json_t *library_tables(struct library *library, struct error *err);
json_t *library_rows(struct library *library, const struct question *question,
                     struct error *err);
json_t *library_chart(struct library *library, const struct question *question,
                      struct error *err);

#endif
