/* ledger_fixture.c: see ledger_fixture.h. */
#include "ledger_fixture.h"

#include <libpq-fe.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <unistd.h>

static const char pipeline_text[] =
    "version: 1\n"
    "name: fixture\n"
    "queues: [{name: symbols}, {name: prices}, {name: audits}, {name: ticks}]\n"
    "workers:\n"
    "- {name: list, class: html_table, input_values: ['http://list.test/'],\n"
    "   output_queues: [symbols], options: {table: t, column: Symbol}}\n"
    "- name: quotes\n"
    "  class: http_json\n"
    "  input_queue: symbols\n"
    "  output_queues: [prices, audits, ticks]\n"
    "  options:\n"
    "    url: 'http://quotes.test/{key}'\n"
    "    fields:\n"
    "      price: /price\n"
    "      volume: {at: /volume, type: integer, required: false}\n"
    "      note: {at: /note, type: text, required: false}\n"
    "      live: {at: /live, type: boolean, required: false}\n"
    "    rows: {ticks: {zip: {size: {at: /s, type: integer},\n"
    "     mark: {at: /m, type: text}}}}\n"
    "- {name: store, class: store, input_queue: prices, options:\n"
    "   {table: prices, columns: {symbol: key, price: price,\n"
    "    extracted_time: fetched_at}}}\n"
    "- {name: audit, class: store, input_queue: audits, options:\n"
    "   {table: audit, columns: {symbol: key, volume: volume, note: note,\n"
    "    live: live}}}\n"
    "- {name: tick, class: store, input_queue: ticks, options: {table: ticks,\n"
    "   rows: ticks, columns: {symbol: key, size: size, mark: mark,\n"
    "   note: note, seen: fetched_at}}}\n";

static struct pipeline *load_pipeline(void)
{
    struct error err = ERROR_NONE;
    struct complaints complaints = {.n = 0};
    struct settings *settings = settings_new();
    struct pipeline *pipeline = NULL;
    assert_non_null(settings);
    int rc = pipeline_load(slice_of(pipeline_text), "fixture.yaml", settings,
                           &complaints, &pipeline, &err);
    if (complaints.n > 0)
        print_error("%s\n", complaints.items[0].text);
    complaints_free(&complaints);
    settings_free(&settings);
    ok(rc, &err);
    /* Not beside `rows`, says the parser; the ledger does not mind. */
    pipeline->workers[W_QUOTES].request.cache = CACHE_REVALIDATE;
    return pipeline;
}

void fixture_init(struct fixture *f, struct pg_cluster *cluster)
{
    *f = (struct fixture){.cluster = cluster};
    f->pipeline = load_pipeline();
    if (cluster) {
        snprintf(f->url, sizeof f->url, "%s", pg_cluster_url(cluster));
        f->raw = PQconnectdb(f->url);
        assert_int_equal(PQstatus(f->raw), CONNECTION_OK);
        fixture_sql(f, "SET client_min_messages = warning;"
                       "DROP SCHEMA public CASCADE; CREATE SCHEMA public");
        fixture_sql(f, "SET timezone = 'UTC'");
        return;
    }
    strcpy(f->file, "/tmp/windrow-test-XXXXXX");
    int fd = mkstemp(f->file);
    assert_true(fd >= 0);
    close(fd);
    snprintf(f->url, sizeof f->url, "sqlite:%s", f->file);
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(f->file, &db), SQLITE_OK);
    sqlite3_busy_timeout(db, 10000);
    f->raw = db;
}

static void remove_file(const char *file, const char *suffix)
{
    char path[80];
    snprintf(path, sizeof path, "%s%s", file, suffix);
    unlink(path);
}

void fixture_fini(struct fixture *f)
{
    ledger_close(&f->ledger);
    pipeline_free(&f->pipeline);
    if (f->cluster) {
        PQfinish(f->raw);
        return;
    }
    sqlite3_close(f->raw);
    remove_file(f->file, "");
    remove_file(f->file, "-wal");
    remove_file(f->file, "-shm");
}

void fixture_open(struct fixture *f)
{
    struct error err = ERROR_NONE;
    ok(ledger_open(f->url, &f->ledger, &err), &err);
    ok(ledger_use_pipeline(f->ledger, f->pipeline, &err), &err);
}

void fixture_ok(int rc, const struct error *err, const char *file, int line)
{
    if (rc == 0)
        return;
    print_error("%s: %s\n", error_code_text((enum error_code)rc), err->text);
    _fail(file, line);
}

static void append_value(struct buffer *out, const char *value, int column)
{
    if (column > 0)
        buffer_append_char(out, '|');
    buffer_append_text(out, value ? value : "-");
}

static void sql_postgres(struct fixture *f, const char *sql, struct buffer *out)
{
    PGresult *result = PQexec(f->raw, sql);
    ExecStatusType status = PQresultStatus(result);
    if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK)
        fail_msg("%s: %s", sql, PQresultErrorMessage(result));
    for (int row = 0; row < PQntuples(result); row++) {
        for (int i = 0; i < PQnfields(result); i++)
            append_value(
                out,
                PQgetisnull(result, row, i) ? NULL : PQgetvalue(result, row, i),
                i);
        buffer_append_char(out, '\n');
    }
    PQclear(result);
}

static int on_row(void *context, int n, char **values, char **names)
{
    (void)names;
    for (int i = 0; i < n; i++)
        append_value(context, values[i], i);
    buffer_append_char(context, '\n');
    return 0;
}

const char *fixture_sql(struct fixture *f, const char *sql)
{
    static struct buffer out;
    buffer_clear(&out);
    if (f->cluster)
        sql_postgres(f, sql, &out);
    else if (sqlite3_exec(f->raw, sql, on_row, &out, NULL) != SQLITE_OK)
        fail_msg("%s: %s", sql, sqlite3_errmsg(f->raw));
    return buffer_text(&out);
}

struct run_spec fixture_spec(void)
{
    return (struct run_spec){
        .pipeline_text = slice_of("version: 1\n"),
        .pipeline_name = "fixture",
        .pipeline_path = "fixture.yaml",
        .settings_json = "{}",
        .owner = "here 1",
        .lease = 10 * USEC_PER_SEC,
    };
}

int64_t fixture_run(struct fixture *f, size_t n, size_t keys_each,
                    int64_t *ret_batches)
{
    struct error err = ERROR_NONE;
    struct run_spec spec = fixture_spec();
    int64_t run = 0, epoch = 0;
    ok(ledger_run_begin(f->ledger, &spec, &run, &epoch, &err), &err);
    char texts[64][48];
    struct slice keys[64];
    assert_true(keys_each <= 64);
    for (size_t b = 0; b < n; b++) {
        for (size_t k = 0; k < keys_each; k++) {
            snprintf(texts[k], sizeof texts[k], "%zu.%zu", b, k);
            keys[k] = slice_of(texts[k]);
        }
        struct closing_child root = {
            .worker = W_QUOTES, .queue = -1, .keys = keys, .n_keys = keys_each};
        ok(ledger_run_add_batch(f->ledger, run, &root, &err), &err);
    }
    ok(ledger_run_commit(f->ledger, &err), &err);
    struct batch_row *rows = calloc(n + 1, sizeof *rows);
    assert_non_null(rows);
    size_t found = 0;
    ok(ledger_open_batches(f->ledger, run, 0, n, rows, &found, &err), &err);
    assert_int_equal(found, n);
    for (size_t i = 0; i < n; i++) {
        ret_batches[i] = rows[i].batch;
        free(rows[i].keys_json);
    }
    free(rows);
    return run;
}

void fixture_closing(struct fixture_closing *c, int64_t run, int64_t batch,
                     size_t n, const char *closer)
{
    assert_true(n <= FIXTURE_RECORDS_MAX);
    for (size_t i = 0; i < n; i++) {
        snprintf(c->keys[i], sizeof c->keys[i], "%lld.%zu", (long long)batch,
                 i);
        struct slice *fields = c->fields[i];
        fields[F_PRICE] = slice_of("12.50");
        fields[F_VOLUME] = slice_of("1000");
        fields[F_NOTE] = slice_of("a note");
        fields[F_LIVE] = slice_of("true");
        c->records[i] = (struct record){.key = slice_of(c->keys[i]),
                                        .fetched_at = 1700000000123456,
                                        .fields = fields};
        c->pointers[i] = &c->records[i];
    }
    c->rows[0] = (struct closing_rows){W_STORE, c->pointers, n};
    c->rows[1] = (struct closing_rows){W_AUDIT, c->pointers, n};
    c->closing = (struct closing){.run = run,
                                  .batch = batch,
                                  .worker = W_QUOTES,
                                  .rows = c->rows,
                                  .n_rows = 2,
                                  .n_keys_done = n,
                                  .n_keys_stored = n};
    snprintf(c->closing.closer, sizeof c->closing.closer, "%s", closer);
}
