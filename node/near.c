/* near.c: see near.h: JSON. */
#include "near.h"

#include <stdlib.h>

#include "base/buffer.h"
#include "extract_json.h"
#include "near_text.h"

static const char *kind_of(const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return extract_kind_name(EXTRACT_OBJECT);
    case JSON_ARRAY:
        return extract_kind_name(EXTRACT_ARRAY);
    case JSON_STRING:
        return extract_kind_name(EXTRACT_STRING);
    case JSON_INTEGER:
    case JSON_REAL:
        return extract_kind_name(EXTRACT_NUMBER);
    case JSON_NULL:
        return extract_kind_name(EXTRACT_NULL);
    default:
        return extract_kind_name(EXTRACT_BOOLEAN);
    }
}

/* The token after `*at` (a '/'), unescaped; moves `*at` behind it. */
static void next_token(const char **at, struct buffer *ret)
{
    const char *p = *at + 1;
    buffer_clear(ret);
    for (; *p && *p != '/'; p++) {
        bool escaped = *p == '~' && (p[1] == '0' || p[1] == '1');
        buffer_append_char(ret, !escaped ? *p : p[1] == '0' ? '~' : '/');
        p += escaped;
    }
    *at = p;
}

static json_t *child_of(const json_t *value, const char *token)
{
    if (json_is_object(value))
        return json_object_get(value, token);
    char *end;
    unsigned long index = strtoul(token, &end, 10);
    return json_is_array(value) && *token && !*end
               ? json_array_get(value, index)
               : NULL;
}

static void append_token(struct buffer *path, const char *token)
{
    buffer_append_char(path, '/');
    for (; *token; token++)
        if (*token == '~' || *token == '/')
            buffer_append_text(path, *token == '~' ? "~0" : "~1");
        else
            buffer_append_char(path, *token);
}

static bool is_called(const char *name, const char *key)
{
    return !strcmp(name, key);
}

/* Pointers to members whose names match, in the document's order. */
static void look_elsewhere(json_t *value, const char *name,
                           bool (*match)(const char *name, const char *key),
                           struct buffer *path, int depth, json_t *places)
{
    size_t len = path->len, index;
    const char *key;
    json_t *item;
    if (depth == NEAR_DEPTH_MAX || path->failed)
        return;
    json_object_foreach(value, key, item)
    {
        if (json_array_size(places) == NEAR_PLACES_MAX)
            return;
        append_token(path, key);
        if (match(name, key))
            json_array_append_new(places, json_string(buffer_text(path)));
        look_elsewhere(item, name, match, path, depth + 1, places);
        path->data[path->len = len] = '\0';
    }
    json_array_foreach(value, index, item)
    {
        if (json_array_size(places) == NEAR_PLACES_MAX)
            return;
        buffer_printf(path, "/%zu", index);
        look_elsewhere(item, name, match, path, depth + 1, places);
        path->data[path->len = len] = '\0';
    }
}

/* Where else the name is, else, where no member is like it, where one is. */
static json_t *places_of(json_t *root, const char *name, bool like_is_here,
                         const char **ret_words)
{
    struct buffer path = BUFFER_EMPTY;
    json_t *places = json_array();
    *ret_words = "; the name is at ";
    buffer_reserve(&path, 1);
    if (name)
        look_elsewhere(root, name, is_called, &path, 0, places);
    if (name && !json_array_size(places) && !like_is_here) {
        *ret_words = "; like it: ";
        look_elsewhere(root, name, near_is_like, &path, 0, places);
    }
    buffer_free(&path);
    return places;
}

/* What `value`, at `up_to`, has instead of a member `token`. */
static json_t *instead(json_t *root, json_t *value, struct slice up_to,
                       const char *token)
{
    const char *names[NEAR_NAMES_MAX], *key, *words;
    struct buffer text = BUFFER_EMPTY;
    size_t n = 0;
    json_t *item;
    json_object_foreach(value, key, item)
    {
        if (n < NEAR_NAMES_MAX)
            names[n++] = key;
    }
    near_rank(token, names, n);
    json_t *nearest = near_nearest(token, names, n);
    bool like_is_here = json_is_string(nearest) ||
                        (token && n && near_is_like(token, names[0]));
    json_t *places = places_of(root, token, like_is_here, &words);
    buffer_printf(&text, "%s%.*s, %s", token ? "it leads as far as " : "",
                  SLICE_ARGS(up_to.len ? up_to : slice_of("the document")),
                  kind_of(value));
    if (json_is_array(value))
        buffer_printf(&text, " of %zu", json_array_size(value));
    near_append_names(&text, " with ", names, n);
    near_append_nearest(&text, token, names, n);
    for (size_t i = 0; i < json_array_size(places); i++)
        buffer_printf(&text, "%s%s", i ? ", " : words,
                      json_string_value(json_array_get(places, i)));
    json_t *ret = json_pack(
        "{s:s%, s:s, s:o, s:o, s:o, s:o}", "up_to", up_to.data, up_to.len,
        "kind", kind_of(value), "names", near_names(names, n), "nearest",
        nearest, "elsewhere", places, "text", near_text(buffer_slice(&text)));
    buffer_free(&text);
    return ret;
}

static json_t *near_value(json_t *root, const char *pointer)
{
    struct buffer token = BUFFER_EMPTY;
    json_t *value = root, *child;
    const char *at = pointer;
    while (*at == '/') {
        const char *before = at;
        next_token(&at, &token);
        child = child_of(value, buffer_text(&token));
        if (!child) {
            at = before;
            break;
        }
        value = child;
    }
    struct slice up_to = {pointer, (size_t)(at - pointer)};
    json_t *ret = instead(root, value, up_to, *at ? buffer_text(&token) : NULL);
    buffer_free(&token);
    return ret;
}

/* Numbers that no 64 bits hold are read too. */
static json_t *read_json(struct slice body)
{
    return json_loadb(
        body.data, body.len,
        JSON_DECODE_ANY | JSON_DECODE_INT_AS_REAL | JSON_ALLOW_NUL, NULL);
}

json_t *near_pointer(struct slice body, const char *pointer)
{
    json_t *root = read_json(body);
    json_t *ret = root ? near_value(root, pointer) : NULL;
    json_decref(root);
    return ret;
}

json_t *near_element(struct slice body, const char *list, const char *pointer)
{
    struct buffer token = BUFFER_EMPTY;
    json_t *root = read_json(body), *value = root;
    for (const char *at = list; value && *at == '/';) {
        next_token(&at, &token);
        value = child_of(value, buffer_text(&token));
    }
    json_t *first = json_array_get(value, 0);
    json_t *ret = first ? near_value(first, pointer) : NULL;
    buffer_free(&token);
    json_decref(root);
    return ret;
}
