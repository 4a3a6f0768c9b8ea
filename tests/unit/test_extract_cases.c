/*
 * test_extract_cases.c: every folder in tests/cases/extract/ is a test: the
 * worker in `worker` (extract_run.h says how it is written), run on the bytes
 * of `body`, must give the text of `expected`.
 */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "extract_run.h"

#define CASES WINDROW_SOURCE "/tests/cases/extract/"

static struct buffer read_case(const char *name, const char *file)
{
    char path[4096];
    struct buffer bytes = BUFFER_EMPTY;
    struct error err = ERROR_NONE;
    snprintf(path, sizeof path, CASES "%s/%s", name, file);
    if (pipeline_read_file(path, &bytes, &err))
        fail_msg("%s", err.text);
    return bytes;
}

static void test_case(void **state)
{
    const char *name = *state;
    struct buffer worker = read_case(name, "worker");
    struct buffer body = read_case(name, "body");
    struct buffer expected = read_case(name, "expected");
    assert_extract_slice(buffer_text(&worker), buffer_slice(&body),
                         buffer_text(&expected));
    buffer_free(&worker);
    buffer_free(&body);
    buffer_free(&expected);
}

static int is_case(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

int main(void)
{
    struct dirent **entries;
    int n = scandir(CASES, &entries, is_case, alphasort);
    if (n <= 0)
        return 1;
    struct CMUnitTest *tests = calloc((size_t)n, sizeof *tests);
    for (int i = 0; tests && i < n; i++)
        tests[i] = (struct CMUnitTest){.name = entries[i]->d_name,
                                       .test_func = test_case,
                                       .initial_state = entries[i]->d_name};
    int failed =
        _cmocka_run_group_tests("extract cases", tests, (size_t)n, NULL, NULL);
    for (int i = 0; i < n; i++)
        free(entries[i]);
    free(entries);
    free(tests);
    return failed;
}
