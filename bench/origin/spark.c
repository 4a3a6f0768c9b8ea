/* spark.c: see spark.h. */
#include "spark.h"

#include <string.h>

#include "text.h"

#define SYMBOLS "symbols="

#define APPEND(to, text) buffer_append((to), (text), sizeof(text) - 1)

/* A comma may come as %2C, too. */
static bool take_symbols(struct spark *spark)
{
    char *rest = spark->text;
    if (!text_percent_decode(rest))
        return false;
    while (rest) {
        const char *symbol = strsep(&rest, ",");
        if (!*symbol || strlen(symbol) >= SYMBOL_BYTES_MAX ||
            spark->n == SPARK_SYMBOLS_MAX)
            return false;
        spark->symbols[spark->n++] = symbol;
    }
    return true;
}

void spark_parse(const char *target, struct spark *ret)
{
    const char *part = strchr(target, '?');
    ret->n = 0;
    ret->bad = true;
    while (part && strncmp(part + 1, SYMBOLS, strlen(SYMBOLS)) != 0)
        part = strchr(part + 1, '&');
    if (!part)
        return;
    part += 1 + strlen(SYMBOLS);
    size_t len = strcspn(part, "&#");
    memcpy(ret->text, part, len);
    ret->text[len] = '\0';
    ret->bad = !take_symbols(ret);
    if (ret->bad)
        ret->n = 0;
}

/* As there: with all that a chart says of the symbol, but for its days. */
static void append_v7(struct buffer *to, const struct symbol *symbol,
                      const char *asked, const char *price,
                      enum quote_field field)
{
    APPEND(to, "{\"symbol\":\"");
    text_append_json(to, asked);
    APPEND(to, "\",\"response\":[{");
    quotes_meta(to, asked, symbol->name, price, field, "1d");
    APPEND(to, ",\"timestamp\":[1786132801],\"indicators\":{\"quote\":[{"
               "\"close\":[1.0999755859375]}]}}]}");
}

static void append_v8(struct buffer *to, const char *asked, const char *price,
                      enum quote_field field)
{
    APPEND(to, "\"");
    text_append_json(to, asked);
    APPEND(to, "\":{\"timestamp\":[1786132801],\"symbol\":\"");
    text_append_json(to, asked);
    APPEND(to, "\",\"previousClose\":null,\"chartPreviousClose\":1.5,"
               "\"close\":[");
    if (field != QUOTE_NO_FIELD)
        buffer_append_text(to, field == QUOTE_NULL ? "null" : price);
    APPEND(to, "],\"dataGranularity\":300,\"end\":null,\"start\":null}");
}

static int fail(struct buffer *to, int status, const char *code,
                const char *description)
{
    buffer_printf(to,
                  "{\"spark\":{\"result\":null,\"error\":{\"code\":\"%s\","
                  "\"description\":\"%s\"}}}",
                  code, description);
    return status;
}

int spark_answer(struct symbols *symbols, const struct facts *facts,
                 const char *target, bool v8, const char *faulty,
                 enum quote_field field, struct buffer *to)
{
    struct spark spark;
    size_t n = 0, start = to->len;
    spark_parse(target, &spark);
    if (spark.bad)
        return fail(to, 400, "Bad Request", "symbols: 1 to 20 are allowed");
    buffer_append_text(to, v8 ? "{" : "{\"spark\":{\"result\":[");
    for (size_t i = 0; i < spark.n; i++) {
        const char *asked = spark.symbols[i];
        struct symbol symbol;
        char price[PRICE_BYTES_MAX];
        bool sound = *faulty && strcmp(faulty, asked) != 0;
        enum quote_field own = sound ? QUOTE_PRICE : field;
        if (!symbols_find(symbols, asked, &symbol))
            continue;
        buffer_append_text(to, n++ ? "," : "");
        facts_price(facts, asked, price);
        if (v8)
            append_v8(to, asked, price, own);
        else
            append_v7(to, &symbol, asked, price, own);
    }
    buffer_append_text(to, v8 ? "}" : "],\"error\":null}}");
    if (n)
        return 200;
    to->len = start;
    return fail(to, 404, "Not Found", "No data found for spark symbols");
}
