/* Blocking calls off the loop: offload.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <pthread.h>

#include "loop/offload.h"

enum { PIECES = 100 };

/* What became of the pieces. */
struct record {
    struct event_base *base;
    pthread_t loop;
    atomic_int n_run;
    int run_order[PIECES], done_order[PIECES];
    int n_done, n_dropped;
    int stop_after; /* so many done */
    atomic_bool hold, begun;
};

struct piece {
    struct offload_work work;
    struct record *record;
    int number;
};

static struct record record;

static void run(struct offload_work *work, void *shared)
{
    struct piece *piece = (struct piece *)work;
    assert_ptr_equal(shared, &record.run_order);
    assert_false(pthread_equal(pthread_self(), record.loop));
    record.begun = true;
    while (record.hold)
        usleep(1000);
    record.run_order[record.n_run++] = piece->number;
}

static void done(struct offload_work *work, void *context)
{
    assert_ptr_equal(context, &record);
    assert_true(pthread_equal(pthread_self(), record.loop));
    record.done_order[record.n_done++] = ((struct piece *)work)->number;
    free(work);
    if (record.n_done == record.stop_after)
        event_base_loopbreak(record.base);
}

static void drop(struct offload_work *work)
{
    record.n_dropped++;
    free(work);
}

static struct offload *start(int n)
{
    memset(&record, 0, sizeof record);
    record.base = event_base_new();
    record.loop = pthread_self();
    record.stop_after = n;
    struct offload *offload =
        offload_new(record.base, &record.run_order, &record);
    assert_non_null(offload);
    return offload;
}

static void give(struct offload *offload, int n)
{
    for (int i = 0; i < n; i++) {
        struct piece *piece = calloc(1, sizeof *piece);
        assert_non_null(piece);
        piece->work =
            (struct offload_work){.run = run, .done = done, .drop = drop};
        piece->number = i;
        offload_do(offload, &piece->work);
    }
}

static void wait_until_begun(void)
{
    for (int i = 0; i < 5000 && !record.begun; i++)
        usleep(1000);
    assert_true(record.begun);
}

/* Pieces run in the thread and end in the loop, both in the order given. */
static void test_order(void **state)
{
    (void)state;
    struct offload *offload = start(PIECES);
    give(offload, PIECES);
    event_base_dispatch(record.base);
    assert_int_equal(record.n_done, PIECES);
    for (int i = 0; i < PIECES; i++) {
        assert_int_equal(record.run_order[i], i);
        assert_int_equal(record.done_order[i], i);
    }
    assert_true(offload_free(&offload, USEC_NEVER));
    assert_null(offload);
    assert_int_equal(record.n_dropped, 0);
    event_base_free(record.base);
}

/* Freed, it finishes the piece under way and drops the rest, and that one
 * too, since nobody is told of it any more: each piece ends once. */
static void test_free_drops_what_waits(void **state)
{
    (void)state;
    struct offload *offload = start(PIECES);
    record.hold = true;
    give(offload, 5);
    wait_until_begun();
    record.hold = false;
    assert_true(offload_free(&offload, USEC_NEVER));
    assert_int_equal(record.n_done, 0);
    assert_int_equal(record.n_dropped, 5);
    assert_true(record.n_run >= 1);
    event_base_free(record.base);
}

/* A piece that does not end is not waited for longer than asked; then it is
 * left alone, with all it may use. */
static void test_patience_is_over(void **state)
{
    (void)state;
    static struct offload *left_alone; /* no leak, as things are */
    struct offload *offload = left_alone = start(PIECES);
    record.hold = true;
    give(offload, 2);
    wait_until_begun();
    usec_t from = clock_monotonic();
    assert_false(offload_free(&offload, 50 * USEC_PER_MSEC));
    usec_t took = clock_monotonic() - from;
    assert_true(took >= 45 * USEC_PER_MSEC && took < 2 * USEC_PER_SEC);
    assert_null(offload);
    assert_int_equal(record.n_dropped, 0);
    assert_non_null(left_alone);
    record.hold = false; /* the thread ends by itself */
}

/* Nothing to free is freed at once; an idle one, too. */
static void test_idle(void **state)
{
    (void)state;
    struct offload *none = NULL;
    assert_true(offload_free(&none, 0));
    struct offload *offload = start(0);
    usec_t from = clock_monotonic();
    assert_true(offload_free(&offload, 5 * USEC_PER_SEC));
    assert_true(clock_monotonic() - from < 2 * USEC_PER_SEC);
    event_base_free(record.base);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_free_drops_what_waits),
        cmocka_unit_test(test_idle),
        cmocka_unit_test(test_patience_is_over), /* its thread lives on */
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
