/* Which key is to blame for a program's end: exec_keys.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "exec_keys.h"

#define TIMEOUT 100

static struct exec_keys keys;

static int setup(void **state)
{
    (void)state;
    keys = (struct exec_keys){0};
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    exec_keys_free(&keys);
    return 0;
}

/* Asks for each letter of `names`, which is its fetch too. */
static void add(const char *names)
{
    for (; *names; names++)
        assert_true(
            exec_keys_add(&keys, (uint64_t)*names, (struct slice){names, 1}));
}

/* Those that may be sent now, at most `most` unanswered, are these. */
static void assert_sends(const char *names, size_t most, usec_t now)
{
    const struct exec_key *key;
    for (; *names; names++) {
        key = exec_keys_next(&keys, most, now, TIMEOUT);
        assert_non_null(key);
        assert_string_equal(key->text, ((char[]){*names, '\0'}));
        assert_int_equal(key->due, now + TIMEOUT);
    }
    assert_null(exec_keys_next(&keys, most, now, TIMEOUT));
}

static void answer(const char *names)
{
    struct exec_key *key, *next;
    for (; *names; names++)
        HASH_ITER (by_id, keys.ids, key, next) {
            if (key->text[0] != *names)
                continue;
            assert_ptr_equal(exec_keys_find(&keys, key->id), key);
            exec_keys_take(&keys, key);
            free(key);
        }
}

/* The program ended, and this key is to blame; '-': none. */
static void assert_blamed(char name, enum exec_cause cause, usec_t now)
{
    struct exec_key *key = exec_keys_settle(&keys, cause, now);
    assert_int_equal(key ? key->text[0] : '-', name);
    assert_int_equal(keys.n_sent, 0);
    free(key);
}

static void test_no_more_than_allowed(void **state)
{
    (void)state;
    add("abc");
    assert_sends("ab", 2, 0);
    answer("a");
    assert_sends("c", 2, 1);
    answer("bc");
    assert_false(exec_keys_wait(&keys));
}

static void test_an_id_is_answered_once(void **state)
{
    (void)state;
    add("ab");
    assert_null(exec_keys_find(&keys, 1)); /* not sent yet */
    assert_sends("a", 1, 0);
    assert_non_null(exec_keys_find(&keys, 1));
    answer("a");
    assert_null(exec_keys_find(&keys, 1));
    assert_null(exec_keys_find(&keys, 77));
}

static void test_a_key_that_was_alone(void **state)
{
    (void)state;
    add("a");
    assert_sends("a", 8, 0);
    assert_blamed('a', EXEC_ENDED, 5);
    assert_false(exec_keys_wait(&keys));
}

/* Of several each one goes alone, ahead of all others, until it is known. */
static void test_suspects(void **state)
{
    (void)state;
    add("abcd");
    assert_sends("abc", 3, 0);
    assert_blamed('-', EXEC_ENDED, 5);
    assert_sends("a", 3, 6);
    answer("a");
    assert_sends("b", 3, 7);
    assert_blamed('b', EXEC_ENDED, 8);
    assert_sends("c", 3, 9);
    answer("c");
    assert_sends("d", 3, 10);
}

/* At its next try it goes alone at once; after an answer not any more. */
static void test_who_was_blamed_is_remembered(void **state)
{
    (void)state;
    add("a");
    assert_sends("a", 8, 0);
    assert_blamed('a', EXEC_ENDED, 5);
    add("bac");
    assert_sends("a", 8, 6);
    answer("a");
    assert_sends("bc", 8, 7);
    answer("bc");
    add("ab");
    assert_sends("ab", 8, 8);
}

static void test_more_than_are_remembered(void **state)
{
    char text[2] = "!";
    (void)state;
    for (int i = 0; i <= EXEC_BLAMED_KEPT; i++, text[0]++) {
        add(text);
        assert_sends(text, 1, 0);
        assert_blamed(text[0], EXEC_ENDED, 0);
    }
    add("!\"#");
    assert_sends("\"", 8, 0);
    answer("\"");
    assert_sends("#", 8, 0);
    answer("#");
    assert_sends("!", 8, 0);
}

/* Only who was due may be to blame; the others are no suspects. */
static void test_a_timeout(void **state)
{
    (void)state;
    add("a");
    assert_sends("a", 8, 0);
    add("bc");
    assert_sends("bc", 8, 50);
    assert_blamed('a', EXEC_DUE, 100);
    assert_sends("bc", 8, 101);
    assert_blamed('-', EXEC_DUE, 201);
    assert_sends("b", 8, 202);
    assert_blamed('b', EXEC_DUE, 302);
    assert_sends("c", 8, 303);
}

static void test_put_off(void **state)
{
    (void)state;
    add("ab");
    assert_sends("ab", 8, 0);
    exec_keys_put_off(&keys, 300);
    assert_blamed('-', EXEC_DUE, 299);
    assert_sends("ab", 8, 300);
    answer("b");
    assert_blamed('a', EXEC_DUE, 400);
}

/* The line may be about a key that was answered before. */
static void test_a_wrong_line(void **state)
{
    (void)state;
    add("a");
    assert_sends("a", 8, 0);
    assert_blamed('-', EXEC_WRONG, 1);
    assert_sends("a", 8, 2);
    assert_blamed('a', EXEC_WRONG, 3);
    assert_blamed('-', EXEC_WRONG, 4);
}

/* Nobody wants to know of a cancelled one, but it was sent. */
static void test_cancelled(void **state)
{
    (void)state;
    add("abc");
    assert_sends("a", 1, 0);
    exec_keys_cancel(&keys, 'a');
    exec_keys_cancel(&keys, 'c');
    exec_keys_cancel(&keys, 'x');
    assert_non_null(exec_keys_find(&keys, 1));
    assert_sends("", 1, 1);
    assert_blamed('-', EXEC_ENDED, 2);
    assert_sends("b", 2, 3);
    exec_keys_cancel_all(&keys);
    add("d");
    assert_sends("d", 2, 4);
    assert_blamed('-', EXEC_ENDED, 5);
    assert_sends("d", 2, 6);
    answer("d");
    assert_false(exec_keys_wait(&keys));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_no_more_than_allowed),
        TEST(test_an_id_is_answered_once),
        TEST(test_a_key_that_was_alone),
        TEST(test_suspects),
        TEST(test_who_was_blamed_is_remembered),
        TEST(test_more_than_are_remembered),
        TEST(test_a_timeout),
        TEST(test_put_off),
        TEST(test_a_wrong_line),
        TEST(test_cancelled),
    };
    return cmocka_run_group_tests_name("exec_keys", tests, NULL, NULL);
}
