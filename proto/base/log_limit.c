/* log_limit.c: see log_limit.h. */
#include "base/log_limit.h"

#include <stdio.h>
#include <string.h>

/* The kind's place, which may have been another's. */
static struct log_kind *place_of(struct log_limit *limit, const char *name)
{
    struct log_kind *oldest = &limit->kinds[0];
    for (size_t i = 0; i < LOG_LIMIT_KINDS; i++) {
        struct log_kind *kind = &limit->kinds[i];
        if (!strcmp(kind->name, name))
            return kind;
        if (kind->next < oldest->next)
            oldest = kind;
    }
    *oldest = (struct log_kind){.next = 0};
    snprintf(oldest->name, sizeof oldest->name, "%s", name);
    return oldest;
}

bool log_limit_pass(struct log_limit *limit, const char *kind, usec_t now,
                    int64_t *ret_left_out)
{
    char name[LOG_LIMIT_KIND_BYTES];
    snprintf(name, sizeof name, "%s", kind);
    struct log_kind *place = place_of(limit, name);
    if (now < place->next) {
        place->left_out++;
        return false;
    }
    *ret_left_out = place->left_out;
    place->left_out = 0;
    place->next = now + limit->interval;
    return true;
}

const char *log_limit_left(struct log_limit *limit, int64_t *ret_left_out)
{
    for (size_t i = 0; i < LOG_LIMIT_KINDS; i++) {
        struct log_kind *kind = &limit->kinds[i];
        if (!kind->left_out)
            continue;
        *ret_left_out = kind->left_out;
        kind->left_out = 0;
        return kind->name;
    }
    return NULL;
}
