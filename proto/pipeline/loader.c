/*
 * loader.c: complaints, and reading a node of the YAML tree as one thing.
 *
 * Every complaint says what was found and what is allowed. They are kept
 * sorted as they come, and each place complains once about one thing.
 */
#include "pipeline/loader.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "pipeline/spell.h"

#define MEMBERS_MAX 32 /* of one of our tables */

static void append_list(struct buffer *out, const char *const *items, size_t n)
{
    bool any = false;

    for (size_t i = 0; i < n; i++) {
        if (!items[i])
            continue;
        buffer_printf(out, "%s%s", any ? ", " : "", shown(items[i]).text);
        any = true;
    }
}

/* The length of `text` cut to `max` bytes, between two characters. */
static size_t cut_len(const char *text, size_t max)
{
    size_t len = strnlen(text, max + 1);
    if (len <= max)
        return len;
    for (len = max; len && ((unsigned char)text[len] & 0xC0) == 0x80;)
        len--;
    return len;
}

struct shown shown(const char *text)
{
    struct shown ret;
    size_t len = cut_len(text, sizeof ret.text - 4);
    memcpy(ret.text, text, len);
    memcpy(ret.text + len, text[len] ? "..." : "", text[len] ? 4 : 1);
    return ret;
}

void complaints_free(struct complaints *complaints)
{
    for (size_t i = 0; i < complaints->n; i++)
        free(complaints->items[i].text);
    *complaints = (struct complaints){0};
}

/* The place where a complaint belongs; -1 where the same one is there. */
static ssize_t find_place(const struct complaints *c, int line, int column,
                          const char *text)
{
    size_t i = c->n;

    while (i &&
           (c->items[i - 1].line > line ||
            (c->items[i - 1].line == line && c->items[i - 1].column > column)))
        i--;
    for (size_t j = i;
         j && c->items[j - 1].line == line && c->items[j - 1].column == column;
         j--)
        if (!strcmp(c->items[j - 1].text, text))
            return -1;
    return (ssize_t)i;
}

static void add_complaint(struct loader *loader, int line, int column,
                          struct buffer *text)
{
    struct complaints *c = loader->complaints;

    if (text->failed) {
        loader->out_of_memory = true;
        buffer_free(text);
        return;
    }
    text->data[cut_len(text->data, COMPLAINT_BYTES_MAX)] = '\0';
    for (char *p = text->data; *p; p++)
        if (iscntrl((unsigned char)*p))
            *p = '?';
    settings_mask_text(loader->settings, text->data);

    ssize_t place = find_place(c, line, column, text->data);
    if (place < 0 || c->n == PIPELINE_COMPLAINTS_MAX) {
        c->dropped += place >= 0;
        buffer_free(text);
        return;
    }
    memmove(&c->items[place + 1], &c->items[place],
            (c->n - (size_t)place) * sizeof *c->items);
    c->items[place] = (struct complaint){line, column, text->data};
    c->n++;
}

__attribute__((format(printf, 4, 0))) static void
complain_va(struct loader *loader, int line, int column, const char *format,
            va_list args)
{
    char text[COMPLAINT_BYTES_MAX + 8];
    struct buffer buffer = BUFFER_EMPTY;

    vsnprintf(text, sizeof text, format, args);
    buffer_append_text(&buffer, text);
    add_complaint(loader, line, column, &buffer);
}

void complain(struct loader *loader, const struct yaml_node *at,
              const char *format, ...)
{
    va_list args;
    if (at->broken)
        return;
    va_start(args, format);
    complain_va(loader, at->line, at->column, format, args);
    va_end(args);
}

void complain_at(struct loader *loader, int line, int column,
                 const char *format, ...)
{
    va_list args;
    va_start(args, format);
    complain_va(loader, line, column, format, args);
    va_end(args);
}

void complain_unknown(struct loader *loader, const struct yaml_node *at,
                      const char *what, const char *of, const char *found,
                      const char *const *allowed, size_t n_allowed)
{
    complain_unknown_near(loader, at, what, of, found, allowed, n_allowed,
                          spell_nearest(found, allowed, n_allowed));
}

void complain_unknown_near(struct loader *loader, const struct yaml_node *at,
                           const char *what, const char *of, const char *found,
                           const char *const *allowed, size_t n_allowed,
                           const char *near)
{
    struct buffer text = BUFFER_EMPTY;

    if (at->broken)
        return;
    buffer_printf(&text, "unknown %s '%s'%s%s", what, shown(found).text,
                  of ? " of " : "", of ? of : "");
    if (near)
        buffer_printf(&text, "; did you mean '%s'?", shown(near).text);
    buffer_append_text(&text, " (allowed: ");
    append_list(&text, allowed, n_allowed);
    buffer_append_text(&text, ")");
    add_complaint(loader, at->line, at->column, &text);
}

static const struct member *find_member(const struct member *members,
                                        const char *name)
{
    while (members->name && strcmp(members->name, name))
        members++;
    return members->name ? members : NULL;
}

void load_check_keys(struct loader *loader, const struct yaml_node *map,
                     const char *of, const struct member *members)
{
    const char *known[MEMBERS_MAX];
    size_t n_known = 0;

    for (const struct member *m = members; m->name; m++) {
        CHECK(n_known < MEMBERS_MAX);
        known[n_known++] = m->name;
    }
    for (const struct yaml_node *e = map->first; e; e = e->next)
        if (!find_member(members, e->key->text))
            complain_unknown(loader, e->key, "key", of, e->key->text, known,
                             n_known);
}

void *load_alloc(struct loader *loader, size_t n, size_t bytes)
{
    CHECK(n <= YAML_ITEMS_MAX);
    void *memory = arena_alloc(&loader->pipeline->arena, n * bytes);
    if (!memory)
        loader->out_of_memory = true;
    return memory;
}

const char *load_printf(struct loader *loader, const char *format, ...)
{
    char text[COMPLAINT_BYTES_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    const char *copy = arena_copy_text(&loader->pipeline->arena, text);
    if (!copy)
        loader->out_of_memory = true;
    return copy;
}

const char *load_text(struct loader *loader, const struct yaml_node *node,
                      const char *what)
{
    if (node->kind != YAML_TEXT)
        complain(loader, node, "%s must be a text, not a %s", what,
                 node->kind == YAML_LIST ? "list" : "map");
    else if (!*node->text || yaml_is_null(node))
        complain(loader, node, "%s is empty", what);
    else
        return node->text;
    return NULL;
}

bool load_texts(struct loader *loader, const struct yaml_node *node,
                const char *what, size_t n_max, const char ***ret,
                size_t *ret_n)
{
    if (node->kind != YAML_LIST) {
        complain(loader, node, "%s must be a list, as in [one, two]", what);
        return false;
    }
    if (node->n_items > n_max) {
        complain(loader, node, "%s has %zu entries; at most %zu are allowed",
                 what, node->n_items, n_max);
        return false;
    }
    const char **texts = load_alloc(loader, node->n_items, sizeof *texts);
    const char *entry = load_printf(loader, "an entry of %s", what);
    size_t n = 0;
    if (!texts || !entry)
        return false;
    for (const struct yaml_node *e = node->first; e; e = e->next) {
        const char *text = load_text(loader, e, entry);
        if (!text)
            return false;
        texts[n++] = text;
    }
    *ret = texts;
    *ret_n = n;
    return true;
}

bool load_map(struct loader *loader, const struct yaml_node *node,
              const char *what, size_t n_max)
{
    if (node->kind != YAML_MAP)
        complain(loader, node, "%s must be a map, as in {name: value}", what);
    else if (node->n_items > n_max)
        complain(loader, node, "%s has %zu entries; at most %zu are allowed",
                 what, node->n_items, n_max);
    else
        return true;
    return false;
}

bool load_integer(struct loader *loader, const struct yaml_node *node,
                  const char *what, int64_t min, int64_t max, int64_t *ret)
{
    const char *text = load_text(loader, node, what);
    char *end;

    if (!text)
        return false;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (*end || errno || isspace((unsigned char)*text) || value < min ||
        value > max) {
        complain(loader, node,
                 "%s is '%s'; a whole number from %lld to %lld is allowed",
                 what, shown(text).text, (long long)min, (long long)max);
        return false;
    }
    *ret = value;
    return true;
}

/* 1500000 as "1500ms", 60000000 as "60s". */
static struct shown shown_duration(usec_t us)
{
    struct shown ret;
    if (us % USEC_PER_SEC)
        snprintf(ret.text, sizeof ret.text, "%lldms",
                 (long long)(us / USEC_PER_MSEC));
    else
        snprintf(ret.text, sizeof ret.text, "%llds",
                 (long long)(us / USEC_PER_SEC));
    return ret;
}

/* A number without its unit, where as many seconds would do: what was meant. */
static struct shown meant_seconds(const char *text, usec_t min, usec_t max)
{
    struct shown ret = {""};
    char seconds[24];
    int64_t value;

    snprintf(seconds, sizeof seconds, "%.20ss", text);
    if (!text[strspn(text, "0123456789")] && parse_duration(seconds, &value) &&
        value >= min && value <= max)
        snprintf(ret.text, sizeof ret.text, "did you mean '%s'? ", seconds);
    return ret;
}

bool load_duration(struct loader *loader, const struct yaml_node *node,
                   const char *what, usec_t min, usec_t max, usec_t *ret)
{
    const char *text = load_text(loader, node, what);
    int64_t value;

    if (!text)
        return false;
    if (!parse_duration(text, &value) || value < min || value > max) {
        complain(loader, node,
                 "%s is '%s'; %sa duration from %s to %s is allowed (250ms, "
                 "30s, 10m, 2h)",
                 what, shown(text).text, meant_seconds(text, min, max).text,
                 shown_duration(min).text, shown_duration(max).text);
        return false;
    }
    *ret = value;
    return true;
}

/* 16777216 as "16MiB". */
static struct shown shown_bytes(int64_t bytes)
{
    static const char *const units[] = {"", "KiB", "MiB", "GiB", "TiB"};
    struct shown ret;
    size_t unit = 0;

    while (bytes && bytes % 1024 == 0 &&
           unit + 1 < sizeof units / sizeof *units) {
        bytes /= 1024;
        unit++;
    }
    snprintf(ret.text, sizeof ret.text, "%lld%s", (long long)bytes,
             units[unit]);
    return ret;
}

bool load_bytes(struct loader *loader, const struct yaml_node *node,
                const char *what, int64_t min, int64_t max, int64_t *ret)
{
    const char *text = load_text(loader, node, what);
    int64_t value;

    if (!text)
        return false;
    if (!parse_bytes(text, &value) || value < min || value > max) {
        complain(loader, node,
                 "%s is '%s'; a size from %s to %s is allowed (512, 64KiB, "
                 "8MiB)",
                 what, shown(text).text, shown_bytes(min).text,
                 shown_bytes(max).text);
        return false;
    }
    *ret = value;
    return true;
}

bool load_boolean(struct loader *loader, const struct yaml_node *node,
                  const char *what, bool *ret)
{
    const char *text = load_text(loader, node, what);

    if (!text)
        return false;
    if (strcmp(text, "true") && strcmp(text, "false")) {
        complain(loader, node, "%s is '%s'; true or false is allowed", what,
                 shown(text).text);
        return false;
    }
    *ret = *text == 't';
    return true;
}

/* "a, b or c" */
static void append_choices(struct buffer *out, const char *const *choices)
{
    for (size_t i = 0; choices[i]; i++)
        buffer_printf(out, "%s%s",
                      i == 0           ? ""
                      : choices[i + 1] ? ", "
                                       : " or ",
                      choices[i]);
}

static bool load_choice(struct loader *loader, const struct yaml_node *node,
                        const char *what, const char *const *choices, int *ret)
{
    const char *text = load_text(loader, node, what);
    struct buffer allowed = BUFFER_EMPTY;
    int n = 0;

    for (; text && choices[n]; n++)
        if (!strcmp(choices[n], text)) {
            *ret = n;
            return true;
        }
    if (!text)
        return false;
    const char *near = spell_nearest(text, choices, (size_t)n);
    append_choices(&allowed, choices);
    complain(loader, node, "%s is '%s'; %s%s%s%s is allowed", what,
             shown(text).text, near ? "did you mean '" : "", near ? near : "",
             near ? "'? " : "", buffer_text(&allowed));
    loader->out_of_memory |= allowed.failed;
    buffer_free(&allowed);
    return false;
}

bool load_value(struct loader *loader, const struct yaml_node *node,
                const char *what, const struct shape *shape, void *ret)
{
    int64_t number;
    const char *text;

    switch (shape->kind) {
    case SHAPE_INTEGER:
        CHECK(shape->most <= INT_MAX);
        if (!load_integer(loader, node, what, shape->least, shape->most,
                          &number))
            return false;
        *(int *)ret = (int)number;
        return true;
    case SHAPE_DURATION:
        return load_duration(loader, node, what, shape->least, shape->most,
                             ret);
    case SHAPE_BYTES:
        return load_bytes(loader, node, what, shape->least, shape->most, ret);
    case SHAPE_BOOLEAN:
        return load_boolean(loader, node, what, ret);
    case SHAPE_CHOICE:
        return load_choice(loader, node, what, shape->choices, ret);
    default:
        CHECK(shape->kind == SHAPE_TEXT);
        if ((text = load_text(loader, node, what)))
            *(const char **)ret = text;
        return text;
    }
}

const struct yaml_node *load_member(struct loader *loader,
                                    const struct yaml_node *map,
                                    const struct member *members,
                                    const char *name, void *ret)
{
    const struct member *member = find_member(members, name);
    const struct yaml_node *node = yaml_get(map, name);

    CHECK(member);
    if (node)
        load_value(loader, node, name, &member->shape, ret);
    return node;
}

bool load_name_is_good(const char *name)
{
    size_t len = strnlen(name, NAME_BYTES_MAX + 1);

    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)name[i];
        if (!isalnum(c) && !strchr("_.-", c) && c < 0x80)
            return false;
    }
    return len > 0 && len <= NAME_BYTES_MAX;
}
