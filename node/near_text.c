/* near_text.c: see near_text.h. */
#include "near_text.h"

#include "base/utf8.h"
#include "near.h"
#include "pipeline/spell.h"

json_t *near_text(struct slice text)
{
    struct buffer good = BUFFER_EMPTY;
    while (text.len) {
        size_t len = utf8_len(text);
        buffer_append(&good, len ? text.data : "?", len ? len : 1);
        text.data += len ? len : 1;
        text.len -= len ? len : 1;
    }
    json_t *ret = json_stringn(buffer_text(&good), good.len);
    buffer_free(&good);
    return ret;
}

json_t *near_names(const char *const *names, size_t n)
{
    json_t *list = json_array();
    for (size_t i = 0; i < n && i < NEAR_NAMES_SHOWN_MAX; i++)
        json_array_append_new(list, near_text(slice_of(names[i])));
    return list;
}

static const char *nearest(const char *word, const char *const *names, size_t n)
{
    return word ? spell_nearest(word, names, n) : NULL;
}

json_t *near_nearest(const char *word, const char *const *names, size_t n)
{
    const char *near = nearest(word, names, n);
    return near ? near_text(slice_of(near)) : json_null();
}

void near_append_names(struct buffer *text, const char *before,
                       const char *const *names, size_t n)
{
    for (size_t i = 0; i < n && i < NEAR_NAMES_SHOWN_MAX; i++)
        buffer_printf(text, "%s%.60s", i ? ", " : before, names[i]);
    if (n > NEAR_NAMES_SHOWN_MAX)
        buffer_printf(text, ", ... (%zu%s)", n,
                      n == NEAR_NAMES_MAX ? " or more" : " in all");
}

void near_append_nearest(struct buffer *text, const char *word,
                         const char *const *names, size_t n)
{
    const char *near = nearest(word, names, n);
    if (near)
        buffer_printf(text, "; did you mean %.60s?", near);
}
