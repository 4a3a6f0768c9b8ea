/* command_plan.c: `windrow plan`: what a run would do. */
#include "commands.h"
#include "context.h"
#include "cores.h"
#include "output.h"
#include "preview.h"

/* Whether a list that was asked for gave no key: the plan is not whole. */
static bool lacks_keys(const json_t *plan)
{
    const json_t *source;
    size_t i;
    json_array_foreach(json_object_get(plan, "sources"), i, source)
    {
        if (json_is_null(json_object_get(source, "keys")) &&
            json_is_object(json_object_get(source, "failure")))
            return true;
    }
    return false;
}

/* Takes the plan. */
static int show(const struct options *options, json_t *plan)
{
    int status = lacks_keys(plan) ? EXIT_NOT_FINISHED : 0;
    struct output output;
    output_begin(options, &output);
    if (options->json) {
        output_json(&output, plan);
    } else {
        preview_print(&output, plan);
        json_decref(plan);
    }
    return output_end(&output, status);
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
