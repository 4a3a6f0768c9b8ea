/*
 * fuzz_near.c: what is told instead of what was not found, on any bytes: it
 * always has a text, and that is UTF-8 (jansson takes no other). The first byte
 * says what was looked for.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "extract.h"
#include "near.h"

static json_t *look(unsigned char what, struct slice body)
{
    switch (what % 6) {
    case 0:
        return near_pointer(body, "/chart/result/0/meta/price");
    case 1:
        return near_element(body, "/items", "/a~1b/1");
    case 2:
        return near_xpath(body, "//span[@data-testid=\"price\"]/b[1]");
    case 3:
        return near_xpath(body, "//div/p[contains(@class,'x/y')]//a/@href");
    case 4:
        return near_xpath(body, "(//td)[2]");
    default:
        return near_tables(body);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!size)
        return 0;
    char *body = calloc(1, size + EXTRACT_PADDING);
    CHECK(body);
    memcpy(body, data + 1, size - 1);
    json_t *near = look(data[0], (struct slice){body, size - 1});
    CHECK(!near || json_is_string(json_object_get(near, "text")));
    json_decref(near);
    free(body);
    return 0;
}
