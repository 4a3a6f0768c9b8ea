/* exec_line.c: see exec_line.h. */
#include "exec_line.h"

#include <ctype.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>

#include "base/utf8.h"

void exec_line_ask(struct buffer *out, uint64_t id, struct slice key)
{
    buffer_printf(out, "{\"id\": %" PRIu64 ", \"key\": \"", id);
    for (size_t i = 0; i < key.len; i++) {
        if (key.data[i] == '"' || key.data[i] == '\\')
            buffer_append_char(out, '\\');
        buffer_append_char(out, key.data[i]);
    }
    buffer_append_text(out, "\"}\n");
}

/* ---- the grammar ---- */

/* What of a line is still to be read. */
struct rest {
    const char *at, *end;
};

static bool take(struct rest *rest, char c)
{
    bool there = rest->at < rest->end && *rest->at == c;
    rest->at += there;
    return there;
}

static void skip_space(struct rest *rest)
{
    while (rest->at < rest->end && strchr(" \t\r\n", *rest->at) && *rest->at)
        rest->at++;
}

/* Goes behind digits, of which there must be one. */
static bool skip_digits(struct rest *rest)
{
    const char *from = rest->at;
    while (rest->at < rest->end && isdigit((unsigned char)*rest->at))
        rest->at++;
    return rest->at > from;
}

static bool skip_number(struct rest *rest)
{
    take(rest, '-');
    if (!take(rest, '0') && !skip_digits(rest))
        return false;
    if (take(rest, '.') && !skip_digits(rest))
        return false;
    if (!take(rest, 'e') && !take(rest, 'E'))
        return true;
    if (!take(rest, '+'))
        take(rest, '-');
    return skip_digits(rest);
}

/* Behind the backslash. */
static bool skip_escape(struct rest *rest)
{
    if (rest->at == rest->end)
        return false;
    char c = *rest->at++;
    if (c != 'u')
        return c && strchr("\"\\/bfnrt", c);
    for (int i = 0; i < 4; i++, rest->at++)
        if (rest->at == rest->end || !isxdigit((unsigned char)*rest->at))
            return false;
    return true;
}

static bool skip_string(struct rest *rest)
{
    if (!take(rest, '"'))
        return false;
    while (rest->at < rest->end && (unsigned char)*rest->at >= ' ') {
        if (take(rest, '"'))
            return true;
        if (take(rest, '\\')) {
            if (!skip_escape(rest))
                return false;
            continue;
        }
        size_t len =
            utf8_len((struct slice){rest->at, (size_t)(rest->end - rest->at)});
        if (!len)
            return false;
        rest->at += len;
    }
    return false;
}

static bool skip_word(struct rest *rest, const char *word)
{
    size_t len = strlen(word);
    if ((size_t)(rest->end - rest->at) < len || memcmp(rest->at, word, len))
        return false;
    rest->at += len;
    return true;
}

static bool skip_value(struct rest *rest, int depth);

/* "name": with the space around it. */
static bool skip_name(struct rest *rest, struct slice *ret)
{
    skip_space(rest);
    const char *from = rest->at + 1;
    if (!skip_string(rest))
        return false;
    *ret = (struct slice){from, (size_t)(rest->at - 1 - from)};
    skip_space(rest);
    if (!take(rest, ':'))
        return false;
    skip_space(rest);
    return true;
}

/* Behind its opening bracket; as deep as EXEC_LINE_DEPTH_MAX. */
static bool skip_many(struct rest *rest, bool named, int depth)
{
    char close = named ? '}' : ']';
    struct slice name;
    skip_space(rest);
    if (take(rest, close))
        return true;
    do {
        if (named && !skip_name(rest, &name))
            return false;
        if (!skip_value(rest, depth))
            return false;
    } while (take(rest, ','));
    return take(rest, close);
}

/* With the space around it. */
static bool skip_value(struct rest *rest, int depth)
{
    bool good;
    skip_space(rest);
    if (rest->at == rest->end || depth == EXEC_LINE_DEPTH_MAX)
        return false;
    if (*rest->at == '"')
        good = skip_string(rest);
    else if (take(rest, '{'))
        good = skip_many(rest, true, depth + 1);
    else if (take(rest, '['))
        good = skip_many(rest, false, depth + 1);
    else
        good = skip_word(rest, "true") || skip_word(rest, "false") ||
               skip_word(rest, "null") || skip_number(rest);
    skip_space(rest);
    return good;
}

/* ---- what it says ---- */

enum member { MEMBER_ID, MEMBER_RECORD, MEMBER_ERROR, MEMBER_RETRY, N_MEMBERS };
static const char *const names[] = {"id", "record", "error", "retry"};

static bool is(struct slice value, const char *text)
{
    return slice_equal(value, slice_of(text));
}

static bool take_id(struct slice value, uint64_t *ret)
{
    uint64_t id = 0;
    for (size_t i = 0; i < value.len; i++) {
        if (!isdigit((unsigned char)value.data[i]) ||
            id >= EXEC_LINE_ID_MAX / 10)
            return false;
        id = id * 10 + (uint64_t)(value.data[i] - '0');
    }
    *ret = id;
    return value.len > 0;
}

/* Its beginning, between two characters. */
static bool take_error(struct slice value, char ret[EXEC_LINE_ERROR_BYTES])
{
    json_t *text = json_loadb(value.data, value.len,
                              JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    bool good = json_is_string(text);
    struct slice all =
        good ? (struct slice){json_string_value(text), json_string_length(text)}
             : (struct slice){0};
    size_t len = 0, more;
    while (len < all.len &&
           (more = utf8_len((struct slice){all.data + len, all.len - len})) &&
           len + more < EXEC_LINE_ERROR_BYTES)
        len += more;
    if (len)
        memcpy(ret, all.data, len);
    ret[len] = '\0';
    for (size_t i = 0; i < len; i++)
        if (iscntrl((unsigned char)ret[i]))
            ret[i] = ' ';
    json_decref(text);
    return good;
}

/* Cuts the line into the values of the members that count; NULL data where one
 * is absent or null. */
static const char *cut(struct slice line, struct slice values[N_MEMBERS])
{
    struct rest rest = {line.data, line.data + line.len};
    struct slice name;
    skip_space(&rest);
    if (!take(&rest, '{'))
        return "is no JSON object";
    skip_space(&rest);
    bool empty = take(&rest, '}');
    while (!empty) {
        if (!skip_name(&rest, &name))
            return "is no JSON";
        const char *from = rest.at;
        if (!skip_value(&rest, 1))
            return "is no JSON";
        const char *end = rest.at;
        while (strchr(" \t\r\n", end[-1]))
            end--;
        for (int i = 0; i < N_MEMBERS; i++) {
            if (!is(name, names[i]))
                continue;
            if (values[i].data)
                return "has a member twice";
            values[i] = (struct slice){from, (size_t)(end - from)};
        }
        if (take(&rest, '}'))
            break;
        if (!take(&rest, ','))
            return "is no JSON";
    }
    skip_space(&rest);
    for (int i = 0; i < N_MEMBERS; i++)
        if (values[i].data && is(values[i], "null"))
            values[i] = (struct slice){0};
    return rest.at == rest.end ? NULL : "is no JSON";
}

const char *exec_line_parse(struct slice line, struct exec_line *ret)
{
    struct slice values[N_MEMBERS] = {{0}};
    const char *wrong = cut(line, values);
    if (wrong)
        return wrong;
    const struct slice *record = &values[MEMBER_RECORD],
                       *error = &values[MEMBER_ERROR],
                       *retry = &values[MEMBER_RETRY];
    *ret = (struct exec_line){.record = *record};
    if (!take_id(values[MEMBER_ID], &ret->id))
        return "has no \"id\" that was sent";
    if (!record->data == !error->data)
        return record->data ? "has a \"record\" and an \"error\""
                            : "has neither a \"record\" nor an \"error\"";
    if (error->data && !take_error(*error, ret->error))
        return "has an \"error\" that is no text";
    if (retry->data && !is(*retry, "true") && !is(*retry, "false"))
        return "has a \"retry\" that is not true or false";
    ret->retry = retry->data && is(*retry, "true");
    return NULL;
}
