/*
 * fuzz_http_json.c: http_json on any bytes, beside jansson.
 *
 * Where jansson accepts the document, each value must be the same. Known
 * differences, which are not looked at:
 *   - documents with duplicate members: jansson is told to refuse them (here
 *     the first counts);
 *   - documents jansson refuses and we may read: integers beyond 64 bits,
 *     reals beyond a double, nesting beyond 2048, "\u0000", and bad scalars
 *     or commas inside values that are passed over (extract_json.h);
 *   - documents with a NUL after them, which jansson takes for their end;
 *   - rows with a value that is no number, or that are too many;
 *   - jansson knows of numbers only the value: the exact text is compared
 *     after reading it as jansson would.
 */
#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/packed.h"
#include "extract.h"
#include "extract_text.h"

/* Text takes strings, numbers and booleans, so every kind shows. */
static struct field fields[] = {
    {.name = "a", .at = "/a", .type = FIELD_TEXT},
    {.name = "b", .at = "/a/b", .type = FIELD_TEXT},
    {.name = "c", .at = "/a/0", .type = FIELD_TEXT},
    {.name = "d", .at = "/1/a", .type = FIELD_TEXT},
    {.name = "e", .at = "", .type = FIELD_TEXT},
};
#define N_FIELDS (sizeof fields / sizeof *fields)

/* Fields one by one, so that one that fails does not hide the others; and all
 * in one pass, which must give the same. */
static struct extractor *extractors[N_FIELDS];
static struct worker workers[N_FIELDS];
static struct extractor *extractor_of_all;
static struct worker worker_of_all = {
    .class = CLASS_HTTP_JSON, .fields = fields, .n_fields = N_FIELDS};

/* Rows: arrays side by side, and the elements of one. */
static struct field zipped[] = {{.name = "a", .at = "/a"},
                                {.name = "b", .at = "/b"},
                                {.name = "c", .at = "/a"}};
static struct field element[] = {{.name = "e", .at = "", .type = FIELD_TEXT},
                                 {.name = "f", .at = "/f/0"}};
static struct row_set sets[] = {
    {.name = "zip",
     .zip = true,
     .lengths = LENGTHS_LONGEST,
     .fields = zipped,
     .n_fields = 3},
    {.name = "each", .each = "/a", .fields = element, .n_fields = 2}};
static struct extractor *extractors_of_sets[2];
static struct worker workers_of_sets[2];

/* Figures over whatever lies at /a. */
static struct field computed[] = {
    {.name = "f", .at = "/a", .compute = {INDICATOR_LAST, 0}},
    {.name = "g", .at = "/a", .compute = {INDICATOR_VOLATILITY, 0}},
    {.name = "h", .at = "/a", .compute = {INDICATOR_EMA, 2}},
    {.name = "i", .at = "/a", .compute = {INDICATOR_PERCENTILE, 50}},
    {.name = "j", .at = "/a", .compute = {INDICATOR_SUM, 0}},
};
#define N_COMPUTED (sizeof computed / sizeof *computed)
static struct extractor *computing[N_COMPUTED];
static struct worker computers[N_COMPUTED];

static void init(void)
{
    for (size_t i = 0; i < N_COMPUTED && !computing[i]; i++) {
        computers[i] = (struct worker){
            .class = CLASS_HTTP_JSON, .fields = &computed[i], .n_fields = 1};
        computing[i] = extractor_new(&computers[i]);
        CHECK(computing[i]);
    }
    if (!extractor_of_all)
        extractor_of_all = extractor_new(&worker_of_all);
    CHECK(extractor_of_all);
    for (size_t i = 0; i < 2 && !extractors_of_sets[i]; i++) {
        workers_of_sets[i] = (struct worker){
            .class = CLASS_HTTP_JSON, .sets = &sets[i], .n_sets = 1};
        extractors_of_sets[i] = extractor_new(&workers_of_sets[i]);
        CHECK(extractors_of_sets[i]);
    }
    for (size_t i = 0; i < N_FIELDS && !extractors[i]; i++) {
        workers[i] = (struct worker){
            .class = CLASS_HTTP_JSON, .fields = &fields[i], .n_fields = 1};
        extractors[i] = extractor_new(&workers[i]);
        CHECK(extractors[i]);
    }
}

static json_t *member(json_t *value, const char *name, size_t index)
{
    return json_is_array(value) ? json_array_get(value, index)
                                : json_object_get(value, name);
}

/* What jansson has at field number `i`. */
static json_t *expected_at(json_t *root, size_t i)
{
    switch (i) {
    case 0:
        return json_object_get(root, "a");
    case 1:
        return json_object_get(json_object_get(root, "a"), "b");
    case 2:
        return member(json_object_get(root, "a"), "0", 0);
    case 3:
        return json_object_get(member(root, "1", 1), "a");
    default:
        return root;
    }
}

static bool same_number(json_t *expected, struct slice found)
{
    char text[512];
    if (found.len >= sizeof text)
        return true;
    memcpy(text, found.data, found.len);
    text[found.len] = '\0';
    if (json_is_integer(expected))
        return strtoll(text, NULL, 10) == json_integer_value(expected);
    double value = strtod(text, NULL);
    return !(value < json_real_value(expected)) &&
           !(value > json_real_value(expected));
}

static void compare(json_t *expected, struct slice found,
                    const struct extract_result *result)
{
    struct slice text = {json_string_value(expected),
                         json_string_length(expected)};
    if (json_is_object(expected) || json_is_array(expected))
        CHECK(result->reason == REASON_FIELD_TYPE);
    else if (!expected || json_is_null(expected))
        CHECK(!result->reason && !found.data);
    else if (json_is_string(expected) && text.len > EXTRACT_VALUE_BYTES_MAX)
        CHECK(result->reason == REASON_TOO_LARGE);
    else if (json_is_string(expected))
        CHECK(!result->reason && slice_equal(found, text));
    else if (json_is_boolean(expected))
        CHECK(slice_equal(found,
                          slice_of(json_is_true(expected) ? "true" : "false")));
    else
        CHECK(!result->reason && same_number(expected, found));
}

/* Each column has a value for each row, and no more. */
static size_t count_rows(const struct row_set *set,
                         const struct record_rows *rows)
{
    for (size_t f = 0; f < set->n_fields; f++) {
        struct slice rest = rows->columns[f], value;
        for (size_t i = 0; i < rows->n; i++)
            CHECK(packed_take(&rest, &value));
        CHECK(rest.len == 0);
    }
    return rows->n;
}

static void check_rows(json_t *root, struct slice body)
{
    json_t *a = json_object_get(root, "a"), *b = json_object_get(root, "b");
    for (size_t i = 0; i < 2; i++) {
        struct extract_result result;
        extract_fields(extractors_of_sets[i], body, NULL, &result);
        if (result.reason)
            continue;
        size_t n = count_rows(&sets[i], extract_rows(extractors_of_sets[i]));
        if (!root)
            continue;
        size_t of_a = json_is_object(a) && i == 1 ? json_object_size(a)
                                                  : json_array_size(a);
        size_t of_b = i == 0 ? json_array_size(b) : 0;
        CHECK(n == (of_a > of_b ? of_a : of_b));
    }
}

/* A figure, if there is one, is a JSON number. */
static void compute(struct slice body)
{
    for (size_t i = 0; i < N_COMPUTED; i++) {
        struct slice found = {NULL, 0};
        struct extract_result result;
        extract_fields(computing[i], body, &found, &result);
        CHECK(result.reason || !found.data || extract_text_is_number(found));
    }
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
        root = json_loadb(body, size, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY,
                          NULL);
    struct slice all[N_FIELDS];
    struct extract_result result_of_all;
    extract_fields(extractor_of_all, (struct slice){body, size}, all,
                   &result_of_all);
    for (size_t i = 0; i < N_FIELDS; i++) {
        struct slice found = {NULL, 0};
        struct extract_result result;
        extract_fields(extractors[i], (struct slice){body, size}, &found,
                       &result);
        CHECK(result_of_all.reason ||
              (!result.reason && slice_equal(found, all[i])));
        if (root)
            compare(expected_at(root, i), found, &result);
    }
    check_rows(root, (struct slice){body, size});
    compute((struct slice){body, size});
    json_decref(root);
    free(body);
    return 0;
}
