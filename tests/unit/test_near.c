/* What is there instead of what was looked for: near.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "extract.h"
#include "near.h"

/* The body, with readable bytes behind it. */
static struct slice padded(const char *text)
{
    static char memory[20000];
    size_t len = strlen(text);
    assert_true(len + EXTRACT_PADDING < sizeof memory);
    memset(memory, 0, sizeof memory);
    memcpy(memory, text, len);
    return (struct slice){memory, len};
}

/* Fails unless the near miss says this; takes it. */
static void assert_says(json_t *near, const char *text)
{
    assert_non_null(near);
    assert_string_equal(json_string_value(json_object_get(near, "text")), text);
    json_decref(near);
}

static void assert_pointer(const char *body, const char *pointer,
                           const char *text)
{
    assert_says(near_pointer(padded(body), pointer), text);
}

static void assert_xpath(const char *body, const char *xpath, const char *text)
{
    assert_says(near_xpath(padded(body), xpath), text);
}

/* The longest part that is there, its members, and the nearest of them. */
static void test_a_pointer_that_is_misspelt(void **state)
{
    (void)state;
    assert_pointer("{\"chart\": {\"result\": [{\"price\": 1, \"size\": 2}]}}",
                   "/chart/result/0/prise",
                   "it leads as far as /chart/result/0, an object with price, "
                   "size; did you mean price?");
    assert_pointer("{\"a/b\": {\"x~y\": {}}}", "/a~1b/x~0y/z",
                   "it leads as far as /a~1b/x~0y, an object");
    assert_pointer("{\"price\": 1}", "/prise",
                   "it leads as far as the document, an object with price; did "
                   "you mean price?");
}

static void test_a_pointer_that_goes_too_far(void **state)
{
    (void)state;
    assert_pointer("{\"list\": [1, 2]}", "/list/2",
                   "it leads as far as /list, an array of 2");
    assert_pointer("{\"list\": [1, 2]}", "/list/first",
                   "it leads as far as /list, an array of 2");
    assert_pointer("{\"result\": null}", "/result/0",
                   "it leads as far as /result, null");
    assert_pointer("12345678901234567890123", "/a",
                   "it leads as far as the document, a number");
}

/* The pointer leads somewhere: to what is not wanted. */
static void test_a_pointer_to_something_else(void **state)
{
    (void)state;
    assert_pointer("{\"price\": {\"raw\": 1, \"fmt\": \"1\"}}", "/price",
                   "/price, an object with raw, fmt");
}

static void test_the_name_is_elsewhere(void **state)
{
    (void)state;
    assert_pointer("{\"meta\": {\"price\": 1}, \"old\": [{\"price\": 2}]}",
                   "/price",
                   "it leads as far as the document, an object with meta, old; "
                   "the name is at /meta/price, /old/0/price");
}

/* Those that share words with the missing one come first, in any spelling of
 * them; where no member does, those of the whole document are looked at. */
static void test_the_likest_names_first(void **state)
{
    (void)state;
    assert_pointer(
        "{\"m\": {\"currency\": 0, \"marketTime\": 0, \"day_price\": "
        "0, \"marketPrice\": 0}}",
        "/m/regular-market-price",
        "it leads as far as /m, an object with marketPrice, "
        "marketTime, day_price, currency");
    assert_pointer("{\"a\": 0, \"m\": [{\"marketPrice\": 1}]}", "/price",
                   "it leads as far as the document, an object with a, m; like "
                   "it: /m/0/marketPrice");
}

static void test_many_members(void **state)
{
    struct buffer body = BUFFER_EMPTY;
    (void)state;
    for (int i = 0; i < 1200; i++)
        buffer_printf(&body, "%s\"m%d\": 0", i ? ", " : "{", i);
    buffer_append_char(&body, '}');
    assert_pointer(buffer_text(&body), "/nothing",
                   "it leads as far as the document, an object with m0, m1, "
                   "m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, ... (1000 or "
                   "more)");
    buffer_free(&body);
}

/* Nothing can be said of what is no JSON. */
static void test_no_json(void **state)
{
    (void)state;
    assert_null(near_pointer(padded("<html>"), "/a"));
    assert_null(near_element(padded("{\"list\": []}"), "/list", "/key"));
}

static void test_in_the_first_element(void **state)
{
    (void)state;
    assert_says(near_element(padded("{\"items\": [{\"symbol\": \"A\"}]}"),
                             "/items", "/symbl"),
                "it leads as far as the document, an object with symbol; did "
                "you mean symbol?");
}

static const char page[] =
    "<html><body><div id='top'><span data-testid='qsp-price' class='big "
    "green'>1</span><span class='small'>2</span></div>"
    "<table id='list'><tr><th>Symbol<th>Name</tr><tr><td>A<td>a</tr></table>"
    "</body></html>";

/* How many the last step found that found any, and what the page has. */
static void test_an_xpath_step_that_finds_none(void **state)
{
    (void)state;
    assert_xpath(page, "//span[@data-testid=\"qsp-prize\"]",
                 "already //span[@data-testid=\"qsp-prize\"] finds none; "
                 "//span finds 2; @data-testid on the page: qsp-price; did you "
                 "mean qsp-price?");
    assert_xpath(page, "//div[@id='top']/span[contains(@class,'grean')]/text()",
                 "//div[@id='top'] finds 1, then "
                 "/span[contains(@class,'grean')] none; "
                 "//div[@id='top']/span finds 2; @class on the page: "
                 "green, big, small; did you mean green?");
    assert_xpath(page, "//div/p", "//div finds 1, then /p none");
    assert_xpath(page, "//p[@lang='en']",
                 "already //p[@lang='en'] finds none; //p finds 0; @lang on "
                 "the page: none");
}

/* A slash in quotes or brackets parts no steps. */
static void test_steps_are_parted_outside_of_conditions(void **state)
{
    (void)state;
    assert_xpath(page, "//table[tr/th='a/b']/tr[2]",
                 "already //table[tr/th='a/b'] finds none; //table finds 1");
}

static void test_an_xpath_that_finds(void **state)
{
    (void)state;
    assert_null(near_xpath(padded(page), "//span"));
    assert_null(near_xpath(padded(""), "//span"));
}

static void test_tables(void **state)
{
    (void)state;
    assert_says(near_tables(padded(page)), "table 1 id list: Symbol, Name");
    assert_says(near_tables(padded("<p>none</p>")),
                "there is no table on the page");
}

/* What is no UTF-8 after a cut can still be said. */
static void test_long_names_are_cut_between_characters(void **state)
{
    struct buffer body = BUFFER_EMPTY;
    (void)state;
    buffer_append_text(&body, "{\"x");
    for (int i = 0; i < 40; i++)
        buffer_append_text(&body, "\xC3\xA4");
    buffer_append_text(&body, "\": 1}");
    json_t *near = near_pointer(padded(buffer_text(&body)), "/a");
    assert_non_null(json_object_get(near, "text"));
    json_decref(near);
    buffer_free(&body);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_pointer_that_is_misspelt),
        cmocka_unit_test(test_a_pointer_that_goes_too_far),
        cmocka_unit_test(test_a_pointer_to_something_else),
        cmocka_unit_test(test_the_name_is_elsewhere),
        cmocka_unit_test(test_the_likest_names_first),
        cmocka_unit_test(test_many_members),
        cmocka_unit_test(test_no_json),
        cmocka_unit_test(test_in_the_first_element),
        cmocka_unit_test(test_an_xpath_step_that_finds_none),
        cmocka_unit_test(test_steps_are_parted_outside_of_conditions),
        cmocka_unit_test(test_an_xpath_that_finds),
        cmocka_unit_test(test_tables),
        cmocka_unit_test(test_long_names_are_cut_between_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
