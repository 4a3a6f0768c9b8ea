/* extract_simdjson.hh: what the C++ files that use simdjson share. */
#ifndef NODE_EXTRACT_SIMDJSON_HH
#define NODE_EXTRACT_SIMDJSON_HH

#include <simdjson.h>

#include "extract_json.h"
#include "extract_text.h"

/* In a few words for people; nullptr: no error. */
const char *extract_error_words(simdjson::error_code error);

/* Whether nothing follows the document that was gone through. */
simdjson::error_code extract_at_end(simdjson::ondemand::document &document);

/* Without a byte order mark. */
struct slice extract_without_mark(struct slice body);

static inline struct slice extract_slice(std::string_view text)
{
    return {text.data(), text.size()};
}

/* What a token that is no string, object or array stands for. */
static inline simdjson::error_code extract_scalar(struct slice token,
                                                  struct extract_value *ret)
{
    token = extract_text_trim(token);
    ret->text = token;
    if (extract_text_is_number(token))
        ret->kind = EXTRACT_NUMBER;
    else if (slice_equal(token, slice_of("true")) ||
             slice_equal(token, slice_of("false")))
        ret->kind = EXTRACT_BOOLEAN;
    else if (slice_equal(token, slice_of("null")))
        ret->kind = EXTRACT_NULL;
    else
        return simdjson::TAPE_ERROR;
    return simdjson::SUCCESS;
}

#endif
