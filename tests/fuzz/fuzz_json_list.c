/*
 * json_list on any bytes, beside jansson: where jansson accepts the document,
 * without duplicate members, the keys are the strings and numbers that it
 * finds in their places, each once; the first byte chooses the places. The
 * known differences are those of fuzz_http_json.c.
 */
#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>

#include "extract.h"
#include "pipeline/template.h"

static const struct list_source sources[] = {
    {.list = "", .key = ""},
    {.list = "", .key = "/a"},
    {.list = "/a", .key = ""},
    {.list = "/a/0", .key = "/1/b"},
};
#define N_SOURCES (sizeof sources / sizeof *sources)
static struct worker workers[N_SOURCES];
static struct extractor *extractors[N_SOURCES];

static struct extractor *extractor_number(size_t i)
{
    workers[i].class = CLASS_JSON_LIST;
    workers[i].list = sources[i];
    if (!extractors[i])
        extractors[i] = extractor_new(&workers[i]);
    CHECK(extractors[i]);
    return extractors[i];
}

static json_t *step(json_t *value, const char *name, size_t index)
{
    return json_is_array(value) ? json_array_get(value, index)
                                : json_object_get(value, name);
}

static json_t *list_of(json_t *root, size_t source)
{
    if (source < 2)
        return root;
    json_t *list = json_object_get(root, "a");
    return source == 2 ? list : step(list, "0", 0);
}

static json_t *key_of(json_t *item, size_t source)
{
    if (source == 1)
        return json_object_get(item, "a");
    if (source == 3)
        return json_object_get(step(item, "1", 1), "b");
    return item;
}

/* Each key that a string gives, as it stands, is among those found. */
static void compare(json_t *root, size_t source, const struct slice *keys,
                    size_t n)
{
    json_t *list = list_of(root, source), *item;
    size_t i, seen = 0, strings = 0;
    CHECK(json_is_array(list));
    json_array_foreach(list, i, item)
    {
        json_t *key = key_of(item, source);
        struct slice text = {json_string_value(key), json_string_length(key)};
        strings += json_is_string(key);
        if (!json_is_string(key) || !key_is_valid(text) ||
            strspn(text.data, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnop"
                              "qrstuvwxyz") != text.len)
            continue; /* trimming does not change those */
        bool found = false;
        for (size_t k = 0; k < n; k++)
            found = found || slice_equal(keys[k], text);
        CHECK(found);
        seen++;
    }
    CHECK(seen <= strings && n <= json_array_size(list));
}

static void check_keys(const struct slice *keys, size_t n)
{
    CHECK(n > 0);
    for (size_t i = 0; i < n; i++) {
        CHECK(key_is_valid(keys[i]));
        for (size_t j = 0; j < i; j++)
            CHECK(!slice_equal(keys[i], keys[j]));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    size_t source = *data++ % N_SOURCES, n = 0;
    char *body = calloc(1, --size + EXTRACT_PADDING);
    struct arena arena = ARENA_EMPTY;
    struct slice *keys = NULL;
    struct extract_result result;
    json_t *root = NULL;
    CHECK(body);
    if (size)
        memcpy(body, data, size);
    if (!memchr(body, '\0', size))
        root = json_loadb(body, size, JSON_REJECT_DUPLICATES, NULL);
    extract_keys(extractor_number(source), (struct slice){body, size}, 0,
                 &arena, &keys, &n, &result);
    if (!result.reason)
        check_keys(keys, n);
    if (!result.reason && root)
        compare(root, source, keys, n);
    json_decref(root);
    arena_free(&arena);
    free(body);
    return 0;
}
