/*
 * template.c: see template.h.
 *
 * request_url() is called once a key. It walks the template once, and for a
 * request with key_replace asks each expression first without groups: glibc
 * then stays in its DFA, several times faster, and most keys match none.
 */
#include "pipeline/template.h"

#include <ctype.h>

#include "base/utf8.h"

#define KEYS_PLACE "{keys}"

bool key_is_valid(struct slice key)
{
    const unsigned char *p = (const unsigned char *)key.data;

    if (key.len == 0 || key.len > KEY_BYTES_MAX)
        return false;
    for (size_t i = 0; i < key.len;) {
        size_t len = utf8_len((struct slice){key.data + i, key.len - i});
        if (len == 0 || p[i] < 0x20 || p[i] == 0x7F ||
            (p[i] == 0xC2 && p[i + 1] < 0xA0)) /* U+0080 to U+009F */
            return false;
        i += len;
    }
    return true;
}

/* RFC 3986, 2.3. */
static bool is_unreserved(char c)
{
    return isalnum((unsigned char)c) || c == '-' || c == '.' || c == '_' ||
           c == '~';
}

static void append_encoded(struct buffer *out, struct slice text)
{
    static const char hex[] = "0123456789ABCDEF";

    if (!buffer_reserve(out, 3 * text.len))
        return;
    char *p = out->data + out->len;
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (is_unreserved((char)c)) {
            *p++ = (char)c;
        } else {
            *p++ = '%';
            *p++ = hex[c >> 4];
            *p++ = hex[c & 15];
        }
    }
    *p = '\0';
    out->len = (size_t)(p - out->data);
}

/* The length of "http://" or "https://" at the front; else 0. */
static size_t scheme_len(struct slice url)
{
    if (url.len >= 7 && !strncasecmp(url.data, "http://", 7))
        return 7;
    if (url.len >= 8 && !strncasecmp(url.data, "https://", 8))
        return 8;
    return 0;
}

/* RFC 3986, 3.2: from after "//" to the path, query or fragment. */
static struct slice url_authority(struct slice url)
{
    size_t start = scheme_len(url);
    size_t end = start;

    for (; end < url.len; end++) {
        char c = url.data[end];
        if (c == '/' || c == '?' || c == '#')
            break;
    }
    return (struct slice){url.data + start, end - start};
}

struct host_port {
    struct slice host; /* an IPv6 address with its brackets */
    int port;
};

static bool parse_port(struct slice text, int *ret)
{
    int port = 0;

    for (size_t i = 0; i < text.len; i++) {
        if (!isdigit((unsigned char)text.data[i]) || port > 65535)
            return false;
        port = port * 10 + (text.data[i] - '0');
    }
    if (port < 1 || port > 65535)
        return false;
    *ret = port;
    return true;
}

/* Names, IPv4 and, in brackets, IPv6. Bytes beyond ASCII are refused: a URL
 * has the xn-- form of such a name. */
static bool is_host(struct slice host)
{
    bool brackets = host.len && host.data[0] == '[';

    if (brackets && (host.len < 4 || host.data[host.len - 1] != ']'))
        return false;
    for (size_t i = brackets; i < host.len - brackets; i++) {
        char c = host.data[i];
        if (brackets ? !isxdigit((unsigned char)c) && c != ':' && c != '.'
                     : !isalnum((unsigned char)c) && c != '-' && c != '.' &&
                           c != '_')
            return false;
    }
    return host.len > 0 && host.data[0] != '.';
}

static bool split_url(struct slice url, struct host_port *ret)
{
    struct slice a = url_authority(url);
    struct slice port = {NULL, 0};
    size_t scheme = scheme_len(url);

    if (!scheme)
        return false;
    const char *at = memrchr(a.data, '@', a.len);
    if (at)
        a = (struct slice){at + 1, a.len - (size_t)(at + 1 - a.data)};
    const char *colon = memrchr(a.data, ':', a.len);
    if (colon && !memchr(colon, ']', a.len - (size_t)(colon - a.data))) {
        port = (struct slice){colon + 1, a.len - (size_t)(colon + 1 - a.data)};
        a.len = (size_t)(colon - a.data);
    }
    ret->host = a;
    ret->port = scheme == 7 ? 80 : 443;
    return is_host(a) && (!port.len || parse_port(port, &ret->port));
}

/* No blanks and control characters: they would end the URL in a request. */
static bool split_web_url(struct slice url, struct host_port *ret)
{
    for (size_t i = 0; i < url.len; i++)
        if ((unsigned char)url.data[i] <= ' ' || url.data[i] == 0x7F)
            return false;
    return url.len <= URL_BYTES_MAX && split_url(url, ret);
}

static bool is_web_url(struct slice url)
{
    struct host_port ignored;

    return split_web_url(url, &ignored);
}

bool url_host(struct slice url, struct buffer *ret)
{
    struct host_port split;

    if (!split_web_url(url, &split))
        return false;
    for (size_t i = 0; i < split.host.len; i++)
        buffer_append_char(ret,
                           (char)tolower((unsigned char)split.host.data[i]));
    buffer_printf(ret, ":%d", split.port);
    return !ret->failed;
}

/* The next "{key}", "{symbol}" or "{keys}" in [p, end); its length in
 * *ret_len. */
static const char *find_key(const char *p, const char *end, size_t *ret_len)
{
    static const struct slice places[] = {
        {"{key}", 5}, {"{symbol}", 8}, {KEYS_PLACE, sizeof KEYS_PLACE - 1}};

    while (p < end && (p = memchr(p, '{', (size_t)(end - p)))) {
        for (size_t i = 0; i < sizeof places / sizeof *places; i++)
            if (!strncmp(p, places[i].data, places[i].len)) {
                *ret_len = places[i].len;
                return p;
            }
        p++;
    }
    return NULL;
}

/* Puts what `with` says around the match into `out`. */
static void append_replaced(struct buffer *out, const struct replace *replace,
                            const char *key, const regmatch_t groups[10])
{
    buffer_append(out, key, (size_t)groups[0].rm_so);
    for (const char *p = replace->with; *p; p++) {
        if (*p != '\\') {
            buffer_append_char(out, *p);
            continue;
        }
        p++;
        if (!*p)
            break;
        if (!isdigit((unsigned char)*p)) {
            buffer_append_char(out, *p);
            continue;
        }
        const regmatch_t *group = &groups[*p - '0'];
        if (group->rm_so >= 0)
            buffer_append(out, key + group->rm_so,
                          (size_t)(group->rm_eo - group->rm_so));
    }
    buffer_append_text(out, key + groups[0].rm_eo);
}

/* The first expression that matches rewrites the key. False where none
 * does. */
static bool replace_key(const struct request *request, struct slice key,
                        struct buffer *out)
{
    char text[KEY_BYTES_MAX + 1]; /* regexec() wants a NUL */
    regmatch_t groups[10];

    memcpy(text, key.data, key.len);
    text[key.len] = '\0';
    for (size_t i = 0; i < request->n_replaces; i++) {
        const struct replace *r = &request->replaces[i];
        if (!regexec(&r->compiled, text, 0, NULL, 0) &&
            !regexec(&r->compiled, text, 10, groups, 0)) {
            append_replaced(out, r, text, groups);
            return true;
        }
    }
    return false;
}

/* In the authority an encoded key makes no URL, since no host has a '%' in
 * it: is_web_url() sees to that afterwards. */
static bool fill_template(const char *url, struct slice text, bool is_encoded,
                          struct buffer *ret)
{
    const char *end = url + strlen(url);
    const char *p = url, *found;
    size_t len;

    buffer_reserve(ret, (size_t)(end - url) + text.len);
    while ((found = find_key(p, end, &len))) {
        buffer_append(ret, p, (size_t)(found - p));
        if (is_encoded)
            buffer_append_slice(ret, text);
        else
            append_encoded(ret, text);
        p = found + len;
    }
    buffer_append(ret, p, (size_t)(end - p));
    return !ret->failed;
}

/* What the key is asked for as: itself, or in `replaced`. */
static bool asked_form(const struct request *request, struct slice *key,
                       struct buffer *replaced)
{
    if (!key_is_valid(*key))
        return false;
    if (!request->n_replaces || !replace_key(request, *key, replaced))
        return true;
    *key = buffer_slice(replaced);
    return !replaced->failed && key_is_valid(*key);
}

bool request_asked(const struct request *request, struct slice key,
                   struct buffer *ret)
{
    struct buffer replaced = BUFFER_EMPTY;
    bool good =
        asked_form(request, &key, &replaced) && buffer_append_slice(ret, key);
    buffer_free(&replaced);
    return good;
}

static bool fill_and_check(const struct request *request, struct slice text,
                           bool is_encoded, struct buffer *ret)
{
    size_t start = ret->len;
    return fill_template(request->url, text, is_encoded, ret) &&
           is_web_url((struct slice){ret->data + start, ret->len - start});
}

bool request_url(const struct request *request, struct slice key,
                 struct buffer *ret)
{
    struct buffer replaced = BUFFER_EMPTY;
    bool good = asked_form(request, &key, &replaced) &&
                fill_and_check(request, key, false, ret);
    buffer_free(&replaced);
    return good;
}

/* Several keys in one URL */

/* Adds one key, encoded, to those before it. False: not with them. */
static bool join(const struct request *request, struct slice key,
                 struct buffer *joined, bool *ret_alone)
{
    struct buffer replaced = BUFFER_EMPTY;
    size_t most = URL_BYTES_MAX - (strlen(request->url) - strlen(KEYS_PLACE));
    size_t before = joined->len, start;
    bool good = asked_form(request, &key, &replaced);

    if (good && before)
        buffer_append_text(joined, request->separator);
    start = joined->len;
    if (good)
        append_encoded(joined, key);
    buffer_free(&replaced);
    if (!good || joined->failed)
        return false;
    /* A site that splits what it is asked for would split this key. */
    *ret_alone = strstr(joined->data + start, request->separator_in_key);
    if (before && (*ret_alone || joined->len > most)) {
        joined->data[joined->len = before] = '\0';
        return false;
    }
    return true;
}

size_t request_url_of(const struct request *request, const struct slice *keys,
                      size_t n, struct buffer *ret)
{
    struct buffer joined = BUFFER_EMPTY;
    size_t i = 0;

    if (!request->keys_per_request)
        return request_url(request, keys[0], ret);
    for (bool alone = false; i < n && !alone; i++)
        if (!join(request, keys[i], &joined, &alone))
            break;
    ret->failed |= joined.failed;
    if (joined.failed ||
        (i && !fill_and_check(request, buffer_slice(&joined), true, ret)))
        i = 0;
    buffer_free(&joined);
    return i;
}

bool request_fixed_host(const struct request *request, struct buffer *ret)
{
    size_t len;

    if (!request->url)
        return false;
    struct slice authority = url_authority(slice_of(request->url));
    if (find_key(authority.data, authority.data + authority.len, &len))
        return false;
    /* {key} after the authority is of no interest to url_host(). */
    return url_host(slice_of(request->url), ret);
}
