/* near_text.h: what near.c and near_html.c say alike about names. */
#ifndef NODE_NEAR_TEXT_H
#define NODE_NEAR_TEXT_H

#include <jansson.h>

#include "base/buffer.h"

/* Text of the web's; what is no UTF-8 in it becomes question marks. */
json_t *near_text(struct slice text);

/* Puts the names that are like `word` (NULL: none) first: the nearest, then
 * those that share words with it ("market", "Price"), the most first; all else
 * stays in its order. At most NEAR_NAMES_MAX. */
void near_rank(const char *word, const char **names, size_t n);
/* Whether they share a word, or one is in the other. */
bool near_is_like(const char *word, const char *name);

/* The first ones, as an array of texts. */
json_t *near_names(const char *const *names, size_t n);
/* The nearest to `word` (NULL: none), or JSON's null. */
json_t *near_nearest(const char *word, const char *const *names, size_t n);

/* "BEFORE a, b, c, ... (40 in all)"; nothing where n is 0. */
void near_append_names(struct buffer *text, const char *before,
                       const char *const *names, size_t n);
/* "; did you mean X?", where one is near. */
void near_append_nearest(struct buffer *text, const char *word,
                         const char *const *names, size_t n);

#endif
