/* ledger_body.c: see ledger_body.h. */
#include "ledger_body.h"

#include <pthread.h>
#include <stdlib.h>

#include "alloc_sweep.h"

struct pg_cluster *body_cluster;

int body_setup(void **state)
{
    struct fixture *f = malloc(sizeof *f);
    assert_non_null(f);
    fixture_init(f, body_cluster);
    fixture_open(f);
    *state = f;
    return 0;
}

int body_teardown(void **state)
{
    fixture_fini(*state);
    free(*state);
    return 0;
}

static void assert_sql(struct fixture *f, const char *sql, const char *want)
{
    assert_string_equal(fixture_sql(f, sql), want);
}

static enum close_outcome
close_batch(struct fixture *f, const struct closing *closing, int64_t *children)
{
    struct error err = ERROR_NONE;
    struct close_result result = {.children = children};
    ok(ledger_close_batch(f->ledger, closing, &result, &err), &err);
    return result.outcome;
}

/* The tables' id stays the same for all who open the ledger. */
static void test_open_twice(void **state)
{
    struct fixture *f = *state;
    struct error err = ERROR_NONE;
    struct ledger *second = NULL;
    assert_int_equal(strlen(ledger_id(f->ledger)), 32);
    ok(ledger_open(f->url, &second, &err), &err);
    assert_string_equal(ledger_id(f->ledger), ledger_id(second));
    assert_int_equal(ledger_is_postgres(second), f->cluster != NULL);
    ledger_close(&second);
    assert_null(second);
}

/* Tables of another version are left alone. */
static void test_version(void **state)
{
    struct fixture *f = *state;
    struct error err = ERROR_NONE;
    struct ledger *second = NULL;
    fixture_sql(f, "UPDATE windrow_ledger SET version = 99");
    assert_int_equal(ledger_open(f->url, &second, &err), ERR_VERSION);
    assert_null(second);
}

/* Other schemes are refused. */
static void test_scheme(void **state)
{
    (void)state;
    static const char *const urls[] = {"mysql://h/d", "", "file.db",
                                       "sqlite:", "sqlite://"};
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
        struct error err = ERROR_NONE;
        struct ledger *ledger = NULL;
        assert_int_equal(ledger_open(urls[i], &ledger, &err), ERR_SETTING);
    }
}

/* A run and its root batches appear together, and pages give them in order. */
static void test_run_and_pages(void **state)
{
    struct fixture *f = *state;
    struct error err = ERROR_NONE;
    int64_t batches[5];
    int64_t run = fixture_run(f, 5, 2, batches);
    struct batch_row rows[3];
    size_t n = 0;
    ok(ledger_open_batches(f->ledger, run, batches[1], 3, rows, &n, &err),
       &err);
    assert_int_equal(n, 3);
    assert_int_equal(rows[0].batch, batches[2]);
    assert_string_equal(rows[0].keys_json, "[\"2.0\",\"2.1\"]");
    assert_int_equal(rows[0].n_keys, 2);
    assert_int_equal(rows[0].worker, W_QUOTES);
    assert_int_equal(rows[0].delay, 0);
    for (size_t i = 0; i < n; i++)
        free(rows[i].keys_json);
    ok(ledger_open_batches(f->ledger, run, batches[4], 3, rows, &n, &err),
       &err);
    assert_int_equal(n, 0);
}

/* What was begun and not committed never was. */
static void test_rollback(void **state)
{
    struct fixture *f = *state;
    struct error err = ERROR_NONE;
    struct run_spec spec = fixture_spec();
    int64_t run = 0, epoch = 0;
    struct slice key = slice_of("A");
    struct closing_child root = {
        .worker = W_QUOTES, .queue = 0, .keys = &key, .n_keys = 1};
    ok(ledger_run_begin(f->ledger, &spec, &run, &epoch, &err), &err);
    ok(ledger_run_add_batch(f->ledger, run, &root, &err), &err);
    ledger_run_rollback(f->ledger);
    assert_int_not_equal(ledger_run_commit(f->ledger, &err), 0);
    assert_sql(f,
               "SELECT (SELECT count(*) FROM windrow_runs),"
               " (SELECT count(*) FROM windrow_batches),"
               " (SELECT count(*) FROM windrow_keys)",
               "0|0|0\n");
}

/* A key that is no text ends the transaction: nothing is written. */
static void test_bad_root(void **state)
{
    struct fixture *f = *state;
    struct error err = ERROR_NONE;
    struct run_spec spec = fixture_spec();
    int64_t run = 0, epoch = 0;
    struct slice key = slice_of("\xff");
    struct closing_child root = {
        .worker = W_QUOTES, .queue = -1, .keys = &key, .n_keys = 1};
    ok(ledger_run_begin(f->ledger, &spec, &run, &epoch, &err), &err);
    int rc = ledger_run_add_batch(f->ledger, run, &root, &err);
    if (rc == 0)
        rc = ledger_run_commit(f->ledger, &err);
    assert_int_equal(rc, ERR_DATABASE_DATA);
    assert_sql(f, "SELECT count(*) FROM windrow_runs", "0\n");
    int64_t batch = 0;
    fixture_run(f, 1, 1, &batch);
}

/* Many batches at once: more than fit one pipeline. */
static void test_many_roots(void **state)
{
    struct fixture *f = *state;
    int64_t *batches = calloc(300, sizeof *batches);
    fixture_run(f, 300, 3, batches);
    free(batches);
    assert_sql(f, "SELECT count(*), sum(n_keys) FROM windrow_batches",
               "300|900\n");
}

/* The first closing stores the rows of all sinks; a second one nothing. */
static void test_close_once(void **state)
{
    struct fixture *f = *state;
    int64_t batch = 0;
    int64_t run = fixture_run(f, 1, 2, &batch);
    struct fixture_closing c;
    fixture_closing(&c, run, batch, 2, "node-1/1/1");
    assert_int_equal(close_batch(f, &c.closing, NULL), CLOSE_WON);
    fixture_closing(&c, run, batch, 2, "node-2/1/1");
    assert_int_equal(close_batch(f, &c.closing, NULL), CLOSE_ALREADY);
    assert_sql(f, "SELECT count(*), min(price) FROM prices", "2|12.50\n");
    assert_sql(f, "SELECT count(*), min(volume), min(note) FROM audit",
               "2|1000|a note\n");
    assert_sql(f, "SELECT closed_by FROM windrow_batches", "node-1/1/1\n");
}

/* A batch that is not in this database is unknown, and so is one of another
 * run. */
static void test_unknown(void **state)
{
    struct fixture *f = *state;
    int64_t batch = 0;
    int64_t run = fixture_run(f, 1, 1, &batch);
    struct fixture_closing c;
    fixture_closing(&c, run, batch + 1000, 1, "n/1/1");
    assert_int_equal(close_batch(f, &c.closing, NULL), CLOSE_UNKNOWN);
    fixture_closing(&c, run + 1, batch, 1, "n/1/1");
    assert_int_equal(close_batch(f, &c.closing, NULL), CLOSE_UNKNOWN);
    assert_sql(f, "SELECT count(*) FROM prices", "0\n");
}

/* Times are UTC with microseconds; digits are those that were sent. */
static void test_exact(void **state)
{
    struct fixture *f = *state;
    static const char *const prices[] = {
        "9.0000004E-4", "-0.10", "123456789012345678901234567890.12", "5e3"};
    int64_t batch = 0;
    int64_t run = fixture_run(f, 1, 4, &batch);
    struct fixture_closing c;
    fixture_closing(&c, run, batch, 4, "n/1/1");
    for (size_t i = 0; i < 4; i++)
        c.fields[i][F_PRICE] = slice_of(prices[i]);
    assert_int_equal(close_batch(f, &c.closing, NULL), CLOSE_WON);
    assert_sql(f, "SELECT price FROM prices ORDER BY id",
               f->cluster ? "0.00090000004\n-0.10\n"
                            "123456789012345678901234567890.12\n5000\n"
                          : "9.0000004E-4\n-0.10\n"
                            "123456789012345678901234567890.12\n5e3\n");
    assert_sql(f, "SELECT DISTINCT extracted_time FROM prices",
               f->cluster ? "2023-11-14 22:13:20.123456+00\n"
                          : "2023-11-14T22:13:20.123456Z\n");
}

/* Text of any kind arrives as it is; a field without data is NULL; an empty
 * text is not. */
static void test_texts(void **state)
{
    struct fixture *f = *state;
    int64_t batch = 0;
    int64_t run = fixture_run(f, 1, 3, &batch);
    struct fixture_closing c;
    fixture_closing(&c, run, batch, 3, "n/1/1");
    c.fields[0][F_NOTE] = slice_of("{\"a\\b\",'c',NULL} \xc3\xa9\n\t;--");
    c.fields[1][F_NOTE] = (struct slice){NULL, 0};
    c.fields[1][F_VOLUME] = (struct slice){NULL, 0};
    c.fields[1][F_LIVE] = slice_of("false");
    c.fields[2][F_NOTE] = slice_of("");
    assert_int_equal(close_batch(f, &c.closing, NULL), CLOSE_WON);
    assert_sql(f, "SELECT note, volume FROM audit ORDER BY id",
               "{\"a\\b\",'c',NULL} \xc3\xa9\n\t;--|1000\n-|-\n|1000\n");
    assert_sql(f, "SELECT live FROM audit ORDER BY id",
               f->cluster ? "t\nf\nt\n" : "1\n0\n1\n");
}

/* Data that the database refuses leaves the batch open and writes nothing;
 * without it the same batch closes. */
static void test_refused(void **state)
{
    struct fixture *f = *state;
    static const struct {
        int field;
        struct slice value;
    } bad[] = {
        {F_NOTE, {"\xff\xfe", 2}},     {F_NOTE, {"a\0b", 3}},
        {F_NOTE, {"\xed\xa0\x80", 3}}, {F_VOLUME, {"99999999999999999999", 20}},
        {F_PRICE, {NULL, 0}},          {F_LIVE, {"maybe", 5}},
    };
    int64_t batch = 0;
    int64_t run = fixture_run(f, 1, 3, &batch);
    struct fixture_closing c;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct error err = ERROR_NONE;
        struct close_result result = {.children = NULL};
        fixture_closing(&c, run, batch, 3, "n/1/1");
        c.fields[1][bad[i].field] = bad[i].value;
        ok(ledger_close_batch(f->ledger, &c.closing, &result, &err), &err);
        assert_int_equal(result.outcome, CLOSE_REFUSED);
        assert_true(result.detail[0] != '\0');
        assert_sql(f,
                   "SELECT (SELECT count(*) FROM prices),"
                   " (SELECT count(*) FROM audit),"
                   " (SELECT count(*) FROM windrow_batches WHERE open)",
                   "0|0|1\n");
    }
    fixture_closing(&c, run, batch, 3, "n/1/1");
    assert_int_equal(close_batch(f, &c.closing, NULL), CLOSE_WON);
}

/* A closing whose children are `A B` later, `C` for the next stage, and an
 * empty one. */
static void children_closing(struct closing *closing, int64_t run,
                             int64_t batch, struct closing_child children[3])
{
    static const struct slice keys[] = {{"A", 1}, {"B", 1}, {"C", 1}};
    children[0] = (struct closing_child){.worker = W_QUOTES,
                                         .queue = -1,
                                         .attempt = 2,
                                         .delay = 3600 * USEC_PER_SEC,
                                         .keys = keys,
                                         .n_keys = 2};
    children[1] = (struct closing_child){.worker = W_LIST, .queue = -1};
    children[2] = (struct closing_child){
        .worker = W_LIST, .queue = -1, .keys = keys + 2, .n_keys = 1};
    *closing = (struct closing){.run = run,
                                .batch = batch,
                                .worker = W_QUOTES,
                                .closer = "n/1/7",
                                .children = children,
                                .n_children = 3};
}

/* Children are born with the closing, numbered in its order. */
static void test_children(void **state)
{
    struct fixture *f = *state;
    struct error err = ERROR_NONE;
    int64_t batch = 0;
    int64_t run = fixture_run(f, 1, 2, &batch);
    struct closing closing;
    struct closing_child children[3];
    int64_t numbers[3] = {-1, -1, -1};
    children_closing(&closing, run, batch, children);
    assert_int_equal(close_batch(f, &closing, numbers), CLOSE_WON);
    assert_true(numbers[0] > batch && numbers[2] > batch);
    assert_int_equal(numbers[1], 0);

    struct batch_look looks[4];
    int64_t asked[4] = {numbers[0], batch, numbers[2], batch + 1000};
    ok(ledger_look(f->ledger, run, asked, 4, looks, &err), &err);
    assert_int_equal(looks[0].state, BATCH_OPEN);
    assert_string_equal(looks[0].row.keys_json, "[\"A\",\"B\"]");
    assert_int_equal(looks[0].row.attempt, 2);
    assert_in_range(looks[0].row.delay, 3500 * USEC_PER_SEC,
                    3600 * USEC_PER_SEC);
    assert_int_equal(looks[1].state, BATCH_CLOSED);
    assert_int_equal(looks[2].row.worker, W_LIST);
    assert_string_equal(looks[2].row.keys_json, "[\"C\"]");
    assert_int_equal(looks[3].state, BATCH_UNKNOWN);
    free(looks[0].row.keys_json);
    free(looks[2].row.keys_json);
}

/* After a lost answer the same closing wins again, with the same children;
 * another's does not. */
static void test_lost_answer(void **state)
{
    struct fixture *f = *state;
    int64_t batch = 0;
    int64_t run = fixture_run(f, 1, 2, &batch);
    struct closing closing;
    struct closing_child children[3];
    int64_t first[3], again[3] = {-1, -1, -1}, other[3] = {-1, -1, -1};
    children_closing(&closing, run, batch, children);
    assert_int_equal(close_batch(f, &closing, first), CLOSE_WON);
    assert_int_equal(close_batch(f, &closing, again), CLOSE_WON);
    assert_memory_equal(first, again, sizeof first);
    strcpy(closing.closer, "n/2/7");
    assert_int_equal(close_batch(f, &closing, other), CLOSE_ALREADY);
    assert_sql(f, "SELECT count(*) FROM windrow_batches", "3\n");
}

/* A shared queue has each key of a run once: of root batches, of children,
 * and within one closing. */
static void test_shared_queue(void **state)
{
    struct fixture *f = *state;
    struct error err = ERROR_NONE;
    struct run_spec spec = fixture_spec();
    int64_t run = 0, epoch = 0;
    struct slice keys[] = {slice_of("B"), slice_of("A"), slice_of("B"),
                           slice_of("C"), slice_of("D")};
    struct closing_child batch = {
        .worker = W_QUOTES, .queue = 0, .keys = keys, .n_keys = 3};
    ok(ledger_run_begin(f->ledger, &spec, &run, &epoch, &err), &err);
    ok(ledger_run_add_batch(f->ledger, run, &batch, &err), &err);
    batch.n_keys = 2;
    ok(ledger_run_add_batch(f->ledger, run, &batch, &err), &err);
    ok(ledger_run_commit(f->ledger, &err), &err);

    struct batch_row row;
    size_t n = 0;
    ok(ledger_open_batches(f->ledger, run, 0, 1, &row, &n, &err), &err);
    assert_string_equal(row.keys_json, "[\"B\",\"A\"]");
    free(row.keys_json);

    struct closing_child children[] = {batch, batch, batch};
    children[0].keys = keys + 1; /* A B C: C is new */
    children[0].n_keys = 3;
    children[1].keys = keys + 3; /* C D: D is new */
    children[2].queue = 1;       /* another queue: all are new */
    struct closing closing = {.run = run,
                              .batch = row.batch,
                              .worker = W_LIST,
                              .children = children,
                              .n_children = 3};
    int64_t numbers[3];
    assert_int_equal(close_batch(f, &closing, numbers), CLOSE_WON);
    struct batch_look looks[3];
    ok(ledger_look(f->ledger, run, numbers, 3, looks, &err), &err);
    static const char *const want[] = {"[\"C\"]", "[\"D\"]", "[\"B\",\"A\"]"};
    for (size_t i = 0; i < 3; i++) {
        assert_string_equal(looks[i].row.keys_json, want[i]);
        assert_int_equal(looks[i].row.n_keys, i < 2 ? 1 : 2);
        free(looks[i].row.keys_json);
    }
}

static void count_failure(void *context, const struct failure_row *row)
{
    struct failure_row *last = context;
    assert_true(last->attempts + 1 == row->attempts);
    *last = (struct failure_row){.attempts = row->attempts,
                                 .reason = row->reason,
                                 .http_status = row->http_status,
                                 .failed_at = row->failed_at};
    assert_string_equal(row->worker, "quotes");
}

/* Counts in http_status, and remembers the number. */
static void count_page(void *context, const struct failure_row *row)
{
    struct failure_row *page = context;
    assert_true(row->failure > page->failure);
    page->failure = row->failure;
    page->http_status++;
}

/* Failures are kept in order, counted by reason, and read as a stream. */
static void test_failures(void **state)
{
    struct fixture *f = *state;
    struct error err = ERROR_NONE;
    int64_t batch = 0;
    int64_t run = fixture_run(f, 1, 1, &batch);
    enum { N = 2500 };
    struct closing_failure *failures = calloc(N, sizeof *failures);
    for (int i = 0; i < N; i++)
        failures[i] = (struct closing_failure){
            .key = slice_of("K"),
            .reason = i % 5 ? REASON_NOT_FOUND : REASON_TIMEOUT,
            .http_status = 404,
            .attempts = i + 1,
            .failed_at = 1700000000123456,
            .detail = slice_of("so")};
    struct closing closing = {.run = run,
                              .batch = batch,
                              .worker = W_QUOTES,
                              .failures = failures,
                              .n_failures = N,
                              .n_keys_done = N};
    assert_int_equal(close_batch(f, &closing, NULL), CLOSE_WON);
    free(failures);

    struct reason_count counts[REASON_COUNT];
    size_t n = 0;
    ok(ledger_failure_counts(f->ledger, run, counts, &n, &err), &err);
    assert_int_equal(n, 2);
    assert_int_equal(counts[0].reason, REASON_NOT_FOUND);
    assert_int_equal(counts[0].keys, 2000);
    assert_int_equal(counts[1].keys, 500);
    struct failure_row last = {.attempts = 0};
    ok(ledger_failures(f->ledger, run, NULL, count_failure, &last, &err), &err);
    assert_int_equal(last.attempts, N);
    assert_int_equal(last.reason, REASON_NOT_FOUND);
    assert_int_equal(last.http_status, 404);
    assert_int_equal(last.failed_at, 1700000000123456);

    /* Pages of one reason: from where the last ended, and no more than asked
     * for, also beyond a page of the ledger's own. */
    struct failure_filter filter = {.reason = REASON_NOT_FOUND, .limit = 1500};
    struct failure_row page = {.http_status = 0};
    ok(ledger_failures(f->ledger, run, &filter, count_page, &page, &err), &err);
    assert_int_equal(page.http_status, 1500);
    filter.after = page.failure;
    ok(ledger_failures(f->ledger, run, &filter, count_page, &page, &err), &err);
    assert_int_equal(page.http_status, 2000);
    filter = (struct failure_filter){.worker = "another"};
    ok(ledger_failures(f->ledger, run, &filter, count_page, &page, &err), &err);
    assert_int_equal(page.http_status, 2000);
}

/* A failure is never refused: what is no text in it is replaced, what is too
 * long is cut. */
static void test_failure_text(void **state)
{
    struct fixture *f = *state;
    int64_t batch = 0;
    int64_t run = fixture_run(f, 1, 1, &batch);
    char detail[400];
    memset(detail, 'x', sizeof detail);
    memcpy(detail + 298, "\xc3\xa9", 2);
    struct closing_failure failure = {
        .key = {"a\xff\n\0\xe2\x82\xac", 7},
        .reason = REASON_BAD_KEY,
        .detail = {detail, sizeof detail},
    };
    struct closing closing = {.run = run,
                              .batch = batch,
                              .worker = W_QUOTES,
                              .failures = &failure,
                              .n_failures = 1};
    assert_int_equal(close_batch(f, &closing, NULL), CLOSE_WON);
    assert_sql(f, "SELECT key, length(detail) FROM windrow_failures",
               "a???\xe2\x82\xac|298\n");
}

/* A run's row adds up what its batches say. */
static void test_run_row(void **state)
{
    struct fixture *f = *state;
    struct error err = ERROR_NONE;
    struct arena arena = ARENA_EMPTY;
    int64_t batches[3];
    int64_t run = fixture_run(f, 3, 4, batches);
    struct fixture_closing c;
    fixture_closing(&c, run, batches[0], 3, "n/1/1");
    struct closing_failure failure = {.key = slice_of("x"),
                                      .reason = REASON_NOT_FOUND};
    c.closing.failures = &failure;
    c.closing.n_failures = 1;
    c.closing.n_keys_done = 4;
    assert_int_equal(close_batch(f, &c.closing, NULL), CLOSE_WON);

    struct run_row row;
    ok(ledger_run_row(f->ledger, run, &arena, &row, &err), &err);
    assert_int_equal(row.stored, 3);
    assert_int_equal(row.keys_done, 4);
    assert_int_equal(row.failed, 1);
    assert_int_equal(row.open_keys, 8);
    assert_int_equal(row.open_batches, 2);
    assert_int_equal(row.state, RUN_OPEN);
    assert_true(slice_equal(row.pipeline_text, slice_of("version: 1\n")));
    assert_string_equal(row.owner, "here 1");
    assert_in_range(row.lease_left, 1, 10 * USEC_PER_SEC);
    assert_int_equal(row.ended_at, 0);
    assert_in_range(clock_wall() - row.started_at, 0, 60 * USEC_PER_SEC);
    assert_int_equal(ledger_run_row(f->ledger, run + 1, &arena, &row, &err),
                     ERR_NOT_FOUND);
    arena_free(&arena);
}

/* The newest runs come first, without their text. */
static void test_runs(void **state)
{
    struct fixture *f = *state;
    struct error err = ERROR_NONE;
    struct arena arena = ARENA_EMPTY;
    struct run_row *rows = NULL;
    size_t n = 99;
    ok(ledger_runs(f->ledger, 10, &arena, &rows, &n, &err), &err);
    assert_int_equal(n, 0);
    int64_t batch = 0;
    fixture_run(f, 1, 1, &batch);
    int64_t second = fixture_run(f, 1, 1, &batch);
    int64_t third = fixture_run(f, 1, 2, &batch);
    ok(ledger_runs(f->ledger, 2, &arena, &rows, &n, &err), &err);
    assert_int_equal(n, 2);
    assert_int_equal(rows[0].run, third);
    assert_int_equal(rows[0].open_keys, 2);
    assert_int_equal(rows[0].pipeline_text.len, 0);
    assert_int_equal(rows[1].run, second);
    arena_free(&arena);
}

/* A run belongs to one master at a time; the epoch tells which. */
static void test_lease(void **state)
{
    struct fixture *f = *state;
    struct error err = ERROR_NONE;
    struct arena arena = ARENA_EMPTY;
    struct run_row row;
    int64_t batch = 0;
    int64_t run = fixture_run(f, 1, 1, &batch);
    struct ledger *l = f->ledger;

    assert_int_equal(
        ledger_run_take(l, run, "me", USEC_PER_SEC, &arena, &row, &err),
        ERR_CONFLICT);
    assert_non_null(strstr(err.text, "here 1"));
    err = ERROR_NONE;
    ok(ledger_run_end(l, run, 1, RUN_OPEN, &err), &err);
    ok(ledger_run_take(l, run, "me", 9 * USEC_PER_SEC, &arena, &row, &err),
       &err);
    assert_int_equal(row.epoch, 2);
    assert_string_equal(row.owner, "me");
    assert_int_equal(ledger_run_renew(l, run, 1, USEC_PER_SEC, &err),
                     ERR_LEASE_LOST);
    err = ERROR_NONE;
    assert_int_equal(ledger_run_end(l, run, 1, RUN_DONE, &err), ERR_LEASE_LOST);
    err = ERROR_NONE;
    ok(ledger_run_renew(l, run, 2, 50 * USEC_PER_SEC, &err), &err);
    ok(ledger_run_row(l, run, &arena, &row, &err), &err);
    assert_in_range(row.lease_left, 40 * USEC_PER_SEC, 50 * USEC_PER_SEC);
    arena_free(&arena);
}

/* Of several runs of one name only the first is begun; runs without a name
 * don't mind each other. */
static void test_name(void **state)
{
    struct fixture *f = *state;
    struct error err = ERROR_NONE;
    struct arena arena = ARENA_EMPTY;
    struct run_spec spec = fixture_spec();
    struct run_row row;
    int64_t run = 0, epoch = 0, found = 0, batch = 0;
    fixture_run(f, 1, 1, &batch);
    fixture_run(f, 1, 1, &batch);
    spec.name = "monday's \"first\"";
    assert_int_equal(ledger_run_named(f->ledger, spec.name, &found, &err),
                     ERR_NOT_FOUND);
    err = ERROR_NONE;
    ok(ledger_run_begin(f->ledger, &spec, &run, &epoch, &err), &err);
    ok(ledger_run_commit(f->ledger, &err), &err);
    ok(ledger_run_named(f->ledger, spec.name, &found, &err), &err);
    assert_int_equal(found, run);
    ok(ledger_run_row(f->ledger, run, &arena, &row, &err), &err);
    assert_string_equal(row.name, spec.name);
    assert_int_equal(ledger_run_begin(f->ledger, &spec, &run, &epoch, &err),
                     ERR_CONFLICT);
    assert_non_null(strstr(err.text, spec.name));
    arena_free(&arena);
    fixture_run(f, 1, 1, &batch);
}

/* How many nodes people want is told while the run is open. */
static void test_scale(void **state)
{
    struct fixture *f = *state;
    struct error err = ERROR_NONE;
    struct arena arena = ARENA_EMPTY;
    struct run_row row;
    int64_t batch = 0;
    int64_t run = fixture_run(f, 1, 1, &batch);
    ok(ledger_run_row(f->ledger, run, &arena, &row, &err), &err);
    assert_int_equal(row.nodes_wanted, 0);
    ok(ledger_run_scale(f->ledger, run, 7, &err), &err);
    ok(ledger_run_row(f->ledger, run, &arena, &row, &err), &err);
    assert_int_equal(row.nodes_wanted, 7);
    ok(ledger_run_end(f->ledger, run, 1, RUN_DONE, &err), &err);
    assert_int_equal(ledger_run_scale(f->ledger, run, 8, &err), ERR_CONFLICT);
    err = ERROR_NONE;
    assert_int_equal(ledger_run_scale(f->ledger, 777, 8, &err), ERR_NOT_FOUND);
    arena_free(&arena);
}

/* A run is retried once. Where it is so wanted, the new run's queues have had
 * the keys of the old one's: a key of a shared queue is not made again. */
static void test_retry(void **state)
{
    struct fixture *f = *state;
    struct error err = ERROR_NONE;
    struct arena arena = ARENA_EMPTY;
    struct run_row row;
    struct run_spec spec = fixture_spec();
    struct slice keys[] = {{"old", 3}, {"new", 3}};
    struct closing_child root = {
        .worker = W_QUOTES, .queue = 0, .keys = keys, .n_keys = 1};
    int64_t first = 0, run = 0, epoch = 0;
    ok(ledger_run_begin(f->ledger, &spec, &first, &epoch, &err), &err);
    ok(ledger_run_add_batch(f->ledger, first, &root, &err), &err);
    ok(ledger_run_commit(f->ledger, &err), &err);
    spec.retry_of = first;
    for (int keep = 0; keep <= 1; keep++) {
        spec.keep_keys = keep;
        root.n_keys = 2;
        ok(ledger_run_begin(f->ledger, &spec, &run, &epoch, &err), &err);
        ok(ledger_run_add_batch(f->ledger, run, &root, &err), &err);
        ok(ledger_run_commit(f->ledger, &err), &err);
        ok(ledger_run_row(f->ledger, run, &arena, &row, &err), &err);
        assert_int_equal(row.retry_of, spec.retry_of);
        assert_int_equal(row.open_keys, keep ? 1 : 2);
        ok(ledger_run_row(f->ledger, spec.retry_of, &arena, &row, &err), &err);
        assert_int_equal(row.retried_by, run);
        assert_int_equal(ledger_run_begin(f->ledger, &spec, &run, &epoch, &err),
                         ERR_CONFLICT);
        assert_non_null(strstr(err.text, "is being retried already"));
        err = ERROR_NONE;
        fixture_sql(f, "UPDATE windrow_runs SET retry_of = NULL");
    }
    arena_free(&arena);
    fixture_run(f, 1, 1, &epoch);
}

static void remove_names(struct fixture *f)
{
    fixture_sql(f, "DROP INDEX IF EXISTS windrow_runs_name");
    fixture_sql(f, "ALTER TABLE windrow_runs DROP COLUMN run_name");
    fixture_sql(f, "ALTER TABLE windrow_runs DROP COLUMN nodes_wanted");
    fixture_sql(f, "UPDATE windrow_ledger SET version = 1");
}

/* Tables of an earlier version get what they lack, and keep what they hold. */
static void check_upgrade(struct fixture *f, int version)
{
    struct error err = ERROR_NONE;
    struct ledger *again = NULL;
    int64_t batch = 0, found = 0;
    int64_t run = fixture_run(f, 1, 1, &batch);
    fixture_sql(f, "DROP INDEX IF EXISTS windrow_runs_retry");
    fixture_sql(f, "ALTER TABLE windrow_runs DROP COLUMN retry_of");
    if (version == 2)
        fixture_sql(f, "UPDATE windrow_ledger SET version = 2");
    else
        remove_names(f);
    ok(ledger_open(f->url, &again, &err), &err);
    assert_string_equal(ledger_id(again), ledger_id(f->ledger));
    ok(ledger_run_scale(again, run, 3, &err), &err);
    assert_int_equal(ledger_run_named(again, "x", &found, &err), ERR_NOT_FOUND);
    ledger_close(&again);
    err = ERROR_NONE;
    ok(ledger_open(f->url, &again, &err), &err);
    ledger_close(&again);
}

static void test_upgrade(void **state)
{
    check_upgrade(*state, 1);
    check_upgrade(*state, 2);
}

/* A lease that ran out lets another in; an ended run does not. */
static void test_lease_ends(void **state)
{
    struct fixture *f = *state;
    struct error err = ERROR_NONE;
    struct arena arena = ARENA_EMPTY;
    struct run_row row;
    int64_t batch = 0;
    int64_t run = fixture_run(f, 1, 1, &batch);
    struct ledger *l = f->ledger;
    ok(ledger_run_renew(l, run, 1, 0, &err), &err);
    ok(ledger_run_take(l, run, "me", 0, &arena, &row, &err), &err);
    ok(ledger_run_end(l, run, 2, RUN_FAILED_KEYS, &err), &err);
    assert_int_equal(ledger_run_take(l, run, "me", 0, &arena, &row, &err),
                     ERR_CONFLICT);
    assert_non_null(strstr(err.text, "failed_keys"));
    err = ERROR_NONE;
    ok(ledger_run_row(l, run, &arena, &row, &err), &err);
    assert_int_equal(row.state, RUN_FAILED_KEYS);
    assert_true(row.ended_at >= row.started_at);
    assert_int_equal(ledger_run_take(l, 777, "me", 0, &arena, &row, &err),
                     ERR_NOT_FOUND);
    arena_free(&arena);
}

void body_check_table(struct fixture *f, const struct table_case *c)
{
    struct error err = ERROR_NONE;
    fixture_sql(f, "DROP TABLE IF EXISTS prices");
    fixture_sql(f, c->create);
    int rc = ledger_use_pipeline(f->ledger, f->pipeline, &err);
    if (c->complaint) {
        if (rc != ERR_TABLE || !strstr(err.text, c->complaint))
            fail_msg("%s: %d, %s", c->create, rc, err.text);
        return;
    }
    if (rc != 0)
        fail_msg("%s: %s", c->create, err.text);
    int64_t batch = 0;
    int64_t run = fixture_run(f, 1, 1, &batch);
    struct fixture_closing closing;
    fixture_closing(&closing, run, batch, 1, "n/1/1");
    assert_int_equal(close_batch(f, &closing.closing, NULL), CLOSE_WON);
}

/* Opens, writes a run with a shared queue, closes its batch, reads all there
 * is: until something fails. */
static int whole_life(struct fixture *f, struct ledger **ledger,
                      struct error *err)
{
    struct run_spec spec = fixture_spec();
    struct slice key = slice_of("A");
    struct closing_child child = {
        .worker = W_QUOTES, .queue = 0, .keys = &key, .n_keys = 1};
    int64_t run = 0, epoch = 0;
    struct batch_row row = {.keys_json = NULL};
    size_t n = 0;
    if (ledger_open(f->url, ledger, err) ||
        ledger_use_pipeline(*ledger, f->pipeline, err) ||
        ledger_run_begin(*ledger, &spec, &run, &epoch, err) ||
        ledger_run_add_batch(*ledger, run, &child, err) ||
        ledger_run_commit(*ledger, err) ||
        ledger_open_batches(*ledger, run, 0, 1, &row, &n, err))
        return (int)err->code;
    free(row.keys_json);

    struct fixture_closing c;
    fixture_closing(&c, run, row.batch, 2, "n/1/1");
    child.queue = 1;
    c.closing.children = &child;
    c.closing.n_children = 1;
    struct close_result result = {.children = NULL};
    int rc = ledger_close_batch(*ledger, &c.closing, &result, err);
    struct error again = ERROR_NONE;
    if (rc)
        ok(ledger_close_batch(*ledger, &c.closing, &result, &again), &again);
    assert_int_equal(result.outcome, CLOSE_WON);
    struct batch_look look;
    if (rc || (rc = ledger_look(*ledger, run, &row.batch, 1, &look, err)))
        return rc;
    struct arena arena = ARENA_EMPTY;
    struct run_row run_row;
    rc = ledger_run_row(*ledger, run, &arena, &run_row, err);
    arena_free(&arena);
    return rc;
}

static void live_once(void *context)
{
    struct ledger *ledger = NULL;
    struct error err = ERROR_NONE;
    int rc = whole_life(context, &ledger, &err);
    assert_int_equal(rc, alloc_sweep_failed() ? ERR_MEMORY : 0);
    ledger_close(&ledger);
}

/* Whichever allocation fails: it is told as ERR_MEMORY, nothing leaks, and a
 * closing that failed so can be tried again. */
static void test_allocations(void **state)
{
    struct fixture *f = *state;
    assert_true(alloc_sweep(live_once, f) > 5);
    assert_sql(f,
               "SELECT count(*) FROM windrow_runs WHERE NOT EXISTS (SELECT"
               " 1 FROM windrow_batches b WHERE b.run = windrow_runs.run)",
               "0\n");
}

struct racer {
    struct fixture *f;
    int64_t run;
    const int64_t *batches;
    size_t n;
    int number;
    size_t won;
    int failures;
};

static void *race(void *argument)
{
    struct racer *r = argument;
    struct error err = ERROR_NONE;
    struct ledger *ledger = NULL;
    r->failures = ledger_open(r->f->url, &ledger, &err) ||
                  ledger_use_pipeline(ledger, r->f->pipeline, &err);
    struct fixture_closing *c = malloc(sizeof *c);
    for (size_t i = 0; c && !r->failures && i < r->n; i++) {
        struct close_result result = {.children = NULL};
        char closer[32];
        snprintf(closer, sizeof closer, "%d/1/%zu", r->number, i);
        fixture_closing(c, r->run, r->batches[i], 10, closer);
        err = ERROR_NONE;
        if (ledger_close_batch(ledger, &c->closing, &result, &err))
            r->failures++;
        r->won += result.outcome == CLOSE_WON;
    }
    if (r->failures)
        print_error("%s\n", err.text);
    free(c);
    ledger_close(&ledger);
    return NULL;
}

void body_race(struct fixture *f, size_t threads, size_t n)
{
    int64_t *batches = calloc(n, sizeof *batches);
    struct racer *racers = calloc(threads, sizeof *racers);
    pthread_t *ids = calloc(threads, sizeof *ids);
    assert_true(batches && racers && ids);
    int64_t run = fixture_run(f, n, 10, batches);
    for (size_t i = 0; i < threads; i++) {
        racers[i] = (struct racer){
            .f = f, .run = run, .batches = batches, .n = n, .number = (int)i};
        assert_int_equal(pthread_create(&ids[i], NULL, race, &racers[i]), 0);
    }
    size_t won = 0;
    for (size_t i = 0; i < threads; i++) {
        pthread_join(ids[i], NULL);
        assert_int_equal(racers[i].failures, 0);
        won += racers[i].won;
    }
    assert_int_equal(won, n);
    char want[32];
    snprintf(want, sizeof want, "%zu|%zu\n", n * 10, n * 10);
    assert_sql(f, "SELECT count(*), count(DISTINCT symbol) FROM prices", want);
    free(ids);
    free(racers);
    free(batches);
}

int ledger_body_run(void)
{
#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, body_setup, body_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_open_twice),   TEST(test_version),
        TEST(test_scheme),       TEST(test_run_and_pages),
        TEST(test_rollback),     TEST(test_bad_root),
        TEST(test_many_roots),   TEST(test_close_once),
        TEST(test_unknown),      TEST(test_exact),
        TEST(test_texts),        TEST(test_refused),
        TEST(test_children),     TEST(test_lost_answer),
        TEST(test_shared_queue), TEST(test_failures),
        TEST(test_failure_text), TEST(test_run_row),
        TEST(test_runs),         TEST(test_lease),
        TEST(test_lease_ends),   TEST(test_name),
        TEST(test_scale),        TEST(test_retry),
        TEST(test_upgrade),      TEST(test_allocations),
    };
    return cmocka_run_group_tests_name("both backends", tests, NULL, NULL);
}
