/* Rows for people: table.h. */
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "table.h"

static const struct table_title titles[] = {
    {"key", false}, {"n", true}, {"word", false}};

static char *text;
static size_t text_len;

static struct table *begin(struct output *output, bool colours)
{
    free(text);
    *output = (struct output){.file = open_memstream(&text, &text_len),
                              .colours = colours};
    return table_new(output, titles, 3);
}

static const char *end(struct output *output, struct table *table)
{
    table_end(&table);
    assert_null(table);
    assert_false(output->failed);
    fclose(output->file);
    return text;
}

static void add(struct table *table, const char *key, int n, const char *word)
{
    table_cell(table, slice_of(key));
    table_cell_int(table, n);
    table_cell_styled(table, STYLE_BAD, slice_of(word));
}

/* A column is as wide as what it shows, not as its bytes; numbers stand at the
 * right, and nothing stands behind the last cell. */
static void test_widths(void **state)
{
    (void)state;
    struct output output;
    struct table *table = begin(&output, false);
    add(table, "Zürich", 7, "a");
    add(table, "東京", 12345, "bb");
    add(table, "e\u0301", 1, "");
    assert_string_equal(end(&output, table), "key         n  word\n"
                                             "Zürich      7  a\n"
                                             "東京    12345  bb\n"
                                             "e\u0301           1  \n");
}

/* Without rows the titles alone; with colours they and the cells have some,
 * which take no room. */
static void test_colours(void **state)
{
    (void)state;
    struct output output;
    struct table *table = begin(&output, false);
    assert_string_equal(end(&output, table), "key  n  word\n");
    table = begin(&output, true);
    add(table, "k", 10, "w");
    assert_string_equal(
        end(&output, table),
        "\033[1mkey\033[0m   \033[1mn\033[0m  \033[1mword\033[0m\n"
        "k    10  \033[31mw\033[0m\n");
}

/* What could command a terminal, and what is no UTF-8, is a question mark. */
static void test_controls(void **state)
{
    (void)state;
    struct output output;
    struct table *table = begin(&output, false);
    add(table, "\033[2J", 0,
        "\xc2\x9b"
        "1m\t\xff");
    assert_string_equal(end(&output, table), "key   n  word\n"
                                             "?[2J  0  ?1m??\n");
}

/* A cell that is too long for its column moves its own row alone. */
static void test_long(void **state)
{
    (void)state;
    struct output output;
    char key[TABLE_WIDTH_MAX + 3], expected[300];
    memset(key, 'k', sizeof key - 1);
    key[sizeof key - 1] = '\0';
    struct table *table = begin(&output, false);
    add(table, key, 1, "w");
    add(table, "k", 2, "w");
    snprintf(expected, sizeof expected, "%-*s  n  word\n%s  1  w\n%-*s  2  w\n",
             TABLE_WIDTH_MAX, "key", key, TABLE_WIDTH_MAX, "k");
    assert_string_equal(end(&output, table), expected);
}

/* Rows behind those that are measured come out at once, in the widths that
 * the first ones gave. */
static void test_streaming(void **state)
{
    (void)state;
    struct output output;
    struct table *table = begin(&output, false);
    for (int i = 0; i < TABLE_ROWS_MEASURED; i++) {
        fflush(output.file);
        assert_int_equal(text_len, 0);
        add(table, "key", i % 10, "w");
    }
    for (int i = 0; i < 3; i++)
        add(table, "longer", 7, "w");
    fflush(output.file);
    static const char last[] = "key  9  w\n"
                               "longer  7  w\nlonger  7  w\nlonger  7  w\n";
    assert_string_equal(text + text_len - strlen(last), last);
    end(&output, table);
}

static int setup(void **state)
{
    (void)state;
    return setlocale(LC_CTYPE, "C.UTF-8") ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    free(text);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_widths),    cmocka_unit_test(test_colours),
        cmocka_unit_test(test_controls),  cmocka_unit_test(test_long),
        cmocka_unit_test(test_streaming),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
