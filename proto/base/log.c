/*
 * log.c: see log.h. A line is built in one buffer and written with one
 * write(2), so that lines of several processes do not mix.
 */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/utf8.h"

static enum log_level level_min = LOG_LEVEL_INFO;
static enum log_format line_format = LOG_FORMAT_TEXT;
static void (*hook)(void *context);
static void *hook_context;

static const char *const level_names[] = {"debug", "info", "warn", "error"};

void log_configure(enum log_level least, enum log_format format)
{
    level_min = least;
    line_format = format;
}

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
    int len =
        snprintf(line, room - 1, "%s %-5s %s: %s", time, level, who, text);
    size_t used = (size_t)len < room - 1 ? (size_t)len : room - 2;
    for (size_t i = 0; i < used; i++) /* one entry is one line */
        if (line[i] == '\n' || line[i] == '\r')
            line[i] = ' ';
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
    size_t len = (line_format == LOG_FORMAT_JSON ? format_json : format_text)(
        line, sizeof line, time, level_names[level], who, text);
    if (hook)
        hook(hook_context);
    ssize_t written = write(STDERR_FILENO, line, len);
    (void)written; /* nowhere left to say that standard error is gone */
}
