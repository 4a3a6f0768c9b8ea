/* fetch_age.c: see fetch_age.h. */
#include "fetch_age.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#define SECONDS_MAX (AGE_FRESH_MAX / USEC_PER_SEC)

/* Digits alone; -1: something else. What is too large is SECONDS_MAX. */
static long long parse_seconds(const char *text, size_t len)
{
    long long seconds = 0;
    if (len >= 2 && text[0] == '"' && text[len - 1] == '"') {
        text++;
        len -= 2;
    }
    for (size_t i = 0; i < len; i++) {
        if (!isdigit((unsigned char)text[i]))
            return -1;
        seconds = seconds * 10 + text[i] - '0';
        if (seconds > SECONDS_MAX)
            seconds = SECONDS_MAX;
    }
    return len ? seconds : -1;
}

static bool is_named(const char *text, size_t len, const char *name)
{
    return len == strlen(name) && !strncasecmp(text, name, len);
}

static void add_directive(struct age *age, const char *text, size_t len)
{
    static const char max_age[] = "max-age=";
    size_t n = sizeof max_age - 1;
    if (is_named(text, len, "no-store")) {
        age->no_store = true;
    } else if (is_named(text, len, "no-cache")) {
        age->no_cache = true;
    } else if (len >= n && !strncasecmp(text, max_age, n)) {
        long long seconds = parse_seconds(text + n, len - n);
        age->max_age = seconds < 0 ? 0 : seconds;
    }
}

void age_add(struct age *age, const char *cache_control)
{
    const char *at = cache_control;
    while (*at) {
        size_t len = strcspn(at, ",");
        const char *text = at;
        size_t text_len = len;
        for (; text_len && isspace((unsigned char)*text); text_len--)
            text++;
        while (text_len && isspace((unsigned char)text[text_len - 1]))
            text_len--;
        add_directive(age, text, text_len);
        at += len + (at[len] == ',');
    }
}

usec_t age_fresh(const struct age *age, const char *age_header, time_t expires,
                 time_t date)
{
    long long seconds = age->max_age;
    if (age->no_store || age->no_cache)
        return 0;
    if (seconds < 0)
        seconds = expires == -1 || date == -1 ? 0 : expires - date;
    if (age_header) {
        long long old = parse_seconds(age_header, strlen(age_header));
        seconds = old < 0 ? 0 : seconds - old;
    }
    if (seconds <= 0)
        return 0;
    return (seconds < SECONDS_MAX ? seconds : SECONDS_MAX) * USEC_PER_SEC;
}
