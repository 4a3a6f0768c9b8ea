/* What a robots.txt says to one crawler: robots_rules.h, RFC 9309. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "robots_rules.h"

/* Whether "windrow" may ask for `target`, by `text`. */
static bool may(const char *text, const char *target)
{
    struct robots_rules rules;
    assert_true(robots_rules_read(slice_of(text), "windrow", &rules));
    bool allowed = robots_rules_allow(&rules, slice_of(target));
    robots_rules_free(&rules);
    return allowed;
}

static usec_t delay(const char *text)
{
    struct robots_rules rules;
    assert_true(robots_rules_read(slice_of(text), "windrow", &rules));
    robots_rules_free(&rules);
    return rules.crawl_delay;
}

/* Our own groups, all of them; else those for everybody. */
static void test_groups(void **state)
{
    (void)state;
    static const char text[] = "User-agent: *\nDisallow: /\n\n"
                               "User-agent: other\nUser-agent: WindRow/2\n"
                               "Disallow: /a\n\n"
                               "User-agent: windrow\nDisallow: /b\n";
    assert_false(may(text, "/a/1"));
    assert_false(may(text, "/b"));
    assert_true(may(text, "/c"));
    assert_false(may("User-agent: *\nDisallow: /\n", "/c"));
    assert_true(may("User-agent: windrows\nDisallow: /\n", "/c"));
    assert_true(may("User-agent: a\nDisallow: /\nUser-agent: windrow\n", "/"));
    assert_true(may("Disallow: /\n", "/c")); /* of nobody's group */
    assert_true(may("", "/c"));
}

/* The longest pattern decides; of two as long, the one that allows. */
static void test_longest(void **state)
{
    (void)state;
    static const char text[] = "user-agent:*\ndisallow:/a\nallow:/a/b\n"
                               "disallow:/a/b/c\nallow:/d\ndisallow:/d\n"
                               "disallow:/e\nallow:/e\n";
    assert_false(may(text, "/a"));
    assert_true(may(text, "/a/b"));
    assert_false(may(text, "/a/b/c?d"));
    assert_true(may(text, "/d"));
    assert_true(may(text, "/e"));
    assert_true(may("User-agent: *\nDisallow:\n", "/a"));
    assert_true(may("User-agent: *\nDisallow: /\n", "/robots.txt"));
}

/* * is anything, $ the end. */
static void test_patterns(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *target;
        bool matches;
    } cases[] = {
        {"/*.php", "/x/index.php?a", true},
        {"/*.php$", "/index.php", true},
        {"/*.php$", "/index.php?a", false},
        {"/*.php$", "/a.php/b.php", true},
        {"/fish*", "/fish", true},
        {"/fish", "/Fish", false},
        {"*/x", "/a/b/x", true},
        {"/a*b*c", "/aXbYYbc", true},
        {"/a*b*c", "/aXbYYb", false},
        {"/$", "/", true},
        {"/$", "/a", false},
        {"/a$b", "/a$b", true},
        {"/**a", "/bba", true},
        {"/%7ejoe", "/~joe/x", true},
        {"/~joe", "/%7Ejoe", true},
        {"/a%3cd", "/a%3Cd", true},
        {"/a%2fb", "/a/b", false},
        {"/\xc3\xa4", "/%C3%A4", true},
        {"/%zz", "/%zz", true},
        {"/%", "/%", true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[100];
        snprintf(text, sizeof text, "User-agent: *\nDisallow: %s\n",
                 cases[i].pattern);
        if (may(text, cases[i].target) == cases[i].matches)
            fail_msg("%s, %s", cases[i].pattern, cases[i].target);
    }
}

/* Windows line ends, comments, a byte order mark, what nobody knows. */
static void test_lines(void **state)
{
    (void)state;
    assert_false(
        may("\xef\xbb\xbfUser-agent: *\r\nDisallow: /a # why\r\n", "/a"));
    assert_false(may("  User-agent :\t*  \nSitemap: http://h/\nfoo\n: \n"
                     "# User-agent: x\nDisallow: /a",
                     "/a"));
    assert_true(may("User-agent: *\nDisallow: /a b\n", "/a"));
}

/* Crawl-delay of our groups, the longest, within a limit. */
static void test_crawl_delay(void **state)
{
    (void)state;
    assert_int_equal(delay("User-agent: *\nCrawl-delay: 2.5\n"), 2500000);
    assert_int_equal(delay("User-agent: x\nCrawl-delay: 9\n"
                           "User-agent: windrow\nCrawl-delay: 1\n"
                           "Crawl-delay: 3\n"),
                     3 * USEC_PER_SEC);
    assert_int_equal(delay("User-agent: *\nCrawl-delay: 1e9\n"),
                     ROBOTS_DELAY_MAX);
    assert_int_equal(delay("User-agent: *\nCrawl-delay: -1\n"), 0);
    assert_int_equal(delay("User-agent: *\nCrawl-delay: soon\n"), 0);
    assert_int_equal(delay("User-agent: *\nCrawl-delay: nan\n"), 0);
    assert_int_equal(delay("User-agent: *\nCrawl-delay: 1s\n"), 0);
}

/* Rules without end are not looked at without end. */
static void test_many(void **state)
{
    (void)state;
    struct buffer text = BUFFER_EMPTY;
    buffer_append_text(&text, "User-agent: *\n");
    for (int i = 0; i < ROBOTS_RULES_MAX + 10; i++)
        buffer_printf(&text, "Disallow: /%d/\n", i);
    assert_false(may(buffer_text(&text), "/9999/"));
    assert_true(may(buffer_text(&text), "/10005/"));
    buffer_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_groups),      cmocka_unit_test(test_longest),
        cmocka_unit_test(test_patterns),    cmocka_unit_test(test_lines),
        cmocka_unit_test(test_crawl_delay), cmocka_unit_test(test_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
