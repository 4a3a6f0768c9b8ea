/*
 * fuzz_html_table.c: html_table on any bytes. The first byte chooses how the
 * table is looked for; the keys must be valid and each be there once.
 */
#include <stdint.h>
#include <stdlib.h>

#include "extract.h"
#include "pipeline/template.h"

static const struct table_source sources[] = {
    {.column = "A"},
    {.column_number = 2},
    {.id = "i", .column = "A"},
    {.class = "c", .column_number = 1},
    {.xpath = "//table[2]", .column = "A"},
};
#define N_SOURCES (sizeof sources / sizeof *sources)
static struct worker workers[N_SOURCES];
static struct extractor *extractors[N_SOURCES];

static struct extractor *extractor_number(size_t i)
{
    workers[i].class = CLASS_HTML_TABLE;
    workers[i].table = sources[i];
    if (!extractors[i])
        extractors[i] = extractor_new(&workers[i]);
    CHECK(extractors[i]);
    return extractors[i];
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
    char *body = calloc(1, size - 1 + EXTRACT_PADDING);
    CHECK(body);
    memcpy(body, data + 1, size - 1);
    struct arena arena = ARENA_EMPTY;
    struct slice *keys = NULL;
    size_t n = 0;
    struct extract_result result;
    extract_keys(extractor_number(data[0] % N_SOURCES),
                 (struct slice){body, size - 1}, 0, &arena, &keys, &n, &result);
    if (!result.reason)
        check_keys(keys, n);
    arena_free(&arena);
    free(body);
    return 0;
}
