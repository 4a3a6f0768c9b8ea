/*
 * every.c: see every.h.
 *
 * The clock and the files are read here; when is decided in schedule.c. For
 * each run all is made anew, from the settings to the connection with the
 * database, so nothing that was wrong with one run lasts into the next; the
 * environment, which a run writes its settings to, is put back as it was.
 * What lasts is the schedule, and the last text of the pipeline that was good.
 *
 * With --name a run's name is NAME and its tick in UTC, so several masters with
 * one schedule make one run of each (run_take.c).
 */
#include "every.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "dashboard_process.h"
#include "run.h"
#include "schedule.h"
#include "stop_signals.h"
#include "tick_wait.h"
#include "time_zone.h"

#define WHO "schedule"
#define DRY_RUN_TICKS 5
#define LATE_S_MAX 60    /* what is due for longer is missed */
#define NO_LATENESS (-1) /* nor in the second that goes on */
#define TICK_TEXT_BYTES 64
#define UTC_TEXT_BYTES sizeof "2026-11-28T13:55:00Z"
#define HOLIDAYS_BYTES_MAX ((size_t)1024 * 1024)

struct every {
    const struct options *options;
    struct schedule schedule;
    struct buffer pipeline_text; /* the last that was good */
    char **environment;          /* as it was */
    char *health_file;
    int64_t due;
    int64_t n_runs;
    int exit_status;
    bool signalled;  /* while the last run was ending */
    pid_t dashboard; /* its process, for all runs; 0: none */
};

/* The clock that tick_wait() waits by: time() may lag some milliseconds. */
static int64_t now_s(void)
{
    return clock_wall() / USEC_PER_SEC;
}

/* ---- the schedule ---- */

static int complain(const char *option, struct error *err)
{
    fprintf(stderr, "windrow run: --%s: %s\n", option, err->text);
    return EXIT_BAD_USAGE;
}

static int read_holidays(struct every *every, struct schedule *schedule,
                         struct error *err)
{
    const char *path = every->options->holidays;
    char *text = malloc(HOLIDAYS_BYTES_MAX);
    FILE *file = text ? fopen(path, "re") : NULL;
    size_t len = file ? fread(text, 1, HOLIDAYS_BYTES_MAX, file) : 0;
    if (!file || ferror(file))
        error_set(err, ERR_FILE, "%s can't be read: %s", path, strerror(errno));
    else if (len == HOLIDAYS_BYTES_MAX)
        error_set(err, ERR_FILE, "%s is longer than 1 MiB", path);
    else if (schedule_set_holidays(schedule, (struct slice){text, len}, err))
        error_context(err, "%s", path);
    if (file)
        fclose(file);
    free(text);
    return (int)err->code;
}

static int read_schedule(struct every *every)
{
    const struct options *options = every->options;
    struct schedule *schedule = &every->schedule;
    struct error err = ERROR_NONE;
    if (options->time_zone && time_zone_use(options->time_zone, &err))
        return complain("time-zone", &err);
    if (schedule_parse(options->every, schedule, &err))
        return complain("every", &err);
    if (options->hours && schedule_set_hours(schedule, options->hours, &err))
        return complain("hours", &err);
    if (options->days && schedule_set_days(schedule, options->days, &err))
        return complain("days", &err);
    if (options->holidays && read_holidays(every, schedule, &err))
        return complain("holidays", &err);
    if (options->name &&
        strlen(options->name) + UTC_TEXT_BYTES > RUN_NAME_BYTES_MAX) {
        error_set(&err, ERR_USAGE,
                  "at most %d characters with --every, which appends the time",
                  (int)(RUN_NAME_BYTES_MAX - UTC_TEXT_BYTES));
        return complain("name", &err);
    }
    every->due = schedule_next(schedule, now_s());
    if (every->due != SCHEDULE_NEVER)
        return 0;
    error_set(&err, ERR_USAGE, "\"%s\" is never due, within %d years",
              options->every, SCHEDULE_YEARS_MAX);
    return complain("every", &err);
}

static void look_at_holidays(struct every *every)
{
    struct schedule fresh = every->schedule;
    struct error err = ERROR_NONE;
    if (!every->options->holidays)
        return;
    if (read_holidays(every, &fresh, &err))
        log_error(WHO, "%s; the holidays of before count", err.text);
    else
        every->schedule = fresh;
}

static void format_utc(int64_t tick, char text[UTC_TEXT_BYTES])
{
    time_t time = (time_t)tick;
    struct tm tm;
    strftime(text, UTC_TEXT_BYTES, "%FT%TZ", gmtime_r(&time, &tm));
}

/* "Mon 2026-11-30 09:30:00 EST" */
static const char *local_text(int64_t tick, char text[TICK_TEXT_BYTES])
{
    time_t time = (time_t)tick;
    struct tm tm;
    strftime(text, TICK_TEXT_BYTES, "%a %F %T %Z", localtime_r(&time, &tm));
    return text;
}

static int print_ticks(const struct every *every)
{
    char local[TICK_TEXT_BYTES], utc[UTC_TEXT_BYTES];
    int64_t tick = every->due;
    puts("next runs:");
    for (int i = 0; i < DRY_RUN_TICKS && tick != SCHEDULE_NEVER; i++) {
        format_utc(tick, utc);
        printf("  %s  %s\n", local_text(tick, local), utc);
        tick = schedule_next(&every->schedule, tick);
    }
    return 0;
}

/* ---- what a run leaves behind ---- */

static int keep_environment(struct every *every)
{
    size_t n = 0;
    while (environ[n])
        n++;
    every->environment = calloc(n + 1, sizeof *every->environment);
    for (size_t i = 0; every->environment && i < n; i++)
        every->environment[i] = environ[i];
    return every->environment ? 0 : EXIT_NOT_FINISHED;
}

/* No error: there was room for as many before. */
static void restore_environment(const struct every *every)
{
    clearenv();
    for (char **text = every->environment; *text; text++)
        putenv(*text);
}

/* ---- one run ---- */

static int keep_text(struct every *every, const struct buffer *text)
{
    bool changed =
        every->pipeline_text.len &&
        !slice_equal(buffer_slice(&every->pipeline_text), buffer_slice(text));
    if (changed)
        log_info(WHO, "the pipeline file has changed, and is taken");
    buffer_clear(&every->pipeline_text);
    if (buffer_append_slice(&every->pipeline_text, buffer_slice(text)))
        return 0;
    fputs("windrow: no memory for the pipeline\n", stderr);
    return EXIT_NOT_FINISHED;
}

/* The file as it is now, or, where that is no good, as it was. */
static int read_pipeline(struct every *every, struct run *run)
{
    struct context *context = &run->context;
    int status = run_read_pipeline(run);
    if (!status)
        return keep_text(every, &context->pipeline_text);
    if (!every->pipeline_text.len)
        return status;
    log_error(WHO, "the pipeline file is not taken; that of before counts");
    buffer_clear(&context->pipeline_text);
    if (!buffer_append_slice(&context->pipeline_text,
                             buffer_slice(&every->pipeline_text)))
        return EXIT_NOT_FINISHED;
    return context_load_pipeline(context);
}

static int prepare(struct every *every, struct run *run,
                   const struct options *options)
{
    int status = run_init(run, options);
    return status ? status : read_pipeline(every, run);
}

/* Pipeline and settings must be right before the first wait; a database that
 * is away may be there when its time comes. */
static int first_look(struct every *every)
{
    struct run run;
    int status = prepare(every, &run, every->options);
    if (!status) {
        const char *health =
            settings_get(run.context.settings, "WINDROW_HEALTH_FILE");
        every->health_file = strdup(health ? health : "");
        status = every->health_file ? context_open_ledger(&run.context)
                                    : EXIT_NOT_FINISHED;
        if (status == EXIT_NOT_FINISHED && !every->options->dry_run) {
            log_error(WHO, "the database is away; it is tried again when the "
                           "first run is due");
            status = 0;
        }
    }
    if (!status && every->options->dry_run)
        status = run_try(&run);
    else if (!status)
        dashboard_process_start(&run.context, &every->dashboard);
    run_free(&run);
    return status;
}

static void log_end(const struct every *every, const struct run *run,
                    int status)
{
    char text[32];
    snprintf(text, sizeof text, "run %" PRId64, run->number);
    bool well = status == EXIT_ALL_STORED;
    log_write(well ? LOG_LEVEL_INFO : LOG_LEVEL_ERROR, WHO,
              "%s ended with exit status %d; %" PRId64 " so far",
              run->number ? text : "no run was made: it", status,
              every->n_runs);
}

static int run_tick(struct every *every)
{
    struct options options = *every->options;
    char name[RUN_NAME_BYTES_MAX + 1], utc[UTC_TEXT_BYTES];
    struct run run;
    options.dashboard = NULL; /* it is there already */
    if (options.name) {
        format_utc(every->due, utc);
        snprintf(name, sizeof name, "%s %s", options.name, utc);
        options.name = name;
    }
    restore_environment(every);
    int status = prepare(every, &run, &options);
    if (!status)
        status = context_open_ledger(&run.context);
    if (!status)
        status = run_go(&run);
    every->n_runs++;
    if (status > every->exit_status)
        every->exit_status = status;
    every->signalled = run.result.signalled;
    log_end(every, &run, status);
    run_free(&run);
    return status;
}

/* ---- one after the other ---- */

/* `late_max` as of schedule_look(); catching up after a run, even one tick is
 * late. */
static void look(struct every *every, int64_t late_max)
{
    char local[TICK_TEXT_BYTES];
    int64_t now = now_s();
    struct schedule_look look = schedule_look(
        &every->schedule, every->due, now, late_max, every->options->catch_up);
    every->due = look.due;
    bool due = look.due != SCHEDULE_NEVER && look.due <= now;
    if (due && (look.missed || late_max < 0))
        log_warn(WHO,
                 "times missed: %" PRId64 "; one run makes up for all, as "
                 "that of %s",
                 look.missed + 1, local_text(look.due, local));
    else if (look.missed)
        log_warn(WHO, "times missed and left out: %" PRId64, look.missed);
}

/* Returns true where the tick has come; false: *ret_status ends it all. */
static bool wait_for_tick(struct every *every, int *ret_status)
{
    char local[TICK_TEXT_BYTES];
    while (every->due != SCHEDULE_NEVER) {
        struct error err = ERROR_NONE;
        enum tick_wait_end end;
        if (every->due > now_s())
            log_info(WHO, "the next run is due %s",
                     local_text(every->due, local));
        if (tick_wait(every->due, every->health_file, &end, &err)) {
            fprintf(stderr, "windrow: %s\n", err.text);
            *ret_status = EXIT_NOT_FINISHED;
            return false;
        }
        if (end == TICK_WAIT_SIGNAL)
            break;
        if (end == TICK_WAIT_CLOCK_BACK) {
            log_warn(WHO, "the clock was set back");
            every->due = schedule_next(&every->schedule, now_s());
            continue;
        }
        look(every, LATE_S_MAX);
        if (every->due != SCHEDULE_NEVER && every->due <= now_s())
            return true;
    }
    log_info(WHO, "ended");
    *ret_status = 0;
    return false;
}

static int keep_schedule(struct every *every)
{
    int status;
    stop_signals_leave_at_once(); /* while neither run nor wait takes them */
    while (wait_for_tick(every, &status)) {
        int64_t tick = every->due;
        if (run_tick(every) == EXIT_INTERRUPTED)
            return EXIT_INTERRUPTED;
        if (every->n_runs == every->options->runs)
            return every->exit_status;
        if (every->signalled)
            return 0;
        look_at_holidays(every);
        every->due = schedule_next(&every->schedule, tick);
        if (every->due != SCHEDULE_NEVER)
            look(every, NO_LATENESS);
    }
    return status;
}

int every_run(const struct options *options)
{
    struct every every = {.options = options};
    int status = read_schedule(&every);
    if (!status)
        status = keep_environment(&every);
    if (!status)
        status = first_look(&every);
    if (!status)
        status = options->dry_run ? print_ticks(&every) : keep_schedule(&every);
    dashboard_process_end(&every.dashboard);
    free(every.environment);
    free(every.health_file);
    buffer_free(&every.pipeline_text);
    return status;
}
