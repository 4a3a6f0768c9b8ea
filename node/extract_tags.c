/*
 * extract_tags.c: see extract_tags.h.
 *
 * libxml2 2.9.14 looks for duplicates among a tag's attributes in quadratic
 * time: 1 MB of attributes in one tag is 20 s of computing. So the limit has
 * to hold for what libxml2 takes for a tag, and this follows its rules, not
 * HTML5's: a quote counts only where a value begins; a comment ends at "-->"
 * or "--!>"; script and style end at their end tag; other end tags at the
 * first '>'; "<!" and "</" without a name are text. Where following it would
 * take much code (a '<' inside <?...>, odd quotes in a DOCTYPE, tags that end
 * a script unusually), the page is refused.
 * tests/fuzz/fuzz_http_html.c compares the two on every input.
 */
#include "extract_tags.h"

#include <strings.h>

#include "extract.h"

#define NAME_BYTES_MAX 100 /* libxml2's HTML_PARSER_BUFFER_SIZE */

#define TOO_MANY_NODES "more than 500000 tags, attributes and references"

/* The page from where the scan stands. */
struct scan {
    const char *at;
    const char *end;
    struct extract_tags *tags;
};

/* The byte `ahead` of here; 0 beyond the end. */
static char peek(const struct scan *scan, size_t ahead)
{
    return (size_t)(scan->end - scan->at) > ahead ? scan->at[ahead] : '\0';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_name_start(char c)
{
    return is_letter(c) || c == '_' || c == ':' || c == '.';
}

static bool is_name(char c)
{
    return is_name_start(c) || c == '-' || (c >= '0' && c <= '9');
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static void skip_blanks(struct scan *scan)
{
    while (is_blank(peek(scan, 0)))
        scan->at++;
}

/* To the byte `c`, or to the end. */
static void skip_to(struct scan *scan, char c)
{
    const char *found = memchr(scan->at, c, (size_t)(scan->end - scan->at));
    scan->at = found ? found : scan->end;
}

/* Beyond the byte `c`, or to the end. */
static void skip_beyond(struct scan *scan, char c)
{
    skip_to(scan, c);
    if (scan->at < scan->end)
        scan->at++;
}

static struct slice scan_name(struct scan *scan)
{
    const char *from = scan->at;
    if (is_name_start(peek(scan, 0)))
        while (is_name(peek(scan, 0)) && scan->at - from < NAME_BYTES_MAX)
            scan->at++;
    return (struct slice){from, (size_t)(scan->at - from)};
}

static bool at_tag_end(const struct scan *scan)
{
    char c = peek(scan, 0);
    return scan->at == scan->end || c == '>' ||
           (c == '/' && peek(scan, 1) == '>');
}

static void scan_value(struct scan *scan)
{
    char quote = peek(scan, 0);
    if (quote == '"' || quote == '\'') {
        scan->at++;
        skip_beyond(scan, quote);
        return;
    }
    while (scan->at < scan->end && !is_blank(*scan->at) && *scan->at != '>')
        scan->at++;
}

static void scan_attribute(struct scan *scan)
{
    if (scan_name(scan).len == 0) {
        while (!at_tag_end(scan) && !is_blank(*scan->at))
            scan->at++;
        return;
    }
    skip_blanks(scan);
    if (peek(scan, 0) != '=')
        return;
    scan->at++;
    skip_blanks(scan);
    scan_value(scan);
}

static bool is_named(struct slice name, const char *text)
{
    return name.len == strlen(text) && !strncasecmp(name.data, text, name.len);
}

/*
 * Whether the text of a script or style begins with a tag that ends it:
 * there, but nowhere further on, libxml2 heeds other tags than its own end
 * tag. Such a page is refused, since what they end depends on all before.
 */
static bool begins_with_tag(struct scan scan, struct slice own)
{
    bool ends = peek(&scan, 1) == '/';
    if (peek(&scan, 0) != '<')
        return false;
    scan.at += ends ? 2 : 1;
    struct slice name = scan_name(&scan);
    if (ends)
        return name.len && (name.len != own.len ||
                            strncasecmp(name.data, own.data, own.len));
    return is_named(name, "noscript") || is_named(name, "body") ||
           is_named(name, "frameset");
}

/* The text of a script or style, and its end tag. */
static const char *scan_raw_text(struct scan *scan, struct slice own)
{
    if (begins_with_tag(*scan, own))
        return "a script or style that another tag ends";
    for (skip_to(scan, '<'); scan->at < scan->end; skip_to(scan, '<')) {
        scan->at++;
        if (peek(scan, 0) != '/' || (size_t)(scan->end - scan->at) <= own.len ||
            strncasecmp(scan->at + 1, own.data, own.len))
            continue;
        scan->at++;
        if (scan_name(scan).len != own.len)
            return "an end tag that begins like that of a script or style";
        skip_beyond(scan, '>');
        return NULL;
    }
    return NULL;
}

/* A start tag, and what belongs to a script or style. */
static const char *scan_tag(struct scan *scan)
{
    const char *from = scan->at++;
    struct slice name = scan_name(scan);
    size_t attributes = 0;
    skip_blanks(scan);
    while (!at_tag_end(scan)) {
        scan_attribute(scan);
        skip_blanks(scan);
        attributes++;
    }
    bool closed = peek(scan, 0) == '/';
    size_t bytes = (size_t)(scan->at - from);
    if (bytes > scan->tags->tag_bytes_max)
        scan->tags->tag_bytes_max = bytes;
    if (attributes > scan->tags->attributes_max)
        scan->tags->attributes_max = attributes;
    scan->tags->nodes += 1 + attributes;
    if (bytes > EXTRACT_TAG_BYTES_MAX)
        return "a tag longer than 64 KiB";
    if (attributes > EXTRACT_ATTRIBUTES_MAX)
        return "a tag with more than 64 attributes";
    if (!closed && (is_named(name, "script") || is_named(name, "style"))) {
        skip_beyond(scan, '>');
        return scan_raw_text(scan, name);
    }
    return NULL;
}

static void scan_comment(struct scan *scan)
{
    scan->at += 4;
    for (;; scan->at++) {
        skip_to(scan, '-');
        if (scan->at == scan->end)
            return;
        if (peek(scan, 1) != '-')
            continue;
        size_t mark = peek(scan, 2) == '!' ? 3 : 2;
        if (peek(scan, mark) == '>') {
            scan->at += mark + 1;
            return;
        }
    }
}

/* <!DOCTYPE ...> and <?...>: to the first '>', where that is certain to be
 * the end. */
static const char *scan_declaration(struct scan *scan)
{
    const char *from = ++scan->at;
    skip_beyond(scan, '>');
    size_t single = 0, twofold = 0;
    for (const char *c = from; c < scan->at; c++) {
        if (*c == '<')
            return "a declaration with a tag inside";
        single += *c == '\'';
        twofold += *c == '"';
    }
    bool certain = single + twofold == 0 || (single % 2 == 0 && !twofold) ||
                   (twofold % 2 == 0 && !single);
    return certain ? NULL : "a declaration with odd quotes";
}

static void scan_end_tag(struct scan *scan)
{
    scan->at += 2;
    if (scan_name(scan).len)
        skip_beyond(scan, '>');
}

/* What begins with the '<' here. */
static const char *scan_markup(struct scan *scan)
{
    char next = peek(scan, 1);
    if (is_letter(next))
        return scan_tag(scan);
    if (next == '?')
        return scan_declaration(scan);
    if (scan->end - scan->at >= 9 && !strncasecmp(scan->at, "<!doctype", 9))
        return scan_declaration(scan);
    if (next == '/')
        scan_end_tag(scan);
    else if (next == '!' && peek(scan, 2) == '-' && peek(scan, 3) == '-')
        scan_comment(scan);
    else
        scan->at++;
    scan->tags->nodes++;
    return NULL;
}

static size_t count_references(struct slice body)
{
    const char *end = body.data + body.len;
    size_t n = 0;
    for (const char *at = body.data;
         at < end && (at = memchr(at, '&', (size_t)(end - at))); at++)
        n++;
    return n;
}

const char *extract_tags_check(struct slice body, struct extract_tags *ret)
{
    *ret = (struct extract_tags){.nodes = count_references(body)};
    struct scan scan = {body.data, body.data + body.len, ret};
    for (skip_to(&scan, '<'); scan.at < scan.end; skip_to(&scan, '<')) {
        const char *why = scan_markup(&scan);
        if (why)
            return why;
        if (ret->nodes > EXTRACT_NODES_MAX)
            break;
    }
    return ret->nodes > EXTRACT_NODES_MAX ? TOO_MANY_NODES : NULL;
}
