/*
 * Any bytes as a program's answer: taken or refused with words. What is taken
 * is what jansson reads too, but for numbers beyond its own and lone halves of
 * a character; and what jansson takes is no JSON to us only where it is deep,
 * or has a NUL, which it takes for an end.
 */
#include <jansson.h>
#include <stdint.h>
#include <string.h>

#include "exec_line.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* At most so many. */
static int levels(struct slice text)
{
    int n = 0;
    for (size_t i = 0; i < text.len; i++)
        n += text.data[i] == '[' || text.data[i] == '{';
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char text[1 << 16];
    struct exec_line line;
    if (size > sizeof text || memchr(data, '\n', size) ||
        memchr(data, '\0', size))
        return 0;
    memcpy(text, data, size);
    struct slice whole = {text, size};
    const char *wrong = exec_line_parse(whole, &line);
    json_t *other =
        json_loadb(text, size, JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, NULL);
    if (wrong) {
        CHECK(*wrong);
        CHECK(!json_is_object(other) || strcmp(wrong, "is no JSON") != 0 ||
              levels(whole) >= EXEC_LINE_DEPTH_MAX);
    } else if (line.record.data) {
        CHECK(line.record.data > text &&
              line.record.data + line.record.len < text + size);
        CHECK(!other || json_integer_value(json_object_get(other, "id")) ==
                            (json_int_t)line.id);
    } else {
        CHECK(strlen(line.error) < EXEC_LINE_ERROR_BYTES);
        CHECK(!other || json_is_string(json_object_get(other, "error")));
    }
    json_decref(other);
    return 0;
}
