/* near_text.c: see near_text.h. */
#include "near_text.h"

#include <ctype.h>
#include <stdlib.h>

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

static const char *nearest(const char *word, const char *const *names, size_t n)
{
    return word ? spell_nearest(word, names, n) : NULL;
}

/* ---- likeness ---- */

#define PART_BYTES_MIN 3 /* fewer are in many a word */

/* How long the word is that a name begins with: words end before what is no
 * letter or digit, and before a capital behind a small letter. */
static size_t part_of(const char *name)
{
    size_t len = 0;
    for (; isalnum((unsigned char)name[len]); len++)
        if (len && isupper((unsigned char)name[len]) &&
            !isupper((unsigned char)name[len - 1]))
            break;
    return len;
}

/* How many letters of `word` stand in words that `name` has too. */
static size_t likeness(const char *word, const char *name)
{
    char part[SPELL_WORD_BYTES_MAX + 1];
    size_t likeness = 0, len;
    if (strlen(name) >= PART_BYTES_MIN && strcasestr(word, name))
        likeness += strlen(name);
    for (; *word; word += len ? len : 1) {
        len = part_of(word);
        if (len < PART_BYTES_MIN || len >= sizeof part)
            continue;
        memcpy(part, word, len);
        part[len] = '\0';
        if (strcasestr(name, part))
            likeness += len;
    }
    return likeness;
}

bool near_is_like(const char *word, const char *name)
{
    return likeness(word, name) > 0;
}

struct ranked {
    const char *name;
    size_t likeness, place;
};

static int compare(const void *a, const void *b)
{
    const struct ranked *one = a, *other = b;
    if (one->likeness != other->likeness)
        return one->likeness > other->likeness ? -1 : 1;
    return one->place < other->place ? -1 : 1;
}

void near_rank(const char *word, const char **names, size_t n)
{
    struct ranked ranked[NEAR_NAMES_MAX];
    const char *near = nearest(word, names, n);
    CHECK(n <= NEAR_NAMES_MAX);
    if (!word || !n)
        return;
    for (size_t i = 0; i < n; i++)
        ranked[i] = (struct ranked){
            names[i], names[i] == near ? SIZE_MAX : likeness(word, names[i]),
            i};
    qsort(ranked, n, sizeof *ranked, compare);
    for (size_t i = 0; i < n; i++)
        names[i] = ranked[i].name;
}

/* ---- */

json_t *near_names(const char *const *names, size_t n)
{
    json_t *list = json_array();
    for (size_t i = 0; i < n && i < NEAR_NAMES_SHOWN_MAX; i++)
        json_array_append_new(list, near_text(slice_of(names[i])));
    return list;
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
