/* Points of time on the command line: since.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "since.h"

#define NOW (1000000 * USEC_PER_SEC)

/* Times and what they are, in UTC with microseconds; NULL: refused. */
static void test_times(void **state)
{
    (void)state;
    static const struct {
        const char *text, *is;
    } table[] = {
        {"2026-11-22", "2026-11-22T00:00:00.000000Z"},
        {"2026-11-22T18:17", "2026-11-22T18:17:00.000000Z"},
        {"2026-11-22 18:17:49", "2026-11-22T18:17:49.000000Z"},
        {"2026-11-22T18:17:49.5Z", "2026-11-22T18:17:49.500000Z"},
        {"2026-11-22T18:17:49.1234567", "2026-11-22T18:17:49.123456Z"},
        {"2026-11-22T18:17+05:30", "2026-11-22T12:47:00.000000Z"},
        {"2026-11-22T18:17-0800", "2026-11-23T02:17:00.000000Z"},
        {"2026-11-22T18:17+02", "2026-11-22T16:17:00.000000Z"},
        {"2024-02-29", "2024-02-29T00:00:00.000000Z"},
        {"1970-01-01T00:00:01", "1970-01-01T00:00:01.000000Z"},
        {"2h", "1970-01-12T11:46:40.000000Z"},
        {"1d", "1970-01-11T13:46:40.000000Z"},
        {"500ms", "1970-01-12T13:46:39.500000Z"},
        {"30000d", "1970-01-01T00:00:00.000001Z"},
        {"2026-02-29", NULL},
        {"2026-13-01", NULL},
        {"2026-1-1", NULL},
        {"2026-11-22T", NULL},
        {"2026-11-22T24:00", NULL},
        {"2026-11-22T18:17:60", NULL},
        {"2026-11-22T18:17:49.", NULL},
        {"2026-11-22T18:17:49ZZ", NULL},
        {"2026-11-22T18:17+5", NULL},
        {"2026", NULL},
        {"", NULL},
        {"0", NULL},
        {"-2h", NULL},
        {"yesterday", NULL},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        char is[CLOCK_TEXT_BYTES];
        usec_t when = 0;
        if (since_parse(table[i].text, NOW, &when) != !!table[i].is)
            fail_msg("\"%s\" is %s", table[i].text,
                     table[i].is ? "refused" : "taken");
        if (!table[i].is)
            continue;
        clock_format(when, is);
        assert_string_equal(is, table[i].is);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_times)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
