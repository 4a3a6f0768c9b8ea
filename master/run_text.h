/* run_text.h: a run's row as people and programs are shown it. */
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
/* NULL when memory is out. */
json_t *run_text_json(const struct run_row *row);

#endif
