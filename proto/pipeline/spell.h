/* spell.h: what somebody may have meant. */
#ifndef PIPELINE_SPELL_H
#define PIPELINE_SPELL_H

#include <stddef.h>

#define SPELL_WORD_BYTES_MAX 64 /* longer words have no neighbours */

/*
 * The candidate nearest to `word`, or NULL where none is near: at most a
 * third of the word may be wrong, two letters of four or five, one of fewer.
 * Counted are letters left out, put in, changed, and neighbours swapped
 * (Damerau, Levenshtein); upper and lower case are the same. Candidates may be
 * NULL.
 */
const char *spell_nearest(const char *word, const char *const *candidates,
                          size_t n_candidates);

/* The same where at most `allowed` letters may be wrong. */
const char *spell_nearest_within(const char *word,
                                 const char *const *candidates,
                                 size_t n_candidates, int allowed);

#endif
