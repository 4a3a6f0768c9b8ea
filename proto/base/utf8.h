/* utf8.h: where one character ends (RFC 3629). */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include "base/slice.h"

/* Bytes of the character that `text` (not empty) begins with; 0 where that is
 * none: a stray byte, an overlong form, a surrogate, beyond U+10FFFF, or one
 * whose end is missing. */
size_t utf8_len(struct slice text);

/* Whether it is characters all through, none of which is NUL. */
bool utf8_is_text(struct slice text);

#endif
