/*
 * extract_text.h: small rules about text that came from outside: what a
 * number is, what white space is, where a footnote mark begins. Pure.
 */
#ifndef NODE_EXTRACT_TEXT_H
#define NODE_EXTRACT_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Whether all of `text` is a number as RFC 8259, section 6, has it. */
bool extract_text_is_number(struct slice text);
/* The same, without fraction and exponent. */
bool extract_text_is_integer(struct slice text);

/* Without white space (ASCII's and U+00A0) at both ends. */
struct slice extract_text_trim(struct slice text);

/* Trims `data` and makes each run of white space inside one space, in place;
 * returns the new length. */
size_t extract_text_squeeze(char *data, size_t len);

/* Without footnote marks at its end: "Symbol[a] [12]" is "Symbol". A mark is
 * at most EXTRACT_FOOTNOTE_BYTES_MAX bytes in brackets. */
#define EXTRACT_FOOTNOTE_BYTES_MAX 8
struct slice extract_text_without_footnotes(struct slice text);

/*
 * Makes a number written for people into a JSON number, in place: drops a
 * leading '+', and "," where they part well-formed groups of three digits.
 * What is not of that form is left as it is. Returns the new length.
 */
size_t extract_text_plain_number(char *data, size_t len);

#ifdef __cplusplus
}
#endif

#endif
