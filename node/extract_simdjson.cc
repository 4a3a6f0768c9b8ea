/*
 * extract_simdjson.cc: see extract_simdjson.hh, and of extract_json.h what
 * needs no reader.
 */
#include "extract_simdjson.hh"

#include <charconv>
#include <cstring>

using simdjson::error_code;

const char extract_json_no_memory[] = "out of memory";

const char *extract_error_words(error_code error)
{
    switch (error) {
    case simdjson::SUCCESS:
        return nullptr;
    case simdjson::MEMALLOC:
        return extract_json_no_memory;
    case simdjson::EMPTY:
        return "the answer is empty";
    case simdjson::CAPACITY:
        return "the answer is too long for a JSON document";
    case simdjson::UTF8_ERROR:
        return "not valid UTF-8";
    case simdjson::UNESCAPED_CHARS:
        return "a control character in a string";
    case simdjson::UNCLOSED_STRING:
    case simdjson::INCOMPLETE_ARRAY_OR_OBJECT:
        return "the document is cut off";
    case simdjson::DEPTH_ERROR:
        return "nested too deeply";
    case simdjson::TRAILING_CONTENT:
        return "something follows the document";
    default:
        return "not a JSON document";
    }
}

error_code extract_at_end(simdjson::ondemand::document &document)
{
    bool end = document.current_location().error() == simdjson::OUT_OF_BOUNDS;
    return end ? simdjson::SUCCESS : simdjson::TRAILING_CONTENT;
}

struct slice extract_without_mark(struct slice body)
{
    if (body.len >= 3 && !memcmp(body.data, "\xef\xbb\xbf", 3))
        return {body.data + 3, body.len - 3};
    return body;
}

const char *extract_kind_name(enum extract_kind kind)
{
    static const char *const names[] = {
        "absent",          "null",      "a boolean", "a number", "a string",
        "a broken string", "an object", "an array",
    };
    return names[kind];
}

size_t extract_json_print(double value, char ret[EXTRACT_NUMBER_BYTES])
{
    std::to_chars_result end =
        std::to_chars(ret, ret + EXTRACT_NUMBER_BYTES, value);
    CHECK(end.ec == std::errc());
    return static_cast<size_t>(end.ptr - ret);
}

bool extract_json_is_utf8(struct slice text)
{
    return text.len == 0 || simdjson::validate_utf8(text.data, text.len);
}
