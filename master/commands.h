/* commands.h: the commands of `windrow`, each from its options to its exit
 * status (options.h). */
#ifndef MASTER_COMMANDS_H
#define MASTER_COMMANDS_H

#include "options.h"

int command_run(const struct options *options);
int command_resume(const struct options *options);
int command_retry(const struct options *options);
int command_show(const struct options *options);
int command_scale(const struct options *options);
int command_dashboard(const struct options *options);
int command_check(const struct options *options);
int command_schema(const struct options *options);
int command_plan(const struct options *options);
int command_try(const struct options *options);
int command_test(const struct options *options);
int command_runs(const struct options *options);
int command_failures(const struct options *options);
int command_prices(const struct options *options);
int command_export(const struct options *options);
int command_healthy(const struct options *options);
int command_keygen(const struct options *options);
int command_settings(const struct options *options);

#endif
