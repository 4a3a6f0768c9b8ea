/* What a node had begun when it crashed: note.h. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "note.h"

static char folder[64];

static int setup(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/test_note-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command);
}

/* A process that begins batches 7 and 8, and ends by the signal; 0: well. */
static void process(int number)
{
    const struct rlimit none = {0};
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct note *note = NULL;
        struct error err = ERROR_NONE;
        setrlimit(RLIMIT_CORE, &none);
        if (note_open(folder, &note, &err))
            _exit(1);
        note_begun(note, (const int64_t[]){7, 8}, 2);
        if (number)
            raise(number);
        note_free(&note);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(WIFSIGNALED(status) ? WTERMSIG(status) : 0, number);
}

/* How many batches the next process is told, from the first on. */
static size_t told(int64_t *ret_first)
{
    struct note *note = NULL;
    struct error err = ERROR_NONE;
    const int64_t *batches;
    if (note_open(folder, &note, &err))
        fail_msg("%s", err.text);
    size_t n = note_crashed(note, &batches);
    *ret_first = n ? batches[0] : 0;
    note_free(&note);
    return n;
}

/* Signals that blame the work are told of, once; and the process dies of
 * them. */
static void test_crashes(void **state)
{
    (void)state;
    static const int numbers[] = {SIGSEGV, SIGABRT, SIGBUS, SIGILL, SIGFPE};
    int64_t first;
    for (size_t i = 0; i < 5; i++) {
        process(numbers[i]);
        assert_int_equal(told(&first), 2);
        assert_int_equal(first, 7);
        assert_int_equal(told(&first), 0);
    }
}

/* A good end, or another's kill, blames nobody. */
static void test_no_blame(void **state)
{
    (void)state;
    int64_t first;
    process(0);
    assert_int_equal(told(&first), 0);
    process(SIGKILL);
    assert_int_equal(told(&first), 0);
    process(SIGTERM);
    assert_int_equal(told(&first), 0);
}

/* Nodes that share a folder have a note each. */
static void test_two(void **state)
{
    (void)state;
    struct note *one = NULL;
    struct error err = ERROR_NONE;
    int64_t first;
    assert_int_equal(note_open(folder, &one, &err), 0);
    note_begun(one, (const int64_t[]){9}, 1);
    process(SIGSEGV);
    assert_int_equal(told(&first), 2);
    process(SIGSEGV);
    note_free(&one); /* the first is free now, but the second tells */
    assert_int_equal(told(&first), 2);
    assert_int_equal(told(&first), 0);
}

/* What is no note says nothing, whatever it says. */
static void test_strange_file(void **state)
{
    (void)state;
    char path[200];
    int64_t first;
    snprintf(path, sizeof path, "%s/begun-1", folder);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    for (int i = 0; i < 5000; i++)
        fputc(i % 251 + 1, file);
    fclose(file);
    assert_int_equal(told(&first), 0);
}

/* A folder that can't be is said before anything begins. */
static void test_no_folder(void **state)
{
    (void)state;
    struct note *note = NULL;
    struct error err = ERROR_NONE;
    assert_int_equal(note_open("/proc/nowhere", &note, &err), ERR_FILE);
    err = ERROR_NONE;
    assert_int_equal(note_open("/dev/null", &note, &err), ERR_FILE);
    assert_null(note);
}

#define noted(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        noted(test_crashes),      noted(test_no_blame),  noted(test_two),
        noted(test_strange_file), noted(test_no_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
