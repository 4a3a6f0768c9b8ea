/* error.c: see error.h. Also holds check_failed(), the other vocabulary. */
#include "base/error.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void check_failed(const char *file, int line, const char *function,
                  const char *condition)
{
    fprintf(stderr, "%s:%d: %s: %s does not hold; this is a bug in Windrow\n",
            file, line, function, condition);
    abort();
}

/* The names are in parentheses because they are macros, too. */
int(error_set)(struct error *err, enum error_code code, const char *format, ...)
{
    CHECK(code != ERR_NONE);
    if (err->code != ERR_NONE)
        return (int)err->code;
    va_list args;
    va_start(args, format);
    err->code = code;
    vsnprintf(err->text, sizeof err->text, format, args);
    va_end(args);
    return (int)err->code;
}

int(error_context)(struct error *err, const char *format, ...)
{
    CHECK(err->code != ERR_NONE);
    char context[ERROR_TEXT_BYTES / 2];
    va_list args;
    va_start(args, format);
    vsnprintf(context, sizeof context, format, args);
    va_end(args);

    size_t context_len = strlen(context);
    size_t room = sizeof err->text - context_len - 3;
    size_t text_len = strnlen(err->text, room);
    memmove(err->text + context_len + 2, err->text, text_len);
    memcpy(err->text, context, context_len);
    memcpy(err->text + context_len, ": ", 2);
    err->text[context_len + 2 + text_len] = '\0';
    return (int)err->code;
}

static const struct {
    const char *text;
    enum error_kind kind;
} descriptions[] = {[ERR_NONE] = {"no error", ERROR_GIVE_UP},
#define X(code, text, kind) [code] = {text, kind},
                    ERROR_LIST(X)
#undef X
};

const char *error_code_text(enum error_code code)
{
    CHECK((size_t)code < sizeof descriptions / sizeof *descriptions);
    return descriptions[code].text;
}

enum error_kind error_code_kind(enum error_code code)
{
    CHECK((size_t)code < sizeof descriptions / sizeof *descriptions);
    return descriptions[code].kind;
}
