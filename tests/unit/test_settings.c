/* Settings: settings.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "alloc_sweep.h"
#include "pipeline/pipeline.h"

struct fixture {
    struct settings *settings;
    struct error err;
    char path[64];
};

static int setup(void **state)
{
    static struct fixture fixture;

    clearenv();
    fixture = (struct fixture){.settings = settings_new()};
    strcpy(fixture.path, "/tmp/windrow-settings-XXXXXX");
    int fd = mkstemp(fixture.path);
    *state = &fixture;
    return !fixture.settings || fd < 0 || close(fd);
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    settings_free(&f->settings);
    unlink(f->path);
    return 0;
}

static void write_file(const struct fixture *f, const char *text)
{
    FILE *file = fopen(f->path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

/* Reads `text` as a file; returns the error's code. */
static int read_text(struct fixture *f, const char *text)
{
    write_file(f, text);
    f->err = ERROR_NONE;
    return settings_read_file(f->settings, f->path, &f->err);
}

static void assert_value(struct fixture *f, const char *name,
                         const char *expected)
{
    const char *value = settings_get(f->settings, name);
    if (!expected)
        assert_null(value);
    else
        assert_string_equal(value ? value : "(none)", expected);
}

/* Asserts that `text` is refused at its line 1 for a reason with `why`. */
static void assert_refused(struct fixture *f, const char *text, const char *why)
{
    assert_int_equal(read_text(f, text), ERR_SETTING);
    assert_non_null(strstr(f->err.text, ":1: "));
    assert_non_null(strstr(f->err.text, why));
    assert_value(f, "A", NULL);
}

static void assert_url(struct fixture *f, const char *expected)
{
    struct buffer url = BUFFER_EMPTY;
    f->err = ERROR_NONE;
    assert_int_equal(settings_database_url(f->settings, &url, &f->err), 0);
    assert_string_equal(buffer_text(&url), expected);
    buffer_free(&url);
}

static void assert_masked(const char *url, const char *expected)
{
    struct buffer masked = BUFFER_EMPTY;
    settings_mask_url(url, &masked);
    assert_string_equal(buffer_text(&masked), expected);
    buffer_free(&masked);
}

static void set(const char *name, const char *value)
{
    assert_int_equal(setenv(name, value, 1), 0);
}

/* The environment wins over files, earlier files over later ones, and within
 * one the last line; then comes the table's default. */
static void test_who_wins(void **state)
{
    struct fixture *f = *state;
    set("A", "environment");
    set("EMPTY", "");
    assert_int_equal(read_text(f, "A=1\nB=1\nB=2\nEMPTY=1\n"), 0);
    assert_int_equal(read_text(f, "A=3\nB=3\nC=3\n"), 0);
    assert_value(f, "A", "environment");
    assert_value(f, "B", "2");
    assert_value(f, "C", "3");
    assert_value(f, "EMPTY", "");
    assert_value(f, "WINDROW_LEASE", "2500ms");
    assert_value(f, "DATABASE_URL", NULL);
    assert_value(f, "NO_SUCH", NULL);
}

/* Files are written as for a shell, but nothing is expanded. */
static void test_file_notation(void **state)
{
    struct fixture *f = *state;
    const char *text = "# a comment\n"
                       "\n"
                       "  export A='a b # c'  # comment\r\n"
                       "B=\"q\\\"\\\\ \\$x \\n\"\n"
                       "C=bare#no-comment\n"
                       "D= # comment\n"
                       "E=\n"
                       "F='it'\"'\"'s'\n"
                       "export\tG=$HOME`x`\n"
                       "H=last line";
    assert_int_equal(read_text(f, "H='last line'"), 0);
    assert_int_equal(read_text(f, text), ERR_SETTING); /* H has a blank */
    assert_non_null(strstr(f->err.text, ":10: "));
    assert_value(f, "A", NULL);

    char copy[200];
    snprintf(copy, sizeof copy, "%.*s", (int)(strstr(text, "H=") - text), text);
    assert_int_equal(read_text(f, copy), 0);
    assert_value(f, "A", "a b # c");
    assert_value(f, "B", "q\"\\ $x \\n");
    assert_value(f, "C", "bare#no-comment");
    assert_value(f, "D", "");
    assert_value(f, "E", "");
    assert_value(f, "F", "it's");
    assert_value(f, "G", "$HOME`x`");
    assert_value(f, "H", "last line");
}

/* A line that is not understood is refused with file and line, and nothing
 * of the file is taken. */
static void test_file_refusals(void **state)
{
    struct fixture *f = *state;
    assert_refused(f, "nonsense\nA=1\n", "NAME=value is expected");
    assert_refused(f, "1A=2\nA=1\n", "NAME=value is expected");
    assert_refused(f, "export X\nA=1\n", "NAME=value is expected");
    assert_refused(f, "X =1\nA=1\n", "NAME=value is expected");
    assert_refused(f, "X= 1\nA=1\n", "no blank");
    assert_refused(f, "X='1\nA=1\n", "quote");
    assert_refused(f, "X=\"1\\\"\nA=1\n", "quote");
    assert_refused(f, "X=1 2\nA=1\n", "needs quotes");
}

/* A file that is absent, too long, or has too much in it is refused. */
static void test_file_limits(void **state)
{
    struct fixture *f = *state;
    struct buffer text = BUFFER_EMPTY;

    assert_int_equal(settings_read_file(f->settings, "/no/such/file", &f->err),
                     ERR_FILE);
    for (int i = 0; i < SETTINGS_FILE_NAMES_MAX; i++)
        buffer_printf(&text, "N%d=1\n", i);
    assert_int_equal(read_text(f, buffer_text(&text)), 0);
    buffer_append_text(&text, "ONE_MORE=1\n");
    assert_int_equal(read_text(f, buffer_text(&text)), ERR_SETTING);

    buffer_clear(&text);
    buffer_printf(&text, "LONG=%0*d\n", SETTINGS_VALUE_BYTES_MAX, 0);
    assert_int_equal(read_text(f, buffer_text(&text)), 0);
    buffer_clear(&text);
    buffer_printf(&text, "LONG=%0*d\n", SETTINGS_VALUE_BYTES_MAX + 1, 0);
    assert_int_equal(read_text(f, buffer_text(&text)), ERR_SETTING);

    buffer_clear(&text);
    buffer_printf(&text, "#%0*d", SETTINGS_FILE_BYTES_MAX, 0);
    assert_int_equal(read_text(f, buffer_text(&text)), ERR_SETTING);
    buffer_free(&text);
}

/* Durations come as microseconds, sizes as bytes, both within their range;
 * the message names variable, value and range. */
static void test_integers(void **state)
{
    struct fixture *f = *state;
    int64_t value = 0;
    assert_int_equal(
        settings_get_integer(f->settings, "WINDROW_LEASE", &value, &f->err), 0);
    assert_int_equal(value, 2500000);
    set("WINDROW_NODE_MEMORY", "256MiB");
    assert_int_equal(settings_get_integer(f->settings, "WINDROW_NODE_MEMORY",
                                          &value, &f->err),
                     0);
    assert_int_equal(value, 256 << 20);
    set("WINDROW_LEASE", "");
    assert_int_equal(
        settings_get_integer(f->settings, "WINDROW_LEASE", &value, &f->err), 0);
    assert_int_equal(value, 2500000);
    set("WINDROW_LEASE", "3");
    assert_int_equal(
        settings_get_integer(f->settings, "WINDROW_LEASE", &value, &f->err),
        ERR_SETTING);
    assert_string_equal(
        f->err.text,
        "WINDROW_LEASE is '3'; a duration from 100ms to 10m is allowed");
    assert_int_equal(value, 2500000);
    set("WINDROW_LEASE", "11m");
    f->err = ERROR_NONE;
    assert_int_equal(
        settings_get_integer(f->settings, "WINDROW_LEASE", &value, &f->err),
        ERR_SETTING);
}

static void test_durations(void **state)
{
    static const struct {
        const char *text;
        int64_t us;
    } good[] = {{"0", 0},           {"250ms", 250000},  {"30s", 30000000},
                {"10m", 600000000}, {"2h", 7200000000}, {"1d", 86400000000},
                {"5us", 5}};
    static const char *const bad[] = {
        "",     "1",   "s",   "1.5s", "-1s", "1 s",
        "1sec", "1s ", " 1s", "00",   "1M",  "9223372036854775807s"};
    int64_t us = 7;
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_true(parse_duration(good[i].text, &us));
        assert_int_equal(us, good[i].us);
    }
    us = 7;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(parse_duration(bad[i], &us));
    assert_int_equal(us, 7);
}

static void test_bytes(void **state)
{
    static const char *const bad[] = {"",
                                      "MiB",
                                      "1MB",
                                      "1 MiB",
                                      "-1",
                                      "1.5KiB",
                                      "9223372036854775808",
                                      "9007199254740992GiB"};
    int64_t bytes = 0;
    (void)state;
    assert_true(parse_bytes("512", &bytes) && bytes == 512);
    assert_true(parse_bytes("64KiB", &bytes) && bytes == 65536);
    assert_true(parse_bytes("8MiB", &bytes) && bytes == 8 << 20);
    assert_true(parse_bytes("9223372036854775807", &bytes) &&
                bytes == INT64_MAX);
    bytes = 7;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(parse_bytes(bad[i], &bytes));
    assert_int_equal(bytes, 7);
}

/* A secret may be in a file of its own, less the end of its line; one that is
 * set wins, and what is no secret has no such file. */
static void test_secrets_in_files(void **state)
{
    struct fixture *f = *state;
    write_file(f, "s3cret words\n");
    set("PGPASSWORD_FILE", f->path);
    set("PGHOST_FILE", f->path);
    set("PG_PW", "");
    set("PG_PW_FILE", f->path);
    assert_int_equal(settings_read_secrets(f->settings, &f->err), 0);
    assert_string_equal(settings_get(f->settings, "PGPASSWORD"),
                        "s3cret words");
    assert_string_equal(settings_get(f->settings, "PG_PW"), "");
    assert_null(settings_get(f->settings, "PGHOST"));
    char text[] = "no s3cret words here";
    settings_mask_text(f->settings, text);
    assert_string_equal(text, "no ************ here");
}

/* A secret's file that is not there, empty, or of several lines is told by the
 * names of variable and file, without what is in it. */
static void test_secrets_files_that_are_none(void **state)
{
    static const char *const bad[] = {"", "\n", "two\nlines\n"};
    struct fixture *f = *state;
    set("PGPASSWORD_FILE", f->path);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        write_file(f, bad[i]);
        f->err = ERROR_NONE;
        assert_int_equal(settings_read_secrets(f->settings, &f->err),
                         ERR_SETTING);
        assert_non_null(strstr(f->err.text, "PGPASSWORD_FILE"));
        assert_non_null(strstr(f->err.text, f->path));
        assert_null(strstr(f->err.text, "lines"));
    }
    set("PGPASSWORD_FILE", "/no/such/file");
    f->err = ERROR_NONE;
    assert_int_equal(settings_read_secrets(f->settings, &f->err), ERR_SETTING);
}

/* DATABASE_URL, then the older names, then libpq's own, then a file. */
static void test_database_url_order(void **state)
{
    struct fixture *f = *state;
    assert_url(f, "sqlite:windrow.db");
    set("PGHOST", "h");
    assert_url(f, "postgresql://");
    set("PG_HOST", "db.example:5433");
    set("PG_USER", "us er");
    set("PG_PW", "p@ss/w:rd");
    set("PG_DB", "prices");
    assert_url(f,
               "postgresql://us%20er:p%40ss%2Fw%3Ard@db.example:5433/prices");
    set("DATABASE_URL", "");
    assert_url(f,
               "postgresql://us%20er:p%40ss%2Fw%3Ard@db.example:5433/prices");
    set("DATABASE_URL", "sqlite:/tmp/x.db");
    assert_url(f, "sqlite:/tmp/x.db");
}

/* PG_HOST is a name, an address, or a folder with a socket. */
static void test_older_hosts(void **state)
{
    struct fixture *f = *state;
    set("PG_HOST", "h");
    assert_url(f, "postgresql://h");
    set("PG_HOST", "::1");
    assert_url(f, "postgresql://[::1]");
    set("PG_HOST", "[::1]:5433");
    assert_url(f, "postgresql://[::1]:5433");
    set("PG_HOST", "/var/run/postgresql");
    assert_url(f, "postgresql://%2Fvar%2Frun%2Fpostgresql");
    set("PG_HOST", "");
    set("PG_DB", "d");
    assert_url(f, "postgresql:///d");
}

/* Another scheme is refused, without its password in the message. */
static void test_database_url_refused(void **state)
{
    struct fixture *f = *state;
    static const char *const bad[] = {"mysql://u:s3cret@h/d",
                                      "sqlite:", "x.db"};
    struct buffer url = BUFFER_EMPTY;

    for (size_t i = 0; i < 3; i++) {
        set("DATABASE_URL", bad[i]);
        f->err = ERROR_NONE;
        assert_int_equal(settings_database_url(f->settings, &url, &f->err),
                         ERR_SETTING);
        assert_null(strstr(f->err.text, "s3cret"));
        assert_non_null(strstr(f->err.text, "sqlite:FILE"));
    }
    assert_int_equal(url.len, 0);
}

/* A file without "sqlite:" is shown, with what was probably meant. */
static void test_database_url_of_a_file(void **state)
{
    struct fixture *f = *state;
    struct buffer url = BUFFER_EMPTY;
    set("DATABASE_URL", "foo.db");
    assert_int_equal(settings_database_url(f->settings, &url, &f->err),
                     ERR_SETTING);
    settings_mask_text(f->settings, f->err.text);
    assert_non_null(strstr(f->err.text, "is 'foo.db'"));
    assert_non_null(strstr(f->err.text, "did you mean 'sqlite:foo.db'?"));
}

static void test_mask_url(void **state)
{
    (void)state;
    assert_masked("postgresql://u:pw@h:1/d", "postgresql://u:***@h:1/d");
    assert_masked("postgresql://u:p@w/x@h/d", "postgresql://u:***@h/d");
    assert_masked("postgresql://u@h:5432/d", "postgresql://u@h:5432/d");
    assert_masked("postgresql://h/d?user=u&password=pw&x=y",
                  "postgresql://h/d?user=u&password=***&x=y");
    assert_masked("postgresql://h/d?sslpassword=a&password=b",
                  "postgresql://h/d?sslpassword=***&password=***");
    assert_masked("https://h:80/x?mail=a@b", "https://h:80/x?mail=a@b");
    assert_masked("https://u:pw@h/x", "https://u:***@h/x");
    assert_masked("sqlite:a@b.db", "sqlite:a@b.db");
}

/* So do values of variables that a pipeline may name, if they sound secret, in
 * the environment or a file; and what is left of one that was cut short. */
static void test_mask_variables(void **state)
{
    struct fixture *f = *state;
    char text[] = "Bearer tokentoken, filesecret; cut: tokentok... my.file x";
    set("A_TOKEN", "tokentoken");
    set("A_TOKEN_FILE", "my.file");
    set("TICKERS", "Bearer");
    write_file(f, "MY_API_KEY=filesecret\n");
    assert_int_equal(settings_read_file(f->settings, f->path, &f->err), 0);
    settings_mask_text(f->settings, text);
    assert_string_equal(
        text, "Bearer **********, **********; cut: ********... my.file x");
    unsetenv("A_TOKEN");
    unsetenv("A_TOKEN_FILE");
    unsetenv("TICKERS");
}

/* Values of secrets disappear from any text, also as a server would show
 * them, with %XX read. */
static void test_mask_text(void **state)
{
    struct fixture *f = *state;
    char text[] = "hunter22 xhunter22x p%40ss p@ss topsecret abc";
    set("PG_PW", "hunter22");
    set("DATABASE_URL", "postgresql://u:p%40ss@h/d?password=topsecret");
    set("PGPASSWORD", "abc"); /* too short to be looked for */
    settings_mask_text(f->settings, text);
    assert_string_equal(text, "******** x********x ****** **** ********* abc");
    char conninfo[] = "host=h password=topsecret", file[] = "no sqlite:my.db";
    set("DATABASE_URL", conninfo);
    settings_mask_text(f->settings, conninfo);
    assert_null(strstr(conninfo, "topsecret"));
    set("DATABASE_URL", "sqlite:my.db"); /* a file's name is no secret */
    settings_mask_text(f->settings, file);
    assert_string_equal(file, "no sqlite:my.db");
}

/* Secrets are not among what may be shown; unset ones are left out. */
static void test_public(void **state)
{
    struct fixture *f = *state;
    const char *name, *value, *before = "";
    size_t position = 0, n = 0;

    set("PG_PW", "hunter22");
    set("DATABASE_URL", "postgresql://u:hunter22@h/d");
    set("YAHOO_RATE", "5/s");
    while (settings_next_public(f->settings, &position, &name, &value)) {
        assert_true(strcmp(before, name) < 0); /* the table is sorted */
        assert_null(strstr(value, "hunter22"));
        n += !strcmp(name, "YAHOO_RATE") && !strcmp(value, "5/s");
        before = name;
    }
    assert_int_equal(n, 1);
}

static int checked(struct fixture *f)
{
    f->err = ERROR_NONE;
    return settings_check(f->settings, &f->err);
}

/* Every setting is checked before anything starts, used or not. */
static void test_check(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(checked(f), 0);
    set("WINDROW_NODE_MEMORY", "lots");
    assert_int_equal(checked(f), ERR_SETTING);
    assert_non_null(strstr(f->err.text, "WINDROW_NODE_MEMORY"));
    set("WINDROW_NODE_MEMORY", "");
    set("WINDROW_LOG_LEVEL", "loud");
    assert_int_equal(checked(f), ERR_SETTING);
    set("WINDROW_LOG_LEVEL", "warn");
    set("WINDROW_LEASE", "500ms"); /* below the heartbeat's second */
    assert_int_equal(checked(f), ERR_SETTING);
    set("WINDROW_LEASE", "1s");
    assert_int_equal(checked(f), 0);
}

static void test_secrets(void **state)
{
    (void)state;
    assert_true(settings_is_secret("DATABASE_URL"));
    assert_false(settings_is_secret("YAHOO_URL"));
    assert_false(settings_is_secret("NOT_IN_THE_TABLE"));
}

/* libpq looks for its variables in the environment, and finds them there. */
static void test_export_libpq(void **state)
{
    struct fixture *f = *state;
    set("PGUSER", "environment");
    assert_int_equal(
        read_text(f, "PGUSER=file\nPGSSLMODE=require\nPG_PW=x\nOTHER=y\n"), 0);
    assert_int_equal(settings_export_libpq(f->settings, &f->err), 0);
    assert_string_equal(getenv("PGUSER"), "environment");
    assert_string_equal(getenv("PGSSLMODE"), "require");
    assert_null(getenv("PG_PW"));
    assert_null(getenv("OTHER"));
}

/* The files in docs/ are what settings_print() prints. To write them anew:
 * `windrow settings sample` and `windrow settings markdown`. */
static void assert_printed(const char *path, enum settings_format format)
{
    char *printed = NULL;
    size_t len;
    struct buffer text = BUFFER_EMPTY;
    struct error err = ERROR_NONE;

    FILE *out = open_memstream(&printed, &len);
    assert_non_null(out);
    settings_print(out, format);
    fclose(out);
    if (getenv("WINDROW_WRITE_EXPECTED")) {
        FILE *file = fopen(path, "w");
        assert_non_null(file);
        fputs(printed, file);
        fclose(file);
    }
    assert_int_equal(pipeline_read_file(path, &text, &err), 0);
    assert_string_equal(printed, buffer_text(&text));
    free(printed);
    buffer_free(&text);
}

static void test_documents_are_up_to_date(void **state)
{
    (void)state;
    assert_printed(WINDROW_SOURCE "/docs/sample.env", SETTINGS_SAMPLE);
    assert_printed(WINDROW_SOURCE "/docs/settings.md", SETTINGS_MARKDOWN);
}

/* Help is for a terminal: names, defaults, and no line beyond 80 columns. */
static void test_help(void **state)
{
    (void)state;
    char *printed = NULL, *rest = NULL;
    size_t len;
    FILE *out = open_memstream(&printed, &len);
    assert_non_null(out);
    settings_print(out, SETTINGS_HELP);
    fclose(out);
    assert_non_null(strstr(printed, "\n  WINDROW_LOG_LEVEL (default info)\n"));
    assert_non_null(strstr(printed, "  DATABASE_URL"));
    for (char *line = strtok_r(printed, "\n", &rest); line;
         line = strtok_r(NULL, "\n", &rest))
        assert_true(strlen(line) <= 80);
    free(printed);
}

/* Each default lies within its own range, and the sample is a good file. */
static void test_defaults(void **state)
{
    struct fixture *f = *state;
    static const char *const numbers[] = {
        "WINDROW_BATCH_TIME", "WINDROW_CLOSE_AFTER", "WINDROW_DATABASE_WAIT",
        "WINDROW_HEARTBEAT",  "WINDROW_LEASE",       "WINDROW_MASTER_LEASE",
        "WINDROW_NODE_FILE",  "WINDROW_NODE_MEMORY", "WINDROW_NODE_WAIT"};
    int64_t value;

    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        assert_int_equal(
            settings_get_integer(f->settings, numbers[i], &value, &f->err), 0);
    assert_int_equal(settings_read_file(f->settings,
                                        WINDROW_SOURCE "/docs/sample.env",
                                        &f->err),
                     0);
}

static void use_all(void *context)
{
    struct error err = ERROR_NONE;
    struct buffer url = BUFFER_EMPTY;
    struct settings *settings = settings_new();

    if (!settings) {
        assert_true(alloc_sweep_failed());
        return;
    }
    int failed = settings_read_file(settings, context, &err);
    if (!failed)
        failed = settings_database_url(settings, &url, &err);
    assert_int_equal(failed, alloc_sweep_failed() ? ERR_MEMORY : 0);
    buffer_free(&url);
    settings_free(&settings);
}

/* Out of memory at any point is told, and nothing leaks. */
static void test_no_memory(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(read_text(f, "PG_HOST='h'\nPG_USER=u\nPG_PW=p\n"), 0);
    assert_true(alloc_sweep(use_all, f->path) > 3);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_documents_are_up_to_date),
        cmocka_unit_test(test_help),
        TEST(test_who_wins),
        TEST(test_file_notation),
        TEST(test_file_refusals),
        TEST(test_file_limits),
        TEST(test_integers),
        cmocka_unit_test(test_durations),
        cmocka_unit_test(test_bytes),
        TEST(test_secrets_in_files),
        TEST(test_secrets_files_that_are_none),
        TEST(test_database_url_order),
        TEST(test_older_hosts),
        TEST(test_database_url_refused),
        TEST(test_database_url_of_a_file),
        cmocka_unit_test(test_mask_url),
        TEST(test_mask_text),
        TEST(test_mask_variables),
        TEST(test_public),
        TEST(test_check),
        TEST(test_secrets),
        TEST(test_export_libpq),
        TEST(test_defaults),
        TEST(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
