/*
 * access.h: who may see the dashboard. No I/O.
 *
 * On loopback without a token: whoever is on this machine; but the Host that
 * the browser asked for must be loopback's too, or a page from elsewhere whose
 * name was made to point here could read along. With a token: whoever has it,
 * as `Authorization: Bearer TOKEN`, or in a cookie, which one visit of
 * `?token=TOKEN` sets.
 */
#ifndef DASHBOARD_ACCESS_H
#define DASHBOARD_ACCESS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

#define ACCESS_TOKEN_BYTES_MIN 16
#define ACCESS_TOKEN_BYTES_MAX 256
#define ACCESS_COOKIE "windrow_token"
#define ACCESS_ADDRESS_BYTES 64
#define ACCESS_DEFAULT_ADDRESS "127.0.0.1:8765"

struct access {
    char address[ACCESS_ADDRESS_BYTES]; /* without the brackets of IPv6 */
    uint16_t port;                      /* 0: any that is free */
    const char *token;                  /* NULL: none */
};

/* `place` is ADDRESS, ADDRESS:PORT or :PORT, with an IPv6 address in brackets;
 * NULL or "": ACCESS_DEFAULT_ADDRESS. `token` NULL or "": none. ERR_USAGE for
 * what is no place, or another than loopback without a token; ERR_SETTING for
 * a token that is too short, too long, or can't stand in a cookie. */
MUSTCHECK
int access_read(const char *place, const char *token, struct access *ret,
                struct error *err);

enum access_verdict {
    ACCESS_GRANTED,
    ACCESS_TOKEN_IN_URL, /* granted: the cookie is to be set */
    ACCESS_WRONG_HOST,
    ACCESS_DENIED,
};

/* What a request says; NULL: nothing. */
struct access_claim {
    const char *host, *authorization, *cookie;
    const char *token; /* of the query */
};
enum access_verdict access_judge(const struct access *access,
                                 const struct access_claim *claim);

#endif
