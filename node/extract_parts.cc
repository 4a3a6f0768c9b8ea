/*
 * extract_parts.cc: see extract_parts.h; how simdjson is used,
 * extract_json.cc says.
 *
 * A walk along the pointer `each`, to the end of each container on the way, so
 * that a document that was cut off is known. Each element is first passed over,
 * which gives its bytes, and then entered as far as its key.
 */
#include "extract_parts.h"

#include <new>
#include <utility>

extern "C" {
#include "base/arena.h"
}

#include "extract_pointer.h"
#include "extract_simdjson.hh"

namespace ondemand = simdjson::ondemand;
using simdjson::error_code;

struct extract_parts {
    ondemand::parser parser;
    struct arena arena;       /* the tokens of `each` */
    struct pointer_node root; /* ... one below the other */
    const char *key;
};

namespace
{

/* One call of extract_parts_read(). */
struct reading {
    const struct extract_parts *parts;
    enum extract_kind kind;
    extract_parts_each *each;
    void *context;
};

/* A text or a number; otherwise it is no key. */
error_code scalar_key(ondemand::value value, struct slice *ret, bool *is_key)
{
    ondemand::json_type type;
    struct extract_value found = {EXTRACT_ABSENT, {nullptr, 0}};
    std::string_view text;
    SIMDJSON_TRY(value.type().get(type));
    if (type == ondemand::json_type::string) {
        *is_key = !value.get_string().get(text);
        *ret = extract_slice(text);
    } else if (type == ondemand::json_type::number) {
        SIMDJSON_TRY(
            extract_scalar(extract_slice(value.raw_json_token()), &found));
        *is_key = true;
        *ret = found.text;
    }
    return simdjson::SUCCESS;
}

/* The key within an element that was passed over. */
template <class T>
error_code find_key(const struct reading *reading, T &element,
                    struct slice *ret, bool *is_key)
{
    ondemand::value value;
    SIMDJSON_TRY(element.reset().error());
    switch (element.at_pointer(reading->parts->key).get(value)) {
    case simdjson::SUCCESS:
        return scalar_key(value, ret, is_key);
    case simdjson::NO_SUCH_FIELD:
    case simdjson::INDEX_OUT_OF_BOUNDS:
    case simdjson::INCORRECT_TYPE:
    case simdjson::INVALID_JSON_POINTER:
        return simdjson::SUCCESS;
    default:
        return simdjson::TAPE_ERROR;
    }
}

/* Hands out an object or array. */
template <class T>
error_code take(const struct reading *reading, T &element,
                const std::string_view *name)
{
    std::string_view part;
    struct slice key = {nullptr, 0};
    bool is_key = name != nullptr;
    SIMDJSON_TRY(element.raw_json().get(part));
    if (name)
        key = extract_slice(*name);
    else
        SIMDJSON_TRY(find_key(reading, element, &key, &is_key));
    if (is_key)
        reading->each(reading->context, key, extract_slice(part));
    return simdjson::SUCCESS;
}

/* `name`: of the member, where that is the key. What is neither object nor
 * array has no key within. */
error_code take_element(const struct reading *reading, ondemand::value value,
                        const std::string_view *name)
{
    ondemand::json_type type;
    SIMDJSON_TRY(value.type().get(type));
    if (type == ondemand::json_type::object) {
        ondemand::object object;
        SIMDJSON_TRY(value.get_object().get(object));
        return take(reading, object, name);
    }
    if (type == ondemand::json_type::array) {
        ondemand::array array;
        SIMDJSON_TRY(value.get_array().get(array));
        return take(reading, array, name);
    }
    if (name)
        reading->each(reading->context, extract_slice(*name),
                      extract_slice(value.raw_json_token()));
    return simdjson::SUCCESS;
}

/* The node without a child is at `each`. */
template <class T>
error_code enter(struct reading *reading, T &value,
                 const struct pointer_node *node);

error_code enter_object(struct reading *reading, ondemand::object object,
                        const struct pointer_node *child)
{
    bool seen = false, by_name = !reading->parts->key;
    for (auto step : object) {
        ondemand::field field;
        std::string_view name;
        SIMDJSON_TRY(std::move(step).get(field));
        SIMDJSON_TRY(field.unescaped_key().get(name));
        ondemand::value value = field.value();
        if (!child) {
            SIMDJSON_TRY(
                take_element(reading, value, by_name ? &name : nullptr));
        } else if (!seen && slice_equal(extract_slice(name), child->token)) {
            seen = true;
            SIMDJSON_TRY(enter(reading, value, child));
        }
    }
    return simdjson::SUCCESS;
}

error_code enter_array(struct reading *reading, ondemand::array array,
                       const struct pointer_node *child)
{
    size_t index = 0;
    for (auto step : array) {
        ondemand::value value;
        SIMDJSON_TRY(std::move(step).get(value));
        if (!child && reading->parts->key) {
            SIMDJSON_TRY(take_element(reading, value, nullptr));
        } else if (!child) {
            continue; /* it has no names */
        } else if (child->index == index) {
            SIMDJSON_TRY(enter(reading, value, child));
        }
        index++;
    }
    return simdjson::SUCCESS;
}

enum extract_kind kind_of(ondemand::json_type type)
{
    switch (type) {
    case ondemand::json_type::object:
        return EXTRACT_OBJECT;
    case ondemand::json_type::array:
        return EXTRACT_ARRAY;
    case ondemand::json_type::null:
        return EXTRACT_NULL;
    case ondemand::json_type::string:
        return EXTRACT_STRING;
    case ondemand::json_type::number:
        return EXTRACT_NUMBER;
    default:
        return EXTRACT_BOOLEAN;
    }
}

template <class T>
error_code enter(struct reading *reading, T &value,
                 const struct pointer_node *node)
{
    ondemand::json_type type;
    SIMDJSON_TRY(value.type().get(type));
    if (!node->children)
        reading->kind = kind_of(type);
    if (type == ondemand::json_type::object) {
        ondemand::object object;
        SIMDJSON_TRY(value.get_object().get(object));
        return enter_object(reading, object, node->children);
    }
    if (type == ondemand::json_type::array) {
        ondemand::array array;
        SIMDJSON_TRY(value.get_array().get(array));
        return enter_array(reading, array, node->children);
    }
    return simdjson::SUCCESS;
}

error_code read_document(struct extract_parts *parts, struct reading *reading,
                         struct slice body)
{
    ondemand::document document;
    bool is_scalar;
    SIMDJSON_TRY(
        parts->parser.iterate(body.data, body.len, body.len + EXTRACT_PADDING)
            .get(document));
    SIMDJSON_TRY(document.is_scalar().get(is_scalar));
    if (is_scalar) /* it has no parts, and no site means it */
        return simdjson::INCORRECT_TYPE;
    SIMDJSON_TRY(enter(reading, document, &parts->root));
    return extract_at_end(document);
}

} // namespace

struct extract_parts *extract_parts_new(const char *each, const char *key)
{
    struct extract_parts *parts = new (std::nothrow) extract_parts();
    if (!parts)
        return nullptr;
    parts->key = key;
    parts->root.slot = POINTER_NO_SLOT;
    if (pointer_add(&parts->root, each, 0, &parts->arena) == POINTER_NO_SLOT)
        extract_parts_free(&parts);
    return parts;
}

void extract_parts_free(struct extract_parts **parts)
{
    if (*parts)
        arena_free(&(*parts)->arena);
    delete *parts;
    *parts = nullptr;
}

const char *extract_parts_read(struct extract_parts *parts, struct slice body,
                               enum extract_kind *ret_kind,
                               extract_parts_each *each, void *context)
{
    struct reading reading = {parts, EXTRACT_ABSENT, each, context};
    error_code error =
        read_document(parts, &reading, extract_without_mark(body));
    *ret_kind = reading.kind;
    return extract_error_words(error);
}
