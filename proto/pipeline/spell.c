/*
 * spell.c: the distance between two words, by rows of the usual table.
 *
 * Three rows are enough: a swap of neighbours looks two rows back.
 */
#include "pipeline/spell.h"

#include <ctype.h>
#include <limits.h>
#include <string.h>

static int least(int a, int b)
{
    return a < b ? a : b;
}

static int lower(char c)
{
    return tolower((unsigned char)c);
}

static int distance(const char *a, const char *b)
{
    int rows[3][SPELL_WORD_BYTES_MAX + 1];
    size_t a_len = strlen(a), b_len = strlen(b);

    for (size_t j = 0; j <= b_len; j++)
        rows[0][j] = (int)j;
    for (size_t i = 1; i <= a_len; i++) {
        int *row = rows[i % 3];
        const int *above = rows[(i - 1) % 3];
        const int *two_above = rows[(i + 1) % 3];
        row[0] = (int)i;
        for (size_t j = 1; j <= b_len; j++) {
            int changed = lower(a[i - 1]) != lower(b[j - 1]);
            row[j] =
                least(above[j - 1] + changed, least(above[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) &&
                lower(a[i - 2]) == lower(b[j - 1]))
                row[j] = least(row[j], two_above[j - 2] + 1);
        }
    }
    return rows[a_len % 3][b_len];
}

const char *spell_nearest(const char *word, const char *const *candidates,
                          size_t n_candidates)
{
    size_t len = strlen(word);
    int allowed = len < 6 ? 1 + (len > 3) : (int)(len / 3);
    return spell_nearest_within(word, candidates, n_candidates, allowed);
}

const char *spell_nearest_within(const char *word,
                                 const char *const *candidates,
                                 size_t n_candidates, int allowed)
{
    const char *nearest = NULL;
    int nearest_distance = INT_MAX;

    if (strlen(word) > SPELL_WORD_BYTES_MAX)
        return NULL;
    for (size_t i = 0; i < n_candidates; i++) {
        if (!candidates[i] || strlen(candidates[i]) > SPELL_WORD_BYTES_MAX)
            continue;
        int d = distance(word, candidates[i]);
        if (d <= allowed && d < nearest_distance) {
            nearest = candidates[i];
            nearest_distance = d;
        }
    }
    return nearest;
}
