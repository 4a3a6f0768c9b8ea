/*
 * ledger_text.c: text on its way into a database.
 *
 * Both backends must take and refuse the same text, or a run would end
 * differently on SQLite: PostgreSQL refuses what is no UTF-8 or holds a NUL,
 * so the SQLite backend asks utf8_is_text(). A recorded failure on
 * the other hand must never be refused (it is the last thing that can happen
 * to a key), so its text is cleaned first.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/random.h>

#include "base/utf8.h"
#include "ledger/ledger_backend.h"

void ledger_text_clean(struct slice text, size_t bytes_max, struct buffer *ret)
{
    size_t room = bytes_max;
    while (text.len) {
        size_t len = utf8_len(text);
        unsigned char first = (unsigned char)text.data[0];
        bool bad = len == 0 || first < 0x20 || first == 0x7f;
        if (bad)
            len = 1;
        if (len > room)
            break;
        buffer_append(ret, bad ? "?" : text.data, len);
        room -= len;
        text.data += len;
        text.len -= len;
    }
}

static void append_json_string(struct slice text, struct buffer *ret)
{
    buffer_append_char(ret, '"');
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        if (c == '"' || c == '\\')
            buffer_append_char(ret, '\\');
        if ((unsigned char)c < 0x20)
            buffer_printf(ret, "\\u%04x", c);
        else
            buffer_append_char(ret, c);
    }
    buffer_append_char(ret, '"');
}

void ledger_keys_json(const struct slice *keys, size_t n, struct buffer *ret)
{
    buffer_append_char(ret, '[');
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            buffer_append_char(ret, ',');
        append_json_string(keys[i], ret);
    }
    buffer_append_char(ret, ']');
}

void ledger_quote_name(struct slice name, struct buffer *ret)
{
    buffer_append_char(ret, '"');
    for (size_t i = 0; i < name.len; i++) {
        if (name.data[i] == '"')
            buffer_append_char(ret, '"');
        buffer_append_char(ret, name.data[i]);
    }
    buffer_append_char(ret, '"');
}

void ledger_quote_table(const char *table, struct buffer *ret)
{
    const char *dot = strchr(table, '.');
    if (dot) {
        ledger_quote_name((struct slice){table, (size_t)(dot - table)}, ret);
        buffer_append_char(ret, '.');
        table = dot + 1;
    }
    ledger_quote_name(slice_of(table), ret);
}

void ledger_one_line(const char *message, char *ret, size_t size)
{
    size_t len = 0;
    bool space = false, line_ends = false;
    for (const char *p = message; *p && len + 3 < size; p++) {
        if (strchr("\n\r\t ", *p)) {
            space = true;
            line_ends |= *p == '\n';
            continue;
        }
        if (line_ends && len > 0 && !strchr(".:;,?!", ret[len - 1]))
            ret[len++] = '.';
        if (space && len > 0)
            ret[len++] = ' ';
        space = line_ends = false;
        ret[len++] = *p;
    }
    ret[len] = '\0';
}

/* FNV-1a: tells pipelines apart for people; nothing relies on it. */
void ledger_hash_text(struct slice text, char ret[17])
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < text.len; i++)
        hash = (hash ^ (unsigned char)text.data[i]) * 0x100000001b3u;
    snprintf(ret, 17, "%016llx", (unsigned long long)hash);
}

int ledger_random_id(char ret[LEDGER_ID_BYTES], struct error *err)
{
    unsigned char bytes[(LEDGER_ID_BYTES - 1) / 2];
    if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
        return error_set(err, ERR_SYSTEM, "getrandom: %s", strerror(errno));
    for (size_t i = 0; i < sizeof bytes; i++)
        snprintf(ret + 2 * i, 3, "%02x", bytes[i]);
    return 0;
}
