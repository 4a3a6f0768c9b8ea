/* reason.c: see reason.h. */
#include "ledger/reason.h"

#include <string.h>

#include "base/check.h"

static const struct {
    const char *name;
    bool retry;
    const char *text;
} reasons[REASON_COUNT] = {[REASON_NONE] = {"none", false, "it did not fail"},
#define X(id, name, retry, text) [id] = {name, retry, text},
                           REASON_LIST(X)
#undef X
};

const char *reason_name(enum reason reason)
{
    CHECK(reason < REASON_COUNT);
    return reasons[reason].name;
}

const char *reason_text(enum reason reason)
{
    CHECK(reason < REASON_COUNT);
    return reasons[reason].text;
}

bool reason_may_pass(enum reason reason)
{
    CHECK(reason < REASON_COUNT);
    return reasons[reason].retry;
}

enum reason reason_parse(const char *name)
{
    for (int i = 1; i < REASON_COUNT; i++)
        if (!strcmp(name, reasons[i].name))
            return (enum reason)i;
    return REASON_NONE;
}
