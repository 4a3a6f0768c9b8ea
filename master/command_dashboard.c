/* command_dashboard.c: `windrow dashboard`: from options and settings to the
 * process that shows runs (dashboard/dashboard.h). */
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "commands.h"
#include "context.h"
#include "dashboard/dashboard.h"

/* The parent may have died before prctl(): then nothing would end us. */
static bool end_with_parent(pid_t parent)
{
    return !parent ||
           (prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == parent);
}

static int serve(struct context *context)
{
    const struct options *options = context->options;
    struct error err = ERROR_NONE;
    struct dashboard_options dashboard = {.settings = context->settings};
    if (access_read(options->argument,
                    settings_get(context->settings, "WINDROW_DASHBOARD_TOKEN"),
                    &dashboard.access, &err) ||
        settings_database_url(context->settings, &context->database_url, &err))
        return context_complain(context, &err);
    int status = 0;
    if (!options->parent) /* whose first run makes the database */
        status = context_check_database(context);
    if (status)
        return status;
    dashboard.database = buffer_text(&context->database_url);
    return dashboard_run(&dashboard, &err) ? context_complain(context, &err)
                                           : 0;
}

int command_dashboard(const struct options *options)
{
    struct context context;
    if (!end_with_parent(options->parent))
        return 0;
    int status = context_settings(&context, options, NULL);
    if (!status)
        status = context_set_log(&context);
    if (!status)
        status = serve(&context);
    context_free(&context);
    return status;
}
