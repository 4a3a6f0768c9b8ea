/*
 * quotes.h: Yahoo's two answers for a symbol, written into a buffer.
 *
 * They take a microsecond to write, so none is kept: a list of millions of
 * symbols needs no memory for its answers.
 */
#ifndef ORIGIN_QUOTES_H
#define ORIGIN_QUOTES_H

#include "base/buffer.h"

/* What becomes of the field that holds the price. */
enum quote_field { QUOTE_PRICE, QUOTE_NO_FIELD, QUOTE_NULL };

/* What a chart says of a symbol, "meta":{...}: where the price stands in it,
 * and all else that varies, follows from the symbol. */
void quotes_meta(struct buffer *to, const char *symbol, const char *name,
                 const char *price, enum quote_field field, const char *range);

/* The body of v8/finance/chart, 1.0 to 1.6 KB. Its end is `two_years`
 * (series.h) instead of one day, where that is not empty. */
void quotes_chart(struct buffer *to, const char *symbol, const char *name,
                  const char *price, enum quote_field field,
                  struct slice two_years);

/* The quote page: the price in <span data-testid="qsp-price">, after another
 * index's in an element with data-field="regularMarketPrice". */
void quotes_page(struct buffer *to, const char *symbol, const char *name,
                 const char *price, enum quote_field field);

/* The body of a 404 for a chart. */
extern const char quotes_not_found[];

#endif
