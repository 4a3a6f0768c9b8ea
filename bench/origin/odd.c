/*
 * odd.c: see odd.h.
 *
 * What breaks HTTP is written as raw bytes, head included, around the good
 * body; all else changes the body and keeps a sound head.
 */
#include "odd.h"

#include <string.h>

#include "bomb.h"
#include "http.h"

#define HEADERS_MANY 100000
#define HEADER_LONG_BYTES 1000000
#define INTERIM_FLOOD 100000
#define LEVELS 1000000
#define ATTRIBUTES 100000 /* of 10 bytes */
#define ODD_TEXT_KEEP ((size_t)1 << 20)

void odd_fini(struct odd *odd)
{
    buffer_free(&odd->text);
    buffer_free(&odd->bomb);
    buffer_free(&odd->nested);
}

static struct buffer *fresh_text(struct odd *odd)
{
    if (odd->text.capacity > ODD_TEXT_KEEP)
        buffer_free(&odd->text);
    buffer_clear(&odd->text);
    return &odd->text;
}

const char *odd_price(struct odd *odd, enum fault_kind kind, bool json,
                      const char *digits)
{
    switch (kind) {
    case FAULT_NUMBER_HUGE:
        return "1e200000";
    case FAULT_NUMBER_TINY:
        return "1e-400";
    case FAULT_NUMBER_MINUS_ZERO:
        return "-0";
    case FAULT_NUMBER_NAN:
        return "NaN";
    case FAULT_NUMBER_INFINITY:
        return "-Infinity";
    case FAULT_DUPLICATE:
        buffer_printf(fresh_text(odd), "%s%s0.01", digits,
                      json ? ",\"regularMarketPrice\":"
                           : "</span>\n<span data-testid=\"qsp-price\">");
        return buffer_text(&odd->text);
    default:
        return digits;
    }
}

static void repeat(struct buffer *to, const char *text, int times)
{
    size_t len = strlen(text);
    for (int i = 0; i < times; i++)
        buffer_append(to, text, len);
}

static bool is_json(const struct answer *answer)
{
    return answer->body.len && *answer->body.data == '{';
}

static void set_body(struct answer *answer, const struct buffer *text)
{
    if (text->failed) {
        answer->status = 500;
        return;
    }
    answer->body = buffer_slice(text);
    answer->body_lasts = false;
}

/* Bodies that are sound but for what is put before all else in them. */

static void add_deep(struct buffer *to, bool json)
{
    repeat(to, json ? "[" : "<b>", LEVELS);
    repeat(to, json ? "]" : "</b>", LEVELS);
}

static void add_long(struct buffer *to, bool json)
{
    buffer_append_text(to, json ? "\"" : "<p");
    for (int i = 0; i < ATTRIBUTES; i++)
        buffer_printf(to, " a%05d=xx", i);
    buffer_append_text(to, json ? "\"" : ">");
}

static void add_text(struct buffer *to, bool json, struct slice text)
{
    buffer_append_text(to, json ? "\"" : "<p>");
    buffer_append_slice(to, text);
    buffer_append_text(to, json ? "\"" : "</p>");
}

static void set_preceded(struct odd *odd, enum fault_kind kind,
                         struct answer *answer)
{
    struct buffer *to = fresh_text(odd);
    struct slice body = answer->body;
    bool json = is_json(answer);
    if (json)
        buffer_append_text(to, "{\"odd\":");
    if (kind == FAULT_DEEP)
        add_deep(to, json);
    else if (kind == FAULT_LONG_TAG)
        add_long(to, json);
    else if (kind == FAULT_NUL)
        add_text(to, json, (struct slice){"a\0b", 3});
    else
        add_text(to, json, (struct slice){"\xff\xfe\xc0\x80", 4});
    if (json) {
        buffer_append_text(to, ",");
        body = (struct slice){body.data + 1, body.len - 1};
    }
    buffer_append_slice(to, body);
    set_body(answer, to);
}

static void set_utf16(struct odd *odd, struct answer *answer)
{
    struct buffer *to = fresh_text(odd);
    buffer_append(to, "\xff\xfe", 2);
    for (size_t i = 0; i < answer->body.len; i++) {
        buffer_append_char(to, answer->body.data[i]);
        buffer_append_char(to, '\0');
    }
    set_body(answer, to);
}

/* Heads. */

static void set_status(struct answer *answer, int status)
{
    answer->status = status;
    answer->body = slice_of("");
    answer->gzip = false;
}

static void set_half(struct buffer *extra, struct answer *answer)
{
    buffer_printf(extra, "Content-Range: bytes 0-%zu/%zu\r\n",
                  answer->body.len / 2 - 1, answer->body.len);
    answer->status = 206;
    answer->body.len /= 2;
}

static void append_head(struct buffer *to, const struct answer *answer,
                        size_t body_bytes, const char *extra)
{
    http_append_head(to, &(struct http_head){.status = answer->status,
                                             .type = answer->type,
                                             .body_bytes = body_bytes,
                                             .gzip = answer->gzip,
                                             .keep_alive = true,
                                             .extra = extra});
}

static void append_head_without_length(struct buffer *to,
                                       const struct answer *answer,
                                       const char *line)
{
    buffer_printf(to, "HTTP/1.1 200 OK\r\nContent-Type: %s\r\n%s%s\r\n\r\n",
                  answer->type,
                  answer->gzip ? "Content-Encoding: gzip\r\n" : "", line);
}

static void append_headers(struct buffer *to, enum fault_kind kind,
                           const struct answer *answer)
{
    struct buffer extra = BUFFER_EMPTY;
    if (kind == FAULT_HEADERS_MANY) {
        for (int i = 0; i < HEADERS_MANY; i++)
            buffer_printf(&extra, "X-Filler-%d: x\r\n", i);
    } else {
        buffer_append_text(&extra, "X-Filler: ");
        repeat(&extra, "x", HEADER_LONG_BYTES);
        buffer_append_text(&extra, "\r\n");
    }
    append_head(to, answer, answer->body.len, buffer_text(&extra));
    to->failed |= extra.failed;
    buffer_free(&extra);
}

/* The head, and in *ret_delivery what comes after it and the body; false: it
 * comes without the body. */
static bool append_raw_head(struct buffer *to, enum fault_kind kind,
                            const struct answer *answer,
                            enum delivery *ret_delivery)
{
    size_t len = answer->body.len;
    *ret_delivery = DELIVER_RAW_CLOSE;
    switch (kind) {
    case FAULT_INTERIM:
        buffer_append_text(to, "HTTP/1.1 100 Continue\r\n\r\n"
                               "HTTP/1.1 103 Early Hints\r\n"
                               "Link: </x>; rel=preload\r\n\r\n");
        append_head(to, answer, len, "");
        *ret_delivery = DELIVER_RAW;
        return true;
    case FAULT_INTERIM_FLOOD:
        repeat(to, "HTTP/1.1 100 Continue\r\n\r\n", INTERIM_FLOOD);
        append_head(to, answer, len, "");
        return true;
    case FAULT_HEADERS_MANY:
    case FAULT_HEADER_LONG:
        append_headers(to, kind, answer);
        return true;
    case FAULT_LENGTH_LONG:
        append_head(to, answer, len + 100, "");
        *ret_delivery = DELIVER_RAW_STALL;
        return true;
    case FAULT_LENGTH_SHORT:
        append_head(to, answer, len / 2, "");
        *ret_delivery = DELIVER_RAW;
        return true;
    case FAULT_LENGTH_BAD:
        append_head_without_length(to, answer, "Content-Length: ten");
        return true;
    case FAULT_CHUNKED_BAD:
        append_head_without_length(to, answer,
                                   "Transfer-Encoding: chunked\r\n\r\nZZ");
        return true;
    case FAULT_CLOSE_AFTER_HEAD:
        append_head(to, answer, len, "");
        return false;
    case FAULT_DRIP_HEAD:
        append_head(to, answer, len, "");
        *ret_delivery = DELIVER_RAW_DRIP;
        return true;
    default: /* FAULT_NO_HEAD */
        return true;
    }
}

static void set_raw(struct odd *odd, enum fault_kind kind,
                    struct answer *answer)
{
    struct buffer *to = fresh_text(odd);
    enum delivery delivery;
    if (append_raw_head(to, kind, answer, &delivery))
        buffer_append_slice(to, answer->body);
    set_body(answer, to);
    if (!to->failed)
        answer->delivery = delivery;
}

static void set_bomb(struct odd *odd, bool nested, struct buffer *extra,
                     struct answer *answer)
{
    struct error err = ERROR_NONE;
    struct buffer *bomb = nested ? &odd->nested : &odd->bomb;
    if (!odd->bomb.len && bomb_make(&odd->bomb, &err))
        buffer_free(&odd->bomb);
    if (nested && !odd->nested.len && odd->bomb.len &&
        bomb_nest(buffer_slice(&odd->bomb), &odd->nested, &err))
        buffer_free(&odd->nested);
    if (!bomb->len) { /* out of memory */
        set_status(answer, 500);
        return;
    }
    if (nested)
        buffer_append_text(extra, "Content-Encoding: gzip\r\n");
    answer->status = 200;
    answer->gzip = true;
    answer->body = buffer_slice(bomb);
    answer->body_lasts = true;
}

void odd_inject(struct odd *odd, enum fault_kind kind, struct buffer *extra,
                struct answer *answer)
{
    switch (kind) {
    case FAULT_204:
        set_status(answer, 204);
        break;
    case FAULT_206:
        set_half(extra, answer);
        break;
    case FAULT_304:
        set_status(answer, 304);
        break;
    case FAULT_STALE:
        answer->delivery = DELIVER_STALE;
        break;
    case FAULT_GZIP_BOMB:
    case FAULT_GZIP_NESTED:
        set_bomb(odd, kind == FAULT_GZIP_NESTED, extra, answer);
        break;
    case FAULT_ENCODING_WRONG:
        answer->gzip = !answer->gzip;
        break;
    case FAULT_ENCODING_UNKNOWN:
        buffer_append_text(extra, "Content-Encoding: zebra\r\n");
        break;
    case FAULT_DEEP:
    case FAULT_LONG_TAG:
    case FAULT_BAD_UTF8:
    case FAULT_NUL:
        set_preceded(odd, kind, answer);
        break;
    case FAULT_UTF16:
        set_utf16(odd, answer);
        break;
    case FAULT_INTERIM:
    case FAULT_INTERIM_FLOOD:
    case FAULT_HEADERS_MANY:
    case FAULT_HEADER_LONG:
    case FAULT_LENGTH_LONG:
    case FAULT_LENGTH_SHORT:
    case FAULT_LENGTH_BAD:
    case FAULT_CHUNKED_BAD:
    case FAULT_CLOSE_AFTER_HEAD:
    case FAULT_DRIP_HEAD:
    case FAULT_NO_HEAD:
        set_raw(odd, kind, answer);
        break;
    default: /* odd_price() did it */
        break;
    }
}
