/* How long an answer holds: fetch_age.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fetch_age.h"

#define SECOND USEC_PER_SEC

static struct age age_of(const char *cache_control)
{
    struct age age = AGE_UNKNOWN;
    age_add(&age, cache_control);
    return age;
}

static usec_t fresh(const char *cache_control)
{
    struct age age = age_of(cache_control);
    return age_fresh(&age, NULL, -1, -1);
}

/* RFC 9111, 5.2.2: directives in any case and order, quoted or not. */
static void test_cache_control(void **state)
{
    (void)state;
    assert_true(fresh("max-age=60") == 60 * SECOND);
    assert_true(fresh("public, Max-Age=60") == 60 * SECOND);
    assert_true(fresh(" private ,\tmax-age=\"60\" ,") == 60 * SECOND);
    assert_true(fresh("max-age=99999999999999999999") == AGE_FRESH_MAX);
    assert_true(fresh("") == 0);
    assert_true(fresh("public") == 0);
    assert_true(fresh("max-age=0") == 0);
    assert_true(fresh("s-maxage=60") == 0);
    assert_true(fresh("no-cache, max-age=60") == 0);
    assert_true(fresh("max-age=60, NO-STORE") == 0);
    assert_true(age_of("no-store").no_store);
    assert_false(age_of("max-age=60, no-storey").no_store);
}

/* What can't be read is not fresh, also beside an Expires. */
static void test_nonsense(void **state)
{
    (void)state;
    static const char *const table[] = {
        "max-age=",   "max-age=x",   "max-age=-1",  "max-age=1.5",
        "max-age=\"", "max-age= 60", "max-age=\"\""};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct age age = age_of(table[i]);
        assert_int_equal(age_fresh(&age, NULL, 1000, 0), 0);
    }
}

/* Several headers add up. */
static void test_two_headers(void **state)
{
    (void)state;
    struct age age = age_of("max-age=60");
    age_add(&age, "no-cache");
    assert_int_equal(age_fresh(&age, NULL, -1, -1), 0);
}

/* Expires less Date, where there is no max-age; both must be dates. */
static void test_expires(void **state)
{
    (void)state;
    struct age none = AGE_UNKNOWN, some = age_of("max-age=60");
    assert_true(age_fresh(&none, NULL, 1100, 1000) == 100 * SECOND);
    assert_int_equal(age_fresh(&none, NULL, 1000, 1100), 0);
    assert_int_equal(age_fresh(&none, NULL, -1, 1000), 0);
    assert_int_equal(age_fresh(&none, NULL, 1000, -1), 0);
    assert_true(age_fresh(&some, NULL, 1100, 1000) == 60 * SECOND);
    assert_true(age_fresh(&none, NULL, (time_t)1 << 40, 0) == AGE_FRESH_MAX);
}

/* What a cache on the way has kept it for is gone. */
static void test_age(void **state)
{
    (void)state;
    struct age age = age_of("max-age=60");
    assert_true(age_fresh(&age, "15", -1, -1) == 45 * SECOND);
    assert_int_equal(age_fresh(&age, "60", -1, -1), 0);
    assert_int_equal(age_fresh(&age, "61", -1, -1), 0);
    assert_int_equal(age_fresh(&age, "soon", -1, -1), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cache_control), cmocka_unit_test(test_nonsense),
        cmocka_unit_test(test_two_headers),   cmocka_unit_test(test_expires),
        cmocka_unit_test(test_age),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
