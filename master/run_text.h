/* run_text.h: a run's row, and a failure's, as people and programs are shown
 * it. */
#ifndef MASTER_RUN_TEXT_H
#define MASTER_RUN_TEXT_H

#include <jansson.h>

#include "ledger/ledger.h"
#include "output.h"

/* A master has it now. */
bool run_text_is_running(const struct run_row *row);
/* "open", "done", ...; "running" where a master has it. */
const char *run_text_state(const struct run_row *row);
enum output_style run_text_style(const struct run_row *row);
/* In UTC, to the second; "" for 0. */
void run_text_time(usec_t wall, char ret[CLOCK_TEXT_BYTES]);
/* Whether a failure's detail says itself what reason_text() would say before
 * it: "HTTP status 404". */
bool run_text_is_said(enum reason reason, struct slice detail);
/* NULL when memory is out. */
json_t *run_text_json(const struct run_row *row);

#endif
