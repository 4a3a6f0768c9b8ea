/*
 * robots_rules.c: see robots_rules.h.
 *
 * The text is read twice: once for the groups with our name, and, if there is
 * none, once for those for everybody.
 */
#include "robots_rules.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/check.h"

/* ---- lines ---- */

struct line {
    struct slice name, value;
};

static struct slice trimmed(struct slice text)
{
    while (text.len && strchr(" \t\r", text.data[0])) {
        text.data++;
        text.len--;
    }
    while (text.len && strchr(" \t\r", text.data[text.len - 1]))
        text.len--;
    return text;
}

/* The next line that says something; false at the end. */
static bool next_line(struct slice *text, struct line *ret)
{
    while (text->len) {
        const char *end = memchr(text->data, '\n', text->len);
        size_t len = end ? (size_t)(end - text->data) : text->len;
        struct slice line = {text->data, len};
        text->data += len + (end != NULL);
        text->len -= len + (end != NULL);
        const char *comment = memchr(line.data, '#', line.len);
        if (comment)
            line.len = (size_t)(comment - line.data);
        const char *colon = memchr(line.data, ':', line.len);
        if (!colon)
            continue;
        size_t before = (size_t)(colon - line.data);
        ret->name = trimmed((struct slice){line.data, before});
        ret->value = trimmed((struct slice){colon + 1, line.len - before - 1});
        return true;
    }
    return false;
}

static bool is(struct slice text, const char *word)
{
    return text.len == strlen(word) && !strncasecmp(text.data, word, text.len);
}

/* A User-agent line may go on after the product token: "name/1.0". */
static bool is_for(struct slice value, const char *product)
{
    size_t len = 0;
    while (len < value.len && !strchr("/ \t", value.data[len]))
        len++;
    return is((struct slice){value.data, len}, product);
}

/* ---- patterns ---- */

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool is_unreserved(unsigned char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
           (c >= 'A' && c <= 'Z') || (c && strchr("-._~", c));
}

/* One form for what may be written in several (RFC 9309, 2.2.2): escapes only
 * where they are needed, with capital letters. */
static struct slice normalised(struct arena *arena, struct slice text)
{
    static const char digits[] = "0123456789ABCDEF";
    char *to = arena_alloc(arena, text.len * 3 + 1);
    size_t n = 0;
    for (size_t i = 0; to && i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];
        bool escape = c > '~' || c < '!';
        if (c == '%' && i + 2 < text.len && hex(text.data[i + 1]) >= 0 &&
            hex(text.data[i + 2]) >= 0) {
            c = (unsigned char)(hex(text.data[i + 1]) << 4 |
                                hex(text.data[i + 2]));
            i += 2;
            escape = !is_unreserved(c);
        }
        if (escape)
            to[n++] = '%';
        to[n++] = escape ? digits[c >> 4] : (char)c;
        if (escape)
            to[n++] = digits[c & 15];
    }
    return (struct slice){to, n};
}

/* Whether the pattern matches a beginning of the target. A `*` first stands
 * for nothing, and is tried again with one byte more where the rest fails. */
static bool matches(struct slice pattern, struct slice target)
{
    size_t p = 0, t = 0, star = SIZE_MAX, star_t = 0;
    bool whole = pattern.len && pattern.data[pattern.len - 1] == '$';
    size_t len = pattern.len - whole;
    for (;;) {
        if (p == len && (!whole || t == target.len))
            return true;
        if (p < len && pattern.data[p] == '*') {
            star = ++p;
            star_t = t;
        } else if (p < len && t < target.len &&
                   pattern.data[p] == target.data[t]) {
            p++;
            t++;
        } else if (star != SIZE_MAX && star_t < target.len) {
            p = star;
            t = ++star_t;
        } else {
            return false;
        }
    }
}

/* ---- groups ---- */

static usec_t read_delay(struct slice value)
{
    char text[32];
    if (value.len >= sizeof text)
        return 0;
    memcpy(text, value.data, value.len);
    text[value.len] = '\0';
    char *end;
    double seconds = strtod(text, &end);
    if (end == text || *end || !(seconds > 0))
        return 0;
    double most = (double)ROBOTS_DELAY_MAX / (double)USEC_PER_SEC;
    return (usec_t)((seconds < most ? seconds : most) * (double)USEC_PER_SEC);
}

static bool add_rule(struct robots_rules *rules, struct slice pattern,
                     bool allow)
{
    if (!pattern.len) /* an empty one says nothing */
        return true;
    struct robots_rule *rule = arena_alloc(&rules->arena, sizeof *rule);
    if (!rule)
        return false;
    rule->pattern = normalised(&rules->arena, pattern);
    rule->allow = allow;
    rule->next = rules->rules;
    rules->rules = rule;
    return rule->pattern.data != NULL;
}

/* Takes the rules of all groups for `product`. */
static bool read_groups(struct slice text, const char *product,
                        struct robots_rules *rules, bool *ret_found)
{
    struct line line;
    bool ours = false, naming = false;
    size_t n = 0;
    while (next_line(&text, &line)) {
        if (is(line.name, "user-agent")) {
            ours = (naming && ours) || is_for(line.value, product);
            naming = true;
            *ret_found |= ours;
            continue;
        }
        bool allow = is(line.name, "allow");
        if (allow || is(line.name, "disallow")) {
            naming = false;
            if (ours && n++ < ROBOTS_RULES_MAX &&
                !add_rule(rules, line.value, allow))
                return false;
        } else if (is(line.name, "crawl-delay")) {
            naming = false;
            usec_t delay = ours ? read_delay(line.value) : 0;
            if (delay > rules->crawl_delay)
                rules->crawl_delay = delay;
        }
    }
    return true;
}

bool robots_rules_read(struct slice text, const char *product,
                       struct robots_rules *ret)
{
    static const char mark[] = "\xef\xbb\xbf";
    bool found = false;
    *ret = (struct robots_rules){.arena = ARENA_EMPTY};
    if (text.len >= 3 && !memcmp(text.data, mark, 3)) {
        text.data += 3;
        text.len -= 3;
    }
    if (!read_groups(text, product, ret, &found))
        return false;
    return found || read_groups(text, "*", ret, &found);
}

void robots_rules_free(struct robots_rules *rules)
{
    arena_free(&rules->arena);
    rules->rules = NULL;
}

bool robots_rules_allow(struct robots_rules *rules, struct slice target)
{
    struct arena scratch = ARENA_EMPTY;
    struct slice path = normalised(&scratch, target);
    size_t longest = 0;
    bool allow = path.data != NULL;
    if (slice_equal(target, slice_of("/robots.txt")) || !allow) {
        arena_free(&scratch);
        return allow;
    }
    for (const struct robots_rule *rule = rules->rules; rule;
         rule = rule->next) {
        if (rule->pattern.len < longest || !matches(rule->pattern, path))
            continue;
        if (rule->pattern.len > longest || rule->allow)
            allow = rule->allow;
        longest = rule->pattern.len;
    }
    arena_free(&scratch);
    return allow;
}
