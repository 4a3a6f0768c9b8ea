/* run_settings.c: see run_settings.h. */
#include "ledger/run_settings.h"

#include <jansson.h>
#include <stdio.h>

#include "ledger/ledger.h"

#define NAME_BYTES 256
#define FINGERPRINT "fingerprint "

/* The next NAME of a ${NAME...} behind *at, into `name`; false at the end. */
static bool next_name(struct slice text, size_t *at, char name[NAME_BYTES])
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                  "abcdefghijklmnopqrstuvwxyz0123456789_";
    while (*at + 2 < text.len) {
        const char *found = memmem(text.data + *at, text.len - *at, "${", 2);
        if (!found)
            return false;
        size_t from = (size_t)(found - text.data) + 2, len = 0;
        while (from + len < text.len && text.data[from + len] &&
               strchr(allowed, text.data[from + len]))
            len++;
        *at = from + len;
        if (len == 0 || len >= NAME_BYTES)
            continue;
        memcpy(name, text.data + from, len);
        name[len] = '\0';
        return true;
    }
    return false;
}

static bool is_public(const struct settings *settings, const char *name)
{
    const char *known, *value;
    size_t position = 0;
    while (settings_next_public(settings, &position, &known, &value))
        if (!strcmp(known, name))
            return true;
    return false;
}

static json_t *describe(const struct settings *settings, const char *name,
                        bool public)
{
    const char *value = settings_get(settings, name);
    char hash[17];
    if (!value)
        return json_null();
    if (public)
        return json_string(value);
    ledger_hash_text(slice_of(value), hash);
    return json_pack("s++", FINGERPRINT, hash, "");
}

static char *describe_all(const struct settings *settings,
                          struct slice pipeline, bool own)
{
    char name[NAME_BYTES];
    size_t at = 0;
    json_t *object = json_object();
    while (next_name(pipeline, &at, name)) {
        bool public = is_public(settings, name);
        if (settings_is_secret(name) || (!public && !own))
            continue;
        if (json_object_set_new(object, name,
                                describe(settings, name, public))) {
            json_decref(object);
            return NULL;
        }
    }
    char *text = json_dumps(object, JSON_SORT_KEYS | JSON_COMPACT);
    json_decref(object);
    return text;
}

char *run_settings(const struct settings *settings, struct slice pipeline)
{
    return describe_all(settings, pipeline, true);
}

char *run_settings_public(const struct settings *settings,
                          struct slice pipeline)
{
    return describe_all(settings, pipeline, false);
}

/* ---- what differs ---- */

static bool is_own(const json_t *value)
{
    return json_is_string(value) &&
           !strncmp(json_string_value(value), FINGERPRINT,
                    sizeof FINGERPRINT - 1);
}

static void put_value(const char *verb, const json_t *value, struct buffer *ret)
{
    if (!json_is_string(value))
        buffer_printf(ret, "%s not set", verb);
    else if (is_own(value))
        buffer_printf(ret, "%s set", verb);
    else
        buffer_printf(ret, "%s %s", verb,
                      *json_string_value(value) ? json_string_value(value)
                                                : "empty");
}

static void put_difference(const char *name, const json_t *then,
                           const json_t *now, struct buffer *ret)
{
    buffer_printf(ret, "  %s ", name);
    if (is_own(then) && is_own(now)) {
        buffer_append_text(ret, "has another value now\n");
        return;
    }
    put_value("was", then, ret);
    put_value(", is", now, ret);
    buffer_append_char(ret, '\n');
}

void run_settings_compare(const char *then, const char *now, struct buffer *ret)
{
    const char *name;
    json_t *value;
    json_t *old = json_loads(then, 0, NULL), *new = json_loads(now, 0, NULL);
    json_object_foreach(old, name, value)
    {
        const json_t *other = json_object_get(new, name);
        if (!json_equal(value, other))
            put_difference(name, value, other, ret);
    }
    json_object_foreach(new, name, value)
    {
        if (!json_object_get(old, name))
            put_difference(name, NULL, value, ret);
    }
    json_decref(old);
    json_decref(new);
}
