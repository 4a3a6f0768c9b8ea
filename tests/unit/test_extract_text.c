/* test_extract_text.c: white space, footnote marks, numbers for people. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "extract_text.h"

static void assert_slice(struct slice found, const char *expected)
{
    if (!slice_equal(found, slice_of(expected)))
        fail_msg("\"%.*s\" is not \"%s\"", SLICE_ARGS(found), expected);
}

static void assert_changed(size_t (*change)(char *, size_t), const char *text,
                           const char *expected)
{
    char copy[64];
    strcpy(copy, text);
    size_t len = change(copy, strlen(copy));
    assert_slice((struct slice){copy, len}, expected);
}

/* White space is ASCII's and the no-break space. */
static void test_trim(void **state)
{
    (void)state;
    assert_slice(extract_text_trim(slice_of(" \t\u00a0 a b\u00a0\r\n")), "a b");
    assert_slice(extract_text_trim(slice_of("\u00a0")), "");
    assert_slice(extract_text_trim(slice_of("\u00e0")), "\u00e0");
    assert_slice(extract_text_trim((struct slice){NULL, 0}), "");
}

/* Runs of white space inside become one space. */
static void test_squeeze(void **state)
{
    (void)state;
    assert_changed(extract_text_squeeze, "\n Ticker \u00a0\n symbol ",
                   "Ticker symbol");
    assert_changed(extract_text_squeeze, " \n", "");
}

/* Footnote marks go from the end, short ones in brackets only. */
static void test_footnotes(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {
        {"Symbol[a]", "Symbol"},
        {"Symbol [1] [note 2]", "Symbol"},
        {"Symbol[]", "Symbol[]"},
        {"Symbol]", "Symbol]"},
        {"[a]", "[a]"},
        {"Symbol[far too long]", "Symbol[far too long]"},
        {"S[a]ymbol", "S[a]ymbol"}};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        assert_slice(extract_text_without_footnotes(slice_of(pairs[i][0])),
                     pairs[i][1]);
}

/* Commas go where they part groups of three; anything else stays, for the
 * grammar to refuse. */
static void test_plain_number(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {{"1,234,567.80", "1234567.80"},
                                           {"+1,234", "1234"},
                                           {"-12,345e3", "-12345e3"},
                                           {"1,23", "1,23"},
                                           {"1234,567", "1234,567"},
                                           {",123", ",123"},
                                           {"1,234,5", "1,234,5"},
                                           {"1,2345", "1,2345"},
                                           {"+-1", "+-1"},
                                           {"+", "+"},
                                           {"1.5", "1.5"},
                                           {"1,234.5,678", "1234.5,678"},
                                           {"", ""}};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        assert_changed(extract_text_plain_number, pairs[i][0], pairs[i][1]);
}

/* Integers are numbers without fraction and exponent. */
static void test_integers(void **state)
{
    (void)state;
    assert_true(extract_text_is_integer(slice_of("-10")));
    assert_true(extract_text_is_integer(slice_of("0")));
    assert_false(extract_text_is_integer(slice_of("1.0")));
    assert_false(extract_text_is_integer(slice_of("1e3")));
    assert_false(extract_text_is_integer(slice_of("-")));
    assert_false(extract_text_is_integer(slice_of("")));
    assert_false(extract_text_is_number(slice_of("")));
    assert_true(extract_text_is_number(slice_of("-0.0E-0")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_trim),      cmocka_unit_test(test_squeeze),
        cmocka_unit_test(test_footnotes), cmocka_unit_test(test_plain_number),
        cmocka_unit_test(test_integers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
