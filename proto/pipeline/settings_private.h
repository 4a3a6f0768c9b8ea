/* settings_private.h: what settings*.c share. */
#ifndef PIPELINE_SETTINGS_PRIVATE_H
#define PIPELINE_SETTINGS_PRIVATE_H

#include "base/arena.h"
#include "pipeline/settings.h"

/* One variable of a file. */
struct setting_entry {
    struct setting_entry *next;
    const char *name;
    const char *value;
};

struct settings {
    struct arena arena;            /* entries and their texts */
    struct setting_entry *entries; /* those of earlier files first; within a
                                      file, later lines first */
};

#endif
