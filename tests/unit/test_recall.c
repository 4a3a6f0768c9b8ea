/* What a URL answered before, between a START and its transfer: recall.h. */
#include "ledger_fixture.h"
#include "recall.h"

#define KNOWN "http://quotes.test/known"
#define UNKNOWN "http://quotes.test/unknown"
#define IDS_MAX 4

struct told {
    int asked, fresh;
    char etag[16]; /* of what was known then; "": nothing was */
    char key[16];
};

static struct event_base *base;
static struct recalls *recalls;
static struct told told[IDS_MAX];
static uint64_t end_too; /* another one that ends with the first */

static void end(uint64_t fetch)
{
    recall_end(recalls, fetch);
    if (end_too)
        recall_end(recalls, end_too);
    end_too = 0;
}

static void on_ask(void *context, const struct node_effect *start)
{
    (void)context;
    struct told *t = &told[start->start.fetch];
    const struct last_answer *known = recall_known(recalls, start->start.fetch);
    t->asked++;
    snprintf(t->key, sizeof t->key, "%.*s", SLICE_ARGS(start->start.key));
    if (known)
        snprintf(t->etag, sizeof t->etag, "%.*s", SLICE_ARGS(known->etag));
}

static void on_fresh(void *context, uint64_t fetch,
                     const struct last_answer *answer)
{
    (void)context;
    told[fetch].fresh++;
    assert_true(slice_equal(answer->fields[F_PRICE], slice_of("12.50")));
    end(fetch);
}

/* KNOWN has answered, and that holds for a minute from now. */
static int setup(void **state)
{
    static struct fixture_closing c;
    const struct recall_callbacks callbacks = {NULL, on_ask, on_fresh};
    struct error err = ERROR_NONE;
    struct close_result result = {0};
    int64_t batch = 0;
    static struct fixture fixture, *f = &fixture;
    fixture_init(f, NULL);
    fixture_open(f);
    *state = f;
    int64_t run = fixture_run(f, 1, 1, &batch);
    fixture_closing(&c, run, batch, 1, "n/1/1");
    const struct last_answer answer = {.url = slice_of(KNOWN),
                                       .etag = slice_of("\"a\""),
                                       .fetched_at = clock_wall(),
                                       .fresh_until =
                                           clock_wall() + 60 * USEC_PER_SEC,
                                       .fields = c.fields[0]};
    c.closing.answers = &answer;
    c.closing.n_answers = 1;
    ok(ledger_close_batch(f->ledger, &c.closing, &result, &err), &err);
    c.closing.answers = NULL; /* it goes, the closing stays */
    base = event_base_new();
    memset(told, 0, sizeof told);
    ok(recalls_new(base, f->url, &callbacks, &recalls, &err), &err);
    return 0;
}

static int teardown(void **state)
{
    recalls_free(&recalls);
    event_base_free(base);
    fixture_fini(*state);
    return 0;
}

static void start(struct fixture *f, uint64_t fetch, const char *url)
{
    char key[] = "key", copy[64];
    snprintf(copy, sizeof copy, "%s", url);
    const struct node_effect effect = {
        .type = NODE_EFFECT_START,
        .start = {.fetch = fetch,
                  .worker = &f->pipeline->workers[W_QUOTES],
                  .key = slice_of(key),
                  .url = slice_of(copy)}};
    assert_true(recall_start(recalls, &effect));
    memset(copy, 'x', sizeof copy - 1); /* it has its own */
    key[0] = 'x';
}

static int n_told(void)
{
    int n = 0;
    for (size_t i = 0; i < IDS_MAX; i++)
        n += told[i].asked + told[i].fresh;
    return n;
}

static void run_until(int n)
{
    usec_t until = clock_monotonic() + 10 * USEC_PER_SEC;
    while (n_told() < n && clock_monotonic() < until) {
        event_base_loopexit(base, &(struct timeval){0, 2000});
        event_base_loop(base, 0);
    }
    assert_int_equal(n_told(), n);
}

/* Nothing is called at once; each is asked for, with what is known of it, until
 * it has ended. */
static void test_asked(void **state)
{
    start(*state, 0, UNKNOWN);
    start(*state, 1, KNOWN);
    assert_int_equal(n_told(), 0);
    assert_null(recall_known(recalls, 1));
    run_until(2);
    assert_string_equal(told[0].etag, "");
    assert_string_equal(told[1].etag, "\"a\"");
    assert_string_equal(told[1].key, "key");
    end(0);
    assert_non_null(recall_known(recalls, 1));
    end(1);
    assert_null(recall_known(recalls, 1));
    end(1); /* again: ignored */
}

/* What holds is not asked for, by who obeys; and the callback may end them. */
static void test_fresh(void **state)
{
    struct fixture *f = *state;
    f->pipeline->workers[W_QUOTES].request.cache = CACHE_OBEY;
    for (uint64_t i = 0; i < 3; i++)
        start(f, i, i == 1 ? UNKNOWN : KNOWN);
    end_too = 2;
    run_until(2);
    assert_int_equal(told[0].fresh, 1);
    assert_int_equal(told[1].asked, 1);
    end(1);
    start(f, 3, KNOWN);
    run_until(3);
    assert_int_equal(told[2].fresh, 0);
}

/* Who is not wanted any more hears nothing; nor does anyone after the end. */
static void test_ended(void **state)
{
    start(*state, 0, KNOWN);
    recall_end(recalls, 0);
    event_base_loop(base, EVLOOP_NONBLOCK);
    start(*state, 1, KNOWN);
    event_base_loop(base, EVLOOP_NONBLOCK); /* now the thread has it */
    recall_end_all(recalls);
    start(*state, 2, KNOWN);
    run_until(1);
    assert_int_equal(told[2].asked, 1);
    start(*state, 3, KNOWN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_asked, setup, teardown),
        cmocka_unit_test_setup_teardown(test_fresh, setup, teardown),
        cmocka_unit_test_setup_teardown(test_ended, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
