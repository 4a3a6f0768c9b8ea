/*
 * facts.c: see facts.h.
 *
 * The embedded text is copied once and cut into fields in place; the facts
 * point into that copy. A few hundred facts are found by their hash.
 */
#include "facts.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "text.h"

#define uthash_fatal(text) check_failed(__FILE__, __LINE__, __func__, text)
#include <uthash.h>

struct fact_entry {
    struct fact fact;
    UT_hash_handle hh; /* by fact.symbol */
};

struct facts {
    char *text;
    struct fact_entry *entries;
    size_t count;
    struct fact_entry *by_symbol;
};

/* Cuts the next field off *text at `end`; "" where there is none. */
static char *cut(char **text, const char *end)
{
    char *field = strsep(text, end);
    return field ? field : "";
}

static void facts_read(struct facts *facts)
{
    char *rest = facts->text;
    while (rest && *rest) {
        char *line = cut(&rest, "\n");
        if (*line == '#' || !*line)
            continue;
        struct fact_entry *entry = &facts->entries[facts->count++];
        entry->fact.symbol = cut(&line, "\t");
        entry->fact.name = cut(&line, "\t");
        entry->fact.sector = cut(&line, "\t");
        entry->fact.price = cut(&line, "\t");
        CHECK(*entry->fact.price &&
              strlen(entry->fact.price) < PRICE_BYTES_MAX);
        HASH_ADD_KEYPTR(hh, facts->by_symbol, entry->fact.symbol,
                        strlen(entry->fact.symbol), entry);
    }
}

int facts_new(struct facts **ret_facts, struct error *err)
{
    size_t lines = 1;
    for (size_t i = 0; i < facts_tsv_bytes; i++)
        lines += facts_tsv[i] == '\n';
    struct facts *facts = calloc(1, sizeof *facts);
    if (facts) {
        facts->text = strndup((const char *)facts_tsv, facts_tsv_bytes);
        facts->entries = calloc(lines, sizeof *facts->entries);
    }
    if (!facts || !facts->text || !facts->entries) {
        facts_free(&facts);
        return error_set(err, ERR_MEMORY, "out of memory");
    }
    facts_read(facts);
    *ret_facts = facts;
    return 0;
}

void facts_free(struct facts **facts)
{
    if (!*facts)
        return;
    HASH_CLEAR(hh, (*facts)->by_symbol);
    free((*facts)->entries);
    free((*facts)->text);
    free(*facts);
    *facts = NULL;
}

size_t facts_count(const struct facts *facts)
{
    return facts->count;
}

const struct fact *facts_at(const struct facts *facts, size_t index)
{
    CHECK(index < facts->count);
    return &facts->entries[index].fact;
}

const struct fact *facts_find(const struct facts *facts, const char *symbol)
{
    struct fact_entry *entry;
    HASH_FIND_STR(facts->by_symbol, symbol, entry);
    return entry ? &entry->fact : NULL;
}

/* Where ^[A-Z]+[from][AB]$ holds, copies with `to` in place of `from`. */
static bool exchange(const char *text, char from, char to,
                     char ret[SYMBOL_BYTES_MAX])
{
    size_t len = strlen(text);
    CHECK(len < SYMBOL_BYTES_MAX);
    memcpy(ret, text, len + 1);
    if (len < 3 || text[len - 2] != from ||
        (text[len - 1] != 'A' && text[len - 1] != 'B'))
        return false;
    for (size_t i = 0; i < len - 2; i++)
        if (text[i] < 'A' || text[i] > 'Z')
            return false;
    ret[len - 2] = to;
    return true;
}

bool facts_asked_form(const char *listed, char asked[SYMBOL_BYTES_MAX])
{
    return exchange(listed, '.', '-', asked);
}

bool facts_listed_form(const char *asked, char listed[SYMBOL_BYTES_MAX])
{
    return exchange(asked, '-', '.', listed);
}

static void derived_price(const char *asked, char price[PRICE_BYTES_MAX])
{
    uint64_t hash = text_hash(asked);
    uint64_t number = hash >> 8;
    unsigned whole = 1 + (unsigned)(number % 999);
    uint64_t rest = number >> 16;
    unsigned digits = (unsigned)(rest % 10000);
    switch (hash % 16) {
    case 0:
    case 1:
        snprintf(price, PRICE_BYTES_MAX, "%u", whole);
        break;
    case 2:
    case 3:
        snprintf(price, PRICE_BYTES_MAX, "%u.%u", whole, digits % 10);
        break;
    case 11:
    case 12:
        snprintf(price, PRICE_BYTES_MAX, "%u.%03u", whole, digits % 1000);
        break;
    case 13:
        snprintf(price, PRICE_BYTES_MAX, "%u.%04u", whole, digits);
        break;
    case 14:
        snprintf(price, PRICE_BYTES_MAX, "%u.%014llu", whole,
                 (unsigned long long)(rest % 100000000000000U));
        break;
    case 15:
        snprintf(price, PRICE_BYTES_MAX, "%u.%07uE-4", 1 + whole % 9,
                 (unsigned)(rest % 10000000));
        break;
    default:
        snprintf(price, PRICE_BYTES_MAX, "%u.%02u", whole, digits % 100);
    }
}

void facts_price(const struct facts *facts, const char *symbol,
                 char price[PRICE_BYTES_MAX])
{
    char listed[SYMBOL_BYTES_MAX], asked[SYMBOL_BYTES_MAX];
    facts_listed_form(symbol, listed);
    facts_asked_form(symbol, asked);
    const struct fact *fact = facts_find(facts, listed);
    if (fact)
        snprintf(price, PRICE_BYTES_MAX, "%s", fact->price);
    else
        derived_price(asked, price);
}
