/*
 * settings.c: the table, and who wins: environment, files, table.
 *
 * The environment is asked each time rather than copied: nothing of it needs
 * memory, and nothing changes it once a program has started.
 */
#include "pipeline/settings.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/log.h"
#include "pipeline/settings_private.h"
#include "pipeline/settings_table.h"

const struct setting settings_table[SETTINGS_N] = {
    SETTINGS(SETTINGS_TABLE_ROW)};

static int compare_name(const void *name, const void *setting)
{
    return strcmp(name, ((const struct setting *)setting)->name);
}

static const struct setting *find_setting(const char *name)
{
    return bsearch(name, settings_table, SETTINGS_N, sizeof *settings_table,
                   compare_name);
}

struct settings *settings_new(void)
{
    return calloc(1, sizeof(struct settings));
}

void settings_free(struct settings **settings)
{
    if (!*settings)
        return;
    arena_free(&(*settings)->arena);
    free(*settings);
    *settings = NULL;
}

const char *settings_get(const struct settings *settings, const char *name)
{
    const char *value = getenv(name);
    if (value)
        return value;
    const struct setting_entry *entry = settings->entries;
    for (; entry; entry = entry->next)
        if (!strcmp(entry->name, name))
            return entry->value;
    const struct setting *setting = find_setting(name);
    return setting ? setting->default_value : NULL;
}

static bool parse_value(const struct setting *setting, const char *text,
                        int64_t *ret)
{
    CHECK(setting->type != SETTING_TEXT);
    if (setting->type == SETTING_DURATION)
        return parse_duration(text, ret);
    return parse_bytes(text, ret);
}

int settings_get_integer(const struct settings *settings, const char *name,
                         int64_t *ret, struct error *err)
{
    const struct setting *setting = find_setting(name);
    const char *text = settings_get(settings, name);
    int64_t value, least, most;

    CHECK(setting && text);
    if (!*text)
        text = setting->default_value;
    CHECK(parse_value(setting, setting->least, &least));
    CHECK(parse_value(setting, setting->most, &most));
    if (!parse_value(setting, text, &value) || value < least || value > most)
        return error_set(
            err, ERR_SETTING, "%s is '%.60s'; %s from %s to %s is allowed",
            name, text,
            setting->type == SETTING_DURATION ? "a duration" : "a size",
            setting->least, setting->most);
    *ret = value;
    return 0;
}

int settings_check(const struct settings *settings, struct error *err)
{
    int64_t value, heartbeat, lease;
    for (size_t i = 0; i < SETTINGS_N; i++)
        if (settings_table[i].type != SETTING_TEXT &&
            settings_get_integer(settings, settings_table[i].name, &value, err))
            return (int)err->code;
    const char *level = settings_get(settings, "WINDROW_LOG_LEVEL");
    if (*level && log_level_parse(level) < 0)
        return error_set(err, ERR_SETTING,
                         "WINDROW_LOG_LEVEL is '%.60s'; debug, info, warn or "
                         "error is allowed",
                         level);
    const char *confine = settings_get(settings, "WINDROW_CONFINE");
    if (*confine && strcmp(confine, "yes") && strcmp(confine, "no"))
        return error_set(err, ERR_SETTING,
                         "WINDROW_CONFINE is '%.60s'; yes or no is allowed",
                         confine);
    const char *ca_file = settings_get(settings, "WINDROW_CA_FILE");
    if (ca_file && *ca_file && access(ca_file, R_OK))
        return error_set(err, ERR_SETTING, "WINDROW_CA_FILE: %.200s: %s",
                         ca_file, strerror(errno));
    if (settings_get_integer(settings, "WINDROW_HEARTBEAT", &heartbeat, err) ||
        settings_get_integer(settings, "WINDROW_LEASE", &lease, err))
        return (int)err->code;
    if (lease < heartbeat)
        return error_set(err, ERR_SETTING,
                         "WINDROW_LEASE is shorter than WINDROW_HEARTBEAT: "
                         "every node would be given up");
    return 0;
}

bool settings_is_secret(const char *name)
{
    const struct setting *setting = find_setting(name);
    return setting && setting->secret;
}

bool settings_next_public(const struct settings *settings, size_t *position,
                          const char **ret_name, const char **ret_value)
{
    while (*position < SETTINGS_N) {
        const struct setting *setting = &settings_table[(*position)++];
        const char *value = settings_get(settings, setting->name);
        if (setting->secret || !value)
            continue;
        *ret_name = setting->name;
        *ret_value = value;
        return true;
    }
    return false;
}
