/* utf8.c: see utf8.h. */
#include "base/utf8.h"

size_t utf8_len(struct slice text)
{
    const unsigned char *p = (const unsigned char *)text.data;
    if (p[0] < 0x80)
        return 1;
    size_t len = p[0] >= 0xF0 ? 4 : p[0] >= 0xE0 ? 3 : 2;
    if (p[0] < 0xC2 || p[0] > 0xF4 || text.len < len)
        return 0;
    for (size_t i = 1; i < len; i++)
        if ((p[i] & 0xC0) != 0x80)
            return 0;
    if ((p[0] == 0xE0 && p[1] < 0xA0) || (p[0] == 0xED && p[1] > 0x9F) ||
        (p[0] == 0xF0 && p[1] < 0x90) || (p[0] == 0xF4 && p[1] > 0x8F))
        return 0;
    return len;
}

bool utf8_is_text(struct slice text)
{
    while (text.len) {
        size_t len = utf8_len(text);
        if (len == 0 || text.data[0] == '\0')
            return false;
        text.data += len;
        text.len -= len;
    }
    return true;
}
