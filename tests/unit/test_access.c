/* Who may see the dashboard: master/dashboard/access.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "dashboard/access.h"

#define TOKEN "0123456789abcdef"

/* Places that are listened at, as address and port. */
static void test_places(void **state)
{
    (void)state;
    static const struct {
        const char *place, *token, *address;
        int port;
    } table[] = {
        {NULL, NULL, "127.0.0.1", 8765},
        {"", NULL, "127.0.0.1", 8765},
        {":0", NULL, "127.0.0.1", 0},
        {"127.0.0.9:80", NULL, "127.0.0.9", 80},
        {"localhost:80", NULL, "127.0.0.1", 80},
        {"[::1]:8080", NULL, "::1", 8080},
        {"[::1]", NULL, "::1", 8765},
        {"0.0.0.0:80", TOKEN, "0.0.0.0", 80},
        {"[::]:80", TOKEN, "::", 80},
        {"127.0.0.1", TOKEN, "127.0.0.1", 8765},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct access access;
        struct error err = ERROR_NONE;
        if (access_read(table[i].place, table[i].token, &access, &err))
            fail_msg("%s: %s", table[i].place, err.text);
        assert_string_equal(access.address, table[i].address);
        assert_int_equal(access.port, table[i].port);
    }
}

/* And those that are not: what is no place, what others can reach without a
 * token, tokens that are none. */
static void test_bad_places(void **state)
{
    (void)state;
    static const struct {
        const char *place, *token;
        enum error_code code;
    } table[] = {
        {"here", NULL, ERR_USAGE},
        {"127.0.0.1:", NULL, ERR_NONE},
        {"127.0.0.1:65536", NULL, ERR_USAGE},
        {"127.0.0.1:-1", NULL, ERR_USAGE},
        {"127.0.0.1:80x", NULL, ERR_USAGE},
        {"::1:80", NULL, ERR_USAGE},
        {"[::1:80", NULL, ERR_USAGE},
        {"0.0.0.0:80", NULL, ERR_USAGE},
        {"0.0.0.0:80", "", ERR_USAGE},
        {"192.0.2.1", NULL, ERR_USAGE},
        {"[2001:db8::1]:80", NULL, ERR_USAGE},
        {"127.0.0.1", "short", ERR_SETTING},
        {"127.0.0.1", "0123456789abcde;", ERR_SETTING},
        {"127.0.0.1", "0123456789abcde ", ERR_SETTING},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct access access;
        struct error err = ERROR_NONE;
        if (access_read(table[i].place, table[i].token, &access, &err) !=
            (int)table[i].code)
            fail_msg("%s: %d", table[i].place, (int)err.code);
    }
}

/* Without a token, whoever asked for loopback by one of its names: a page of
 * another name that leads here reads nothing. */
static void test_hosts(void **state)
{
    (void)state;
    const struct access access = {.address = "127.0.0.1"};
    static const char *const good[] = {"localhost", "localhost:8765",
                                       "127.0.0.1:1", "[::1]:8765"};
    static const char *const bad[] = {NULL,           "",
                                      "evil.example", "localhost.evil.example",
                                      "192.168.0.1",  "127.0.0.1.evil.example",
                                      "[::2]"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_int_equal(
            access_judge(&access, &(struct access_claim){.host = good[i]}),
            ACCESS_GRANTED);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(
            access_judge(&access, &(struct access_claim){.host = bad[i]}),
            ACCESS_WRONG_HOST);
}

/* With a token, whoever has it, all of it, in one of three ways. */
static void test_token(void **state)
{
    (void)state;
    const struct access access = {.address = "0.0.0.0", .token = TOKEN};
    static const struct {
        struct access_claim claim;
        enum access_verdict verdict;
    } table[] = {
        {{.authorization = "Bearer " TOKEN}, ACCESS_GRANTED},
        {{.cookie = ACCESS_COOKIE "=" TOKEN}, ACCESS_GRANTED},
        {{.cookie = "a=b; " ACCESS_COOKIE "=" TOKEN "; c=d"}, ACCESS_GRANTED},
        {{.token = TOKEN}, ACCESS_TOKEN_IN_URL},
        {{.host = "localhost"}, ACCESS_DENIED},
        {{.authorization = TOKEN}, ACCESS_DENIED},
        {{.authorization = "Bearer " TOKEN "0"}, ACCESS_DENIED},
        {{.authorization = "Bearer "}, ACCESS_DENIED},
        {{.cookie = "x" ACCESS_COOKIE "=" TOKEN}, ACCESS_DENIED},
        {{.cookie = ACCESS_COOKIE "="}, ACCESS_DENIED},
        {{.cookie = ACCESS_COOKIE "=0123456789abcde"}, ACCESS_DENIED},
        {{.token = "0123456789abcdeF"}, ACCESS_DENIED},
        {{.token = ""}, ACCESS_DENIED},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (access_judge(&access, &table[i].claim) != table[i].verdict)
            fail_msg("case %zu", i);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_places),
        cmocka_unit_test(test_bad_places),
        cmocka_unit_test(test_hosts),
        cmocka_unit_test(test_token),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
