/*
 * extract_json.cc: see extract_json.h. In C++, because simdjson's on-demand
 * interface is.
 *
 * simdjson's first stage finds where every token begins, checks UTF-8, and
 * that strings end; then a walk follows the tree of pointers and lets
 * simdjson skip everything else, counting brackets. The walk goes on to the
 * document's end when all has been found: only so is a document that was cut
 * off known from a whole one.
 *
 * Built without exceptions: every step returns a simdjson::error_code, and
 * the first error ends the walk.
 */
#include "extract_json.h"

#include <charconv>
#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>

extern "C" {
#include "base/arena.h"
}

#include "extract_pointer.h"
#include "extract_simdjson.hh"

static_assert(EXTRACT_PADDING >= simdjson::SIMDJSON_PADDING,
              "bodies must be padded as simdjson needs it");

namespace ondemand = simdjson::ondemand;
using simdjson::error_code;

struct extract_json {
    ondemand::parser parser;
    struct arena arena;          /* the trees */
    struct pointer_node root;    /* begins at the document */
    struct pointer_node element; /* begins at an element of the list */
    bool is_list;
    bool has_members; /* the list may be an object */
    bool is_arrays;
    size_t n;
    int *slots;                       /* of each pointer: its place in found */
    struct extract_value *found;      /* of the document, or of an element */
    struct extract_numbers **numbers; /* by slot; NULL: not wanted */
    uint64_t turn; /* grows with each document and element, so that
                      pointer_node.seen needs no resetting */
};

namespace
{

/* One call of extract_json_read(). */
struct reading {
    struct extract_json *json;
    struct extract_value *values;   /* by slot */
    struct extract_value *elements; /* by pointer, for `each` */
    extract_json_each *each;
    extract_json_item *item;
    void *context;
    bool stopped; /* `each` or `item` wants no more */
};

error_code read_value(struct reading *reading, ondemand::value value,
                      struct pointer_node *node, size_t depth);

/* simdjson refuses bad escapes and halves of surrogate pairs. */
void string_of(simdjson::simdjson_result<std::string_view> string,
               struct extract_value *ret)
{
    std::string_view text;
    bool good = !std::move(string).get(text);
    ret->kind = good ? EXTRACT_STRING : EXTRACT_BAD_STRING;
    ret->text = extract_slice(text);
}

/* How many of the first bytes of the raw name are those of `token`, up to its
 * end or a backslash. A quote ends the name, and no comparison goes beyond. */
size_t agreeing(const char *raw, struct slice token)
{
    size_t i = 0;
    while (i < token.len && raw[i] == token.data[i] && raw[i] != '"' &&
           raw[i] != '\\')
        i++;
    return i;
}

/*
 * The child whose token is the field's name. A name spelled with escapes
 * agrees with its token up to the first backslash, so only then is it
 * unescaped, which simdjson does once for a field.
 */
struct pointer_node *child_of_name(ondemand::field &field,
                                   struct pointer_node *node)
{
    const char *raw = field.key().raw();
    bool escaped = false;
    for (struct pointer_node *c = node->children; c; c = c->next) {
        size_t i = agreeing(raw, c->token);
        if (i == c->token.len && raw[i] == '"')
            return c;
        escaped |= raw[i] == '\\';
    }
    std::string_view name;
    if (!escaped || field.unescaped_key().get(name))
        return nullptr;
    for (struct pointer_node *c = node->children; c; c = c->next)
        if (slice_equal(extract_slice(name), c->token))
            return c;
    return nullptr;
}

struct pointer_node *child_at(size_t index, struct pointer_node *node)
{
    for (struct pointer_node *c = node->children; c; c = c->next)
        if (c->index == index)
            return c;
    return nullptr;
}

error_code read_element(struct reading *reading, ondemand::value value);

/* Whether the container at `node` is the list that is gone through. */
bool is_list(const struct reading *reading, const struct pointer_node *node)
{
    return reading->json->is_list && node->slot != POINTER_NO_SLOT &&
           reading->values != reading->json->found;
}

error_code read_object(struct reading *reading, ondemand::object object,
                       struct pointer_node *node, size_t depth)
{
    bool members = reading->json->has_members && is_list(reading, node);
    for (auto step : object) {
        ondemand::field field;
        SIMDJSON_TRY(std::move(step).get(field));
        if (members) {
            SIMDJSON_TRY(read_element(reading, field.value()));
            continue;
        }
        struct pointer_node *child = child_of_name(field, node);
        if (!child || child->seen == reading->json->turn)
            continue;
        child->seen = reading->json->turn;
        SIMDJSON_TRY(read_value(reading, field.value(), child, depth + 1));
    }
    return simdjson::SUCCESS;
}

/* A value that is not followed: of an object or array its kind alone. */
error_code read_leaf(ondemand::value value, struct extract_value *ret)
{
    ondemand::json_type type;
    SIMDJSON_TRY(value.type().get(type));
    if (type == ondemand::json_type::object)
        ret->kind = EXTRACT_OBJECT;
    else if (type == ondemand::json_type::array)
        ret->kind = EXTRACT_ARRAY;
    else if (type == ondemand::json_type::string)
        string_of(value.get_string(), ret);
    else
        return extract_scalar(extract_slice(value.raw_json_token()), ret);
    return simdjson::SUCCESS;
}

/* Hands out the values of one element of the list. */
error_code read_element(struct reading *reading, ondemand::value value)
{
    struct extract_json *json = reading->json;
    if (reading->stopped)
        return simdjson::SUCCESS;
    json->turn++;
    for (size_t i = 0; i < json->n; i++)
        json->found[i] = {EXTRACT_ABSENT, {nullptr, 0}};
    struct reading inner = *reading;
    inner.values = json->found;
    SIMDJSON_TRY(read_value(&inner, value, &json->element, 0));
    for (size_t i = 0; i < json->n; i++)
        reading->elements[i] = json->found[json->slots[i]];
    reading->stopped = !reading->each(reading->context, reading->elements);
    return simdjson::SUCCESS;
}

bool make_room(struct extract_numbers *numbers)
{
    if (numbers->n < numbers->room)
        return true;
    size_t room = numbers->room ? 2 * numbers->room : 512;
    void *values = realloc(numbers->values, room * sizeof *numbers->values);
    if (values)
        numbers->values = static_cast<double *>(values);
    void *texts = realloc(numbers->texts, room * sizeof *numbers->texts);
    if (texts)
        numbers->texts = static_cast<struct slice *>(texts);
    if (!values || !texts)
        return false;
    numbers->room = room;
    return true;
}

/* One element of an array whose numbers are kept. Looks, and takes nothing
 * that read_value() may want. */
error_code keep_number(struct extract_numbers *numbers, ondemand::value value,
                       size_t index)
{
    struct extract_value found = {EXTRACT_ARRAY, {nullptr, 0}};
    ondemand::json_type type;
    SIMDJSON_TRY(value.type().get(type));
    if (type == ondemand::json_type::string)
        found.kind = EXTRACT_STRING;
    else if (type == ondemand::json_type::object)
        found.kind = EXTRACT_OBJECT;
    else if (type != ondemand::json_type::array)
        SIMDJSON_TRY(
            extract_scalar(extract_slice(value.raw_json_token()), &found));
    if (found.kind == EXTRACT_NULL || numbers->odd || numbers->more)
        return simdjson::SUCCESS;
    numbers->more = numbers->n == EXTRACT_NUMBERS_MAX;
    if (numbers->more)
        return simdjson::SUCCESS;
    if (!make_room(numbers))
        return simdjson::MEMALLOC;
    const char *end = found.text.data + found.text.len;
    if (found.kind != EXTRACT_NUMBER ||
        std::from_chars(found.text.data, end, numbers->values[numbers->n]).ec !=
            std::errc()) {
        numbers->odd = found.kind;
        numbers->odd_at = index;
        return simdjson::SUCCESS;
    }
    numbers->texts[numbers->n++] = found.text;
    return simdjson::SUCCESS;
}

/* Those that are kept of the array at `node`, emptied; or NULL. */
struct extract_numbers *numbers_at(struct reading *reading,
                                   const struct pointer_node *node)
{
    if (node->slot == POINTER_NO_SLOT || reading->json->is_list)
        return nullptr;
    struct extract_numbers *numbers = reading->json->numbers[node->slot];
    if (numbers) {
        numbers->n = 0;
        numbers->more = false;
        numbers->odd = EXTRACT_ABSENT;
    }
    return numbers;
}

/* Hands out one element of an array. */
error_code read_item(struct reading *reading, ondemand::value value, int array)
{
    struct extract_value found = {EXTRACT_ABSENT, {nullptr, 0}};
    if (reading->stopped)
        return simdjson::SUCCESS;
    SIMDJSON_TRY(read_leaf(value, &found));
    reading->stopped =
        !reading->item(reading->context, static_cast<size_t>(array), &found);
    return simdjson::SUCCESS;
}

error_code read_array(struct reading *reading, ondemand::array array,
                      struct pointer_node *node, size_t depth)
{
    size_t index = 0;
    bool list = is_list(reading, node);
    bool items = reading->json->is_arrays && node->slot != POINTER_NO_SLOT;
    struct extract_numbers *numbers = numbers_at(reading, node);
    for (auto step : array) {
        ondemand::value value;
        SIMDJSON_TRY(std::move(step).get(value));
        if (numbers)
            SIMDJSON_TRY(keep_number(numbers, value, index));
        struct pointer_node *child = child_at(index++, node);
        if (list) {
            SIMDJSON_TRY(read_element(reading, value));
        } else if (items) {
            SIMDJSON_TRY(read_item(reading, value, node->slot));
        } else if (child) {
            SIMDJSON_TRY(read_value(reading, value, child, depth + 1));
        }
    }
    return simdjson::SUCCESS;
}

/*
 * For a value, and for a document that is an object or array. A value that is
 * left alone here is skipped by the iteration around it.
 */
template <class T>
error_code read_container(struct reading *reading, T &value,
                          simdjson::ondemand::json_type type,
                          struct pointer_node *node, size_t depth)
{
    bool is_object = type == ondemand::json_type::object;
    if (node->slot != POINTER_NO_SLOT)
        reading->values[node->slot].kind =
            is_object ? EXTRACT_OBJECT : EXTRACT_ARRAY;
    if (is_object) {
        ondemand::object object;
        SIMDJSON_TRY(value.get_object().get(object));
        return read_object(reading, object, node, depth);
    }
    ondemand::array array;
    SIMDJSON_TRY(value.get_array().get(array));
    return read_array(reading, array, node, depth);
}

error_code read_value(struct reading *reading, ondemand::value value,
                      struct pointer_node *node, size_t depth)
{
    if (depth > EXTRACT_JSON_DEPTH_MAX)
        return simdjson::DEPTH_ERROR;
    ondemand::json_type type;
    SIMDJSON_TRY(value.type().get(type));
    if (type == ondemand::json_type::object ||
        type == ondemand::json_type::array)
        return read_container(reading, value, type, node, depth);
    if (node->slot == POINTER_NO_SLOT)
        return simdjson::SUCCESS;
    return read_leaf(value, &reading->values[node->slot]);
}

/* A document that is one string, number, boolean or null. */
error_code read_scalar(ondemand::document &document, ondemand::json_type type,
                       struct slice body, struct extract_value *ret)
{
    if (type != ondemand::json_type::string)
        return extract_scalar(body, ret);
    string_of(document.get_string(), ret);
    return extract_at_end(document);
}

/* All of the document, to its last token. */
error_code read_document(struct reading *reading, struct slice body)
{
    ondemand::document document;
    SIMDJSON_TRY(reading->json->parser
                     .iterate(body.data, body.len, body.len + EXTRACT_PADDING)
                     .get(document));
    struct pointer_node *root = &reading->json->root;
    ondemand::json_type type;
    SIMDJSON_TRY(document.type().get(type));
    if (type == ondemand::json_type::object ||
        type == ondemand::json_type::array) {
        SIMDJSON_TRY(read_container(reading, document, type, root, 0));
        return extract_at_end(document);
    }
    struct extract_value scalar = {EXTRACT_ABSENT, {nullptr, 0}};
    SIMDJSON_TRY(read_scalar(document, type, body, &scalar));
    if (root->slot != POINTER_NO_SLOT)
        reading->values[root->slot] = scalar;
    return simdjson::SUCCESS;
}

} // namespace

static bool compile(struct extract_json *json, const char *list,
                    const char *const *pointers, size_t n)
{
    json->root.slot = json->element.slot = POINTER_NO_SLOT;
    json->is_list = list != nullptr;
    json->n = n;
    json->slots =
        static_cast<int *>(arena_alloc(&json->arena, n * sizeof *json->slots));
    json->found = static_cast<struct extract_value *>(
        arena_alloc(&json->arena, n * sizeof *json->found));
    json->numbers = static_cast<struct extract_numbers **>(
        arena_alloc(&json->arena, n * sizeof(struct extract_numbers *)));
    if (!json->slots || !json->found || !json->numbers)
        return false;
    if (list && pointer_add(&json->root, list, 0, &json->arena) < 0)
        return false;
    struct pointer_node *from = list ? &json->element : &json->root;
    for (size_t i = 0; i < n; i++) {
        json->slots[i] =
            pointer_add(from, pointers[i], static_cast<int>(i), &json->arena);
        if (json->slots[i] == POINTER_NO_SLOT)
            return false;
    }
    return true;
}

struct extract_json *extract_json_new(const char *list,
                                      const char *const *pointers, size_t n)
{
    struct extract_json *json = new (std::nothrow) extract_json();
    if (json && !compile(json, list, pointers, n))
        extract_json_free(&json);
    return json;
}

struct extract_json *
extract_json_new_each(const char *list, const char *const *pointers, size_t n)
{
    struct extract_json *json = extract_json_new(list, pointers, n);
    if (json)
        json->has_members = true;
    return json;
}

struct extract_json *extract_json_new_arrays(const char *const *pointers,
                                             size_t n)
{
    struct extract_json *json = extract_json_new(nullptr, pointers, n);
    if (json)
        json->is_arrays = true;
    return json;
}

bool extract_json_keep_numbers(struct extract_json *json, size_t i)
{
    struct extract_numbers **numbers = &json->numbers[json->slots[i]];
    if (!*numbers)
        *numbers = static_cast<struct extract_numbers *>(
            arena_alloc(&json->arena, sizeof **numbers));
    return *numbers;
}

const struct extract_numbers *
extract_json_numbers(const struct extract_json *json, size_t i)
{
    return json->numbers[json->slots[i]];
}

static void numbers_free(struct extract_json *json)
{
    for (size_t i = 0; json->numbers && i < json->n; i++)
        if (json->numbers[i]) {
            free(json->numbers[i]->values);
            free(json->numbers[i]->texts);
        }
}

void extract_json_free(struct extract_json **json)
{
    if (*json) {
        numbers_free(*json);
        arena_free(&(*json)->arena);
    }
    delete *json;
    *json = nullptr;
}

static const char *read_body(struct extract_json *json, struct slice body,
                             struct extract_value *ret_values,
                             extract_json_each *each, extract_json_item *item,
                             void *context)
{
    struct extract_value at_list = {EXTRACT_ABSENT, {nullptr, 0}};
    struct reading reading = {
        json,       json->is_list ? &at_list : json->found,
        ret_values, each,
        item,       context,
        false};
    body = extract_without_mark(body);
    json->turn++;
    for (size_t i = 0; i < json->n; i++)
        json->found[i] = {EXTRACT_ABSENT, {nullptr, 0}};
    error_code error = read_document(&reading, body);
    if (error)
        return extract_error_words(error);
    for (size_t i = 0; !json->is_list && i < json->n; i++)
        ret_values[i] = json->found[json->slots[i]];
    if (json->is_list)
        ret_values[0] = at_list;
    return nullptr;
}

const char *extract_json_read(struct extract_json *json, struct slice body,
                              struct extract_value *ret_values,
                              extract_json_each *each, void *context)
{
    return read_body(json, body, ret_values, each, nullptr, context);
}

const char *extract_json_read_arrays(struct extract_json *json,
                                     struct slice body,
                                     struct extract_value *ret_values,
                                     extract_json_item *item, void *context)
{
    return read_body(json, body, ret_values, nullptr, item, context);
}
