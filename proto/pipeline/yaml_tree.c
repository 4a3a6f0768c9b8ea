/*
 * yaml_tree.c: from libyaml's events to a tree.
 *
 * Events rather than libyaml's own document: its nodes carry marks too, but
 * it resolves aliases into shared nodes (a few lines can then stand for
 * billions of values) and knows no limit of depth. One function reads one
 * node and calls itself for what is inside, YAML_DEPTH_MAX deep at most.
 */
#include "pipeline/yaml_tree.h"

#include <stdio.h>
#include <yaml.h>

struct reader {
    yaml_parser_t yaml;
    yaml_event_t event; /* the current one; empty between two */
    struct arena *arena;
    struct yaml_problem *problem;
    struct error *err;
};

PRINTF_LIKE(4, 5)
static int refuse(struct reader *r, size_t line, size_t column,
                  const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(r->problem->text, sizeof r->problem->text, format, args);
    va_end(args);
    r->problem->line = (int)line + 1;
    r->problem->column = (int)column + 1;
    return error_set(r->err, ERR_PIPELINE, "%s", r->problem->text);
}

static int refuse_event(struct reader *r, const char *what)
{
    yaml_mark_t mark = r->event.start_mark;
    return refuse(r, mark.line, mark.column, "%s", what);
}

static int out_of_memory(struct reader *r)
{
    return error_set(r->err, ERR_MEMORY, "no memory for the pipeline");
}

/* libyaml says where bytes are bad by their offset alone; it reads ahead, so
 * the mark would be that of an earlier token. */
static int refuse_bytes(struct reader *r)
{
    const unsigned char *start = r->yaml.input.string.start;
    size_t offset = r->yaml.problem_offset;
    size_t line = 0, column = 0;

    for (size_t i = 0; i < offset && start + i < r->yaml.input.string.end;
         i++) {
        if (start[i] == '\n') {
            line++;
            column = 0;
        } else if ((start[i] & 0xC0) != 0x80) {
            column++;
        }
    }
    return refuse(r, line, column, "%s",
                  r->yaml.problem ? r->yaml.problem : "unreadable bytes");
}

static int next_event(struct reader *r)
{
    yaml_event_delete(&r->event);
    if (yaml_parser_parse(&r->yaml, &r->event))
        return 0;
    const yaml_mark_t *mark = &r->yaml.problem_mark;
    switch (r->yaml.error) {
    case YAML_MEMORY_ERROR:
        return out_of_memory(r);
    case YAML_READER_ERROR:
        return refuse_bytes(r);
    default:
        return refuse(r, mark->line, mark->column, "%s%s%s",
                      r->yaml.context ? r->yaml.context : "",
                      r->yaml.context ? ": " : "",
                      r->yaml.problem ? r->yaml.problem : "not YAML");
    }
}

static int read_node(struct reader *r, int depth, struct yaml_node **ret);

static const struct yaml_node *find(const struct yaml_node *map,
                                    const char *key)
{
    const struct yaml_node *entry = map->first;
    while (entry && strcmp(entry->key->text, key))
        entry = entry->next;
    return entry;
}

/* Reads one entry; the current event is its key's, or the item's. */
static int read_entry(struct reader *r, struct yaml_node *parent, int depth,
                      struct yaml_node **ret)
{
    struct yaml_node *key = NULL;
    int failed;

    if (parent->n_items >= YAML_ITEMS_MAX)
        return refuse_event(r, "too many entries in one list or map");
    if (parent->kind == YAML_MAP) {
        if (r->event.type != YAML_SCALAR_EVENT)
            return refuse_event(r, "a key must be a text");
        if ((failed = read_node(r, depth, &key)))
            return failed;
        const struct yaml_node *first = find(parent, key->text);
        if (first)
            return refuse(r, (size_t)key->line - 1, (size_t)key->column - 1,
                          "'%.60s' is here a second time, after line %d",
                          key->text, first->key->line);
        if ((failed = next_event(r)))
            return failed;
    }
    if ((failed = read_node(r, depth + 1, ret)))
        return failed;
    (*ret)->key = key;
    return 0;
}

static int read_entries(struct reader *r, struct yaml_node *parent, int depth)
{
    yaml_event_type_t end = parent->kind == YAML_MAP ? YAML_MAPPING_END_EVENT
                                                     : YAML_SEQUENCE_END_EVENT;
    struct yaml_node **tail = &parent->first;
    int failed;

    if (depth >= YAML_DEPTH_MAX)
        return refuse_event(r, "nested too deeply");
    while (!(failed = next_event(r)) && r->event.type != end) {
        if ((failed = read_entry(r, parent, depth, tail)))
            return failed;
        tail = &(*tail)->next;
        parent->n_items++;
    }
    return failed;
}

static int read_text(struct reader *r, struct yaml_node *node)
{
    const char *value = (const char *)r->event.data.scalar.value;
    size_t len = r->event.data.scalar.length;

    if (memchr(value, '\0', len))
        return refuse_event(r, "a text with a NUL in it");
    node->plain = r->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    node->text = arena_copy(r->arena, value, len);
    return node->text ? 0 : out_of_memory(r);
}

static bool has_tag(const yaml_event_t *event)
{
    switch (event->type) {
    case YAML_SCALAR_EVENT:
        return event->data.scalar.tag;
    case YAML_SEQUENCE_START_EVENT:
        return event->data.sequence_start.tag;
    case YAML_MAPPING_START_EVENT:
        return event->data.mapping_start.tag;
    default:
        return false;
    }
}

/* Reads the node that the current event begins. */
static int read_node(struct reader *r, int depth, struct yaml_node **ret)
{
    struct yaml_node *node = arena_alloc(r->arena, sizeof *node);
    if (!node)
        return out_of_memory(r);
    node->line = (int)r->event.start_mark.line + 1;
    node->column = (int)r->event.start_mark.column + 1;
    *ret = node;

    if (has_tag(&r->event))
        return refuse_event(r, "tags (!name) are not understood here");
    switch (r->event.type) {
    case YAML_SCALAR_EVENT:
        node->kind = YAML_TEXT;
        return read_text(r, node);
    case YAML_SEQUENCE_START_EVENT:
        node->kind = YAML_LIST;
        return read_entries(r, node, depth);
    case YAML_MAPPING_START_EVENT:
        node->kind = YAML_MAP;
        return read_entries(r, node, depth);
    default:
        return refuse_event(
            r, "aliases (*name) are not understood here; write it out");
    }
}

/* Stream start, document start, the root, document end, stream end. */
static int read_document(struct reader *r, struct yaml_node **ret)
{
    int failed = next_event(r);

    if (!failed)
        failed = next_event(r);
    if (failed)
        return failed;
    if (r->event.type == YAML_STREAM_END_EVENT)
        return refuse(r, 0, 0, "the file is empty");
    if (!(failed = next_event(r)) && !(failed = read_node(r, 0, ret)) &&
        !(failed = next_event(r)))
        failed = next_event(r);
    if (failed)
        return failed;
    if (r->event.type != YAML_STREAM_END_EVENT)
        return refuse_event(r, "a second document; one file is one pipeline");
    return 0;
}

int yaml_tree_parse(struct slice text, struct arena *arena,
                    struct yaml_node **ret, struct yaml_problem *ret_problem,
                    struct error *err)
{
    struct reader r = {.arena = arena, .problem = ret_problem, .err = err};
    struct yaml_node *root = NULL;

    if (!yaml_parser_initialize(&r.yaml))
        return out_of_memory(&r);
    yaml_parser_set_encoding(&r.yaml, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&r.yaml, (const unsigned char *)text.data,
                                 text.len);
    int failed = read_document(&r, &root);
    yaml_event_delete(&r.event);
    yaml_parser_delete(&r.yaml);
    if (!failed)
        *ret = root;
    return failed;
}

bool yaml_is_null(const struct yaml_node *node)
{
    return node->kind == YAML_TEXT && node->plain &&
           (!*node->text || !strcmp(node->text, "~") ||
            !strcmp(node->text, "null"));
}

struct yaml_node *yaml_get(const struct yaml_node *map, const char *key)
{
    if (map->kind != YAML_MAP)
        return NULL;
    for (struct yaml_node *entry = map->first; entry; entry = entry->next)
        if (!strcmp(entry->key->text, key))
            return yaml_is_null(entry) ? NULL : entry;
    return NULL;
}
