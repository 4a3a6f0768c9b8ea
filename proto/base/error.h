/*
 * error.h: the one list of errors, and how a function reports one.
 *
 * A function that can fail takes a `struct error *err` last, returns 0 or the
 * (non-zero) code, and leaves its ret_ arguments untouched on failure. The
 * first error wins: error_set() on an error that is already set does nothing.
 * A caller adds context with error_context(), which puts words in front.
 *
 *     struct error err = ERROR_NONE;
 *     if (ledger_open(url, &ledger, &err))
 *         return error_context(&err, "opening the ledger");
 */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include <stdarg.h>
#include <stdbool.h>

#include "base/check.h"

/*
 * What to do about it. RETRY: the world may be better later (memory too: what
 * holds it ends). GIVE_UP: it will not. USER: the user asked for something that
 * can't be; tell how to ask.
 */
enum error_kind { ERROR_RETRY, ERROR_GIVE_UP, ERROR_USER };

/* code, text, kind */
#define ERROR_LIST(X)                                                          \
    X(ERR_USAGE, "bad usage", ERROR_USER)                                      \
    X(ERR_PIPELINE, "bad pipeline", ERROR_USER)                                \
    X(ERR_SETTING, "bad setting", ERROR_USER)                                  \
    X(ERR_NOT_FOUND, "not found", ERROR_USER)                                  \
    X(ERR_CONFLICT, "in use by another", ERROR_USER)                           \
    X(ERR_FILE, "file error", ERROR_GIVE_UP)                                   \
    X(ERR_MEMORY, "out of memory", ERROR_RETRY)                                \
    X(ERR_LIMIT, "a limit was reached", ERROR_GIVE_UP)                         \
    X(ERR_MESSAGE, "bad message", ERROR_GIVE_UP)                               \
    X(ERR_VERSION, "version mismatch", ERROR_GIVE_UP)                          \
    X(ERR_SYSTEM, "system call failed", ERROR_GIVE_UP)                         \
    X(ERR_DATABASE_AWAY, "database unreachable", ERROR_RETRY)                  \
    X(ERR_DATABASE_DATA, "database refused the data", ERROR_GIVE_UP)           \
    X(ERR_DATABASE, "database error", ERROR_GIVE_UP)                           \
    X(ERR_TABLE, "table can't hold the rows", ERROR_USER)                      \
    X(ERR_LEASE_LOST, "the run belongs to another master", ERROR_GIVE_UP)

enum error_code {
    ERR_NONE = 0,
#define X(code, text, kind) code,
    ERROR_LIST(X)
#undef X
};

#define ERROR_TEXT_BYTES 512

struct error {
    enum error_code code;
    char text[ERROR_TEXT_BYTES];
};

#define ERROR_NONE ((struct error){.code = ERR_NONE})

#ifdef __cplusplus
extern "C" {
#endif

/* Sets code and text unless `err` holds an error already; returns the code
 * that `err` holds afterwards. A text that is too long is cut. */
int error_set(struct error *err, enum error_code code, const char *format, ...)
    PRINTF_LIKE(3, 4);

/* Puts "CONTEXT: " in front of the text; returns the code. */
int error_context(struct error *err, const char *format, ...) PRINTF_LIKE(2, 3);

/* Neither returns 0. Compilers and analyzers that know it do not take what a
 * function returns by `return error_set(...)` for a success. */
static inline int error_nonzero(int code)
{
    if (code == 0)
        __builtin_unreachable();
    return code;
}
#define error_set(...) error_nonzero(error_set(__VA_ARGS__))
#define error_context(...) error_nonzero(error_context(__VA_ARGS__))

/* The list's text for a code, for instance "bad usage". */
const char *error_code_text(enum error_code code);
enum error_kind error_code_kind(enum error_code code);

#ifdef __cplusplus
}
#endif

#endif
