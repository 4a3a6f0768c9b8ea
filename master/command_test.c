/*
 * command_test.c: `windrow test`: recorded answers, held against what is
 * expected of them.
 *
 * A case that is wrong in itself is told among the others, which run; what is
 * no case's fault, as a node that can't be started, ends it all.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cases.h"
#include "commands.h"
#include "output.h"
#include "pipeline/spell.h"
#include "trial.h"

struct testing {
    struct context context;
    char *folder;
    struct output output;
    json_t *report; /* NULL: for people */
    size_t n_wanted;
    size_t n_run, n_failed; /* of those that could be run */
    size_t n_wrong;         /* in themselves */
};

/* {path, expected, found} for each place where they differ. */
static void differ(json_t *expected, json_t *found, const char *path,
                   json_t *list)
{
    char place[512];
    const char *key;
    json_t *item;
    size_t i;
    if (json_equal(expected, found))
        return;
    if (json_is_object(expected) && json_is_object(found)) {
        json_object_foreach(expected, key, item)
        {
            snprintf(place, sizeof place, "%.400s/%.100s", path, key);
            differ(item, json_object_get(found, key), place, list);
        }
        json_object_foreach(found, key, item)
        {
            snprintf(place, sizeof place, "%.400s/%.100s", path, key);
            if (!json_object_get(expected, key))
                differ(NULL, item, place, list);
        }
        return;
    }
    bool alike = json_is_array(expected) && json_is_array(found);
    size_t n = json_array_size(expected) > json_array_size(found)
                   ? json_array_size(expected)
                   : json_array_size(found);
    for (i = 0; alike && i < n; i++) {
        snprintf(place, sizeof place, "%.400s/%zu", path, i);
        differ(json_array_get(expected, i), json_array_get(found, i), place,
               list);
    }
    if (!alike)
        json_array_append_new(list,
                              json_pack("{s:s, s:O*, s:O*}", "path", path,
                                        "expected", expected, "found", found));
}

static void tell(struct testing *testing, const char *name,
                 const json_t *differences)
{
    bool passed = json_array_size(differences) == 0;
    testing->n_run++;
    testing->n_failed += !passed;
    if (testing->report)
        json_array_append_new(testing->report,
                              json_pack("{s:s, s:b, s:O}", "case", name,
                                        "passed", passed, "differences",
                                        differences));
    else
        trial_print_differences(&testing->output, name, differences);
}

static void tell_wrong(struct testing *testing, const char *name,
                       struct error *err)
{
    settings_mask_text(testing->context.settings, err->text);
    testing->n_wrong++;
    if (!testing->report) {
        trial_print_wrong(&testing->output, name, err->text);
        return;
    }
    json_t *told = json_pack("{s:s, s:b, s:s, s:[]}", "case", name, "passed",
                             false, "error", err->text, "differences");
    if (json_array_append_new(testing->report, told))
        testing->output.failed = true;
}

/* Reads the case and runs it. */
static int try_case(struct testing *testing, const char *name,
                    struct arena *arena, struct error *err)
{
    struct case_spec spec = {0};
    const struct worker *worker;
    json_t *events = NULL;
    if (case_read(testing->folder, name, arena, &spec, err)) {
        if (err->code == ERR_FILE || err->code == ERR_LIMIT)
            err->code = ERR_PIPELINE; /* a file of the case's own */
        return (int)err->code;
    }
    if (trial_worker(testing->context.pipeline, spec.worker, spec.key, &worker,
                     err) ||
        trial_check_web(worker, err)) {
        json_decref(spec.answers);
    } else if (!trial_run(&testing->context, worker, spec.key, spec.answers, -1,
                          &events, err)) {
        json_t *differences = json_array(), *found = trial_outcome(events);
        differ(spec.expected, found, "", differences);
        tell(testing, name, differences);
        json_decref(found);
        json_decref(differences);
    }
    json_decref(events);
    json_decref(spec.expected);
    return (int)err->code;
}

static int run_case(struct testing *testing, const char *name)
{
    struct error err = ERROR_NONE;
    struct arena arena = ARENA_EMPTY;
    int status = 0;
    if (try_case(testing, name, &arena, &err)) {
        if (error_code_kind(err.code) == ERROR_USER) {
            tell_wrong(testing, name, &err);
        } else {
            error_context(&err, "%s/%s", testing->folder, name);
            status = context_complain(&testing->context, &err);
        }
    }
    arena_free(&arena);
    return status;
}

static int is_case(const struct dirent *entry)
{
    return case_name_is_good(entry->d_name);
}

/* A case that is not there gets the nearest name of those that are. */
static int check_name(struct testing *testing, const char *name,
                      struct dirent **entries, int n)
{
    const char *names[CASES_MAX] = {NULL};
    size_t n_names = 0;
    struct error err = ERROR_NONE;
    for (int i = 0; i < n; i++) {
        if (!strcmp(entries[i]->d_name, name))
            return 0;
        if (n_names < CASES_MAX)
            names[n_names++] = entries[i]->d_name;
    }
    const char *near = spell_nearest(name, names, n_names);
    error_set(&err, ERR_NOT_FOUND, "no case \"%.80s\" in %s%s%s%s", name,
              testing->folder, near ? "; did you mean \"" : "",
              near ? near : "", near ? "\"?" : "");
    return context_complain(&testing->context, &err);
}

/* Those that were named, or all. */
static int run_entries(struct testing *testing, struct dirent **entries, int n)
{
    const struct options *options = testing->context.options;
    int n_named = options->n_arguments - 1, status = 0;
    int n_wanted = n_named > 0 ? n_named : n;
    testing->n_wanted = (size_t)n_wanted;
    for (int i = 0; i < n_named && !status; i++)
        status = check_name(testing, options->arguments[i + 1], entries, n);
    for (int i = 0; i < n_wanted && !status; i++)
        status = run_case(testing, n_named > 0 ? options->arguments[i + 1]
                                               : entries[i]->d_name);
    return status;
}

static int run_cases(struct testing *testing)
{
    struct dirent **entries = NULL;
    struct error err = ERROR_NONE;
    int n = scandir(testing->folder, &entries, is_case, alphasort);
    if (n <= 0) {
        free(entries);
        error_set(&err, ERR_NOT_FOUND,
                  "no cases in %s: windrow try PIPELINE KEY --record makes one",
                  testing->folder);
        return context_complain(&testing->context, &err);
    }
    int status = run_entries(testing, entries, n);
    for (int i = 0; i < n; i++)
        free(entries[i]);
    free(entries);
    if (status)
        return status;
    if (testing->n_wrong)
        return EXIT_BAD_USAGE;
    return testing->n_failed ? EXIT_SOME_FAILED : EXIT_ALL_STORED;
}

/* Nothing where no case was reached. */
static void tell_all(struct testing *testing)
{
    FILE *out = testing->output.file;
    size_t n_told = testing->n_run + testing->n_wrong;
    if (!n_told)
        return;
    if (testing->report) {
        output_json(&testing->output, json_incref(testing->report));
        return;
    }
    fprintf(out, "%zu of %zu cases passed", testing->n_run - testing->n_failed,
            testing->n_wanted);
    if (testing->n_wrong)
        fprintf(out, ", %zu wrong in %s", testing->n_wrong,
                testing->n_wrong == 1 ? "itself" : "themselves");
    if (n_told < testing->n_wanted)
        fprintf(out, ", %zu not run", testing->n_wanted - n_told);
    putc('\n', out);
}

int command_test(const struct options *options)
{
    struct testing testing = {.folder = NULL};
    int status = context_load(&testing.context, options);
    if (!status &&
        !(testing.folder = cases_folder(testing.context.pipeline_path)))
        status = EXIT_NOT_FINISHED;
    if (!status) {
        output_begin(options, &testing.output);
        testing.report = options->json ? json_array() : NULL;
        status = run_cases(&testing);
        tell_all(&testing);
        status = output_end(&testing.output, status);
    }
    json_decref(testing.report);
    free(testing.folder);
    context_free(&testing.context);
    return status;
}
