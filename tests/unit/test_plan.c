/*
 * A new run's root batches: plan.h, into an SQLite ledger in a file of its
 * own. A batch reads as "worker: key key".
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "ledger/ledger.h"
#include "lines.h"
#include "plan.h"

static char folder[32], path[64];
static struct buffer batches;

static const char file_head[] = "- {name: list, class: file, options: {path: "
                                "keys}, output_queues: [symbols]}\n";
static const char csv_head[] =
    "- {name: list, class: file, options: {path: keys, column: Symbol},\n"
    "   output_queues: [symbols]}\n";

static struct pipeline *load(const char *source)
{
    struct buffer text = BUFFER_EMPTY;
    buffer_printf(&text,
                  "version: 1\nname: t\n"
                  "queues: [{name: symbols}, {name: prices}]\nworkers:\n%s"
                  "- {name: quotes, class: http_json, input_queue: symbols,\n"
                  "   output_queues: [prices], options: {url: 'http://h/{key}',"
                  "\n   fields: {price: /p}}}\n"
                  "- {name: store, class: store, input_queue: prices,\n"
                  "   options: {table: prices, columns: {symbol: key}}}\n",
                  source);
    struct complaints complaints = {.n = 0};
    struct settings *settings = settings_new();
    struct pipeline *pipeline = NULL;
    struct error err = ERROR_NONE;
    int status = pipeline_load(buffer_slice(&text), path, settings, &complaints,
                               &pipeline, &err);
    if (status)
        fail_msg("%s %s", err.text,
                 complaints.n ? complaints.items[0].text : "");
    complaints_free(&complaints);
    settings_free(&settings);
    buffer_free(&text);
    return pipeline;
}

static void write_keys(const char *text, size_t len)
{
    char name[64];
    snprintf(name, sizeof name, "%s/keys", folder);
    FILE *file = fopen(name, "we");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, len, file), len);
    fclose(file);
}

static void read_batches(struct ledger *ledger, int64_t run,
                         const struct pipeline *pipeline)
{
    static struct batch_row rows[LEDGER_PAGE_MAX];
    struct error err = ERROR_NONE;
    size_t n = 0;
    assert_int_equal(
        ledger_open_batches(ledger, run, 0, LEDGER_PAGE_MAX, rows, &n, &err),
        0);
    buffer_clear(&batches);
    for (size_t i = 0; i < n; i++) {
        json_t *keys = json_loads(rows[i].keys_json, 0, NULL), *key;
        size_t k;
        buffer_printf(&batches, "%s%s:", i ? ", " : "",
                      pipeline->workers[rows[i].worker].name);
        json_array_foreach(keys, k, key)
        {
            buffer_printf(&batches, " %s", json_string_value(key));
        }
        json_decref(keys);
        free(rows[i].keys_json);
    }
}

/* Plans a run of `source`; afterwards `batches` holds what came of it. */
static int plan(const char *source, struct plan_options options,
                struct error *err)
{
    char url[80], file[64];
    snprintf(file, sizeof file, "%s/ledger", folder);
    snprintf(url, sizeof url, "sqlite:%s", file);
    struct pipeline *pipeline = load(source);
    struct ledger *ledger = NULL;
    *err = ERROR_NONE;
    assert_int_equal(ledger_open(url, &ledger, err), 0);
    assert_int_equal(ledger_use_pipeline(ledger, pipeline, err), 0);
    struct run_spec spec = {.pipeline_text = slice_of(""),
                            .pipeline_name = "t",
                            .pipeline_path = path,
                            .settings_json = "{}",
                            .owner = "test",
                            .lease = USEC_PER_SEC};
    int64_t run = 0, epoch = 0;
    assert_int_equal(ledger_run_begin(ledger, &spec, &run, &epoch, err), 0);
    options.pipeline = pipeline;
    options.n_nodes = options.n_nodes ? options.n_nodes : 1;
    int status = plan_write(&options, ledger, run, err);
    if (status) {
        ledger_run_rollback(ledger);
    } else {
        assert_int_equal(ledger_run_commit(ledger, err), 0);
        read_batches(ledger, run, pipeline);
    }
    ledger_close(&ledger);
    pipeline_free(&pipeline);
    return status;
}

static void assert_planned(const char *source, struct plan_options options,
                           const char *expected)
{
    struct error err;
    if (plan(source, options, &err))
        fail_msg("%s", err.text);
    assert_string_equal(buffer_text(&batches), expected);
}

/* Keys from a file of that text, all in one batch. */
static void assert_keys(const char *source, const char *text,
                        const char *expected)
{
    write_keys(text, strlen(text));
    assert_planned(source, (struct plan_options){.batch_keys = 512}, expected);
}

static void assert_refused(const char *source, const char *text, size_t len,
                           enum error_code code, const char *words)
{
    struct error err;
    write_keys(text, len);
    assert_int_equal(plan(source, (struct plan_options){0}, &err), code);
    if (!strstr(err.text, words))
        fail_msg("\"%s\" is not in \"%s\"", words, err.text);
}

/* A file has a key a line; blank lines and comments are none. */
static void test_lines(void **state)
{
    (void)state;
    assert_keys(file_head, "A\n\n  # not this\nB \r\n\tC", "quotes: A B C");
    assert_keys(file_head, "", "");
    assert_keys(file_head, "\n#\n", "");
}

/* A byte order mark is no part of the first key. */
static void test_byte_order_mark(void **state)
{
    (void)state;
    assert_keys(file_head,
                "\xEF\xBB\xBF"
                "A\nB\n",
                "quotes: A B");
    assert_keys(csv_head, "\xEF\xBB\xBFSymbol\nA\n", "quotes: A");
    assert_keys(csv_head, "\xEF\xBB\xBF\"Symbol\",x\nA,1\n", "quotes: A");
}

/* A CSV file has them in the named column, quoted or not (RFC 4180). */
static void test_csv(void **state)
{
    (void)state;
    assert_keys(csv_head, "Symbol\nA\nB\n", "quotes: A B");
    assert_keys(csv_head, "Name, Symbol ,x\r\n\"Smith, J\",A,1\r\nb,\"B\",2\n",
                "quotes: A B");
    assert_keys(csv_head, "n,Symbol\n\"say \"\"hi, you\"\"\",A\n1,\"B\"\"C\"\n",
                "quotes: A B\"C");
    assert_keys(csv_head, "n,Symbol\nshort\n1,\n\n2,A\n", "quotes: A");
}

static size_t n_counted;

static void count_key(void *context, struct slice key)
{
    char expected[24];
    snprintf(expected, sizeof expected, "K%zu", ++n_counted);
    assert_true(slice_equal(key, slice_of(expected)));
    (void)context;
}

/* A comment of `pad` bytes, then K1, K2, ... */
static void many_keys(size_t pad, struct buffer *ret)
{
    buffer_clear(ret);
    buffer_printf(ret, "#%*s\n", (int)pad, "");
    for (size_t i = 1; i <= 60000; i++)
        buffer_printf(ret, "K%zu%s", i, i % 7 ? "\n" : "  \r\n");
    buffer_append_text(ret, "K60001"); /* and no line feed */
}

/* More than is read at once: no line is cut where a piece ends, be it in its
 * middle or just before its line feed. */
static void test_long_file(void **state)
{
    (void)state;
    struct buffer text = BUFFER_EMPTY;
    struct pipeline *pipeline = load(file_head);
    for (size_t pad = 0; pad < 12; pad++) {
        struct error err = ERROR_NONE;
        many_keys(pad, &text);
        write_keys(text.data, text.len);
        n_counted = 0;
        assert_int_equal(plan_each_key(pipeline, &pipeline->workers[0],
                                       count_key, NULL, &err),
                         0);
        assert_int_equal(n_counted, 60001);
    }
    buffer_free(&text);
    pipeline_free(&pipeline);
}

/* What can't be a key is an error that names file and line; nothing is left
 * out or cut silently. */
static void test_bad_files(void **state)
{
    (void)state;
    char longer[LINE_BYTES_MAX + 10];
    memset(longer, 'x', sizeof longer);
    assert_refused(csv_head, "Name\nA\n", 7, ERR_PIPELINE,
                   "keys:1: no column \"Symbol\"");
    assert_refused(file_head, "A\nB\xFF\n", 5, ERR_PIPELINE, "keys:2: no key");
    assert_refused(file_head, "A\nB\0C\n", 6, ERR_PIPELINE, "keys:2: ");
    assert_refused(file_head, "A\rB\rC\r", 6, ERR_PIPELINE, "keys:1: ");
    assert_refused(file_head, longer, 600, ERR_PIPELINE, "keys:1: no key");
    assert_refused(file_head, longer, sizeof longer, ERR_LIMIT, "keys:1: ");
    struct error err;
    assert_int_equal(/* a line without an end is not read to its end */
                     plan("- {name: list, class: file, options: {path: "
                          "/dev/zero},\n"
                          "   output_queues: [symbols]}\n",
                          (struct plan_options){0}, &err),
                     ERR_LIMIT);
    assert_int_equal(
        plan("- {name: list, class: file, options: {path: /nowhere/k},\n"
             "   output_queues: [symbols]}\n",
             (struct plan_options){0}, &err),
        ERR_PIPELINE);
    assert_non_null(strstr(err.text, "worker \"list\": can't read /nowhere/k"));
}

/* A header without the column is shown, with the spelling that is near, or
 * with what parts columns. */
static void test_missing_column(void **state)
{
    (void)state;
    char many[2000] = "c0";
    for (int i = 1; i < 300; i++)
        snprintf(many + strlen(many), 16, ",c%d", i);
    assert_refused(csv_head, "Name,Symbl\n", 11, ERR_PIPELINE,
                   "keys:1: no column \"Symbol\" in the header line; did you "
                   "mean \"Symbl\"? (it has \"Name\", \"Symbl\")");
    assert_refused(csv_head, "\"a b\" ,c\n", 9, ERR_PIPELINE,
                   "(it has \"a b\", \"c\")");
    assert_refused(
        csv_head, "Name;Symbol\n", 12, ERR_PIPELINE,
        "commas, not by semicolons or tabs (it has \"Name;Symbol\")");
    assert_refused(csv_head, "Name\tSymbol\n", 12, ERR_PIPELINE, "or tabs");
    assert_refused(csv_head, "\n", 1, ERR_PIPELINE, "(it has \"\")");
    assert_refused(csv_head, many, strlen(many), ERR_PIPELINE, "\"c11\", ...)");
    assert_refused(csv_head, "A\n", 2, ERR_PIPELINE, "worker \"list\": ");
}

/* A quote that is not closed would make keys of what is no line. */
static void test_unclosed_quotes(void **state)
{
    (void)state;
    static const char *const lines[] = {"\"A,x", "A,\"x", "\"A\"\"", "\""};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        char text[64];
        int len = snprintf(text, sizeof text, "Symbol,n\nB,1\n%s\n", lines[i]);
        assert_refused(csv_head, text, (size_t)len, ERR_PIPELINE,
                       "keys:3: a quote that is not closed");
    }
    assert_refused(csv_head, "n,\"Symbol\nA,B\n", 14, ERR_PIPELINE,
                   "keys:1: a quote");
}

/* The keys of `values` stand in the pipeline itself. */
static void test_values(void **state)
{
    (void)state;
    static const char source[] =
        "- {name: list, class: values, input_values: [A, ' B ', C],\n"
        "   output_queues: [symbols]}\n";
    assert_planned(source, (struct plan_options){.batch_keys = 2},
                   "quotes: A B, quotes: C");
    assert_planned(source, (struct plan_options){.key_limit = 2},
                   "quotes: A, quotes: B");
}

/* --limit takes the first keys; --batch is a batch's size. */
static void test_limits(void **state)
{
    (void)state;
    write_keys("A\nB\nC\nD\n", 8);
    assert_planned(file_head,
                   (struct plan_options){.batch_keys = 2, .key_limit = 3},
                   "quotes: A B, quotes: C");
    assert_planned(file_head, (struct plan_options){.batch_keys = 4},
                   "quotes: A B C D");
}

/* Whole batches fill the transfers, and whole requests a batch. */
static void test_batches_that_fill(void **state)
{
    (void)state;
    static const struct {
        int instances, request;
        size_t keys, expected;
    } cases[] = {
        {64, 0, 0, 1},       {64, 0, 100, 100},    {64, 0, 9000, 512},
        {512, 0, 9000, 512}, {513, 0, 9000, 257},  {5000, 0, 9000, 500},
        {5000, 0, 100, 100}, {8192, 0, 9000, 512}, {64, 20, 9000, 440},
        {4, 20, 9000, 500},  {4, 20, 41, 60},      {1000, 1, 9000, 500},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct worker worker = {.instances = cases[i].instances,
                                .request.keys_per_request = cases[i].request};
        assert_int_equal(worker_batch_keys(&worker, cases[i].keys, 512),
                         cases[i].expected);
    }
}

/* A batch is a quarter of a node's share, 512 at most. */
static void test_batch_sizes(void **state)
{
    (void)state;
    static char source[12 * 1000];
    size_t len = (size_t)snprintf(
        source, sizeof source,
        "- {name: list, class: values, output_queues: [symbols], "
        "input_values: [k0");
    for (int i = 1; i < 80; i++)
        len += (size_t)snprintf(source + len, sizeof source - len, ",k%d", i);
    snprintf(source + len, sizeof source - len, "]}\n");
    struct error err;
    assert_int_equal(plan(source, (struct plan_options){.n_nodes = 2}, &err),
                     0);
    int n = 1; /* 80 keys, 2 nodes: batches of 10 */
    for (const char *at = buffer_text(&batches); (at = strchr(at, ',')); at++)
        n++;
    assert_int_equal(n, 8);
}

/* The lists that nodes read get a batch for each place. */
static void test_lists(void **state)
{
    (void)state;
    assert_planned("- {name: list, class: html_table, output_queues: [symbols],"
                   "\n   input_values: ['http://a/', 'http://b/'],"
                   " options: {column: S}}\n",
                   (struct plan_options){0},
                   "list: http://a/, list: http://b/");
    assert_planned("- {name: list, class: sql, output_queues: [symbols],"
                   "\n   options: {query: SELECT 1}}\n",
                   (struct plan_options){0}, "list: 0:");
}

static int setup(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/windrow-plan-XXXXXX");
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/p.yaml", folder);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    static const char *const names[] = {"keys", "ledger", "ledger-wal",
                                        "ledger-shm"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char name[64];
        snprintf(name, sizeof name, "%s/%s", folder, names[i]);
        unlink(name);
    }
    buffer_free(&batches);
    return rmdir(folder);
}

#define planned(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        planned(test_lines),
        planned(test_byte_order_mark),
        planned(test_csv),
        planned(test_long_file),
        planned(test_bad_files),
        planned(test_missing_column),
        planned(test_unclosed_quotes),
        planned(test_values),
        planned(test_limits),
        cmocka_unit_test(test_batches_that_fill),
        planned(test_batch_sizes),
        planned(test_lists),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
