/* command_plan.c: `windrow plan`: what a run would do. */
#include "commands.h"
#include "context.h"
#include "cores.h"
#include "output.h"
#include "preview.h"

/* Takes the plan. */
static int show(const struct options *options, json_t *plan)
{
    struct output output;
    output_begin(options, &output);
    if (options->json) {
        output_json(&output, plan);
    } else {
        preview_print(&output, plan);
        json_decref(plan);
    }
    return output_end(&output, 0);
}

static int plan_it(const struct context *context)
{
    const struct options *options = context->options;
    struct error err = ERROR_NONE;
    struct buffer url = BUFFER_EMPTY;
    struct cores cores;
    json_t *plan = NULL;
    cores_read(&cores);
    if (!settings_database_url(context->settings, &url, &err)) {
        struct preview preview = {.context = context,
                                  .database = buffer_text(&url),
                                  .fetch_lists = options->fetch_lists,
                                  .limit = options->limit,
                                  .n_nodes = (int)cores.n_granted};
        (void)!preview_build(&preview, &plan, &err);
    }
    buffer_free(&url);
    return plan ? show(options, plan) : context_complain(context, &err);
}

int command_plan(const struct options *options)
{
    struct context context;
    int status = context_load(&context, options);
    if (!status)
        status = plan_it(&context);
    context_free(&context);
    return status;
}
