/* What is remembered of answers: both backends alike. */
#include "ledger_fixture.h"

#include <stdlib.h>

static struct pg_cluster *cluster; /* NULL: SQLite */

static int setup(void **state)
{
    struct fixture *f = malloc(sizeof *f);
    fixture_init(f, cluster);
    fixture_open(f);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    fixture_fini(*state);
    free(*state);
    return 0;
}

static enum close_outcome close_batch(struct fixture *f,
                                      const struct closing *closing)
{
    struct error err = ERROR_NONE;
    struct close_result result = {0};
    ok(ledger_close_batch(f->ledger, closing, &result, &err), &err);
    return result.outcome;
}

static const struct worker *quotes(const struct fixture *f)
{
    return &f->pipeline->workers[W_QUOTES];
}

/* Of each key of `c` that its URL gave this ETag. */
static void remember(struct fixture_closing *c, struct last_answer *answers,
                     const char *const *urls, size_t n, const char *etag)
{
    for (size_t i = 0; i < n; i++)
        answers[i] = (struct last_answer){.url = slice_of(urls[i]),
                                          .etag = slice_of(etag),
                                          .fetched_at = 1700000000123456,
                                          .fresh_until = 1700000060000001,
                                          .fields = c->fields[i]};
    c->closing.answers = answers;
    c->closing.n_answers = n;
}

static struct last_answer recall(struct fixture *f, const char *url,
                                 struct arena *arena)
{
    struct error err = ERROR_NONE;
    struct slice urls[] = {slice_of("http://quotes.test/nobody"),
                           slice_of(url)};
    struct last_answer answers[2];
    ok(ledger_recall(f->ledger, quotes(f), urls, 2, arena, answers, &err),
       &err);
    assert_null(answers[0].fields);
    return answers[1];
}

/* What was written with the rows comes back as it was, NULLs and all; a later
 * answer of the URL takes its place. */
static void test_recall(void **state)
{
    struct fixture *f = *state;
    static const char *const urls[] = {"http://quotes.test/A",
                                       "http://quotes.test/B?x=\"'"};
    struct last_answer answers[2];
    struct arena arena = ARENA_EMPTY;
    int64_t batches[2];
    int64_t run = fixture_run(f, 2, 2, batches);
    struct fixture_closing c;
    fixture_closing(&c, run, batches[0], 2, "n/1/1");
    remember(&c, answers, urls, 2, "\"one\"");
    c.fields[1][F_NOTE] = slice_of("");
    c.fields[1][F_LIVE] = (struct slice){0};
    assert_int_equal(close_batch(f, &c.closing), CLOSE_WON);
    struct last_answer got = recall(f, urls[1], &arena);
    assert_true(slice_equal(got.etag, slice_of("\"one\"")));
    assert_null(got.modified.data);
    assert_true(got.fetched_at == 1700000000123456);
    assert_true(got.fresh_until == 1700000060000001);
    assert_true(slice_equal(got.fields[F_PRICE], slice_of("12.50")));
    assert_non_null(got.fields[F_NOTE].data);
    assert_int_equal(got.fields[F_NOTE].len, 0);
    assert_null(got.fields[F_LIVE].data);

    fixture_closing(&c, run, batches[1], 2, "n/1/2");
    remember(&c, answers, urls, 1, NULL);
    answers[0].modified = slice_of("Sat, 28 Nov 2026 13:55:00 GMT");
    answers[0].fresh_until = 0;
    assert_int_equal(close_batch(f, &c.closing), CLOSE_WON);
    got = recall(f, urls[0], &arena);
    assert_null(got.etag.data);
    assert_true(slice_equal(got.modified, answers[0].modified));
    assert_int_equal(got.fresh_until, 0);
    assert_string_equal(fixture_sql(f, "SELECT count(*) FROM windrow_answers"),
                        "2\n");
    arena_free(&arena);
}

/* A closing that did not close the batch leaves nothing, nor does one that is
 * refused; one URL twice in a batch is one row. */
static void test_recall_with_the_rows(void **state)
{
    struct fixture *f = *state;
    static const char *const urls[] = {"http://quotes.test/A",
                                       "http://quotes.test/A"};
    struct last_answer answers[2];
    struct arena arena = ARENA_EMPTY;
    int64_t batches[2];
    int64_t run = fixture_run(f, 2, 2, batches);
    struct fixture_closing c;
    fixture_closing(&c, run, batches[0], 2, "n/1/1");
    c.fields[0][F_VOLUME] = slice_of("99999999999999999999999");
    remember(&c, answers, urls, 2, "\"refused\"");
    assert_int_equal(close_batch(f, &c.closing), CLOSE_REFUSED);
    assert_null(recall(f, urls[0], &arena).fields);
    fixture_closing(&c, run, batches[0], 2, "n/1/2");
    remember(&c, answers, urls, 2, "\"won\"");
    assert_int_equal(close_batch(f, &c.closing), CLOSE_WON);
    fixture_closing(&c, run, batches[0], 2, "other/1/1");
    remember(&c, answers, urls, 2, "\"late\"");
    assert_int_equal(close_batch(f, &c.closing), CLOSE_ALREADY);
    struct last_answer got = recall(f, urls[0], &arena);
    assert_true(slice_equal(got.etag, slice_of("\"won\"")));
    assert_string_equal(fixture_sql(f, "SELECT count(*) FROM windrow_answers"),
                        "1\n");
    arena_free(&arena);
}

/* A row that is another URL's, or another pipeline's, or that nobody can read,
 * is none. */
static void test_recall_of_others(void **state)
{
    struct fixture *f = *state;
    static const char *const urls[] = {"http://quotes.test/A"};
    struct last_answer answers[1];
    struct arena arena = ARENA_EMPTY;
    int64_t batch = 0;
    int64_t run = fixture_run(f, 1, 1, &batch);
    struct fixture_closing c;
    fixture_closing(&c, run, batch, 1, "n/1/1");
    remember(&c, answers, urls, 1, "\"one\"");
    assert_int_equal(close_batch(f, &c.closing), CLOSE_WON);
    fixture_sql(f, "UPDATE windrow_answers SET url = 'http://other.test/'");
    assert_null(recall(f, urls[0], &arena).fields);
    fixture_sql(f, "UPDATE windrow_answers SET url = 'http://quotes.test/A'");
    assert_non_null(recall(f, urls[0], &arena).fields);
    fixture_sql(f, "UPDATE windrow_answers SET fields = '5:12.50'");
    assert_null(recall(f, urls[0], &arena).fields);
    fixture_sql(f, "UPDATE windrow_answers SET fields = '----',"
                   " shape = shape + 1");
    assert_null(recall(f, urls[0], &arena).fields);
    arena_free(&arena);
}

static int run(const char *name)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_recall),
        TEST(test_recall_with_the_rows),
        TEST(test_recall_of_others),
    };
    return cmocka_run_group_tests_name(name, tests, NULL, NULL);
}

int main(void)
{
    int failed = run("SQLite");
    cluster = pg_cluster_start(false);
    if (cluster)
        failed += run("PostgreSQL");
    pg_cluster_stop(&cluster);
    return failed;
}
