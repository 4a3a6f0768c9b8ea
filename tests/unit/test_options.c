/* What stands on the command line: options.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "captured.h"
#include "options.h"

static const struct command run = {.name = "run",
                                   .argument = "[PIPELINE]",
                                   .summary = "Run it"},
                            resume = {.name = "resume", .argument = "RUN"},
                            runs = {.name = "runs"},
                            failures = {.name = "failures", .argument = "RUN"},
                            check = {.name = "check", .argument = "[P]"},
                            keygen = {.name = "keygen", .argument = "DIR"};

static struct options options;
static int status;
static const char *said; /* on standard error */

/* Parses `line`, words apart by one space, as what follows the command. */
static bool parse(const struct command *command, const char *line)
{
    static char words[1000];
    char *argv[40] = {words};
    int argc = 1;
    snprintf(words, sizeof words, "windrow %s", line);
    for (char *at = words; (at = strchr(at, ' ')); argc++) {
        *at++ = '\0';
        argv[argc] = at;
    }
    if (!*line)
        argc = 1;
    status = -1;
    captured_begin(STDERR_FILENO);
    bool go_on = options_parse(command, argc, argv, &options, &status);
    said = captured_end();
    return go_on;
}

static void assert_good(const struct command *command, const char *line)
{
    if (!parse(command, line))
        fail_msg("%s %s: %s", command->name, line, said);
    assert_string_equal(said, "");
}

static void assert_bad(const struct command *command, const char *line,
                       const char *words)
{
    if (parse(command, line))
        fail_msg("%s %s was taken", command->name, line);
    assert_int_equal(status, EXIT_BAD_USAGE);
    if (!strstr(said, words) || strchr(said, '\n')[1])
        fail_msg("%s %s: %s", command->name, line, said);
}

/* Without options each has its default. */
static void test_defaults(void **state)
{
    (void)state;
    assert_good(&run, "");
    assert_null(options.argument);
    assert_null(options.store);
    assert_int_equal(options.scale, SCALE_AUTO);
    assert_int_equal(options.batch, 0);
    assert_int_equal(options.limit, 0);
    assert_int_equal(options.progress, PROGRESS_AUTO);
    assert_int_equal(options.log_format, LOG_FORMAT_TEXT);
    assert_false(options.json || options.dry_run || options.force);
}

/* Each option, also behind the argument and with its value behind `=`. */
static void test_all_of_run(void **state)
{
    (void)state;
    assert_good(&run,
                "p.yaml --batch 512 --dry-run --env a --env=b --limit 7 "
                "--format json --log-format json --progress plain --scale 1024 "
                "--store sqlite:f --summary s.json");
    assert_string_equal(options.argument, "p.yaml");
    assert_int_equal(options.batch, 512);
    assert_true(options.dry_run && options.json);
    assert_int_equal(options.n_env_files, 2);
    assert_string_equal(options.env_files[1], "b");
    assert_int_equal(options.limit, 7);
    assert_int_equal(options.log_format, LOG_FORMAT_JSON);
    assert_int_equal(options.progress, PROGRESS_PLAIN);
    assert_int_equal(options.scale, 1024);
    assert_string_equal(options.store, "sqlite:f");
    assert_string_equal(options.summary, "s.json");
    assert_good(&run, "--scale auto --progress auto");
    assert_int_equal(options.scale, SCALE_AUTO);
    assert_good(&run, "--scale 2-7 --name monday");
    assert_int_equal(options.scale, 2);
    assert_int_equal(options.scale_most, 7);
    assert_string_equal(options.name, "monday");
}

/* Those for nodes of other machines. */
static void test_network(void **state)
{
    (void)state;
    assert_good(&run, "");
    assert_null(options.listen);
    assert_null(options.task_ports);
    assert_null(options.keys);
    assert_false(options.insecure || options.if_missing);
    assert_good(&resume, "1 --listen tcp://0.0.0.0:5 --task-ports 6-7 "
                         "--keys k --insecure --scale 0");
    assert_string_equal(options.listen, "tcp://0.0.0.0:5");
    assert_string_equal(options.task_ports, "6-7");
    assert_string_equal(options.keys, "k");
    assert_true(options.insecure);
    assert_int_equal(options.scale, 0);
    assert_good(&keygen, "k --node a --if-missing");
    assert_string_equal(options.argument, "k");
    assert_string_equal(options.node, "a");
    assert_true(options.if_missing);
    assert_bad(&runs, "--listen tcp://0.0.0.0:5", "unknown option --listen");
}

/* Those of a schedule, which mean nothing without one. */
static void test_schedule(void **state)
{
    (void)state;
    assert_good(&run, "p --every 5m --time-zone UTC --hours 09:30-16:00 "
                      "--days mon-fri --holidays h --missed catch-up --runs 3");
    assert_string_equal(options.every, "5m");
    assert_string_equal(options.time_zone, "UTC");
    assert_string_equal(options.hours, "09:30-16:00");
    assert_string_equal(options.days, "mon-fri");
    assert_string_equal(options.holidays, "h");
    assert_true(options.catch_up);
    assert_int_equal(options.runs, 3);
    assert_good(&run, "--every 5m --missed skip");
    assert_false(options.catch_up);
    static const char *const alone[] = {"--time-zone UTC",   "--hours h",
                                        "--days d",          "--holidays h",
                                        "--missed catch-up", "--runs 1"};
    for (size_t i = 0; i < sizeof alone / sizeof *alone; i++)
        assert_bad(&run, alone[i], " is of a schedule: say --every too");
    assert_bad(&run, "--every 5m --missed later", "wants skip or catch-up");
    assert_bad(&run, "--every 5m --runs 0", "--runs wants a number");
    assert_bad(&resume, "1 --every 5m", "unknown option --every");
}

static void test_other_commands(void **state)
{
    (void)state;
    assert_good(&resume, "3 --force --format json --batch 1");
    assert_true(options.force && options.json);
    assert_good(&runs, "--format json --store sqlite:f --env a");
    assert_good(&failures, "--format text -- 12");
    assert_string_equal(options.argument, "12");
    assert_good(&check, "--env a p.yaml");
}

/* A value outside its range or list is told, with what it may be. */
static void test_bad_values(void **state)
{
    (void)state;
    static const struct {
        const char *line, *words;
    } table[] = {
        {"--batch 0", "--batch wants a number from 1 to 512, not \"0\""},
        {"--batch 513", "--batch wants"},
        {"--batch 1x", "--batch wants"},
        {"--batch=", "from 1 to 512, not \"\" (see"},
        {"--limit 0", "--limit wants a number from 1 up"},
        {"--limit 9223372036854775808", "--limit wants"},
        {"--scale -1", "--scale wants auto, "},
        {"--scale 1025", "--scale wants"},
        {"--scale many", "--scale wants"},
        {"--progress bars", "--progress wants auto, bar, plain, json or none"},
        {"--progress ba", "--progress wants"},
        {"--log-format yaml", "--log-format wants text or json"},
        {"--env a --env b --env c --env d --env e --env f --env g --env h "
         "--env i",
         "--env"},
        {"--nonsense", "unknown option --nonsense (see"},
        {"--limt 5", "unknown option --limt; did you mean --limit?"},
        {"p --limt=5", "unknown option --limt; did you mean --limit?"},
        {"--dry-runs", "did you mean --dry-run?"},
        {"--s 5", "unknown option --s (see"},
        {"-x", "unknown option -x ("},
        {"p -xh", "unknown option -x ("},
        {"--batch", "option --batch needs a value"},
        {"--dry-run=1", "option --dry-run=1 takes no value"},
        {"a b", "unexpected argument \"b\""},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        assert_bad(&run, table[i].line, table[i].words);
}

/* A value that may be left out stands behind "=", which is said where a word
 * behind the option can't be anything else. */
static void test_strays(void **state)
{
    (void)state;
    assert_good(&run, "--dashboard=:80 p.yaml");
    assert_string_equal(options.dashboard, ":80");
    assert_good(&run, "--dashboard p.yaml");
    assert_string_equal(options.argument, "p.yaml");
    assert_good(&run, "--dashboard ./p:80");
    assert_good(&run, "p.yaml --dashboard --batch 5");
    assert_bad(&run, "--dashboard 127.0.0.1:80",
               "run: the value of --dashboard stands behind a \"=\": "
               "--dashboard=127.0.0.1:80 (see");
    assert_bad(&resume, "3 --dashboard [::1]:80", "--dashboard=[::1]:80");
    assert_bad(&resume, "3 --dashboard 8765", "--dashboard=8765");
}

/* An option of another command is none; an argument may be needed, or not be
 * known at all. */
static void test_of_other_commands(void **state)
{
    (void)state;
    assert_bad(&run, "--force", "unknown option --");
    assert_bad(&resume, "1 --limit 5", "unknown option --");
    assert_bad(&resume, "1 --dry-run", "unknown option --");
    assert_bad(&runs, "--summary f", "unknown option --");
    assert_bad(&failures, "1 --scale 2", "unknown option --");
    assert_bad(&check, "--store sqlite:f", "unknown option --");
    assert_bad(&resume, "", "resume: RUN is missing (see");
    assert_bad(&runs, "7", "unexpected argument \"7\"");
}

/* --help lists the command's own options on standard output; status 0. */
static void test_help(void **state)
{
    (void)state;
    captured_begin(STDOUT_FILENO);
    char *argv[] = {(char[]){"windrow"}, (char[]){"--help"}, NULL};
    bool go_on = options_parse(&run, 2, argv, &options, &status);
    const char *help = captured_end();
    assert_false(go_on);
    assert_int_equal(status, 0);
    assert_non_null(strstr(help, "Usage: windrow run [PIPELINE] [OPTION]..."));
    assert_non_null(strstr(help, "  --dry-run "));
    assert_null(strstr(help, "--force"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_all_of_run),
        cmocka_unit_test(test_network),
        cmocka_unit_test(test_schedule),
        cmocka_unit_test(test_other_commands),
        cmocka_unit_test(test_bad_values),
        cmocka_unit_test(test_strays),
        cmocka_unit_test(test_of_other_commands),
        cmocka_unit_test(test_help),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
