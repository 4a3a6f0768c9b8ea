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
    /* For --record. */
    char *folder;
    char name[CASE_NAME_BYTES_MAX + 1];
    int bodies; /* -1: none */
    json_t *events;
};

static int record(struct attempt *attempt)
{
    struct error err = ERROR_NONE;
    if (case_write(attempt->folder, attempt->name, attempt->worker,
                   attempt->key, attempt->events, attempt->bodies, &err))
        return context_complain(&attempt->context, &err);
    fprintf(stderr, "windrow: recorded in %s/%s; windrow test runs it\n",
            attempt->folder, attempt->name);
    return 0;
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

/* The case's name and place. What can't be written is told before the web is
 * asked. */
static int prepare_record(struct attempt *attempt, struct error *err)
{
    const char *name = attempt->context.options->record;
    if (*name && !case_name_is_good(name))
        return error_set(err, ERR_USAGE,
                         "\"%.80s\" is no name of a case: at most %d letters, "
                         "digits, _ . and -",
                         name, CASE_NAME_BYTES_MAX);
    if (trial_check_web(attempt->worker, err))
        return (int)err->code;
    case_name(*name          ? name
              : attempt->key ? attempt->key
                             : attempt->worker->name,
              attempt->name);
    if (!(attempt->folder = cases_folder(attempt->context.pipeline_path)))
        return error_set(err, ERR_MEMORY, "no memory for a case");
    attempt->bodies = make_bodies();
    return case_check_free(attempt->folder, attempt->name, err);
}

static int attempt_it(struct attempt *attempt)
{
    const struct options *options = attempt->context.options;
    struct error err = ERROR_NONE;
    attempt->key = options->n_arguments > 1 ? options->arguments[1] : NULL;
    if (trial_worker(attempt->context.pipeline, options->worker, attempt->key,
                     &attempt->worker, &err) ||
        (options->record && prepare_record(attempt, &err)) ||
        trial_run(&attempt->context, attempt->worker, attempt->key, NULL,
                  attempt->bodies, &attempt->events, &err))
        return context_complain(&attempt->context, &err);
    int status = show(attempt);
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
    free(attempt.folder);
    json_decref(attempt.events);
    context_free(&attempt.context);
    return status;
}
