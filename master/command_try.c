/* command_try.c: `windrow try`: one key through the chain, step by step. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cases.h"
#include "commands.h"
#include "output.h"
#include "trial.h"

#define RECORD_BYTES_MAX (512 << 20) /* of all bodies of a case */

struct attempt {
    struct context context;
    const struct worker *worker;
    const char *key;
    int bodies; /* for --record; -1: none */
    json_t *events;
};

static int record(struct attempt *attempt)
{
    const struct options *options = attempt->context.options;
    char own_name[CASE_NAME_BYTES_MAX + 1];
    struct error err = ERROR_NONE;
    char *folder = cases_folder(attempt->context.pipeline_path);
    const char *name = options->record;
    case_name(attempt->key ? attempt->key : attempt->worker->name, own_name);
    if (!*name)
        name = own_name;
    if (!folder)
        error_set(&err, ERR_MEMORY, "no memory for a case");
    else if (!case_write(folder, name, attempt->worker, attempt->key,
                         attempt->events, attempt->bodies, &err))
        fprintf(stderr, "windrow: recorded in %s/%s; windrow test runs it\n",
                folder, name);
    free(folder);
    return err.code == ERR_NONE ? 0 : context_complain(&attempt->context, &err);
}

static int show(struct attempt *attempt)
{
    struct output output;
    json_t *event;
    size_t i;
    output_begin(attempt->context.options, &output);
    if (!attempt->context.options->json)
        trial_print(&output, attempt->worker, attempt->events);
    else
        json_array_foreach(attempt->events, i, event)
        {
            output_json_line(&output, json_incref(event));
        }
    return output_end(&output, trial_status(attempt->worker, attempt->events));
}

static int check_record(const struct attempt *attempt)
{
    const char *name = attempt->context.options->record;
    struct error err = ERROR_NONE;
    if (!name || !*name || case_name_is_good(name))
        return 0;
    error_set(&err, ERR_USAGE,
              "\"%.80s\" is no name of a case: at most %d letters, digits, _ . "
              "and -",
              name, CASE_NAME_BYTES_MAX);
    return context_complain(&attempt->context, &err);
}

/* A file in memory that the node writes bodies to, and can't make larger. */
static int make_bodies(void)
{
    int fd = memfd_create("windrow-bodies", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd >= 0 && (ftruncate(fd, RECORD_BYTES_MAX) ||
                    fcntl(fd, F_ADD_SEALS, F_SEAL_GROW))) {
        close(fd);
        return -1;
    }
    return fd;
}

static int attempt_it(struct attempt *attempt)
{
    const struct options *options = attempt->context.options;
    struct error err = ERROR_NONE;
    attempt->key = options->n_arguments > 1 ? options->arguments[1] : NULL;
    int status = check_record(attempt);
    if (status)
        return status;
    if (options->record)
        attempt->bodies = make_bodies();
    if (trial_worker(attempt->context.pipeline, options->worker, attempt->key,
                     &attempt->worker, &err) ||
        trial_run(&attempt->context, attempt->worker, attempt->key, NULL,
                  attempt->bodies, &attempt->events, &err))
        return context_complain(&attempt->context, &err);
    status = show(attempt);
    int recorded = options->record ? record(attempt) : 0;
    return recorded ? recorded : status;
}

int command_try(const struct options *options)
{
    struct attempt attempt = {.bodies = -1};
    int status = context_load(&attempt.context, options);
    if (!status)
        status = attempt_it(&attempt);
    if (attempt.bodies >= 0)
        close(attempt.bodies);
    json_decref(attempt.events);
    context_free(&attempt.context);
    return status;
}
