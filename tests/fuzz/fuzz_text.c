/*
 * Any bytes as one of the short texts that come from outside: the first byte
 * chooses how they are read. Each is taken or refused; what is taken keeps
 * what its reader promises.
 *
 *   endpoints      --listen, --connect, and the place named in a welcome
 *   units          durations and sizes of settings and pipelines
 *   numbers        what a number is, and numbers written for people
 *   white space    trimming, squeezing, footnote marks
 *   URLs           of redirects: which host they go to
 *   keys           put into URLs of three shapes
 *   names, JSON, messages on their way into a database
 *   pointers       RFC 6901
 *   misspelt words, and reasons' names
 */
#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/utf8.h"
#include "bytes.h"
#include "extract_pointer.h"
#include "extract_text.h"
#include "ledger/ledger_backend.h"
#include "pipeline/spell.h"
#include "pipeline/template.h"
#include "wire/endpoint.h"

static void endpoints(char *text, size_t len)
{
    struct endpoints two;
    char one[SOCKET_ENDPOINT_BYTES];
    struct error err = ERROR_NONE;
    (void)len;
    if (!endpoints_of(text, &two, &err))
        CHECK(strlen(two.reports) < sizeof two.reports &&
              strlen(two.control) < sizeof two.control);
    endpoint_is_local(text);
    static const char *const known[] = {"tcp://*:7", "tcp://h:7", "ipc:///x"};
    for (size_t i = 0; i < 3; i++) {
        err = ERROR_NONE;
        if (!endpoint_dialled(known[i], text, one, &err))
            CHECK(strlen(one) < sizeof one);
        err = ERROR_NONE;
        if (!endpoint_dialled(text, known[i], one, &err))
            CHECK(strlen(one) < sizeof one);
        err = ERROR_NONE;
        if (!endpoint_with_port(known[i], text, one, &err))
            CHECK(strlen(one) < sizeof one);
    }
    err = ERROR_NONE;
    if (!endpoint_with_port(text, "80", one, &err))
        CHECK(endpoint_is_tcp(one));
    err = ERROR_NONE;
    if (endpoint_is_tcp(text) && !endpoint_from_here(text, one, &err))
        CHECK(strlen(one) < sizeof one);
}

static void units(char *text, size_t len)
{
    int64_t number;
    (void)len;
    if (parse_duration(text, &number))
        CHECK(number >= 0);
    if (parse_bytes(text, &number))
        CHECK(number >= 0);
}

/* jansson is the judge of what a number is, unless it is too large for it. */
static bool judge(struct slice text, bool *ret)
{
    json_error_t why = {.line = 0};
    *ret = false;
    if (!text.len || strchr(" \t\r\n", text.data[0]) ||
        strchr(" \t\r\n", text.data[text.len - 1]) ||
        memchr(text.data, '\0', text.len))
        return true;
    json_t *value = json_loadb(text.data, text.len, JSON_DECODE_ANY, &why);
    *ret = json_is_number(value);
    json_decref(value);
    return value || json_error_code(&why) != json_error_numeric_overflow;
}

static void numbers(char *text, size_t len)
{
    struct slice slice = {text, len};
    bool number;
    if (judge(slice, &number))
        CHECK(extract_text_is_number(slice) == number);
    if (extract_text_is_integer(slice))
        CHECK(extract_text_is_number(slice));
    size_t plain = extract_text_plain_number(text, len);
    CHECK(plain <= len);
    CHECK(extract_text_plain_number(text, plain) == plain);
}

static void white_space(char *text, size_t len)
{
    struct slice slice = {text, len}, trimmed = extract_text_trim(slice);
    CHECK(trimmed.len <= len);
    CHECK(slice_equal(extract_text_trim(trimmed), trimmed));
    CHECK(extract_text_without_footnotes(slice).len <= len);
    size_t squeezed = extract_text_squeeze(text, len);
    CHECK(squeezed <= len);
    CHECK(extract_text_squeeze(text, squeezed) == squeezed);
}

/* A host and its port, and nothing that ends a line or begins a path. */
static void urls(char *text, size_t len)
{
    struct buffer host = BUFFER_EMPTY;
    if (url_host((struct slice){text, len}, &host)) {
        const char *colon = strrchr(host.data, ':');
        CHECK(colon && colon > host.data && colon[1]);
        CHECK(strspn(colon + 1, "0123456789") == strlen(colon + 1));
        CHECK(!strpbrk(host.data, "/?#@\r\n\t "));
    }
    buffer_free(&host);
}

/* Whatever the key is: it stays where it stands. */
static void keys(char *text, size_t len)
{
    static const struct request requests[] = {
        {.url = "http://h/a/{key}/b?c=d"},
        {.url = "http://h/?q={key}&r=s#f"},
        {.url = "https://{key}.h:8443/x"},
    };
    for (size_t i = 0; i < 3; i++) {
        struct buffer url = BUFFER_EMPTY, host = BUFFER_EMPTY;
        if (request_url(&requests[i], (struct slice){text, len}, &url)) {
            CHECK(url.len <= URL_BYTES_MAX && !strpbrk(url.data, " \r\n\t"));
            CHECK(url_host(buffer_slice(&url), &host));
            size_t tail = strlen(i == 2 ? ".h:8443" : "h:80");
            CHECK(host.len >= tail && !strcmp(host.data + host.len - tail,
                                              i == 2 ? ".h:8443" : "h:80"));
        }
        buffer_free(&url);
        buffer_free(&host);
    }
}

static void database(char *text, size_t len)
{
    struct slice slice = {text, len};
    struct buffer out = BUFFER_EMPTY;
    char line[64];
    ledger_text_clean(slice, 20, &out);
    CHECK(out.len <= 20 && utf8_is_text(buffer_slice(&out)));
    buffer_clear(&out);
    ledger_keys_json(&slice, 1, &out);
    if (utf8_is_text(slice)) {
        json_t *array = json_loadb(out.data, out.len, 0, NULL);
        const json_t *value = json_array_get(array, 0);
        CHECK(slice_equal(slice, (struct slice){json_string_value(value),
                                                json_string_length(value)}));
        json_decref(array);
    }
    ledger_quote_table(text, &out);
    ledger_one_line(text, line, sizeof line);
    CHECK(!strchr(line, '\n'));
    buffer_free(&out);
}

static void pointers(char *text, size_t len)
{
    struct arena arena = ARENA_EMPTY;
    struct pointer_node root = {.slot = POINTER_NO_SLOT};
    (void)len;
    if (text[0] == '\0' || text[0] == '/') {
        CHECK(pointer_add(&root, text, 3, &arena) == 3);
        CHECK(pointer_add(&root, text, 4, &arena) == 3);
    }
    arena_free(&arena);
}

static void words(char *text, size_t len)
{
    static const char *const known[] = {"input_queue", NULL, "ab", ""};
    const char *near = spell_nearest(text, known, 4);
    (void)len;
    CHECK(!near || near == known[0] || near == known[2] || near == known[3]);
    enum reason reason = reason_parse(text);
    CHECK(reason == REASON_NONE || !strcmp(reason_name(reason), text));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const readers[])(char *, size_t) = {
        endpoints, units,    numbers,  white_space, urls,
        keys,      database, pointers, words,
    };
    if (size == 0)
        return 0;
    char *text = malloc(size); /* its NUL where the first byte was */
    CHECK(text);
    memcpy(text, data + 1, size - 1);
    text[size - 1] = '\0';
    readers[data[0] % (sizeof readers / sizeof *readers)](text, size - 1);
    free(text);
    return 0;
}
