/* time_zone.c: see time_zone.h. The C library takes an unknown name for UTC
 * without a word, so the name is looked up before. */
#include "time_zone.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static bool is_name(const char *name)
{
    return *name && *name != '/' && *name != '.' && !strstr(name, "/.") &&
           strlen(name) <= TIME_ZONE_NAME_BYTES_MAX;
}

/* All of tzdata's files of zones begin so (RFC 8536). */
static bool has_file(const char *name)
{
    char path[sizeof TIME_ZONE_FOLDER + 1 + TIME_ZONE_NAME_BYTES_MAX];
    char begin[4] = "";
    snprintf(path, sizeof path, "%s/%s", TIME_ZONE_FOLDER, name);
    FILE *file = fopen(path, "re");
    bool good = file && fread(begin, 1, sizeof begin, file) == sizeof begin &&
                !memcmp(begin, "TZif", sizeof begin);
    if (file)
        fclose(file);
    return good;
}

int time_zone_use(const char *name, struct error *err)
{
    if (strcmp(name, "UTC") != 0 && !(is_name(name) && has_file(name)))
        return error_set(err, ERR_USAGE,
                         "there is no zone \"%s\" in " TIME_ZONE_FOLDER
                         " (Debian's package tzdata); names are like "
                         "America/New_York",
                         name);
    if (setenv("TZ", name, 1))
        return error_set(err, ERR_MEMORY, "no memory for a setting");
    tzset();
    return 0;
}
