/*
 * series.c: see series.h.
 *
 * A price is multiplied each day by a number from 0.98 to 1.0204, so it walks
 * about as a share does, and never to zero.
 */
#include "series.h"

#include <inttypes.h>

#include "text.h"

#define FIRST_DAY 1723037400 /* August 7, 2024, 13:30 UTC */
#define DAY_SECONDS 86400
#define STEP 0.0202

enum row { OPEN, HIGH, LOW, CLOSE, ADJCLOSE, VOLUME, N_ROWS };

/* The numbers of all days, and the day that is null. */
struct days {
    float prices[VOLUME][SERIES_DAYS];
    unsigned volumes[SERIES_DAYS];
    unsigned null_day;
};

/* From 0 to 1. */
static double draw(uint64_t *state)
{
    *state = text_mix(*state + 1);
    return (double)(*state >> 11) / (double)(1ULL << 53);
}

static void walk(unsigned shape, struct days *days)
{
    uint64_t state = text_mix(shape + 1);
    double price = 40 + 400 * draw(&state);
    days->null_day = (unsigned)(draw(&state) * SERIES_DAYS);
    for (int i = 0; i < SERIES_DAYS; i++) {
        double open = price * (1 + 0.005 * (draw(&state) - 0.5));
        double step = STEP * (2 * draw(&state) - 1);
        price *= step < 0 ? 1 / (1 - step) : 1 + step;
        double high = open > price ? open : price;
        double low = open < price ? open : price;
        days->prices[OPEN][i] = (float)open;
        days->prices[HIGH][i] = (float)(high * (1 + 0.01 * draw(&state)));
        days->prices[LOW][i] = (float)(low * (1 - 0.01 * draw(&state)));
        days->prices[CLOSE][i] = (float)price;
        days->prices[ADJCLOSE][i] = (float)(price * 0.984);
        days->volumes[i] = 1000000 + (unsigned)(draw(&state) * 9e7);
    }
}

/* Weekends are left out. */
static void append_timestamps(struct buffer *to)
{
    int64_t time = FIRST_DAY; /* a Wednesday */
    buffer_append_text(to, "\"timestamp\":[");
    for (int i = 0; i < SERIES_DAYS; i++) {
        buffer_printf(to, "%s%" PRId64, i ? "," : "", time);
        time += (i % 5 == 2 ? 3 : 1) * DAY_SECONDS;
    }
    buffer_append_text(to, "],\"indicators\":{\"quote\":[{");
}

static void append_row(struct buffer *to, const struct days *days, enum row row)
{
    static const char *const names[] = {"open",  "high",     "low",
                                        "close", "adjclose", "volume"};
    buffer_printf(to, "\"%s\":[", names[row]);
    for (unsigned i = 0; i < SERIES_DAYS; i++) {
        buffer_append_text(to, i ? "," : "");
        if (i == days->null_day)
            buffer_append_text(to, "null");
        else if (row == VOLUME)
            buffer_printf(to, "%u", days->volumes[i]);
        else
            buffer_printf(to, "%.17g", (double)days->prices[row][i]);
    }
    buffer_append_text(to, "]");
}

static void write_shape(struct buffer *to, unsigned shape)
{
    static const enum row quote[] = {LOW, VOLUME, OPEN, HIGH, CLOSE};
    struct days days;
    walk(shape, &days);
    append_timestamps(to);
    for (size_t i = 0; i < sizeof quote / sizeof *quote; i++) {
        buffer_append_text(to, i ? "," : "");
        append_row(to, &days, quote[i]);
    }
    buffer_append_text(to, "}],\"adjclose\":[{");
    append_row(to, &days, ADJCLOSE);
    buffer_append_text(to, "}]}}],\"error\":null}}");
}

struct slice series_of(struct series *series, const char *symbol)
{
    unsigned shape = (unsigned)(text_mix(text_hash(symbol)) % SERIES_SHAPES);
    struct buffer *text = &series->shapes[shape];
    if (!text->len)
        write_shape(text, shape);
    if (text->failed)
        buffer_free(text);
    return buffer_slice(text);
}

void series_fini(struct series *series)
{
    for (size_t i = 0; i < SERIES_SHAPES; i++)
        buffer_free(&series->shapes[i]);
}
