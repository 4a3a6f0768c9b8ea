/*
 * test_extract_data.c: the recorded pages and answers in ../shared/data give
 * the symbols and prices they must. Skipped where that folder is absent.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "extract_run.h"

#define DATA WINDROW_SOURCE "/../shared/data/"
#define PRICE                                                                  \
    "class http_json\nfield price /chart/result/0/meta/regularMarketPrice\n"

static void skip_without_data(void)
{
    if (!access(DATA, R_OK))
        return;
    print_message("skipped: %s is absent\n", DATA);
    skip();
}

static struct buffer read_data(const char *name)
{
    char path[4096];
    snprintf(path, sizeof path, DATA "%s", name);
    FILE *file = fopen(path, "rb");
    struct buffer bytes = BUFFER_EMPTY;
    if (!file)
        fail_msg("%s can't be opened", path);
    for (size_t n = 1; n && buffer_reserve(&bytes, 65536);) {
        n = fread(bytes.data + bytes.len, 1, 65536, file);
        bytes.len += n;
    }
    fclose(file);
    assert_false(bytes.failed);
    return bytes;
}

static void run_file(const char *spec, const char *name, struct buffer *ret)
{
    struct buffer body = read_data(name);
    extract_run(spec, buffer_slice(&body), ret);
    buffer_free(&body);
}

static void assert_file(const char *spec, const char *name,
                        const char *expected)
{
    struct buffer found = BUFFER_EMPTY;
    run_file(spec, name, &found);
    assert_string_equal(buffer_text(&found), expected);
    buffer_free(&found);
}

/* The page's first and last key, and how many there are. */
static void assert_keys(const char *spec, const char *name, const char *first,
                        const char *last, size_t n)
{
    struct buffer found = BUFFER_EMPTY;
    run_file(spec, name, &found);
    const char *text = buffer_text(&found);
    size_t lines = 0;
    for (const char *c = text; *c; c++)
        lines += *c == '\n';
    assert_int_equal(lines, n);
    assert_memory_equal(text, first, strlen(first));
    assert_int_equal(text[strlen(first)], '\n');
    char end[64];
    snprintf(end, sizeof end, "\n%s\n", last);
    assert_string_equal(text + found.len - strlen(end), end);
    buffer_free(&found);
}

/* One line of expected.tsv: file, status, symbol, currency, price, ... */
static void check_chart(char *line)
{
    char *column[5];
    for (size_t i = 0; i < 5; i++)
        column[i] = strsep(&line, "\t");
    char expected[256];
    if (!strcmp(column[4], "ABSENT"))
        snprintf(expected, sizeof expected,
                 "field_missing: "
                 "/chart/result/0/meta/regularMarketPrice: absent\n");
    else if (!strcmp(column[4], "NULL"))
        snprintf(expected, sizeof expected,
                 "field_null: "
                 "/chart/result/0/meta/regularMarketPrice: null\n");
    else
        snprintf(expected, sizeof expected, "price %s\n", column[4]);
    char name[512];
    snprintf(name, sizeof name, "yahoo/%s", column[0]);
    assert_file(PRICE, name, expected);
}

/* Each recorded chart gives its price, digit for digit, or the reason why it
 * has none. */
static void test_charts(void **state)
{
    (void)state;
    skip_without_data();
    struct buffer table = read_data("yahoo/expected.tsv");
    buffer_append_char(&table, '\0');
    size_t n = 0;
    char *next = table.data;
    strsep(&next, "\n");
    for (char *line; (line = strsep(&next, "\n"));)
        if (*line) {
            check_chart(line);
            n++;
        }
    assert_int_equal(n, 90);
    buffer_free(&table);
}

/* A refusal in plain text is not JSON. */
static void test_refusals(void **state)
{
    (void)state;
    skip_without_data();
    assert_file(PRICE, "yahoo/error/429_too_many_requests.txt",
                "not_json: not a JSON document\n");
    assert_file(PRICE, "yahoo/error/429_edge_too_many_requests.txt",
                "not_json: not a JSON document\n");
    assert_file(PRICE, "yahoo/error/401_invalid_crumb.json",
                "field_missing: /chart/result/0/meta/regularMarketPrice: "
                "absent\n");
}

/* Wikipedia's page over the years, as browsers get it and as its REST form. */
static void test_wikipedia(void **state)
{
    (void)state;
    skip_without_data();
    static const char by_id[] =
        "class html_table\nid constituents\ncolumn Symbol\n";
    static const char by_column[] = "class html_table\ncolumn Symbol\n";
    static const struct {
        const char *name;
        size_t keys;
    } pages[] = {
        {"wikipedia/sp500_enwiki_2023-01.html", 503},
        {"wikipedia/sp500_enwiki_2024-10.html", 503},
        {"wikipedia/sp500_parsoid_2021-10-05_066.html", 505},
        {"wikipedia/sp500_parsoid_2022-02-17_141.html", 506},
    };
    for (size_t i = 0; i < 4; i++) {
        assert_keys(by_id, pages[i].name, "MMM", "ZTS", pages[i].keys);
        assert_keys(by_column, pages[i].name, "MMM", "ZTS", pages[i].keys);
    }
    assert_keys("class html_table\nclass_of_table wikitable\nnumber 1\n",
                pages[1].name, "MMM", "ZTS", 503);
    assert_keys("class html_table\nxpath //table[@id='constituents']\n"
                "column symbol\n",
                pages[1].name, "MMM", "ZTS", 503);
}

/* The page of 2018 has a table without id, and another header. */
static void test_wikipedia_2018(void **state)
{
    (void)state;
    skip_without_data();
    assert_keys("class html_table\ncolumn Ticker symbol\n",
                "wikipedia/sp500_enwiki_2018-02.html", "MMM", "ZTS", 505);
    assert_file("class html_table\nid constituents\ncolumn Symbol\n",
                "wikipedia/sp500_enwiki_2018-02.html",
                "no_table: no table with the id \"constituents\"\n");
}

/* Other sites' tables, and an article that has none. */
static void test_other_pages(void **state)
{
    (void)state;
    skip_without_data();
    assert_keys("class html_table\ncolumn Symbol\n",
                "wikipedia/slickcharts_sp500_2020-06.html", "MSFT", "NWS", 505);
    assert_keys("class html_table\ncolumn Symbol\n",
                "wikipedia/slickcharts_nasdaq100_2024-02.html", "MSFT", "SIRI",
                101);
    assert_file("class html_table\ncolumn Symbol\n",
                "wikipedia/wikipedia_mozilla_readability.html",
                "no_table: no table has a column \"Symbol\"\n");
    assert_file("class html_table\nclass_of_table infobox\ncolumn Symbol\n",
                "wikipedia/wikipedia_mozilla_readability.html",
                "no_column: the table has no column \"Symbol\"; it has "
                "\"\"\n");
    assert_file("class html_table\ncolumn Symbol\n",
                "wikipedia/403_no_user_agent.txt",
                "no_table: no table has a column \"Symbol\"\n");
}

/* Yahoo's own page: the price by XPath, not that of the first ticker. */
static void test_quote_page(void **state)
{
    (void)state;
    skip_without_data();
    assert_file("class http_html\n"
                "field price //*[@data-testid='qsp-price']\n"
                "field index //*[@data-symbol='^GSPC' and "
                "@data-field='regularMarketPrice']\n",
                "yahoo/page/2025-10__rs_profile_html_AAPL.html",
                "price 268.80\nindex 6906.81\n");
    assert_file("class http_html\n"
                "field price //*[@data-symbol='AAPL' and "
                "@data-field='regularMarketPrice']/@value\n",
                "yahoo/page/2023-05__getCrumb-quote-AAPL.html",
                "price 173.57\n");
    assert_file("class http_html\nfield price //x\n",
                "yahoo/page/2025-02__getCrumb-quote-AAPL-consent.txt",
                "not_html: the answer is empty\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_charts),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_wikipedia),
        cmocka_unit_test(test_wikipedia_2018),
        cmocka_unit_test(test_other_pages),
        cmocka_unit_test(test_quote_page),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
