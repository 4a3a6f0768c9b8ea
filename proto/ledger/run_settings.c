/* run_settings.c: see run_settings.h. */
#include "ledger/run_settings.h"

#include <jansson.h>
#include <stdio.h>

#include "ledger/ledger.h"

#define NAME_BYTES 256

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
    return json_pack("s++", "fingerprint ", hash, "");
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
