/*
 * extract_result.h: how the extractors' files say what went wrong, and the
 * field rules that JSON and HTML share.
 */
#ifndef NODE_EXTRACT_RESULT_H
#define NODE_EXTRACT_RESULT_H

#include "base/check.h"
#include "extract.h"

/* Sets reason and detail (cut where it is too long, control characters
 * replaced). Returns false. */
bool extract_fail(struct extract_result *result, enum reason reason,
                  const char *format, ...) PRINTF_LIKE(3, 4);

/* What becomes of a field that is absent or null: `reason` where it is
 * required, otherwise its default or SQL NULL in *ret. */
bool extract_instead(const struct field *field, enum reason reason,
                     struct slice *ret, struct extract_result *result);

/* Whether text of `len` bytes at `field` may be stored: not too long, and
 * without NULs, which no text in PostgreSQL can hold. */
bool extract_storable(const struct field *field, struct slice text,
                      struct extract_result *result);

struct extract_value;
/* A value of JSON as a field. `time` is room for a time; *ret points there, or
 * to where the value's text or the default is. */
bool extract_json_field(const struct field *field,
                        const struct extract_value *value,
                        char time[CLOCK_TEXT_BYTES], struct slice *ret,
                        struct extract_result *result);

/* The document can't be read, for the reason that extract_json.h gives. */
bool extract_json_failed(const char *why, struct extract_result *result);

/* The moment that `text` is, in the field's unit or in ISO 8601, as
 * clock_format() writes it. */
bool extract_time(const struct field *field, struct slice text,
                  char ret[CLOCK_TEXT_BYTES], struct extract_result *result);

#endif
