/*
 * The pipeline file. Most of what it must do is a folder in
 * tests/cases/pipeline: `pipeline.yaml`, and in `expected.txt` either the
 * complaints ("LINE:COLUMN: text") or the model as pipeline_dump() shows it.
 * `settings.env`, where there is one, is read first.
 *
 * WINDROW_WRITE_EXPECTED=1 writes expected.txt anew; read what it wrote.
 */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "alloc_sweep.h"
#include "pipeline/loader.h"
#include "pipeline_dump.h"

#define CASES WINDROW_SOURCE "/tests/cases/pipeline"
#define CASES_MAX 200

static bool write_expected;

static void append_complaints(const struct complaints *c, struct buffer *out)
{
    for (size_t i = 0; i < c->n; i++)
        buffer_printf(out, "%d:%d: %s\n", c->items[i].line, c->items[i].column,
                      c->items[i].text);
    if (c->dropped)
        buffer_printf(out, "and %zu more\n", c->dropped);
}

/* Loads the file and shows what comes of it, complaints or model. */
static int load_and_show(const char *path, struct settings *settings,
                         struct buffer *shown, struct error *err)
{
    struct complaints complaints = {.n = 0};
    struct pipeline *pipeline = NULL;
    struct buffer text = BUFFER_EMPTY;

    int failed = pipeline_read_file(path, &text, err);
    if (!failed)
        failed = pipeline_load(buffer_slice(&text), path, settings, &complaints,
                               &pipeline, err);
    assert_true((failed == 0) == (pipeline != NULL));
    assert_true(failed != ERR_PIPELINE || complaints.n > 0);
    if (!failed)
        pipeline_dump(pipeline, shown);
    else if (failed != ERR_PIPELINE)
        buffer_printf(shown, "error: %s\n", error_code_text(err->code));
    append_complaints(&complaints, shown);
    pipeline_free(&pipeline);
    complaints_free(&complaints);
    buffer_free(&text);
    return failed;
}

static struct settings *settings_of(const char *folder)
{
    struct error err = ERROR_NONE;
    struct settings *settings = settings_new();
    char path[512];

    assert_non_null(settings);
    snprintf(path, sizeof path, "%s/settings.env", folder);
    if (!access(path, R_OK))
        assert_int_equal(settings_read_file(settings, path, &err), 0);
    return settings;
}

/* A case gives the complaints, or the model, that it expects. */
static void test_case(void **state)
{
    const char *name = *state;
    char folder[300], path[400], expected_path[400];
    struct buffer shown = BUFFER_EMPTY, expected = BUFFER_EMPTY;
    struct error err = ERROR_NONE;

    snprintf(folder, sizeof folder, "%s/%s", CASES, name);
    snprintf(path, sizeof path, "%s/pipeline.yaml", folder);
    snprintf(expected_path, sizeof expected_path, "%s/expected.txt", folder);
    struct settings *settings = settings_of(folder);
    load_and_show(path, settings, &shown, &err);
    settings_free(&settings);
    if (write_expected) {
        FILE *file = fopen(expected_path, "w");
        assert_non_null(file);
        fputs(buffer_text(&shown), file);
        fclose(file);
    }
    err = ERROR_NONE;
    assert_int_equal(pipeline_read_file(expected_path, &expected, &err), 0);
    assert_string_equal(buffer_text(&shown), buffer_text(&expected));
    buffer_free(&shown);
    buffer_free(&expected);
}

static void load_once(void *context)
{
    const char *const *args = context;
    struct buffer shown = BUFFER_EMPTY;
    struct error err = ERROR_NONE;
    struct settings *settings = settings_new();

    if (!settings)
        return;
    int failed = settings_read_file(settings, args[1], &err);
    if (!failed)
        failed = load_and_show(args[0], settings, &shown, &err);
    if (alloc_sweep_failed())
        assert_true(failed == ERR_MEMORY || shown.failed);
    buffer_free(&shown);
    settings_free(&settings);
}

/* Whichever allocation fails, loading ends with ERR_MEMORY and no leak. */
static void test_no_memory_at_any_point(void **state)
{
    static const char *const names[] = {
        "sp500", "everything", "legacy", "typos_everywhere", "cycle", "exec"};
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char path[300];
        const char *args[] = {path, CASES "/everything/settings.env"};
        snprintf(path, sizeof path, "%s/%s/pipeline.yaml", CASES, names[i]);
        assert_true(alloc_sweep(load_once, args) > 5);
    }
}

/* Shows a pipeline that has, besides others, the worker `w`. */
static void show_with(const char *w, struct buffer *shown)
{
    struct settings *settings = settings_new();
    struct complaints complaints = {.n = 0};
    struct pipeline *pipeline = NULL;
    struct buffer text = BUFFER_EMPTY;
    struct error err = ERROR_NONE;

    buffer_printf(
        &text,
        "version: 1\n"
        "queues: [{name: a}, {name: b}]\n"
        "workers:\n"
        "  - {name: s, class: values, input_values: [k], output_queues: [a]}\n"
        "  - {name: f, class: http_json, input_queue: a, output_queues: [b],\n"
        "     options: {url: 'http://h/{key}', fields: {x: /x}}}\n"
        "  - {name: t, class: store, input_queue: b,\n"
        "     options: {table: t, columns: {k: key}}}\n"
        "  - {name: w, %s}}\n",
        w);
    assert_non_null(settings);
    assert_int_equal(pipeline_load(buffer_slice(&text), "p.yaml", settings,
                                   &complaints, &pipeline, &err),
                     0);
    pipeline_dump(pipeline, shown);
    pipeline_free(&pipeline);
    settings_free(&settings);
    buffer_free(&text);
}

/* What the tables call an option's default is what it is without it. */
static void test_defaults_are_those_of_the_tables(void **state)
{
    static const struct {
        enum worker_class class;
        const char *text;
    } workers[] = {
        {CLASS_HTTP_JSON, "class: http_json, input_queue: a, output_queues: "
                          "[b], options: {url: 'http://h/{key}', "
                          "fields: {x: /x}, rate: unlimited"},
        {CLASS_HTTP_HTML, "class: http_html, input_queue: a, output_queues: "
                          "[b], options: {url: 'http://h/{key}', "
                          "fields: {x: //x}, rate: unlimited"},
        {CLASS_EXEC, "class: exec, input_queue: a, output_queues: [b], "
                     "options: {command: [x], fields: {x: /x}"},
        {CLASS_HTML_TABLE, "class: html_table, output_queues: [a], "
                           "input_values: ['http://h'], options: {column: x, "
                           "rate: unlimited"},
        {CLASS_JSON_LIST, "class: json_list, output_queues: [a], "
                          "input_values: ['http://h'], options: {"
                          "rate: unlimited"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof workers / sizeof *workers; i++) {
        struct buffer without = BUFFER_EMPTY, with = BUFFER_EMPTY,
                      worker = BUFFER_EMPTY;
        const struct member *option;
        size_t n = 0;
        buffer_append_text(&worker, workers[i].text);
        show_with(buffer_text(&worker), &without);
        for (size_t o = 0; (option = shape_option(o)); o++)
            if (option->classes & 1u << workers[i].class && option->fallback &&
                strcmp(option->name, "rate") != 0 &&
                strcmp(option->name, "key_separator") != 0 && ++n)
                buffer_printf(&worker, ", %s: %s", option->name,
                              option->fallback);
        buffer_append_text(&worker, ", retry: {");
        for (option = retry_members; option->name; option++)
            buffer_printf(&worker, "%s: %s, ", option->name, option->fallback);
        buffer_append_text(&worker, "}");
        show_with(buffer_text(&worker), &with);
        assert_true(n > (workers[i].class == CLASS_EXEC ? 2 : 8));
        assert_string_equal(buffer_text(&with), buffer_text(&without));
        buffer_free(&without);
        buffer_free(&with);
        buffer_free(&worker);
    }
}

/* A pipeline of one key, one fetcher and two stores, as the file at `path`. */
static struct pipeline *load_small(const char *path)
{
    static const char text[] =
        "version: 1\n"
        "queues: [{name: keys}, {name: rows}]\n"
        "workers:\n"
        "  - {name: s, class: values, input_values: [a], output_queues: "
        "[keys]}\n"
        "  - {name: f, class: http_json, input_queue: keys,\n"
        "     output_queues: [rows],\n"
        "     options: {url: 'http://h/{key}', fields: {x: /x, y: /y}}}\n"
        "  - {name: t, class: store, input_queue: rows,\n"
        "     options: {table: t, columns: {x: x}}}\n"
        "  - {name: u, class: store, input_queue: rows,\n"
        "     options: {table: u, columns: {x: x}}}\n";
    struct settings *settings = settings_new();
    struct complaints complaints = {.n = 0};
    struct pipeline *pipeline = NULL;
    struct error err = ERROR_NONE;

    assert_non_null(settings);
    assert_int_equal(pipeline_load(slice_of(text), path, settings, &complaints,
                                   &pipeline, &err),
                     0);
    settings_free(&settings); /* the model does not need it any more */
    return pipeline;
}

/* The complaint about this program of a pipeline in `folder` ("": it is there),
 * and the note about its arguments. */
static void assert_command(const char *folder, const char *program,
                           const char *complaint, const char *said)
{
    char path[300];
    struct buffer text = BUFFER_EMPTY;
    struct settings *settings = settings_new();
    struct complaints complaints = {.n = 0};
    struct pipeline *pipeline = NULL;
    struct error err = ERROR_NONE;

    snprintf(path, sizeof path, "%s/pipeline.yaml", folder);
    buffer_printf(
        &text,
        "version: 1\n"
        "queues: [{name: a}, {name: b}]\n"
        "workers:\n"
        "  - {name: s, class: values, input_values: [k], output_queues: [a]}\n"
        "  - {name: e, class: exec, input_queue: a, output_queues: [b],\n"
        "     options: {command: ['%s', x], fields: {x: /x}}}\n"
        "  - {name: t, class: store, input_queue: b,\n"
        "     options: {table: t, columns: {k: key}}}\n",
        program);
    assert_int_equal(pipeline_load(buffer_slice(&text), path, settings,
                                   &complaints, &pipeline, &err),
                     0);
    assert_true(pipeline_has_programs(pipeline));
    int failed = pipeline_find_programs(pipeline, settings, &complaints, &err);
    assert_int_equal(failed, *complaint ? ERR_PIPELINE : 0);
    assert_int_equal(complaints.n, *complaint ? 1 : 0);
    if (*complaint) {
        assert_int_equal(complaints.items[0].line, 6);
        assert_non_null(strstr(complaints.items[0].text, complaint));
    }
    assert_int_equal(pipeline->n_notes, *said ? 1 : 0);
    if (*said) {
        assert_int_equal(pipeline->notes[0].line, 6);
        assert_non_null(strstr(pipeline->notes[0].text, said));
    }
    complaints_free(&complaints);
    pipeline_free(&pipeline);
    settings_free(&settings);
    buffer_free(&text);
}

static void assert_program(const char *folder, const char *program,
                           const char *complaint)
{
    assert_command(folder, program, complaint, "");
}

static void test_programs_are_looked_for(void **state)
{
    (void)state;
    assert_program("/nowhere", "sh", "");
    assert_program("/bin", "./sh", "");
    assert_program("/nowhere", "/bin/sh", "");
    assert_program("/nowhere", "no-such-program",
                   "there is no program 'no-such-program' in PATH");
    assert_program("/etc", "group", "say './group'");
    assert_program("/etc", "./group",
                   "the program './group' can't be started: Permission denied; "
                   "chmod +x");
    assert_program("/", "./etc", "can't be started: Permission denied");
    assert_program("/nowhere", "./x", "can't be started: No such file");
}

/* A script that is not there may be made later, or be no script: a note. */
static void test_scripts_are_looked_for(void **state)
{
    (void)state;
    assert_command("/nowhere", "sh', '-u', 'onw.py", "",
                   "there is no file 'onw.py', which the program is given");
    assert_command("/nowhere", "sh', '/nowhere/a.sh', 'b.sh", "",
                   "there is no file '/nowhere/a.sh'");
    assert_command("/nowhere", "sh', '-c', 'exec a.sh', '--x=b.py", "", "");
    assert_command(WINDROW_SOURCE "/pipelines", "sh', 'isin.py", "", "");
}

/* Where several read one queue, they take turns. */
static void test_consumers_take_turns(void **state)
{
    struct pipeline *p = load_small("x");
    (void)state;
    assert_string_equal(pipeline_consumer(p, 1, 0)->name, "t");
    assert_string_equal(pipeline_consumer(p, 1, 1)->name, "u");
    assert_string_equal(pipeline_consumer(p, 1, 2)->name, "t");
    assert_string_equal(pipeline_consumer(p, 0, 7)->name, "f");
    pipeline_free(&p);
    assert_null(p);
}

static void test_worker_field(void **state)
{
    struct pipeline *p = load_small("x");
    (void)state;
    assert_int_equal(worker_field(&p->workers[1], "x"), 0);
    assert_int_equal(worker_field(&p->workers[1], "y"), 1);
    assert_int_equal(worker_field(&p->workers[1], "z"), -1);
    pipeline_free(&p);
}

/* The folder is for relative paths; the name, where none is given, is the
 * file's. */
static void test_folder_and_name(void **state)
{
    static const struct {
        const char *path, *folder, *name;
    } cases[] = {{"a/b/prices.yaml", "a/b", "prices"},
                 {"/prices.tar.yaml", "/", "prices"},
                 {"prices", ".", "prices"},
                 {"a/.yaml", "a", "pipeline"},
                 {NULL, ".", "pipeline"}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct pipeline *p = load_small(cases[i].path);
        assert_string_equal(p->folder, cases[i].folder);
        assert_string_equal(p->name, cases[i].name);
        pipeline_free(&p);
    }
}

/* A text that is too long is refused by pipeline_load() too. */
static void test_long_text(void **state)
{
    static char text[PIPELINE_FILE_BYTES_MAX + 1];
    struct settings *settings = settings_new();
    struct complaints complaints = {.n = 0};
    struct pipeline *pipeline = NULL;
    struct error err = ERROR_NONE;
    (void)state;

    memset(text, '#', sizeof text);
    assert_int_equal(pipeline_load((struct slice){text, sizeof text}, "x",
                                   settings, &complaints, &pipeline, &err),
                     ERR_PIPELINE);
    assert_int_equal(complaints.n, 1);
    assert_null(pipeline);
    complaints_free(&complaints);
    assert_int_equal(complaints.n, 0);
    settings_free(&settings);
}

static int no_dots(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

int main(void)
{
    static const struct CMUnitTest others[] = {
        cmocka_unit_test(test_no_memory_at_any_point),
        cmocka_unit_test(test_defaults_are_those_of_the_tables),
        cmocka_unit_test(test_programs_are_looked_for),
        cmocka_unit_test(test_scripts_are_looked_for),
        cmocka_unit_test(test_consumers_take_turns),
        cmocka_unit_test(test_worker_field),
        cmocka_unit_test(test_folder_and_name),
        cmocka_unit_test(test_long_text),
    };
    static struct CMUnitTest tests[CASES_MAX + sizeof others / sizeof *others];
    struct dirent **entries;
    size_t n = 0;

    write_expected = getenv("WINDROW_WRITE_EXPECTED");
    clearenv();
    int n_entries = scandir(CASES, &entries, no_dots, alphasort);
    if (n_entries < 1 || n_entries > CASES_MAX)
        return 1;
    for (int i = 0; i < n_entries; i++)
        tests[n++] = (struct CMUnitTest){.name = entries[i]->d_name,
                                         .test_func = test_case,
                                         .initial_state = entries[i]->d_name};
    memcpy(&tests[n], others, sizeof others);
    n += sizeof others / sizeof *others;
    int failed = _cmocka_run_group_tests("pipeline", tests, n, NULL, NULL);
    for (int i = 0; i < n_entries; i++)
        free(entries[i]);
    free(entries);
    return failed;
}
