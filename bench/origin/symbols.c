/*
 * symbols.c: see symbols.h.
 *
 * A generated list takes no memory: its symbols are written when asked for.
 * That of a file points into the file's text, which is cut in place.
 */
#include "symbols.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/check.h"
#include "text.h"

#define uthash_fatal(text) check_failed(__FILE__, __LINE__, __func__, text)
#include <uthash.h>

#define COLUMNS_MAX 256 /* of a CSV file; 8 in the list of Wikipedia */

enum symbols_kind { SYMBOLS_FACTS, SYMBOLS_GENERATED, SYMBOLS_FILE };

struct symbols_entry {
    const char *symbol;
    UT_hash_handle hh;
};

struct symbols {
    enum symbols_kind kind;
    const struct facts *facts;
    size_t count;
    char generated[24];            /* what symbols_at() wrote last */
    struct buffer text;            /* of the file */
    struct symbols_entry *entries; /* in its order */
    struct symbols_entry *by_symbol;
};

static int symbols_new(enum symbols_kind kind, const struct facts *facts,
                       size_t count, struct symbols **ret_symbols,
                       struct error *err)
{
    struct symbols *symbols = calloc(1, sizeof *symbols);
    if (!symbols)
        return error_set(err, ERR_MEMORY, "out of memory");
    symbols->kind = kind;
    symbols->facts = facts;
    symbols->count = count;
    *ret_symbols = symbols;
    return 0;
}

int symbols_new_facts(const struct facts *facts, struct symbols **ret_symbols,
                      struct error *err)
{
    return symbols_new(SYMBOLS_FACTS, facts, facts_count(facts), ret_symbols,
                       err);
}

int symbols_new_count(const struct facts *facts, size_t count,
                      struct symbols **ret_symbols, struct error *err)
{
    CHECK(count <= SYMBOLS_COUNT_MAX);
    return symbols_new(SYMBOLS_GENERATED, facts, count, ret_symbols, err);
}

/* Cuts a line of CSV in place; the number of fields. */
static size_t split_csv(char *line, char *fields[COLUMNS_MAX])
{
    size_t count = 0;
    while (count < COLUMNS_MAX) {
        char *to = line;
        bool quoted = *line == '"';
        fields[count++] = to;
        line += quoted;
        for (; *line && (quoted || *line != ','); line++) {
            if (*line == '"' && quoted && line[1] != '"')
                quoted = false;
            else if (*line == '"' && quoted)
                *to++ = *++line;
            else
                *to++ = *line;
        }
        bool more = *line == ',';
        *to = '\0';
        if (!more)
            break;
        line++;
    }
    return count;
}

static char *trim(char *text)
{
    while (isspace((unsigned char)*text))
        text++;
    size_t len = strlen(text);
    while (len && isspace((unsigned char)text[len - 1]))
        text[--len] = '\0';
    return text;
}

/* The number of the column called Symbol; -1 where the line is no header. */
static int symbol_column(const char *line)
{
    char *copy = strdup(line);
    CHECK(copy);
    char *fields[COLUMNS_MAX];
    size_t count = split_csv(copy, fields);
    int found = -1;
    for (size_t i = 0; i < count && found < 0; i++)
        if (!strcmp(trim(fields[i]), "Symbol"))
            found = (int)i;
    free(copy);
    return found;
}

static char *symbol_of_line(char *line, int column)
{
    if (column < 0)
        return trim(line);
    char *fields[COLUMNS_MAX];
    size_t count = split_csv(line, fields);
    return (size_t)column < count ? trim(fields[column]) : "";
}

static int read_lines(struct symbols *symbols, const char *path,
                      struct error *err)
{
    static const char byte_order_mark[] = "\xef\xbb\xbf";
    char *rest = symbols->text.data;
    if (rest && !strncmp(rest, byte_order_mark, 3))
        rest += 3;
    int column = -1;
    for (size_t number = 1; rest; number++) {
        char *line = strsep(&rest, "\n");
        if (number == 1 && (column = symbol_column(line)) >= 0)
            continue;
        const char *symbol = symbol_of_line(line, column);
        if (!*symbol)
            continue;
        if (strlen(symbol) >= SYMBOL_BYTES_MAX)
            return error_set(err, ERR_FILE,
                             "%s:%zu: a symbol is longer than %d bytes", path,
                             number, SYMBOL_BYTES_MAX - 1);
        struct symbols_entry *entry = &symbols->entries[symbols->count++];
        struct symbols_entry *same;
        entry->symbol = symbol;
        HASH_FIND_STR(symbols->by_symbol, symbol, same);
        if (!same)
            HASH_ADD_KEYPTR(hh, symbols->by_symbol, entry->symbol,
                            strlen(entry->symbol), entry);
    }
    return 0;
}

int symbols_new_file(const struct facts *facts, const char *path,
                     struct symbols **ret_symbols, struct error *err)
{
    struct symbols *symbols = NULL;
    if (symbols_new(SYMBOLS_FILE, facts, 0, &symbols, err))
        return (int)err->code;
    if (text_read_file(path, SYMBOLS_FILE_BYTES_MAX, &symbols->text, err))
        goto err_free;
    size_t lines = 1;
    for (size_t i = 0; i < symbols->text.len; i++)
        lines += symbols->text.data[i] == '\n';
    symbols->entries = calloc(lines, sizeof *symbols->entries);
    if (!symbols->entries) {
        error_set(err, ERR_MEMORY, "%s: out of memory", path);
        goto err_free;
    }
    if (read_lines(symbols, path, err))
        goto err_free;
    *ret_symbols = symbols;
    return 0;
err_free:
    symbols_free(&symbols);
    return (int)err->code;
}

void symbols_free(struct symbols **symbols)
{
    if (!*symbols)
        return;
    HASH_CLEAR(hh, (*symbols)->by_symbol);
    free((*symbols)->entries);
    buffer_free(&(*symbols)->text);
    free(*symbols);
    *symbols = NULL;
}

size_t symbols_count(const struct symbols *symbols)
{
    return symbols->count;
}

/* The names are those of the facts, also for a file that has such symbols. */
static struct symbol named(const struct symbols *symbols, const char *listed)
{
    const struct fact *fact = facts_find(symbols->facts, listed);
    if (!fact)
        return (struct symbol){listed, listed, ""};
    return (struct symbol){listed, fact->name, fact->sector};
}

struct symbol symbols_at(struct symbols *symbols, size_t index)
{
    CHECK(index < symbols->count);
    switch (symbols->kind) {
    case SYMBOLS_FACTS:
        return named(symbols, facts_at(symbols->facts, index)->symbol);
    case SYMBOLS_FILE:
        return named(symbols, symbols->entries[index].symbol);
    case SYMBOLS_GENERATED:
        break;
    }
    snprintf(symbols->generated, sizeof symbols->generated, "K%07zu",
             index + 1);
    return named(symbols, symbols->generated);
}

/* The number in K0000001 where the list has it, otherwise 0. */
static size_t generated_number(const struct symbols *symbols, const char *text)
{
    if (strlen(text) != 8 || *text != 'K' ||
        strspn(text + 1, "0123456789") != 7)
        return 0;
    size_t number = strtoul(text + 1, NULL, 10);
    return number <= symbols->count ? number : 0;
}

static bool find_listed(struct symbols *symbols, const char *listed,
                        struct symbol *ret_symbol)
{
    struct symbols_entry *entry = NULL;
    const struct fact *fact = NULL;
    size_t number = 0;
    switch (symbols->kind) {
    case SYMBOLS_FACTS:
        fact = facts_find(symbols->facts, listed);
        if (fact)
            *ret_symbol = named(symbols, fact->symbol);
        return fact;
    case SYMBOLS_FILE:
        HASH_FIND_STR(symbols->by_symbol, listed, entry);
        if (entry)
            *ret_symbol = named(symbols, entry->symbol);
        return entry;
    case SYMBOLS_GENERATED:
        break;
    }
    number = generated_number(symbols, listed);
    if (number)
        *ret_symbol = symbols_at(symbols, number - 1);
    return number;
}

bool symbols_find(struct symbols *symbols, const char *asked,
                  struct symbol *ret_symbol)
{
    char other[SYMBOL_BYTES_MAX];
    if (facts_asked_form(asked, other))
        return false; /* a class share with its dot */
    if (facts_listed_form(asked, other) &&
        find_listed(symbols, other, ret_symbol))
        return true;
    return find_listed(symbols, asked, ret_symbol);
}
