/* From keys to URLs: template.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "alloc_sweep.h"
#include "pipeline/template.h"

#define CHART "https://h/v8/chart/{key}?range=1d"

/* Asserts that `key` gives `expected`; NULL: no URL. */
static void assert_url(const struct request *request, const char *key,
                       const char *expected)
{
    struct buffer url = BUFFER_EMPTY;
    bool good = request_url(request, slice_of(key), &url);

    assert_int_equal(good, expected != NULL);
    if (expected)
        assert_string_equal(buffer_text(&url), expected);
    buffer_free(&url);
}

static void assert_template(const char *url, const char *key,
                            const char *expected)
{
    struct request request = {.url = url};
    assert_url(&request, key, expected);
}

static void assert_host(const char *url, const char *expected)
{
    struct buffer host = BUFFER_EMPTY;
    bool good = url_host(slice_of(url), &host);

    assert_int_equal(good, expected != NULL);
    if (expected)
        assert_string_equal(buffer_text(&host), expected);
    buffer_free(&host);
}

/* A key is percent-encoded but for RFC 3986's unreserved characters. */
static void test_key_is_encoded(void **state)
{
    (void)state;
    assert_template(CHART, "AAPL", "https://h/v8/chart/AAPL?range=1d");
    assert_template(CHART, "a-b._~9", "https://h/v8/chart/a-b._~9?range=1d");
    assert_template(CHART, "^GSPC", "https://h/v8/chart/%5EGSPC?range=1d");
    assert_template(CHART, "EURUSD=X",
                    "https://h/v8/chart/EURUSD%3DX?range=1d");
    assert_template(CHART, "a/b?c#d&e%f g",
                    "https://h/v8/chart/a%2Fb%3Fc%23d%26e%25f%20g?range=1d");
    assert_template(CHART, "\xC3\x9F", "https://h/v8/chart/%C3%9F?range=1d");
}

/* {symbol} is the same as {key}; both may stand several times. */
static void test_symbol_and_repetition(void **state)
{
    (void)state;
    assert_template("http://h/{symbol}/{key}?q={key}", "A.B",
                    "http://h/A.B/A.B?q=A.B");
}

/* A brace that begins neither is left alone. */
static void test_other_braces(void **state)
{
    (void)state;
    assert_template("http://h/{{key}}{ke", "A", "http://h/{A}{ke");
}

/* In the authority a key must be a host's name as it is. */
static void test_key_as_host(void **state)
{
    (void)state;
    assert_template("https://{key}.example/x", "www", "https://www.example/x");
    assert_template("https://{key}", "h.example", "https://h.example");
    assert_template("https://{key}/", "a/b", NULL);
    assert_template("https://{key}/", "user@evil", NULL);
    assert_template("https://{key}/", "[::1]", NULL);
    assert_template("https://{key}/", "\xC3\x9F", NULL);
}

/* Only http and https with a host come out, at most URL_BYTES_MAX long. */
static void test_what_is_no_url(void **state)
{
    char url[URL_BYTES_MAX + 20];
    (void)state;
    assert_template("ftp://h/{key}", "A", NULL);
    assert_template("{key}", "http://h/", NULL);
    assert_template("http:///{key}", "A", NULL);
    assert_template("http://h/ {key}", "A", NULL);

    int start = snprintf(url, sizeof url, "http://h/{key}");
    size_t room = URL_BYTES_MAX - strlen("http://h/A");
    memset(url + start, 'x', room + 1);
    url[(size_t)start + room] = '\0';
    struct request request = {.url = url};
    struct buffer out = BUFFER_EMPTY;
    assert_true(request_url(&request, slice_of("A"), &out));
    assert_int_equal(out.len, URL_BYTES_MAX);
    buffer_clear(&out);
    assert_false(request_url(&request, slice_of("AB"), &out));
    buffer_free(&out);
}

/* The URL is appended to what is there. */
static void test_appends(void **state)
{
    struct request request = {.url = CHART};
    struct buffer out = BUFFER_EMPTY;
    (void)state;
    buffer_append_text(&out, "GET ");
    assert_true(request_url(&request, slice_of("A"), &out));
    assert_string_equal(buffer_text(&out), "GET https://h/v8/chart/A?range=1d");
    buffer_free(&out);
}

/* A request for http://h/{key} with these replacements; expressions and
 * replacements by turns, ended by NULL. */
static void with_replaces(struct request *request, struct replace *replaces,
                          ...)
{
    va_list args;
    va_start(args, replaces);
    *request = (struct request){.url = "http://h/{key}", .replaces = replaces};
    const char *expression;
    while ((expression = va_arg(args, const char *))) {
        struct replace *r = &replaces[request->n_replaces++];
        r->expression = expression;
        r->with = va_arg(args, const char *);
        assert_int_equal(regcomp(&r->compiled, expression, REG_EXTENDED), 0);
    }
    va_end(args);
}

static void free_replaces(struct request *request)
{
    for (size_t i = 0; i < request->n_replaces; i++)
        regfree(&request->replaces[i].compiled);
}

/* BRK.B is asked for as BRK-B; other dots stay. */
static void test_share_classes(void **state)
{
    struct request request;
    struct replace replaces[4];
    (void)state;
    with_replaces(&request, replaces, "^([A-Z]+)\\.([AB])$", "\\1-\\2", NULL);
    assert_url(&request, "BRK.B", "http://h/BRK-B");
    assert_url(&request, "OCDO.L", "http://h/OCDO.L");
    assert_url(&request, "BB.TO", "http://h/BB.TO");
    free_replaces(&request);
}

/* The first expression that matches is the only one that is used. */
static void test_first_match_wins(void **state)
{
    struct request request;
    struct replace replaces[4];
    (void)state;
    with_replaces(&request, replaces, "a", "b", "b", "c", NULL);
    assert_url(&request, "a", "http://h/b");
    assert_url(&request, "b", "http://h/c");
    assert_url(&request, "ab", "http://h/bb");
    free_replaces(&request);
}

/* Only the match is replaced; \0 is all of it, a group that took no part is
 * nothing, and a backslash before anything else is dropped. */
static void test_replacement_notation(void **state)
{
    struct request request;
    struct replace replaces[4];
    (void)state;
    with_replaces(&request, replaces, "1(x)?2", "<\\0|\\1|\\\\|\\->", NULL);
    assert_url(&request, "a12b", "http://h/a%3C12%7C%7C%5C%7C-%3Eb");
    free_replaces(&request);
}

/* What a replacement makes of a key must be a key again. */
static void test_replaced_to_nothing(void **state)
{
    struct request request;
    struct replace replaces[4];
    (void)state;
    with_replaces(&request, replaces, "^x*$", "", NULL);
    assert_url(&request, "xx", NULL);
    assert_url(&request, "y", "http://h/y");
    free_replaces(&request);
}

/* Keys: 1 to KEY_BYTES_MAX bytes of UTF-8 without control characters. */
static void test_keys(void **state)
{
    static const char *const good[] = {
        "A", "a b", "\xC3\x9F", "\xE2\x82\xAC", "\xF0\x9F\x92\xA9", "\xC2\xA0"};
    static const char *const bad[] = {
        "",
        "\n",
        "a\tb",
        "\x7F",
        "\xC2\x80",         /* a control character beyond ASCII */
        "\xC3",             /* cut off */
        "\x80",             /* begins in the middle */
        "\xC0\x80",         /* overlong */
        "\xE0\x80\x80",     /* overlong */
        "\xF0\x80\x80\x80", /* overlong */
        "\xED\xA0\x80",     /* a surrogate */
        "\xF4\x90\x80\x80", /* beyond U+10FFFF */
        "\xF5\x80\x80\x80",
    };
    char long_key[KEY_BYTES_MAX + 1];
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(key_is_valid(slice_of(good[i])));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(key_is_valid(slice_of(bad[i])));
    memset(long_key, 'k', sizeof long_key);
    assert_true(key_is_valid((struct slice){long_key, KEY_BYTES_MAX}));
    assert_false(key_is_valid((struct slice){long_key, KEY_BYTES_MAX + 1}));
    assert_false(key_is_valid((struct slice){"a\0b", 3}));
    assert_template(CHART, "a\nb", NULL);
}

/* The port is always there, the name in lower case, the user left out. */
static void test_hosts(void **state)
{
    (void)state;
    assert_host("http://Example.ORG/x", "example.org:80");
    assert_host("https://example.org", "example.org:443");
    assert_host("HTTPS://example.org?q", "example.org:443");
    assert_host("http://u:p@h:8080#f", "h:8080");
    assert_host("http://h:/", "h:80");
    assert_host("http://[::1]:99/", "[::1]:99");
    assert_host("http://[FE80::1]/", "[fe80::1]:80");
    assert_host("http://127.0.0.1:1", "127.0.0.1:1");
}

static void test_no_hosts(void **state)
{
    static const char *const bad[] = {"",
                                      "h",
                                      "http:",
                                      "http://",
                                      "http:///x",
                                      "ftp://h/",
                                      "http://h:0/",
                                      "http://h:65536/",
                                      "http://h:x",
                                      "http://a b/",
                                      "http://[::1/",
                                      "http://[g::]/",
                                      "http://[]/",
                                      "http://h\n/",
                                      "http://\xC3\xA4/",
                                      "file:///etc/passwd",
                                      "http://@/",
                                      "http://.h/"};
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_host(bad[i], NULL);
}

/* All keys go to one host unless the key is part of its name. */
static void test_fixed_host(void **state)
{
    struct request fixed = {.url = "https://H.example:1/{key}?a={key}"};
    struct request open = {.url = "https://{key}.example/"};
    struct request source = {.url = NULL};
    struct buffer host = BUFFER_EMPTY;
    (void)state;
    assert_false(request_fixed_host(&open, &host));
    assert_false(request_fixed_host(&source, &host));
    assert_true(request_fixed_host(&fixed, &host));
    assert_string_equal(buffer_text(&host), "h.example:1");
    buffer_free(&host);
}

/* How many of the first keys go together, and the URL for them. */
static void assert_together(const struct request *request, size_t n,
                            const char *const *keys, size_t expected_n,
                            const char *expected)
{
    struct slice slices[PIPELINE_REQUEST_KEYS_MAX];
    struct buffer url = BUFFER_EMPTY;

    for (size_t i = 0; i < n; i++)
        slices[i] = slice_of(keys[i]);
    assert_int_equal(request_url_of(request, slices, n, &url), expected_n);
    if (expected_n)
        assert_string_equal(buffer_text(&url), expected);
    buffer_free(&url);
}

/* Several keys: each encoded and replaced, the separator as it is written. One
 * that holds the separator, in whatever form, stands alone; one that is not
 * valid ends the row. */
static void test_several_keys(void **state)
{
    struct request request;
    struct replace replaces[4];
    const char *good[] = {"^A", "BRK.B", "C"};
    const char *holds[] = {"A", "B,C", "D"};
    const char *bad[] = {"A", "\x01", "D"};
    (void)state;
    with_replaces(&request, replaces, "^([A-Z]+)\\.([AB])$", "\\1-\\2", NULL);
    request.url = "http://h/?q={keys}&x";
    request.keys_per_request = 3;
    request.separator = ",";
    request.separator_in_key = "%2C";
    assert_together(&request, 3, good, 3, "http://h/?q=%5EA,BRK-B,C&x");
    assert_together(&request, 1, good + 1, 1, "http://h/?q=BRK-B&x");
    assert_together(&request, 3, holds, 1, "http://h/?q=A&x");
    assert_together(&request, 2, holds + 1, 1, "http://h/?q=B%2CC&x");
    assert_together(&request, 3, bad, 1, "http://h/?q=A&x");
    assert_together(&request, 2, bad + 1, 0, NULL);
    request.separator = "-";
    request.separator_in_key = "-";
    assert_together(&request, 3, good, 1, "http://h/?q=%5EA&x");
    assert_together(&request, 2, good + 1, 1, "http://h/?q=BRK-B&x");
    free_replaces(&request);
}

/* As many as make no URL longer than it may be, and not one more. */
static void test_several_long_keys(void **state)
{
    struct request request = {.url = "http://h/{keys}",
                              .keys_per_request = 10,
                              .separator = ",",
                              .separator_in_key = "%2C"};
    char text[KEY_BYTES_MAX + 1];
    struct slice keys[10];
    struct buffer url = BUFFER_EMPTY;
    (void)state;
    memset(text, 'k', sizeof text);
    for (size_t i = 0; i < 10; i++)
        keys[i] = (struct slice){text, KEY_BYTES_MAX};
    assert_int_equal(request_url_of(&request, keys, 10, &url), 7);
    keys[7].len = URL_BYTES_MAX - url.len - 1;
    buffer_clear(&url);
    assert_int_equal(request_url_of(&request, keys, 10, &url), 8);
    assert_int_equal(url.len, URL_BYTES_MAX);
    keys[7].len++;
    buffer_clear(&url);
    assert_int_equal(request_url_of(&request, keys, 10, &url), 7);
    buffer_free(&url);
}

static void make_url_of_several(void *context)
{
    const struct slice keys[] = {slice_of("BRK.B"), slice_of("KO")};
    struct buffer out = BUFFER_EMPTY;
    size_t n = request_url_of(context, keys, 2, &out);
    assert_int_equal(n, alloc_sweep_failed() ? 0 : 2);
    buffer_free(&out);
}

static void make_url(void *context)
{
    struct buffer out = BUFFER_EMPTY;
    bool good = request_url(context, slice_of("BRK.B"), &out) &&
                url_host(buffer_slice(&out), &out);
    assert_int_equal(good, !alloc_sweep_failed());
    buffer_free(&out);
}

/* Out of memory at any point: false, and nothing leaks. */
static void test_no_memory(void **state)
{
    struct request request;
    struct replace replaces[4];
    (void)state;
    with_replaces(&request, replaces, "^([A-Z]+)\\.([AB])$", "\\1-\\2", NULL);
    assert_true(alloc_sweep(make_url, &request) > 1);
    request.url = "http://h/{keys}";
    request.keys_per_request = 2;
    request.separator = ",";
    request.separator_in_key = "%2C";
    assert_true(alloc_sweep(make_url_of_several, &request) > 1);
    free_replaces(&request);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_key_is_encoded),
        cmocka_unit_test(test_symbol_and_repetition),
        cmocka_unit_test(test_other_braces),
        cmocka_unit_test(test_key_as_host),
        cmocka_unit_test(test_what_is_no_url),
        cmocka_unit_test(test_appends),
        cmocka_unit_test(test_share_classes),
        cmocka_unit_test(test_first_match_wins),
        cmocka_unit_test(test_replacement_notation),
        cmocka_unit_test(test_replaced_to_nothing),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_hosts),
        cmocka_unit_test(test_no_hosts),
        cmocka_unit_test(test_fixed_host),
        cmocka_unit_test(test_several_keys),
        cmocka_unit_test(test_several_long_keys),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
