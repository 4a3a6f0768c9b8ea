/*
 * check.h: assertions that stay on in release builds.
 *
 * CHECK is for our own mistakes only: it logs and aborts, and the supervisor
 * starts the process anew. Whatever comes from outside (network, files,
 * databases, users) gets an error code instead (error.h).
 */
#ifndef BASE_CHECK_H
#define BASE_CHECK_H

#define MUSTCHECK __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))

#define CHECK(condition)                                                       \
    do {                                                                       \
        if (__builtin_expect(!(condition), 0))                                 \
            check_failed(__FILE__, __LINE__, __func__, #condition);            \
    } while (0)

#ifdef __cplusplus
extern "C" {
#endif
/* Prints "FILE:LINE: FUNCTION: CONDITION does not hold" and aborts. */
__attribute__((noreturn)) void check_failed(const char *file, int line,
                                            const char *function,
                                            const char *condition);
#ifdef __cplusplus
}
#endif

#endif
