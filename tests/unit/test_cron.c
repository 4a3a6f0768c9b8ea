/* Times as crontab(5) writes them: cron.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cron.h"

static struct cron cron;

static void take(const char *text)
{
    struct error err = ERROR_NONE;
    if (cron_parse(text, &cron, &err))
        fail_msg("%s", err.text);
}

static uint64_t bits(int from, int to, int step)
{
    uint64_t set = 0;
    for (int i = from; i <= to; i += step)
        set |= (uint64_t)1 << i;
    return set;
}

static void test_stars(void **state)
{
    (void)state;
    take("* * * * *");
    assert_true(cron.minutes == bits(0, 59, 1));
    assert_true(cron.hours == CRON_HOURS_ALL);
    assert_true(cron.days == bits(1, 31, 1));
    assert_true(cron.months == bits(1, 12, 1));
    assert_true((cron.weekdays & 0x7f) == 0x7f);
    assert_false(cron.either);
}

/* Lists, ranges, steps, and blanks of any number. */
static void test_lists_ranges_steps(void **state)
{
    (void)state;
    take("  */15\t9-16,20,22-23   1-31/10  */3 1-5/2 ");
    assert_true(cron.minutes == bits(0, 59, 15));
    assert_true(cron.hours ==
                (bits(9, 16, 1) | bits(20, 20, 1) | bits(22, 23, 1)));
    assert_true(cron.days == bits(1, 31, 10));
    assert_true(cron.months == bits(1, 12, 3));
    assert_true(cron.weekdays == bits(1, 5, 2));
    take("7-7 0 31 12 *");
    assert_true(cron.minutes == bits(7, 7, 1));
}

/* Names in either case; the week's two Sundays are one, and may end it. */
static void test_names(void **state)
{
    (void)state;
    take("0 0 * JAN,mar-May Mon-FRI");
    assert_true(cron.months == (bits(1, 1, 1) | bits(3, 5, 1)));
    assert_true(cron.weekdays == bits(1, 5, 1));
    take("0 0 * * 7");
    assert_true(cron.weekdays & 1);
    take("0 0 * * sat-sun");
    assert_true((cron.weekdays & 0x7f) == (1 | 1 << 6));
    take("0 0 * * 5-7");
    assert_true((cron.weekdays & 0x7f) == (1 | 1 << 5 | 1 << 6));
}

/* Of both fields of days either is enough; where one begins with a star, both
 * must have the day, also the star with a step. */
static void test_rule_of_days(void **state)
{
    (void)state;
    struct tm friday_12 = {.tm_mday = 12, .tm_mon = 5, .tm_wday = 5};
    struct tm friday_13 = {.tm_mday = 13, .tm_mon = 5, .tm_wday = 5};
    struct tm monday_13 = {.tm_mday = 13, .tm_mon = 5, .tm_wday = 1};
    struct tm monday_14 = {.tm_mday = 14, .tm_mon = 5, .tm_wday = 1};
    take("0 0 13 * fri");
    assert_true(cron_has_day(&cron, &friday_12));
    assert_true(cron_has_day(&cron, &friday_13));
    assert_true(cron_has_day(&cron, &monday_13));
    assert_false(cron_has_day(&cron, &monday_14));
    take("0 0 13 * *");
    assert_false(cron_has_day(&cron, &friday_12));
    assert_true(cron_has_day(&cron, &monday_13));
    take("0 0 * * fri");
    assert_true(cron_has_day(&cron, &friday_12));
    assert_false(cron_has_day(&cron, &monday_13));
    take("0 0 */2 * fri");
    assert_false(cron_has_day(&cron, &friday_12));
    assert_true(cron_has_day(&cron, &friday_13));
    assert_false(cron_has_day(&cron, &monday_13));
    take("0 0 13 7 fri");
    assert_false(cron_has_day(&cron, &friday_13));
}

static void test_to_the_minute(void **state)
{
    (void)state;
    struct tm at = {.tm_min = 30, .tm_hour = 9, .tm_mday = 1, .tm_wday = 4};
    take("30 9 * * *");
    assert_true(cron_has(&cron, &at));
    at.tm_min = 31;
    assert_false(cron_has(&cron, &at));
    at.tm_min = 30;
    at.tm_hour = 10;
    assert_false(cron_has(&cron, &at));
    assert_false(cron_has_hour(&cron, &at));
}

/* Each mistake with its place and what may stand there. */
static void test_mistakes(void **state)
{
    (void)state;
    static const struct {
        const char *text, *words;
    } table[] = {
        {"60 * * * *",
         "character 1: the minute is out of its range: it is from 0 to 59"},
        {"*/5 9-24 * * *",
         "character 7: the hour is out of its range: it is from 0 to 23"},
        {"0 0 0 * *", "character 5: the day of the month is out of its "
                      "range: it is from 1 to 31"},
        {"0 0 32 * *", "character 5"},
        {"0 0 * 13 *", "character 7: the month is out of its range: it is "
                       "from 1 to 12 or jan-dec"},
        {"0 0 * * 8", "character 9: the day of the week is out of its range: "
                      "it is from 0 to 7 or sun-sat"},
        {"99999999999999999999 * * * *", "out of its range"},
        {"0 0 * * mod", "has no such name"},
        {"0 0 * * monday", "has no such name"},
        {"0 0 * 3 feb", "has no such name"},
        {"mon * * * *", "has no such name"},
        {", * * * *", "character 1: the minute has no number here"},
        {"1, * * * *", "character 3: the minute has no number here"},
        {"1- * * * *", "character 3: the minute has no number here"},
        {"-1 * * * *", "has no number here"},
        {"5-1 * * * *", "character 1: the minute has a range that runs"},
        {"0 0 * * fri-mon", "has a range that runs backwards"},
        {"5/2 * * * *", "character 2: the minute has a step, which wants *"},
        {"*/0 * * * *", "character 3: the step of the minute is a number "
                        "from 1 to 59"},
        {"*/60 * * * *", "from 1 to 59"},
        {"*/ * * * *", "from 1 to 59"},
        {"*5 * * * *", "character 2: the minute can't be read from here on"},
        {"5x * * * *", "character 2: the minute can't be read"},
        {"1-2-3 * * * *", "character 4: the minute can't be read"},
        {"", "ends before the minute"},
        {"* * * *", "ends before the day of the week: the five fields are"},
        {"* * * * * *", "character 11: there are five fields"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct error err = ERROR_NONE;
        if (!cron_parse(table[i].text, &cron, &err))
            fail_msg("\"%s\" was taken", table[i].text);
        assert_int_equal(err.code, ERR_USAGE);
        if (!strstr(err.text, table[i].words))
            fail_msg("%s", err.text);
    }
}

static void test_weekdays_alone(void **state)
{
    (void)state;
    struct error err = ERROR_NONE;
    uint64_t set = 0;
    assert_int_equal(cron_parse_weekdays("mon-fri", &set, &err), 0);
    assert_true(set == bits(1, 5, 1));
    assert_int_equal(cron_parse_weekdays("mon-fri sat", &set, &err), ERR_USAGE);
    assert_true(set == bits(1, 5, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stars),
        cmocka_unit_test(test_lists_ranges_steps),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_rule_of_days),
        cmocka_unit_test(test_to_the_minute),
        cmocka_unit_test(test_mistakes),
        cmocka_unit_test(test_weekdays_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
