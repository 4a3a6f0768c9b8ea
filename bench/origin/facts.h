/*
 * facts.h: the project's own facts (sp500.tsv), and the price of any symbol.
 *
 * A symbol has one price, whichever list is played. For the symbols of the
 * facts file it is the text that stands there. For any other it follows from
 * the symbol alone. With
 *
 *     s = the symbol as Yahoo is asked for it (facts_asked_form)
 *     h = FNV-1a of the bytes of s, 64 bits; n = h / 2^8
 *     w = 1 + n mod 999;  r = n / 2^16
 *
 * the text is, by the last four bits of h, where %0Nu of x is x mod 10^N
 * written with N digits:
 *
 *     0, 1      w                     150
 *     2, 3      w.%01u of r           138.1
 *     4 to 10   w.%02u of r           224.50
 *     11, 12    w.%03u of r           336.569
 *     13        w.%04u of r           30.2850
 *     14        w.%014u of r          187.44000244140625
 *     15        (1 + w mod 9).%07uE-4 9.0000004E-4
 *
 * `windrow-origin --price SYMBOL` prints it, so that tests need no copy.
 */
#ifndef ORIGIN_FACTS_H
#define ORIGIN_FACTS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

#define SYMBOL_BYTES_MAX 256 /* with its NUL; more than any exchange uses */
#define PRICE_BYTES_MAX 32   /* with its NUL; the longest above needs 19 */

struct fact {
    const char *symbol; /* as listed: BRK.B */
    const char *name;
    const char *sector;
    const char *price;
};

/* sp500.tsv as it was at build time; made by embed.cmake. */
extern const unsigned char facts_tsv[];
extern const unsigned long facts_tsv_bytes;

struct facts;

MUSTCHECK
int facts_new(struct facts **ret_facts, struct error *err);
void facts_free(struct facts **facts);

size_t facts_count(const struct facts *facts);
const struct fact *facts_at(const struct facts *facts, size_t index);

/* NULL where it is none of them. `symbol` is as listed. */
const struct fact *facts_find(const struct facts *facts, const char *symbol);

/* BRK.B is listed but asked for as BRK-B: upper case letters, a dot, A or B.
 * Writes what is asked for; false where that is the symbol itself. A symbol of
 * SYMBOL_BYTES_MAX or more is a mistake of the caller's. */
bool facts_asked_form(const char *listed, char asked[SYMBOL_BYTES_MAX]);
bool facts_listed_form(const char *asked, char listed[SYMBOL_BYTES_MAX]);

/* The exact text of the symbol's price; both forms have the same. */
void facts_price(const struct facts *facts, const char *symbol,
                 char price[PRICE_BYTES_MAX]);

#endif
