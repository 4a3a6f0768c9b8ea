/*
 * run_settings.h: the settings that a run depends on.
 *
 * Written into the ledger with the run, so that `resume` can tell whether it
 * would go on under other ones; and told to the nodes, which expand the
 * pipeline with their own.
 */
#ifndef LEDGER_RUN_SETTINGS_H
#define LEDGER_RUN_SETTINGS_H

#include "base/buffer.h"
#include "pipeline/settings.h"

/*
 * The variables that the pipeline's text names, as a JSON object: public ones
 * of the table by value, names of the pipeline's own by a fingerprint, unset
 * ones as null; secrets are left out. malloc'ed; NULL when memory is out.
 */
char *run_settings(const struct settings *settings, struct slice pipeline);

/* Only those of the table: no fingerprint, by which a secret among the
 * pipeline's own might be guessed, goes over the network. */
char *run_settings_public(const struct settings *settings,
                          struct slice pipeline);

/* Appends what differs between two texts of run_settings(), a line of its own,
 * indented, for each setting. Of the pipeline's own names neither value is
 * known. */
void run_settings_compare(const char *then, const char *now,
                          struct buffer *ret);

#endif
