/*
 * log.h: one line for each thing worth knowing, on standard error.
 *
 * Every line begins with who it is about ("node 2", "batch 17", "run 3").
 * Library code logs at debug only; the programs' shells log the rest. Format
 * text: "2026-11-22T18:17:49.123456Z info  node 2: ready". Format json: one
 * object a line with time, level, who, text. Secrets are masked before they
 * get here (settings.h).
 *
 * Where standard error is the journal (JOURNAL_STREAM, systemd.exec(5)), each
 * line begins with its priority (sd-daemon(3)), and a text has neither time
 * nor level, which the journal has itself: "<6>node 2: ready".
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stddef.h>

#include "base/check.h"
#include "base/error.h"

enum log_level {
    LOG_LEVEL_DEBUG,
    LOG_LEVEL_INFO,
    LOG_LEVEL_WARN,
    LOG_LEVEL_ERROR
};
enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };

#define LOG_LINE_BYTES 2048 /* a longer line is cut */
#define LOG_FILE_BYTES_MAX (64 * 1024 * 1024)
#define LOG_FILE_OLD ".1" /* behind the name of the file before */

/* Before the first line; without it: info and above, as text. */
void log_configure(enum log_level least, enum log_format format);

/* Parses "debug", "info", "warn", "error"; -1 where it is none of them. */
int log_level_parse(const char *name);

/*
 * From now on lines are added to the file at `path`, not written to standard
 * error. SIGHUP has it opened anew before the next line, for who moves it away
 * (logrotate). Beyond LOG_FILE_BYTES_MAX it is moved to PATH.1, where the one
 * before is lost, and a new one begins. Where it can't be opened anew, standard
 * error hears of that, and of all that follows. ERR_FILE.
 */
MUSTCHECK
int log_to_file(const char *path, struct error *err);
/* Writes lines that another process has made. */
void log_pass_on(const char *lines, size_t len);

/* `before_line`, if set, runs before each line is written: a progress bar
 * clears itself there. */
void log_set_hook(void (*before_line)(void *context), void *context);

void log_write(enum log_level level, const char *who, const char *format, ...)
    PRINTF_LIKE(3, 4);

#define log_debug(who, ...) log_write(LOG_LEVEL_DEBUG, who, __VA_ARGS__)
#define log_info(who, ...) log_write(LOG_LEVEL_INFO, who, __VA_ARGS__)
#define log_warn(who, ...) log_write(LOG_LEVEL_WARN, who, __VA_ARGS__)
#define log_error(who, ...) log_write(LOG_LEVEL_ERROR, who, __VA_ARGS__)

#endif
