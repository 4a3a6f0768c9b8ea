/*
 * symbols.h: the list that is played: the facts, a file, or a number of
 * generated symbols K0000001, K0000002, ...
 */
#ifndef ORIGIN_SYMBOLS_H
#define ORIGIN_SYMBOLS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "facts.h"

#define SYMBOLS_COUNT_MAX 9999999 /* K and seven digits */
#define SYMBOLS_FILE_BYTES_MAX ((size_t)1 << 30)

struct symbol {
    const char *symbol; /* as listed; valid until the next call */
    const char *name;   /* the symbol itself where no name is known */
    const char *sector; /* "" where not known */
};

struct symbols;

/* The `facts` must outlive the symbols. */
MUSTCHECK
int symbols_new_facts(const struct facts *facts, struct symbols **ret_symbols,
                      struct error *err);
MUSTCHECK
int symbols_new_count(const struct facts *facts, size_t count,
                      struct symbols **ret_symbols, struct error *err);

/* One symbol a line; or, where the first line names a column "Symbol", CSV as
 * RFC 4180 has it (but no line breaks inside quotes). Empty lines and blanks
 * around a symbol do not count; what is listed twice stays listed twice. */
MUSTCHECK
int symbols_new_file(const struct facts *facts, const char *path,
                     struct symbols **ret_symbols, struct error *err);
void symbols_free(struct symbols **symbols);

size_t symbols_count(const struct symbols *symbols);
struct symbol symbols_at(struct symbols *symbols, size_t index);

/* Is there an answer for what Yahoo was asked for? As there, a class share is
 * found with its dash (BRK-B) and not with its dot. */
bool symbols_find(struct symbols *symbols, const char *asked,
                  struct symbol *ret_symbol);

#endif
