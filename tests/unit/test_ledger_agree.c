/*
 * The model, SQLite and PostgreSQL agree: seeded random sequences of closings
 * (some repeated, as after a lost answer; some by a rival; some of batches
 * that are not there; some refused; some after a lost connection) give the
 * same answers and leave the same tables. PostgreSQL is left out, saying so,
 * where there is no server.
 *
 *     test_ledger_agree [SEED [SEEDS [STEPS]]]
 *
 * or WINDROW_SEED, WINDROW_SEEDS, WINDROW_STEPS in the environment. A failure
 * prints its seed.
 */
#include <stdlib.h>

#include "base/packed.h"
#include "ledger_fixture.h"
#include "ledger_model.h"

#define CHILDREN_MAX 4
#define KEYS_MAX 6
#define RECORDS_MAX 5
#define FAILURES_MAX 3

static uint64_t seed = 1, seeds = 20, steps = 120;
static struct pg_cluster *cluster;

static uint64_t random_state;

/* splitmix64 (Steele, Lea, Flood 2014). */
static uint64_t random_next(void)
{
    uint64_t z = random_state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static size_t below(size_t n)
{
    return (size_t)(random_next() % n);
}

/* One database beside the model: which number its batches have there. */
struct side {
    struct fixture fixture;
    int64_t run;
    int64_t *numbers; /* by the model's number */
};

struct world {
    struct ledger_model *model;
    struct side sides[2];
    size_t n_sides;
};

/* A closing with room for all that it points at. */
struct draft {
    struct closing closing;
    struct closing_rows rows[3];
    const struct record *pointers[RECORDS_MAX];
    struct record records[RECORDS_MAX];
    struct slice fields[RECORDS_MAX][FIELDS];
    struct record_rows ticks[RECORDS_MAX];
    struct slice columns[RECORDS_MAX][TICK_FIELDS];
    struct buffer packed[RECORDS_MAX][TICK_FIELDS];
    struct closing_failure failures[FAILURES_MAX];
    struct closing_child children[CHILDREN_MAX];
    struct slice keys[CHILDREN_MAX][KEYS_MAX];
};

#define PICK(list) list[below(sizeof list / sizeof *list)]

static struct slice random_key(void)
{
    static const char *const keys[] = {"A",
                                       "B",
                                       "C",
                                       "BRK.B",
                                       "^GSPC",
                                       "EURUSD=X",
                                       "000660",
                                       "D,E",
                                       "F G",
                                       "{H}",
                                       "I'J",
                                       "K;--",
                                       "NULL",
                                       "L%20M",
                                       "\xc3\xa9",
                                       "2330.TW",
                                       "\xe2\x82\xac",
                                       "n/a",
                                       "NaN",
                                       "a",
                                       "Z",
                                       "_",
                                       "-",
                                       "0"};
    return slice_of(PICK(keys));
}

/* Keys of one child; within it each is there once, unless its queue is one
 * that the ledger looks after. */
static void draft_child(struct draft *d, size_t i)
{
    struct closing_child *child = &d->children[i];
    *child = (struct closing_child){
        .worker = below(4) ? W_QUOTES : W_LIST,
        .queue = below(2) ? -1 : (int)below(2),
        .attempt = (int)below(5),
        .delay = below(2) ? 0 : (usec_t)below(1000) * USEC_PER_SEC,
        .kept = below(2),
        .keys = d->keys[i],
        .n_keys = below(KEYS_MAX + 1),
    };
    for (size_t k = 0; k < child->n_keys; k++)
        d->keys[i][k] = random_key();
}

/* The rows of its set: from none to some. */
static void draft_ticks(struct draft *d, size_t i)
{
    static const char *const sizes[] = {"0", "-1", "9007199254740993"};
    static const char *const marks[] = {"", "x", "NULL", "{1,2}"};
    d->ticks[i] = (struct record_rows){below(4), d->columns[i]};
    for (size_t f = 0; f < TICK_FIELDS; f++)
        buffer_clear(&d->packed[i][f]);
    for (size_t n = 0; n < d->ticks[i].n; n++) {
        bool bad_size = below(150) == 0, bad_mark = below(200) == 0;
        packed_put(&d->packed[i][T_SIZE],
                   slice_of(bad_size   ? "12345678901234567890"
                            : below(3) ? PICK(sizes)
                                       : NULL));
        packed_put(&d->packed[i][T_MARK], slice_of(bad_mark   ? "bad \xff text"
                                                   : below(3) ? PICK(marks)
                                                              : NULL));
    }
    for (size_t f = 0; f < TICK_FIELDS; f++)
        d->columns[i][f] = buffer_slice(&d->packed[i][f]);
}

static void draft_record(struct draft *d, size_t i)
{
    static const char *const prices[] = {"1", "0.10", "-7.25", "0",
                                         "123456789012345678901234.5"};
    static const char *const volumes[] = {"0", "-1", "9007199254740993"};
    static const char *const notes[] = {"", "x", "a\"b\\c{}", "NULL", "\n"};
    struct slice *fields = d->fields[i];
    fields[F_PRICE] = slice_of(PICK(prices));
    fields[F_VOLUME] = slice_of(below(3) ? PICK(volumes) : NULL);
    fields[F_NOTE] = slice_of(below(3) ? PICK(notes) : NULL);
    fields[F_LIVE] = slice_of(below(2) ? "true" : below(2) ? "false" : NULL);
    if (below(60) == 0)
        fields[F_NOTE] = slice_of("bad \xff text");
    if (below(40) == 0)
        fields[F_VOLUME] = slice_of("12345678901234567890");
    d->records[i] = (struct record){.key = random_key(),
                                    .fetched_at = 1700000000000000 +
                                                  (usec_t)below(1000000000),
                                    .fields = fields,
                                    .rows = &d->ticks[i]};
    draft_ticks(d, i);
    d->pointers[i] = &d->records[i];
}

static void draft_failure(struct draft *d, size_t i)
{
    d->failures[i] = (struct closing_failure){
        .key = random_key(),
        .reason = (enum reason)(1 + below(REASON_COUNT - 1)),
        .http_status = below(2) ? 404 : 0,
        .attempts = (int)below(6),
        .failed_at = 1700000000000000 + (usec_t)below(1000000000),
        .detail = slice_of(below(2) ? "" : "it did not"),
    };
}

/* A new closing of a batch, mostly an open one; model numbers. */
static void draft_closing(struct draft *d, const struct ledger_model *model,
                          size_t step)
{
    size_t n_records = below(RECORDS_MAX + 1);
    size_t n_failures = below(3) ? 0 : below(FAILURES_MAX + 1);
    size_t n_children = below(CHILDREN_MAX + 1);
    for (size_t i = 0; i < n_records; i++)
        draft_record(d, i);
    for (size_t i = 0; i < n_failures; i++)
        draft_failure(d, i);
    for (size_t i = 0; i < n_children; i++)
        draft_child(d, i);
    d->rows[0] = (struct closing_rows){W_AUDIT, d->pointers, n_records};
    d->rows[1] = (struct closing_rows){W_STORE, d->pointers, n_records};
    d->rows[2] = (struct closing_rows){W_TICK, d->pointers, n_records};
    d->closing = (struct closing){
        .run = 1,
        .batch = 1 + (int64_t)below(model->n_batches + 2),
        .worker = W_QUOTES,
        .rows = d->rows,
        .n_rows = below(4),
        .failures = d->failures,
        .n_failures = n_failures,
        .children = d->children,
        .n_children = n_children,
        .n_keys_done = below(10),
        .n_keys_stored = below(10),
    };
    snprintf(d->closing.closer, sizeof d->closing.closer, "n%zu/1/%zu",
             below(3), step);
}

/* The same closing with the numbers that a database has for the batch. */
static struct closing translate(const struct side *side,
                                const struct ledger_model *model,
                                const struct closing *closing)
{
    struct closing there = *closing;
    there.run = side->run;
    there.batch = (size_t)closing->batch <= model->n_batches
                      ? side->numbers[closing->batch]
                      : 1000000 + closing->batch;
    return there;
}

/* PostgreSQL's connection may be gone: then the second try must do. */
static void close_on(struct side *side, const struct closing *closing,
                     struct close_result *ret)
{
    struct error err = ERROR_NONE;
    struct ledger *ledger = side->fixture.ledger;
    int rc = ledger_close_batch(ledger, closing, ret, &err);
    if (rc == ERR_DATABASE_AWAY && side->fixture.cluster) {
        err = ERROR_NONE;
        rc = ledger_close_batch(ledger, closing, ret, &err);
    }
    ok(rc, &err);
}

static void cut_connections(struct world *w)
{
    for (size_t i = 0; i < w->n_sides; i++)
        if (w->sides[i].fixture.cluster)
            fixture_sql(&w->sides[i].fixture,
                        "SELECT pg_terminate_backend(pid) FROM"
                        " pg_stat_activity WHERE application_name = 'windrow'");
}

/* One closing on the model and on each side: the same answers. */
static void close_everywhere(struct world *w, const struct closing *closing)
{
    int64_t wanted[CHILDREN_MAX] = {0}, children[CHILDREN_MAX] = {0};
    struct close_result want = {.children = wanted};
    struct closing there[2];
    for (size_t i = 0; i < w->n_sides; i++)
        there[i] = translate(&w->sides[i], w->model, closing);
    ledger_model_close(w->model, closing, &want);
    for (size_t i = 0; i < w->n_sides; i++) {
        struct close_result got = {.children = children};
        close_on(&w->sides[i], &there[i], &got);
        assert_int_equal(got.outcome, want.outcome);
        for (size_t c = 0; c < closing->n_children && want.outcome == CLOSE_WON;
             c++) {
            assert_int_equal(children[c] == 0, wanted[c] == 0);
            int64_t *number = &w->sides[i].numbers[wanted[c]];
            assert_true(wanted[c] == 0 || *number == 0 ||
                        *number == children[c]);
            *number = children[c];
        }
    }
}

static int compare_lines(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The lines of a text, sorted. */
static char *sorted(const char *text)
{
    char *copy = strdup(text);
    char *ret = calloc(1, strlen(text) + 2);
    size_t n = 0;
    for (const char *p = text; *p; p++)
        n += *p == '\n';
    char **lines = calloc(n + 1, sizeof *lines);
    assert_true(copy && ret && lines);
    n = 0;
    for (char *line = strtok(copy, "\n"); line; line = strtok(NULL, "\n"))
        lines[n++] = line;
    qsort(lines, n, sizeof *lines, compare_lines);
    char *end = ret;
    for (size_t i = 0; i < n; i++)
        end += sprintf(end, "%s\n", lines[i]);
    free(lines);
    free(copy);
    return ret;
}

static void assert_same_lines(const char *what, const char *want,
                              const char *got)
{
    char *a = sorted(want), *b = sorted(got);
    if (strcmp(a, b) != 0)
        fail_msg("%s: the model has\n%sthe database has\n%s", what, a, b);
    free(a);
    free(b);
}

/* The model's number of a side's batch. */
static int64_t number_back(const struct side *side,
                           const struct ledger_model *model, int64_t number)
{
    for (size_t i = 1; i <= model->n_batches; i++) {
        if (side->numbers[i] == number)
            return (int64_t)i;
    }
    return 0;
}

/* "NUMBER|rest" lines with the model's numbers. */
static char *renumber(const struct side *side, const struct ledger_model *model,
                      const char *text)
{
    struct buffer out = BUFFER_EMPTY;
    for (const char *line = text; *line;) {
        char *rest = NULL;
        int64_t number = strtoll(line, &rest, 10);
        size_t len = strcspn(rest, "\n") + 1;
        buffer_printf(&out, "%lld%.*s",
                      (long long)number_back(side, model, number), (int)len,
                      rest);
        line = rest + len;
    }
    CHECK(!out.failed);
    return out.data ? out.data : strdup("");
}

static void compare_batches(struct side *side, const struct ledger_model *model)
{
    struct buffer want = BUFFER_EMPTY;
    for (size_t i = 0; i < model->n_batches; i++) {
        const struct model_batch *b = &model->batches[i];
        buffer_printf(&want, "%lld|%d|%d|%d|%zu|%d|%zu|%zu|%zu|%s\n",
                      (long long)b->batch, b->child_no, b->worker, b->attempt,
                      b->n_keys, b->open, b->stored, b->failed, b->done,
                      b->open ? "-" : b->closer);
    }
    char *got = renumber(
        side, model,
        fixture_sql(&side->fixture,
                    "SELECT batch, coalesce(child_no, 0), worker, attempt,"
                    " n_keys, CASE WHEN open THEN 1 ELSE 0 END, stored,"
                    " failed, done, closed_by FROM windrow_batches"));
    assert_same_lines("batches", buffer_text(&want), got);
    free(got);
    buffer_free(&want);
}

/* Parents, and the keys of the open batches, as ledger.h gives them. */
static void compare_open(struct side *side, const struct ledger_model *model)
{
    for (size_t i = 0; i < model->n_batches; i++) {
        const struct model_batch *b = &model->batches[i];
        struct error err = ERROR_NONE;
        struct batch_look look;
        ok(ledger_look(side->fixture.ledger, side->run, &side->numbers[i + 1],
                       1, &look, &err),
           &err);
        assert_int_equal(look.state, b->open ? BATCH_OPEN : BATCH_CLOSED);
        if (b->open)
            assert_string_equal(look.row.keys_json, b->keys);
        free(look.row.keys_json);
        char sql[120];
        snprintf(sql, sizeof sql,
                 "SELECT coalesce(parent, 0) FROM windrow_batches"
                 " WHERE batch = %lld",
                 (long long)side->numbers[i + 1]);
        int64_t parent = strtoll(fixture_sql(&side->fixture, sql), NULL, 10);
        assert_int_equal(number_back(side, model, parent), b->parent);
    }
}

/* The rows of `table` that the model has, and those of `sql`. */
static void compare_table(struct side *side, const struct ledger_model *model,
                          const char *table, const char *sql)
{
    struct buffer want = BUFFER_EMPTY;
    size_t len = strlen(table);
    for (const char *line = buffer_text(&model->rows); *line;) {
        size_t n = strcspn(line, "\n") + 1;
        /* A note may hold a line's end: what begins like no table goes on. */
        while (line[n] && strncmp(line + n, "prices|", 7) != 0 &&
               strncmp(line + n, "audit|", 6) != 0 &&
               strncmp(line + n, "ticks|", 6) != 0)
            n += strcspn(line + n, "\n") + 1;
        if (!strncmp(line, table, len) && line[len] == '|')
            buffer_append(&want, line + len + 1, n - len - 1);
        line += n;
    }
    assert_same_lines(table, buffer_text(&want),
                      fixture_sql(&side->fixture, sql));
    buffer_free(&want);
}

static void compare_rows(struct side *side, const struct ledger_model *model)
{
    if (side->fixture.cluster) {
        compare_table(side, model, "prices",
                      "SELECT symbol, price::text, (extract(epoch FROM"
                      " extracted_time) * 1000000)::bigint FROM prices");
        compare_table(side, model, "audit",
                      "SELECT symbol, volume, note, live::text FROM audit");
        compare_table(side, model, "ticks",
                      "SELECT symbol, size, mark, note, (extract(epoch FROM"
                      " seen) * 1000000)::bigint FROM ticks");
        return;
    }
#define MICROSECONDS(column)                                                   \
    "CAST(strftime('%s', substr(" column ", 1, 19)) AS INTEGER) * 1000000"     \
    " + CAST(substr(" column ", 21, 6) AS INTEGER)"
    compare_table(
        side, model, "prices",
        "SELECT symbol, price, " MICROSECONDS("extracted_time") " FROM prices");
    compare_table(side, model, "audit",
                  "SELECT symbol, volume, note, CASE live WHEN 1 THEN 'true'"
                  " WHEN 0 THEN 'false' END FROM audit");
    compare_table(
        side, model, "ticks",
        "SELECT symbol, size, mark, note, " MICROSECONDS("seen") " FROM ticks");
}

static void compare_rest(struct side *side, const struct ledger_model *model)
{
    struct fixture *f = &side->fixture;
    char *got = renumber(
        side, model,
        fixture_sql(f, f->cluster
                           ? "SELECT batch, worker, key, reason, http_status,"
                             " attempts, (extract(epoch FROM failed_at)"
                             " * 1000000)::bigint, detail"
                             " FROM windrow_failures"
                           : "SELECT batch, worker, key, reason, http_status,"
                             " attempts, failed_at, detail"
                             " FROM windrow_failures"));
    assert_same_lines("failures", buffer_text(&model->failures), got);
    free(got);
    assert_same_lines("keys", buffer_text(&model->seen),
                      fixture_sql(f, "SELECT queue, key FROM windrow_keys"));
}

/* The same root batches everywhere. */
static void begin_run(struct world *w)
{
    struct run_spec spec = fixture_spec();
    struct draft d;
    struct closing_child roots[5];
    static struct slice keys[5][KEYS_MAX];
    for (size_t r = 0; r < 5; r++) {
        draft_child(&d, 0);
        memcpy(keys[r], d.keys[0], sizeof keys[r]);
        roots[r] = d.children[0];
        roots[r].keys = keys[r];
        ledger_model_add(w->model, &roots[r]);
    }
    for (size_t i = 0; i < w->n_sides; i++) {
        struct side *side = &w->sides[i];
        struct error err = ERROR_NONE;
        int64_t epoch = 0;
        struct ledger *ledger = side->fixture.ledger;
        ok(ledger_run_begin(ledger, &spec, &side->run, &epoch, &err), &err);
        for (size_t r = 0; r < 5; r++)
            ok(ledger_run_add_batch(ledger, side->run, &roots[r], &err), &err);
        ok(ledger_run_commit(ledger, &err), &err);
        struct batch_row rows[5];
        size_t n = 0;
        ok(ledger_open_batches(ledger, side->run, 0, 5, rows, &n, &err), &err);
        assert_int_equal(n, w->model->n_batches);
        for (size_t r = 0; r < n; r++) {
            side->numbers[r + 1] = rows[r].batch;
            free(rows[r].keys_json);
        }
    }
}

static void world_init(struct world *w)
{
    *w = (struct world){.n_sides = cluster ? 2 : 1};
    for (size_t i = 0; i < w->n_sides; i++) {
        struct side *side = &w->sides[i];
        fixture_init(&side->fixture, i == 1 ? cluster : NULL);
        fixture_open(&side->fixture);
        side->numbers = calloc(MODEL_BATCHES_MAX, sizeof *side->numbers);
        assert_non_null(side->numbers);
    }
    w->model = ledger_model_new(w->sides[0].fixture.pipeline, 1);
}

static void world_fini(struct world *w)
{
    for (size_t i = 0; i < w->n_sides; i++) {
        fixture_fini(&w->sides[i].fixture);
        free(w->sides[i].numbers);
    }
    ledger_model_free(&w->model);
}

/* One seed: closings, some of them sent again or by a rival, then all tables
 * are compared. */
static void run_seed(void)
{
    struct world w;
    static struct draft d;
    world_init(&w);
    begin_run(&w);
    for (size_t step = 0; step < steps; step++) {
        draft_closing(&d, w.model, step);
        if (below(30) == 0)
            cut_connections(&w);
        close_everywhere(&w, &d.closing);
        if (below(4) == 0)
            close_everywhere(&w, &d.closing);
        if (below(4) == 0) {
            strcpy(d.closing.closer, "rival/1/1");
            close_everywhere(&w, &d.closing);
        }
    }
    for (size_t i = 0; i < w.n_sides; i++) {
        compare_batches(&w.sides[i], w.model);
        compare_open(&w.sides[i], w.model);
        compare_rows(&w.sides[i], w.model);
        compare_rest(&w.sides[i], w.model);
    }
    world_fini(&w);
}

/* All seeds; the one at work is printed where an assertion fails. */
static void test_agree(void **state)
{
    (void)state;
    for (uint64_t s = seed; s < seed + seeds; s++) {
        random_state = s;
        print_message("seed %llu, %llu steps\n", (unsigned long long)s,
                      (unsigned long long)steps);
        run_seed();
    }
}

static void setting(int argc, char **argv, int place, const char *name,
                    uint64_t *value)
{
    const char *text = argc > place ? argv[place] : getenv(name);
    if (text)
        *value = strtoull(text, NULL, 10);
}

int main(int argc, char **argv)
{
    setting(argc, argv, 1, "WINDROW_SEED", &seed);
    setting(argc, argv, 2, "WINDROW_SEEDS", &seeds);
    setting(argc, argv, 3, "WINDROW_STEPS", &steps);
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_agree)};
    cluster = pg_cluster_start(false);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    pg_cluster_stop(&cluster);
    return failed;
}
