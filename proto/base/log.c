/*
 * log.c: see log.h. A line is built in one buffer and written with one
 * write(2), so that lines of several processes do not mix.
 */
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/utf8.h"

static enum log_level level_min = LOG_LEVEL_INFO;
static enum log_format line_format = LOG_FORMAT_TEXT;
static void (*hook)(void *context);
static void *hook_context;

static bool journal; /* standard error is the journal's */

static int fd = STDERR_FILENO; /* or of the file at file_path */
static char file_path[PATH_MAX];
static off_t file_bytes;
static volatile sig_atomic_t reopen_wanted;

static const char *const level_names[] = {"debug", "info", "warn", "error"};
static const char *const priorities[] = {"<7>", "<6>", "<4>", "<3>"};

/* Whether JOURNAL_STREAM, DEVICE:INODE, is what standard error is. */
static bool is_journal(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    char own[64];
    struct stat status;
    if (!stream || fstat(STDERR_FILENO, &status))
        return false;
    snprintf(own, sizeof own, "%llu:%llu", (unsigned long long)status.st_dev,
             (unsigned long long)status.st_ino);
    return !strcmp(own, stream);
}

void log_configure(enum log_level least, enum log_format format)
{
    level_min = least;
    line_format = format;
    journal = is_journal();
}

/* ---- the file ---- */

static int open_file(void)
{
    struct stat status;
    int opened = open(file_path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC,
                      S_IRUSR | S_IWUSR | S_IRGRP);
    if (opened >= 0)
        file_bytes = fstat(opened, &status) ? 0 : status.st_size;
    return opened;
}

static void reopen(void)
{
    int opened = open_file();
    close(fd);
    fd = opened >= 0 ? opened : STDERR_FILENO;
    if (opened < 0)
        log_error("log", "%s can't be opened anew: %s; going on here",
                  file_path, strerror(errno));
}

static void on_hangup(int number)
{
    (void)number;
    reopen_wanted = 1;
}

int log_to_file(const char *path, struct error *err)
{
    struct sigaction action = {.sa_handler = on_hangup, .sa_flags = SA_RESTART};
    /* A path of its own is kept: the folder may be changed later. */
    snprintf(file_path, sizeof file_path, "%s", path);
    int opened = strlen(path) < sizeof file_path ? open_file() : -1;
    if (opened < 0)
        return error_set(err, ERR_FILE, "the log can't be written to %s: %s",
                         path, strerror(errno));
    if (fd != STDERR_FILENO)
        close(fd);
    fd = opened;
    journal = false;
    sigaction(SIGHUP, &action, NULL);
    return 0;
}

/* The old one is PATH.1 from now on. */
static void begin_anew(void)
{
    char old[PATH_MAX + sizeof LOG_FILE_OLD];
    snprintf(old, sizeof old, "%s" LOG_FILE_OLD, file_path);
    if (rename(file_path, old) == 0)
        reopen();
}

static void write_line(const char *line, size_t len)
{
    if (fd != STDERR_FILENO) {
        if (reopen_wanted) {
            reopen_wanted = 0;
            reopen();
        } else if (file_bytes + (off_t)len > LOG_FILE_BYTES_MAX) {
            begin_anew();
        }
        file_bytes += (off_t)len;
    }
    ssize_t written = write(fd, line, len);
    (void)written; /* nowhere left to say that it is gone */
}

void log_pass_on(const char *lines, size_t len)
{
    write_line(lines, len);
}

/* ---- lines ---- */

int log_level_parse(const char *name)
{
    for (int i = 0; i <= LOG_LEVEL_ERROR; i++)
        if (!strcmp(name, level_names[i]))
            return i;
    return -1;
}

void log_set_hook(void (*before_line)(void *context), void *context)
{
    hook = before_line;
    hook_context = context;
}

/* Appends `text` to `line` as the inside of a JSON string, as much as fits of
 * whole characters; what is no UTF-8 (a text cut elsewhere, a path, a server's
 * words) as question marks. */
static size_t append_json(char *line, size_t len, size_t room, const char *text)
{
    struct slice rest = slice_of(text);
    while (rest.len) {
        char piece[8];
        size_t n = utf8_len(rest);
        unsigned char c = (unsigned char)*rest.data;
        if (c == '"' || c == '\\')
            snprintf(piece, sizeof piece, "\\%c", c);
        else if (c < 0x20)
            snprintf(piece, sizeof piece, "\\u%04x", c);
        else if (n)
            snprintf(piece, sizeof piece, "%.*s", (int)n, rest.data);
        else
            snprintf(piece, sizeof piece, "?");
        size_t piece_len = strlen(piece);
        if (len + piece_len >= room)
            break;
        memcpy(line + len, piece, piece_len);
        len += piece_len;
        n += n == 0;
        rest = (struct slice){rest.data + n, rest.len - n};
    }
    return len;
}

static size_t format_json(char *line, size_t room, const char *time,
                          const char *level, const char *who, const char *text)
{
    size_t tail = 3; /* "}\n and NUL */
    int head =
        snprintf(line, room, "{\"time\":\"%s\",\"level\":\"%s\",\"who\":\"",
                 time, level);
    size_t len = append_json(line, (size_t)head, room / 4, who);
    static const char middle[] = "\",\"text\":\"";
    memcpy(line + len, middle, sizeof middle - 1);
    len = append_json(line, len + sizeof middle - 1, room - tail, text);
    memcpy(line + len, "\"}\n", 3);
    return len + 3;
}

static size_t format_text(char *line, size_t room, const char *time,
                          const char *level, const char *who, const char *text)
{
    int len = journal ? snprintf(line, room - 1, "%s: %s", who, text)
                      : snprintf(line, room - 1, "%s %-5s %s: %s", time, level,
                                 who, text);
    size_t used = (size_t)len < room - 1 ? (size_t)len : room - 2;
    for (size_t i = 0; i < used; i++) /* one entry is one line */
        if ((unsigned char)line[i] < ' ' || line[i] == 0x7f)
            line[i] = ' '; /* nor can it command a terminal */
    line[used] = '\n';
    return used + 1;
}

void log_write(enum log_level level, const char *who, const char *format, ...)
{
    if (level < level_min)
        return;
    char text[LOG_LINE_BYTES / 2];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);

    char time[CLOCK_TEXT_BYTES];
    clock_format(clock_wall(), time);
    char line[LOG_LINE_BYTES];
    size_t head = journal ? strlen(priorities[level]) : 0;
    memcpy(line, priorities[level], head);
    size_t len = (line_format == LOG_FORMAT_JSON ? format_json : format_text)(
        line + head, sizeof line - head, time, level_names[level], who, text);
    if (hook && fd == STDERR_FILENO)
        hook(hook_context);
    write_line(line, head + len);
}
