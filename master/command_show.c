/*
 * command_show.c: `windrow show RUN`: one run whole. What it is, how far it
 * is, by worker; what failed, with examples; how to go on.
 */
#include <inttypes.h>

#include "advice.h"
#include "commands.h"
#include "find_run.h"
#include "output.h"
#include "run_text.h"
#include "table.h"

#define EXAMPLES_MAX 3 /* keys shown of each reason */

struct show {
    struct context *context;
    struct run_row run;
    struct worker_count counts[PIPELINE_WORKERS_MAX];
    size_t n_counts;
    struct reason_count reasons[REASON_COUNT];
    size_t n_reasons;
    json_t *examples[REASON_COUNT]; /* arrays of keys, as `reasons` */
    json_t *settings;               /* an object; NULL: can't be read */
    struct buffer look;             /* where a retry would not help */
    struct output out;
};

/* ---- reading ---- */

static void add_example(void *context, const struct failure_row *row)
{
    json_array_append_new(context, json_stringn(row->key.data, row->key.len));
}

static int read_examples(struct show *show, struct error *err)
{
    for (size_t i = 0; i < show->n_reasons; i++) {
        const struct failure_filter filter = {.reason = show->reasons[i].reason,
                                              .limit = EXAMPLES_MAX};
        show->examples[i] = json_array();
        if (!show->examples[i])
            return error_set(err, ERR_MEMORY, "no memory for examples");
        if (ledger_failures(show->context->ledger, show->run.run, &filter,
                            add_example, show->examples[i], err))
            return (int)err->code;
    }
    return 0;
}

/* The pipeline as far as it can be read here: its workers may have no names. */
static int read_all(struct show *show)
{
    struct context *context = show->context;
    struct error err = ERROR_NONE, ignored = ERROR_NONE;
    int64_t run = show->run.run;
    if (ledger_worker_counts(context->ledger, run, show->counts,
                             &show->n_counts, &err) ||
        ledger_failure_counts(context->ledger, run, show->reasons,
                              &show->n_reasons, &err) ||
        read_examples(show, &err))
        return context_complain(context, &err);
    if (pipeline_load_to_look(show->run.pipeline_text, context->settings,
                              &context->pipeline, &ignored))
        context->pipeline = NULL;
    show->settings = json_loads(show->run.settings_json, 0, NULL);
    if (advice_look(context->ledger, &show->run, context->pipeline, &show->look,
                    &err))
        return context_complain(context, &err);
    return 0;
}

/* ---- how to go on ---- */

/* The command, or NULL: nothing is left to do. */
static const char *next_command(const struct show *show)
{
    const struct run_row *run = &show->run;
    if (run->state == RUN_OPEN)
        return run_text_is_running(run) ? "scale" : "resume";
    if (run->state == RUN_DONE)
        return NULL;
    if (run->retried_by)
        return "show";
    return advice_is_retry(run, show->reasons, show->n_reasons) ? "retry"
                                                                : "try";
}

/* "windrow COMMAND RUN --store '…'": malloc'ed by jansson's printf. */
static json_t *next_json(const struct show *show)
{
    const struct run_row *run = &show->run;
    const char *command = next_command(show);
    const char *store = show->context->options->store;
    if (!command)
        return json_null();
    if (!strcmp(command, "try"))
        return json_string(buffer_text(&show->look));
    struct buffer url = BUFFER_EMPTY;
    settings_mask_url(store ? store : "", &url);
    bool scale = !strcmp(command, "scale");
    int64_t number =
        run->retried_by && run->state != RUN_OPEN ? run->retried_by : run->run;
    json_t *text = json_sprintf(
        "windrow %s%s %" PRId64 "%s%s%s", command, scale ? " N --run" : "",
        number, store ? " --store '" : "", buffer_text(&url), store ? "'" : "");
    buffer_free(&url);
    return text;
}

static const char *next_words(const struct show *show)
{
    const struct run_row *run = &show->run;
    if (run->state == RUN_OPEN)
        return run_text_is_running(run)
                   ? "it goes on; more or fewer local nodes"
                   : "it has not ended; go on with";
    if (run->retried_by)
        return "what failed was retried";
    return strcmp(next_command(show), "try")
               ? "to try what failed once more"
               : "the same pipeline would find the same again; what there is";
}

/* ---- for people ---- */

static void label(const struct show *show, const char *name)
{
    fprintf(show->out.file, "%-10s", name);
}

static void print_time(const struct show *show)
{
    const struct run_row *run = &show->run;
    char started[CLOCK_TEXT_BYTES], ended[CLOCK_TEXT_BYTES];
    run_text_time(run->started_at, started);
    run_text_time(run->ended_at, ended);
    usec_t until = run->ended_at ? run->ended_at : clock_wall();
    double seconds = (double)(until - run->started_at) / 1e6;
    label(show, "started");
    fprintf(show->out.file, "%s (UTC)\n", started);
    label(show, "ended");
    if (run->ended_at)
        fprintf(show->out.file, "%s, after %.1f s\n", ended, seconds);
    else
        fprintf(show->out.file, "not yet; began %.1f s ago\n", seconds);
}

static void print_owner(const struct show *show)
{
    const struct run_row *run = &show->run;
    label(show, "owner");
    fprintf(show->out.file, "%s, epoch %" PRId64, run->owner, run->epoch);
    if (run_text_is_running(run))
        fprintf(show->out.file, ", for another %.1f s unless it renews that",
                (double)run->lease_left / 1e6);
    putc('\n', show->out.file);
}

static void print_settings(const struct show *show)
{
    const char *name;
    json_t *value;
    const char *title = "settings";
    json_object_foreach(show->settings, name, value)
    {
        const char *text = json_string_value(value);
        label(show, title);
        fprintf(show->out.file, "%s%s%s\n", name, text ? "=" : " is not set",
                text ? text : "");
        title = "";
    }
}

static void print_facts(const struct show *show)
{
    const struct run_row *run = &show->run;
    FILE *out = show->out.file;
    enum output_style style = run_text_style(run);
    fprintf(out, "%srun %" PRId64 "%s%s%s: %s%s%s\n",
            output_on(&show->out, STYLE_TITLE), run->run,
            run->name[0] ? ", " : "", run->name,
            output_off(&show->out, STYLE_TITLE), output_on(&show->out, style),
            run_text_state(run), output_off(&show->out, style));
    label(show, "pipeline");
    fprintf(out, "%s (%s)\n", run->pipeline_name, run->pipeline_path);
    print_time(show);
    print_owner(show);
    label(show, "keys");
    fprintf(out, "%" PRId64 " stored, %" PRId64 " failed, %" PRId64 " open\n",
            run->stored, run->failed, run->open_keys);
    if (run->key_limit) {
        label(show, "limit");
        fprintf(out, "%" PRId64 " keys of each source\n", run->key_limit);
    }
    if (run->retry_of) {
        label(show, "retries");
        fprintf(out, "run %" PRId64 "\n", run->retry_of);
    }
    print_settings(show);
}

static const struct worker *worker_of(const struct show *show, int number)
{
    const struct pipeline *pipeline = show->context->pipeline;
    bool known =
        pipeline && number >= 0 && (size_t)number < pipeline->n_workers;
    return known ? &pipeline->workers[number] : NULL;
}

/* The queue that a worker reads; "" for sources, and what can't be read. */
static const char *queue_of(const struct show *show,
                            const struct worker *worker)
{
    if (!worker || worker->input_queue < 0)
        return "";
    return show->context->pipeline->queues[worker->input_queue].name;
}

static void print_workers(struct show *show)
{
    static const struct table_title titles[] = {
        {"worker", false}, {"class", false}, {"queue", false},
        {"batches", true}, {"open", true},   {"keys open", true},
        {"done", true},    {"failed", true}, {"stored", true}};
    if (!show->n_counts)
        return;
    putc('\n', show->out.file);
    struct table *table =
        table_new(&show->out, titles, sizeof titles / sizeof *titles);
    for (size_t i = 0; i < show->n_counts; i++) {
        const struct worker_count *count = &show->counts[i];
        const struct worker *worker = worker_of(show, count->worker);
        table_cell(table, slice_of(worker ? worker->name : "?"));
        table_cell(table,
                   slice_of(worker ? worker_class_name(worker->class) : "?"));
        table_cell(table, slice_of(queue_of(show, worker)));
        table_cell_int(table, count->batches);
        table_cell_int(table, count->open_batches);
        table_cell_int(table, count->open_keys);
        table_cell_int(table, count->done);
        table_cell_int(table, count->failed);
        table_cell_int(table, count->stored);
    }
    table_end(&table);
}

static void print_reasons(struct show *show)
{
    static const struct table_title titles[] = {
        {"reason", false}, {"keys", true}, {"for example", false}};
    if (!show->n_reasons)
        return;
    putc('\n', show->out.file);
    struct table *table =
        table_new(&show->out, titles, sizeof titles / sizeof *titles);
    for (size_t i = 0; i < show->n_reasons; i++) {
        struct buffer keys = BUFFER_EMPTY;
        size_t k;
        json_t *key;
        json_array_foreach(show->examples[i], k, key)
        {
            buffer_printf(&keys, "%s%s", k ? ", " : "", json_string_value(key));
        }
        table_cell_styled(table, STYLE_BAD,
                          slice_of(reason_name(show->reasons[i].reason)));
        table_cell_int(table, show->reasons[i].keys);
        table_cell(table, buffer_slice(&keys));
        buffer_free(&keys);
    }
    table_end(&table);
}

static void print_next(struct show *show)
{
    json_t *next = next_json(show);
    if (json_is_string(next))
        fprintf(show->out.file, "\n%s: %s\n", next_words(show),
                json_string_value(next));
    else if (!next)
        show->out.failed = true;
    json_decref(next);
}

/* ---- for programs ---- */

static json_t *workers_json(const struct show *show)
{
    json_t *list = json_array();
    for (size_t i = 0; i < show->n_counts; i++) {
        const struct worker_count *count = &show->counts[i];
        const struct worker *worker = worker_of(show, count->worker);
        json_array_append_new(
            list,
            json_pack(
                "{s:i, s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I}", "number",
                count->worker, "name", worker ? worker->name : "", "class",
                worker ? worker_class_name(worker->class) : "", "queue",
                queue_of(show, worker), "batches", (json_int_t)count->batches,
                "open_batches", (json_int_t)count->open_batches, "open_keys",
                (json_int_t)count->open_keys, "done", (json_int_t)count->done,
                "failed", (json_int_t)count->failed, "stored",
                (json_int_t)count->stored));
    }
    return list;
}

static json_t *reasons_json(const struct show *show)
{
    json_t *list = json_array();
    for (size_t i = 0; i < show->n_reasons; i++)
        json_array_append_new(
            list, json_pack("{s:s, s:I, s:O}", "reason",
                            reason_name(show->reasons[i].reason), "keys",
                            (json_int_t)show->reasons[i].keys, "examples",
                            show->examples[i]));
    return list;
}

static void print_json(struct show *show)
{
    const struct run_row *run = &show->run;
    json_t *object = run_text_json(run);
    json_t *more = json_pack(
        "{s:I, s:I, s:I, s:f, s:O?, s:s%, s:o, s:o, s:o}", "key_limit",
        (json_int_t)run->key_limit, "retry_of", (json_int_t)run->retry_of,
        "retried_by", (json_int_t)run->retried_by, "lease_seconds",
        (double)run->lease_left / 1e6, "settings", show->settings,
        "pipeline_text", run->pipeline_text.data, run->pipeline_text.len,
        "workers", workers_json(show), "failures", reasons_json(show), "next",
        next_json(show));
    if (!object || !more || json_object_update(object, more)) {
        json_decref(object);
        object = NULL;
    }
    json_decref(more);
    output_json(&show->out, object);
}

static int print(struct show *show)
{
    const struct options *options = show->context->options;
    output_begin(options, &show->out);
    if (options->json) {
        print_json(show);
    } else {
        print_facts(show);
        print_workers(show);
        print_reasons(show);
        print_next(show);
    }
    return output_end(&show->out, 0);
}

int command_show(const struct options *options)
{
    struct context context;
    struct show show = {.context = &context};
    int status = context_settings(&context, options, NULL);
    if (!status && !(status = context_open_ledger(&context)) &&
        !(status = find_run_row(&context, options->argument, &show.run)) &&
        !(status = read_all(&show)))
        status = print(&show);
    for (size_t i = 0; i < show.n_reasons; i++)
        json_decref(show.examples[i]);
    json_decref(show.settings);
    buffer_free(&show.look);
    context_free(&context);
    return status;
}
