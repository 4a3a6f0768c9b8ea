/* try_private.h: what try*.c share. */
#ifndef NODE_TRY_PRIVATE_H
#define NODE_TRY_PRIVATE_H

#include "extract.h"
#include "foreign.h"
#include "try.h"
#include "try_web.h"

struct trial {
    const struct settings *settings;
    struct pipeline *pipeline;
    const json_t *job;
    struct try_web *web;
    struct try_exec *exec; /* NULL: no programs */
    struct foreign foreign;
    struct arena arena; /* keys, URLs */
    int record;         /* descriptor; -1: none */
    bool no_memory;
    /* Why it failed. */
    const struct worker *worker;
    struct slice key;
    int http_status;
    json_t *near; /* NULL: nothing to say */
    struct extract_result result;
};

/* try.c: into the record, if there is one. */
void try_record_body(struct trial *trial, const struct try_answer *answer);

/* try_show.c: an event, which is taken; NULL: memory was out. */
void try_emit(struct trial *trial, json_t *event);

void try_show_request(struct trial *trial, const struct worker *worker,
                      struct slice key, struct slice url, bool foreign);
/* The line that a program is asked with. */
void try_show_asked(struct trial *trial, const struct worker *worker,
                    struct slice key, struct slice line);
void try_show_answer(struct trial *trial, const struct worker *worker,
                     const struct try_answer *answer);
/* What of an answer to several keys is this one's, as it was asked for. */
void try_show_part(struct trial *trial, const struct worker *worker,
                   struct slice key, struct slice part);
/* What could be meant where it has none. */
json_t *try_near_part(const struct worker *worker, struct slice key,
                      struct slice body);
/* Each field by itself; the first that fails leaves `near` in the trial. */
void try_show_fields(struct trial *trial, const struct worker *worker,
                     const struct buffer *body);
void try_show_keys(struct trial *trial, const struct worker *worker,
                   const struct slice *keys, size_t n, struct slice body);
/* What could be meant where a list gave none. */
json_t *try_near_list(const struct worker *worker, struct slice body);
void try_show_end(struct trial *trial, const struct worker *worker, bool good);

/* try_query.c: the keys of an sql source; `ret_good` false: it failed, with the
 * trial's result. ERR_MEMORY, ERR_SYSTEM. */
int try_query(struct trial *trial, const struct worker *worker, bool *ret_good,
              struct error *err);

/* try_rows.c: each row set by itself. */
void try_show_sets(struct trial *trial, const struct worker *worker,
                   const struct buffer *body);
/* What a store makes of a record. */
void try_show_row(struct trial *trial, const struct worker *fetcher,
                  const struct worker *store, struct slice key,
                  const struct slice *fields, const struct record_rows *rows);

#endif
