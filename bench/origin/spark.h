/*
 * spark.h: Yahoo's answers for several symbols, by one request.
 *
 *   /v7/finance/spark?symbols=AAPL,KO   a list of charts, with their symbols
 *   /v8/finance/spark?symbols=AAPL,KO   an object, whose members are symbols
 *
 * Symbols that are not known are left out; where none is, the status is 404.
 */
#ifndef ORIGIN_SPARK_H
#define ORIGIN_SPARK_H

#include <stdbool.h>

#include "base/buffer.h"
#include "http.h"
#include "quotes.h"
#include "symbols.h"

#define SPARK_SYMBOLS_MAX 20 /* as there; more are status 400 */

struct spark {
    char text[HTTP_TARGET_BYTES_MAX];
    const char *symbols[SPARK_SYMBOLS_MAX]; /* in `text` */
    size_t n;
    bool bad; /* no symbols, too many, or one that can't be read */
};

/* The symbols that `target` asks for; none where it is bad. */
void spark_parse(const char *target, struct spark *ret);

/* Appends the answer; returns its status. `field` says what becomes of the
 * price of the symbol `faulty`, or of all where that is "". */
int spark_answer(struct symbols *symbols, const struct facts *facts,
                 const char *target, bool v8, const char *faulty,
                 enum quote_field field, struct buffer *to);

#endif
