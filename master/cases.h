/*
 * cases.h: what stands beside a pipeline for `windrow test`: for FILE.yaml the
 * folder FILE.cases, with a folder a case:
 *
 *   case.yaml       worker, key (of a fetcher), and answers, in the order in
 *                   which they are asked for: {status, headers, body}, where
 *                   body is a file in the same folder; `url` and `note` are
 *                   for people
 *   expected.json   trial_outcome() of it
 */
#ifndef MASTER_CASES_H
#define MASTER_CASES_H

#include <jansson.h>

#include "context.h"

#define CASES_MAX 1000 /* among which the nearest name is looked for */
#define CASE_ANSWERS_MAX 64
#define CASE_NAME_BYTES_MAX 100

/* The folder of this pipeline's cases; malloc'ed; NULL: no memory. */
char *cases_folder(const char *pipeline_path);

struct case_spec {
    const char *name;
    const char *worker;
    const char *key;  /* NULL: none */
    json_t *answers;  /* as a job has them (node/try.h); given to trial_run() */
    json_t *expected; /* the case's own: json_decref() */
};

/* Reads FOLDER/NAME. Texts live in `arena`. ERR_PIPELINE with file and line;
 * ERR_NOT_FOUND. */
MUSTCHECK
int case_read(const char *folder, const char *name, struct arena *arena,
              struct case_spec *ret, struct error *err);

/* A name for a case of this key: what no file name should hold becomes '_'.
 * Into `ret`, of CASE_NAME_BYTES_MAX + 1 bytes. */
void case_name(const char *key, char *ret);
bool case_name_is_good(const char *name);

/* Whether FOLDER/NAME may be written: ERR_CONFLICT where it is there. */
MUSTCHECK
int case_check_free(const char *folder, const char *name, struct error *err);

/* Writes FOLDER/NAME, which must not be there, out of a trial's events and the
 * bodies that lie behind each other in `bodies`. ERR_CONFLICT, ERR_FILE. */
MUSTCHECK
int case_write(const char *folder, const char *name,
               const struct worker *worker, const char *key,
               const json_t *events, int bodies, struct error *err);

#endif
