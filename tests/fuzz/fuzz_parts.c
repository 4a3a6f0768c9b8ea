/*
 * fuzz_parts.c: an answer to several keys, of any bytes, beside jansson.
 *
 * Each part lies in the body, and so does what is read of it. Where jansson
 * accepts the document, each key's part must be the element that jansson has
 * for it, byte for byte or in another spelling. What is not looked at,
 * fuzz_http_json.c says.
 */
#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>

#include "extract.h"

#define N_SHAPES 3
#define N_KEYS 3

static const char *const names[N_KEYS] = {"A", "7", ""};
static struct field field = {.name = "p", .at = "/p", .type = FIELD_TEXT};
static struct worker workers[N_SHAPES] = {{.for_key = {"/r", "/k"}},
                                          {.for_key = {"", NULL}},
                                          {.for_key = {"", "/0"}}};
static struct extractor *extractors[N_SHAPES];

static void init(void)
{
    for (size_t i = 0; i < N_SHAPES && !extractors[i]; i++) {
        workers[i].class = CLASS_HTTP_JSON;
        workers[i].fields = &field;
        workers[i].n_fields = 1;
        workers[i].request.keys_per_request = N_KEYS;
        extractors[i] = extractor_new(&workers[i]);
        CHECK(extractors[i]);
    }
}

static json_t *key_of(json_t *element, size_t shape)
{
    return shape == 2 && json_is_array(element) ? json_array_get(element, 0)
           : shape == 2                         ? json_object_get(element, "0")
                                                : json_object_get(element, "k");
}

static bool is_key(json_t *key, const char *name)
{
    char text[32];
    if (json_is_string(key))
        return json_string_length(key) == strlen(name) &&
               !strcmp(json_string_value(key), name);
    snprintf(text, sizeof text, "%lld", (long long)json_integer_value(key));
    return json_is_integer(key) && !strcmp(text, name);
}

/* The first element of that key; NULL: there is none. */
static json_t *expected_of(json_t *root, size_t shape, const char *name)
{
    json_t *list = shape ? root : json_object_get(root, "r"), *element;
    const char *member;
    size_t i;
    if (shape == 1)
        return json_object_get(list, name);
    json_array_foreach(list, i, element)
    {
        if (is_key(key_of(element, shape), name))
            return element;
    }
    json_object_foreach(list, member, element)
    {
        if (is_key(key_of(element, shape), name))
            return element;
    }
    return NULL;
}

static void compare(json_t *expected, struct slice part)
{
    CHECK(!expected == !part.data);
    if (!expected)
        return;
    json_t *found = json_loadb(part.data, part.len,
                               JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, NULL);
    CHECK(found && json_equal(found, expected));
    json_decref(found);
}

static void split(struct slice body, json_t *root, size_t shape)
{
    struct slice keys[N_KEYS], parts[N_KEYS], value = {NULL, 0};
    struct extract_result result;
    for (size_t i = 0; i < N_KEYS; i++)
        keys[i] = slice_of(names[i]);
    extract_split(extractors[shape], body, keys, N_KEYS, parts, &result);
    for (size_t i = 0; i < N_KEYS; i++) {
        if (parts[i].data)
            CHECK(parts[i].data >= body.data &&
                  parts[i].data + parts[i].len <= body.data + body.len);
        if (!result.reason && root)
            compare(expected_of(root, shape, names[i]), parts[i]);
    }
    for (size_t i = 0; i < N_KEYS && !result.reason; i++)
        extract_part(extractors[shape], keys[i], parts[i], &value, &result);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    init();
    char *body = malloc(size + EXTRACT_PADDING);
    CHECK(body);
    if (size)
        memcpy(body, data, size);
    /* The worst padding: it looks like the document going on. */
    memset(body + size, size ? data[size / 2] : 0, EXTRACT_PADDING);
    json_t *root = NULL;
    if (!memchr(body, '\0', size))
        root = json_loadb(body, size, JSON_REJECT_DUPLICATES, NULL);
    for (size_t i = 0; i < N_SHAPES; i++)
        split((struct slice){body, size}, root, i);
    json_decref(root);
    free(body);
    return 0;
}
