/*
 * fuzz_http_html.c: http_html on any bytes; and extract_tags_check() beside
 * libxml2: a page that it lets pass must not have a tag in which libxml2 sees
 * more attributes than it did.
 */
#include <libxml/HTMLparser.h>
#include <libxml/SAX2.h>
#include <stdint.h>
#include <stdlib.h>

#include "extract.h"
#include "extract_tags.h"

static struct field fields[] = {
    {.name = "a", .at = "//b[@class='c']", .type = FIELD_NUMBER},
    {.name = "b", .at = "string(//p/@id)", .type = FIELD_TEXT},
    {.name = "c", .at = "count(//*)", .type = FIELD_INTEGER, .required = true},
};
static struct worker worker = {
    .class = CLASS_HTTP_HTML, .fields = fields, .n_fields = 3};
static struct extractor *extractor;

static size_t attributes_max; /* that libxml2 saw in a tag */

static void on_start(void *context, const xmlChar *name, const xmlChar **pairs)
{
    size_t n = 0;
    while (pairs && pairs[2 * n])
        n++;
    if (n > attributes_max)
        attributes_max = n;
    xmlSAX2StartElement(context, name, pairs);
}

static void see_attributes(const char *body, int size)
{
    htmlParserCtxtPtr parser = htmlNewParserCtxt();
    CHECK(parser);
    parser->sax->startElement = on_start;
    attributes_max = 0;
    xmlFreeDoc(htmlCtxtReadMemory(parser, body, size, NULL, "UTF-8",
                                  HTML_PARSE_RECOVER | HTML_PARSE_NOERROR |
                                      HTML_PARSE_NOWARNING | HTML_PARSE_NONET |
                                      HTML_PARSE_IGNORE_ENC));
    htmlFreeParserCtxt(parser);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!extractor)
        extractor = extractor_new(&worker);
    CHECK(extractor);
    char *body = calloc(1, size + EXTRACT_PADDING);
    CHECK(body);
    if (size)
        memcpy(body, data, size);
    struct slice values[3];
    struct extract_result result;
    extract_fields(extractor, (struct slice){body, size}, values, &result);

    struct extract_tags tags;
    if (result.reason != REASON_NOT_HTML && size >= 3 &&
        memcmp(body, "\xef\xbb\xbf", 3) &&
        !extract_tags_check((struct slice){body, size}, &tags)) {
        see_attributes(body, (int)size);
        CHECK(attributes_max <= tags.attributes_max);
    }
    free(body);
    return 0;
}
