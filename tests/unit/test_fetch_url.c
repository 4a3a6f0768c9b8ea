/* What of a URL libcurl is told once, and where redirects lead: fetch_url.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <curl/curl.h>

#include "fetch_url.h"

/* The rest is sent as it stands, so it must be what libcurl would send. */
static void test_base(void **state)
{
    (void)state;
    static const char *const urls[] = {
        "http://a.example/",
        "https://a.example:8443/b/c?d=e&f=%20/../g",
        "HTTP://A.example/%5EGSPC/b./c..d?",
        "http://[::1]:80/~b'(c)|d",
    };
    const size_t bases[] = {16, 22, 0, 15};
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++)
        assert_int_equal(fetch_url_base(urls[i]), bases[i]);
}

static void test_what_libcurl_would_change(void **state)
{
    (void)state;
    static const char *const urls[] = {
        "",
        "a.example/b",
        "http://a.example",
        "http://a.example?b=/c",
        "http://a.example#/b",
        "http://me:secret@a.example/b",
        "http://a.example/b#c",
        "http://a.example/b?c#d",
        "http://a.example/b c",
        "http://a.example/b\tc",
        "http://a.example/b\x7f",
        "http://a.example/b\xc3\xa4",
        "http://a.example/b/../c",
        "http://a.example/./b",
        "http://a.example/b/%2E%2e/c",
        "http://a.example/b?",
    };
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++)
        if (fetch_url_base(urls[i]))
            fail_msg("\"%s\" has a base", urls[i]);
}

/* RFC 3986, 5.4. */
static void test_resolve(void **state)
{
    (void)state;
    static const char *const places[][2] = {
        {"g", "http://a/b/c/g"},   {"?y", "http://a/b/c/d;p?y"},
        {"../../g", "http://a/g"}, {"/g", "http://a/g"},
        {"//g/", "http://g/"},     {"https://h/i", "https://h/i"},
    };
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        char *to = fetch_url_resolve("http://a/b/c/d;p?q", places[i][0]);
        assert_string_equal(to, places[i][1]);
        curl_free(to);
    }
    assert_null(fetch_url_resolve("http://a/b", "http://[::"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_base),
        cmocka_unit_test(test_what_libcurl_would_change),
        cmocka_unit_test(test_resolve),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
