/* text.c: see text.h. */
#include "text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

uint64_t text_hash(const char *text)
{
    uint64_t hash = 0xcbf29ce484222325U;
    for (const unsigned char *p = (const unsigned char *)text; *p; p++)
        hash = (hash ^ *p) * 0x100000001b3U;
    return hash;
}

uint64_t text_mix(uint64_t number)
{
    number = (number ^ (number >> 30)) * 0xbf58476d1ce4e5b9U;
    number = (number ^ (number >> 27)) * 0x94d049bb133111ebU;
    return number ^ (number >> 31);
}

void text_append_html(struct buffer *to, const char *text)
{
    for (; *text; text++) {
        switch (*text) {
        case '&':
            buffer_append_text(to, "&amp;");
            break;
        case '<':
            buffer_append_text(to, "&lt;");
            break;
        case '>':
            buffer_append_text(to, "&gt;");
            break;
        case '"':
            buffer_append_text(to, "&quot;");
            break;
        default:
            buffer_append_char(to, *text);
        }
    }
}

void text_append_json(struct buffer *to, const char *text)
{
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            buffer_append_char(to, '\\');
        if ((unsigned char)*text < 0x20)
            buffer_printf(to, "\\u%04x", (unsigned char)*text);
        else
            buffer_append_char(to, *text);
    }
}

void text_append_csv(struct buffer *to, const char *text)
{
    if (!strpbrk(text, ",\"\r\n")) {
        buffer_append_text(to, text);
        return;
    }
    buffer_append_char(to, '"');
    for (; *text; text++) {
        if (*text == '"')
            buffer_append_char(to, '"');
        buffer_append_char(to, *text);
    }
    buffer_append_char(to, '"');
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

bool text_percent_decode(char *text)
{
    char *to = text;
    for (const char *from = text; *from; from++) {
        unsigned char c = (unsigned char)*from;
        if (c == '%') {
            int high = hex_digit(from[1]);
            int low = high < 0 ? -1 : hex_digit(from[2]);
            if (low < 0)
                return false;
            c = (unsigned char)(high * 16 + low);
            from += 2;
        }
        if (c < 0x20 || c == 0x7f)
            return false;
        *to++ = (char)c;
    }
    *to = '\0';
    /* main() chose the C.UTF-8 locale, so this is a check for UTF-8. */
    return mbstowcs(NULL, text, 0) != (size_t)-1;
}

int text_read_file(const char *path, size_t bytes_max, struct buffer *ret,
                   struct error *err)
{
    FILE *file = fopen(path, "rbe");
    if (!file)
        return error_set(err, ERR_FILE, "%s: %s", path, strerror(errno));
    struct buffer text = BUFFER_EMPTY;
    char piece[65536];
    size_t got;
    while ((got = fread(piece, 1, sizeof piece, file)) > 0) {
        if (got > bytes_max - text.len) {
            error_set(err, ERR_LIMIT, "%s: longer than %zu bytes", path,
                      bytes_max);
            break;
        }
        if (!buffer_append(&text, piece, got)) {
            error_set(err, ERR_MEMORY, "%s: out of memory", path);
            break;
        }
    }
    if (ferror(file))
        error_set(err, ERR_FILE, "%s: %s", path, strerror(errno));
    fclose(file);
    if (err->code) {
        buffer_free(&text);
        return (int)err->code;
    }
    *ret = text;
    return 0;
}
