/* extract_text.c: see extract_text.h. ASCII only, whatever the locale. */
#include "extract_text.h"

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* How many of the first bytes of `text` are digits. */
static size_t digits(struct slice text)
{
    size_t n = 0;
    while (n < text.len && is_digit(text.data[n]))
        n++;
    return n;
}

static void advance(struct slice *text, size_t n)
{
    text->data += n;
    text->len -= n;
}

static bool starts_with(struct slice text, char a, char b)
{
    return text.len && (text.data[0] == a || text.data[0] == b);
}

/* Takes `-?(0|[1-9][0-9]*)` off the front of `text`. */
static bool take_integer(struct slice *text)
{
    if (starts_with(*text, '-', '-'))
        advance(text, 1);
    size_t n = digits(*text);
    if (n == 0 || (n > 1 && text->data[0] == '0'))
        return false;
    advance(text, n);
    return true;
}

bool extract_text_is_integer(struct slice text)
{
    return take_integer(&text) && text.len == 0;
}

bool extract_text_is_number(struct slice text)
{
    if (!take_integer(&text))
        return false;
    if (starts_with(text, '.', '.')) {
        advance(&text, 1);
        size_t n = digits(text);
        if (n == 0)
            return false;
        advance(&text, n);
    }
    if (starts_with(text, 'e', 'E')) {
        advance(&text, 1);
        if (starts_with(text, '+', '-'))
            advance(&text, 1);
        size_t n = digits(text);
        if (n == 0)
            return false;
        advance(&text, n);
    }
    return text.len == 0;
}

/* The bytes of the white space that `text` begins with; 0: none. */
static size_t space(const char *text, size_t len)
{
    if (len == 0)
        return 0;
    if (text[0] == ' ' || (text[0] >= '\t' && text[0] <= '\r'))
        return 1;
    return len > 1 && !memcmp(text, "\xc2\xa0", 2) ? 2 : 0;
}

struct slice extract_text_trim(struct slice text)
{
    size_t n;
    while ((n = space(text.data, text.len)))
        advance(&text, n);
    for (;;) {
        if (text.len > 1 && space(text.data + text.len - 2, 2) == 2)
            text.len -= 2;
        else if (text.len && space(text.data + text.len - 1, 1))
            text.len--;
        else
            return text;
    }
}

size_t extract_text_squeeze(char *data, size_t len)
{
    size_t out = 0;
    bool gap = false;
    for (size_t i = 0; i < len;) {
        size_t n = space(data + i, len - i);
        if (n) {
            gap = out > 0;
            i += n;
            continue;
        }
        if (gap)
            data[out++] = ' ';
        gap = false;
        data[out++] = data[i++];
    }
    return out;
}

/* The length of `text` without one footnote mark; its length if none is
 * there. */
static size_t without_one_mark(struct slice text)
{
    if (text.len < 3 || text.data[text.len - 1] != ']')
        return text.len;
    for (size_t n = 1; n <= EXTRACT_FOOTNOTE_BYTES_MAX && n + 1 < text.len;
         n++) {
        char c = text.data[text.len - 1 - n];
        if (c == ']')
            break;
        if (c == '[')
            return n > 1 ? text.len - 1 - n : text.len;
    }
    return text.len;
}

struct slice extract_text_without_footnotes(struct slice text)
{
    for (;;) {
        text = extract_text_trim(text);
        size_t len = without_one_mark(text);
        if (len == text.len)
            return text;
        text.len = len;
    }
}

/* Whether the commas of `text` (digits, then anything) part groups of three,
 * the first of one to three digits. */
static bool has_thousands(struct slice text)
{
    size_t n = digits(text);
    if (n < 1 || n > 3)
        return false;
    advance(&text, n);
    while (starts_with(text, ',', ',')) {
        advance(&text, 1);
        if (digits(text) != 3)
            return false;
        advance(&text, 3);
    }
    /* A comma further on (1,234.5,6) is left for the grammar to refuse. */
    return true;
}

size_t extract_text_plain_number(char *data, size_t len)
{
    bool sign = len && (data[0] == '+' || data[0] == '-');
    size_t in = sign, out = sign && data[0] == '-';
    bool thousands = has_thousands((struct slice){data + in, len - in});
    /* "+" alone, "+-1": not of that form. */
    if (sign && (len < 2 || !is_digit(data[1])))
        return len;
    for (; in < len && (is_digit(data[in]) || (thousands && data[in] == ','));
         in++)
        if (data[in] != ',')
            data[out++] = data[in];
    memmove(data + out, data + in, len - in);
    return out + len - in;
}
