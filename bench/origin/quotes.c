/*
 * quotes.c: see quotes.h.
 *
 * All numbers but the price are made up from the hash of the symbol, so that
 * none of them is the price by chance, and an answer is the same each time.
 * What two years of days hold is series.h's.
 */
#include "quotes.h"

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>

#include "text.h"

#define APPEND(to, text) buffer_append((to), (text), sizeof(text) - 1)

const char quotes_not_found[] =
    "{\"chart\":{\"result\":null,\"error\":{\"code\":\"Not Found\","
    "\"description\":\"No data found, symbol may be delisted\"}}}";

static void append_price(struct buffer *to, const char *price,
                         enum quote_field field)
{
    if (field == QUOTE_NO_FIELD)
        return;
    APPEND(to, "\"regularMarketPrice\":");
    buffer_append_text(to, field == QUOTE_NULL ? "null" : price);
    APPEND(to, ",");
}

static void append_names(struct buffer *to, const char *symbol,
                         const char *name)
{
    APPEND(to, "\"meta\":{\"currency\":\"USD\",\"symbol\":\"");
    text_append_json(to, symbol);
    APPEND(to, "\",\"exchangeName\":\"NYQ\",\"fullExchangeName\":\"NYSE\","
               "\"instrumentType\":\"EQUITY\",\"firstTradeDate\":345479400,"
               "\"regularMarketTime\":1786132801,"
               "\"hasPrePostMarketData\":true,\"gmtoffset\":-14400,"
               "\"timezone\":\"EDT\","
               "\"exchangeTimezoneName\":\"America/New_York\",\"longName\":\"");
    text_append_json(to, name);
    APPEND(to, "\",\"shortName\":\"");
    text_append_json(to, name);
    APPEND(to, "\",");
}

static void append_range(struct buffer *to, uint64_t hash)
{
    char text[320];
    unsigned base = 1000 + (unsigned)(hash % 1000);
    unsigned cents = (unsigned)(hash / 1000 % 90) + 10;
    int len = snprintf(text, sizeof text,
                       "\"fiftyTwoWeekHigh\":%u.%02u,\"fiftyTwoWeekLow\":%u.1,"
                       "\"regularMarketDayHigh\":%u.%02u,"
                       "\"regularMarketDayLow\":%u.5,"
                       "\"regularMarketVolume\":%u,"
                       "\"chartPreviousClose\":%u.%02u,",
                       base + 300, cents, base - 300, base + 9, cents, base - 9,
                       (unsigned)(hash >> 40), base + 1, cents);
    buffer_append(to, text, (size_t)len);
}

static void append_rest(struct buffer *to, uint64_t hash)
{
    char text[384];
    unsigned base = 1000 + (unsigned)(hash % 1000);
    int len = snprintf(
        text, sizeof text,
        "\"timestamp\":[1786132801],\"indicators\":{\"quote\":[{"
        "\"low\":[%u.5],\"volume\":[%u],\"open\":[%u.25],\"high\":[%u.75],"
        "\"close\":[%u.0999755859375]}],"
        "\"adjclose\":[{\"adjclose\":[%u.0999755859375]}]}}],\"error\":null}}",
        base - 9, (unsigned)(hash >> 40), base, base + 9, base + 2, base + 2);
    buffer_append(to, text, (size_t)len);
}

void quotes_meta(struct buffer *to, const char *symbol, const char *name,
                 const char *price, enum quote_field field, const char *range)
{
    uint64_t hash = text_mix(text_hash(symbol));
    bool early = hash % 2; /* the order of the real keys changes as well */
    append_names(to, symbol, name);
    if (early)
        append_price(to, price, field);
    append_range(to, hash / 2);
    if (!early)
        append_price(to, price, field);
    APPEND(to, "\"priceHint\":2,\"currentTradingPeriod\":{"
               "\"pre\":{\"timezone\":\"EDT\",\"start\":1786089600,"
               "\"end\":1786109400,\"gmtoffset\":-14400},"
               "\"regular\":{\"timezone\":\"EDT\",\"start\":1786109400,"
               "\"end\":1786132800,\"gmtoffset\":-14400},"
               "\"post\":{\"timezone\":\"EDT\",\"start\":1786132800,"
               "\"end\":1786147200,\"gmtoffset\":-14400}},"
               "\"dataGranularity\":\"1d\",\"range\":\"");
    buffer_append_text(to, range);
    APPEND(to, "\","
               "\"validRanges\":[\"1d\",\"5d\",\"1mo\",\"3mo\",\"6mo\",\"1y\","
               "\"2y\",\"5y\",\"10y\",\"ytd\",\"max\"]}");
}

void quotes_chart(struct buffer *to, const char *symbol, const char *name,
                  const char *price, enum quote_field field,
                  struct slice two_years)
{
    APPEND(to, "{\"chart\":{\"result\":[{");
    quotes_meta(to, symbol, name, price, field, two_years.len ? "2y" : "1d");
    APPEND(to, ",");
    if (two_years.len)
        buffer_append_slice(to, two_years);
    else
        append_rest(to, text_mix(text_hash(symbol)) / 2);
}

void quotes_page(struct buffer *to, const char *symbol, const char *name,
                 const char *price, enum quote_field field)
{
    APPEND(to, "<!DOCTYPE html>\n<html lang=\"en-US\">\n<head>\n"
               "<meta charset=\"utf-8\">\n<title>");
    text_append_html(to, name);
    APPEND(to, " (");
    text_append_html(to, symbol);
    APPEND(to, ") Stock Price, News, Quote</title>\n</head>\n<body>\n"
               "<div class=\"summary\"><fin-streamer data-symbol=\"^GSPC\" "
               "data-field=\"regularMarketPrice\" data-value=\"5808.12\">"
               "5,808.12</fin-streamer></div>\n<section class=\"main\">\n"
               "<h1>");
    text_append_html(to, name);
    APPEND(to, "</h1>\n");
    if (field != QUOTE_NO_FIELD) {
        APPEND(to, "<span data-testid=\"qsp-price\">");
        buffer_append_text(to, field == QUOTE_NULL ? "" : price);
        APPEND(to, "</span>\n");
    }
    APPEND(to, "<span data-testid=\"qsp-price-change\">+1.07</span>\n"
               "</section>\n</body>\n</html>\n");
}
