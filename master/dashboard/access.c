/* access.c: see access.h. Tokens are compared in a time that does not tell how
 * much of one was right. */
#include "access.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TOKEN_CHARACTERS                                                       \
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/="

static bool is_loopback(const char *address)
{
    struct in_addr four;
    struct in6_addr six;
    if (inet_pton(AF_INET, address, &four) == 1)
        return ntohl(four.s_addr) >> 24 == 127;
    return inet_pton(AF_INET6, address, &six) == 1 &&
           IN6_IS_ADDR_LOOPBACK(&six);
}

static bool is_address(const char *address)
{
    unsigned char any[sizeof(struct in6_addr)];
    return inet_pton(AF_INET, address, any) == 1 ||
           inet_pton(AF_INET6, address, any) == 1;
}

/* Parts HOST:PORT, [HOST]:PORT, or HOST alone; the port stays "" then. */
static bool split(const char *place, char *host, size_t room,
                  const char **ret_port)
{
    bool brackets = place[0] == '[';
    const char *begin = place + brackets;
    size_t len = strcspn(begin, brackets ? "]" : ":");
    const char *rest = begin + len + brackets;
    if (len >= room || (brackets && begin[len] != ']') ||
        (*rest && *rest != ':'))
        return false;
    memcpy(host, begin, len);
    host[len] = '\0';
    *ret_port = *rest ? rest + 1 : "";
    return true;
}

static bool read_port(const char *text, uint16_t *ret)
{
    char *end;
    unsigned long port = strtoul(text, &end, 10);
    if (!*text || *end || text[0] < '0' || text[0] > '9' || port > UINT16_MAX)
        return false;
    *ret = (uint16_t)port;
    return true;
}

static int read_place(const char *place, struct access *ret, struct error *err)
{
    const char *port;
    ret->port = 8765;
    if (!split(place, ret->address, sizeof ret->address, &port) ||
        (*port && !read_port(port, &ret->port)))
        return error_set(err, ERR_USAGE,
                         "the dashboard's place is ADDRESS:PORT, like "
                         "127.0.0.1:8765 or [::1]:8765, not %s",
                         place);
    if (!ret->address[0] || !strcmp(ret->address, "localhost"))
        snprintf(ret->address, sizeof ret->address, "127.0.0.1");
    if (is_address(ret->address))
        return 0;
    bool number = !ret->address[strspn(ret->address, "0123456789")];
    return error_set(err, ERR_USAGE,
                     "the dashboard listens at an address, like 127.0.0.1, "
                     "not at %s%s",
                     ret->address,
                     number ? "; for a port say 127.0.0.1:PORT" : "");
}

static int read_token(const char *token, struct error *err)
{
    size_t len = strlen(token);
    if (len >= ACCESS_TOKEN_BYTES_MIN && len <= ACCESS_TOKEN_BYTES_MAX &&
        strspn(token, TOKEN_CHARACTERS) == len)
        return 0;
    return error_set(err, ERR_SETTING,
                     "WINDROW_DASHBOARD_TOKEN: a token is %d to %d letters, "
                     "digits and -._~+/=, for instance what `openssl rand -hex "
                     "16` prints",
                     ACCESS_TOKEN_BYTES_MIN, ACCESS_TOKEN_BYTES_MAX);
}

int access_read(const char *place, const char *token, struct access *ret,
                struct error *err)
{
    struct access access = {.token = token && *token ? token : NULL};
    if (!place || !*place)
        place = ACCESS_DEFAULT_ADDRESS;
    if (read_place(place, &access, err) ||
        (access.token && read_token(access.token, err)))
        return (int)err->code;
    if (!access.token && !is_loopback(access.address))
        return error_set(err, ERR_USAGE,
                         "the dashboard at %s can be seen by others: set "
                         "WINDROW_DASHBOARD_TOKEN, or stay at 127.0.0.1",
                         access.address);
    *ret = access;
    return 0;
}

static bool is_own_host(const char *header)
{
    char host[ACCESS_ADDRESS_BYTES];
    const char *port;
    return header && split(header, host, sizeof host, &port) &&
           (!strcmp(host, "localhost") || is_loopback(host));
}

static bool same_token(const char *token, const char *given, size_t len)
{
    size_t own = strlen(token);
    unsigned char differs = len != own;
    for (size_t i = 0; i < len; i++)
        differs |= (unsigned char)(given[i] ^ token[i < own ? i : 0]);
    return !differs;
}

static bool bears_token(const char *token, const char *authorization)
{
    static const char scheme[] = "Bearer ";
    if (!authorization || strncmp(authorization, scheme, sizeof scheme - 1))
        return false;
    const char *given = authorization + sizeof scheme - 1;
    return same_token(token, given, strlen(given));
}

static bool has_cookie(const char *token, const char *cookies)
{
    static const char name[] = ACCESS_COOKIE "=";
    for (const char *at = cookies; at && *at;) {
        at += strspn(at, " ;");
        size_t len = strcspn(at, ";");
        if (!strncmp(at, name, sizeof name - 1) &&
            same_token(token, at + sizeof name - 1, len - (sizeof name - 1)))
            return true;
        at += len;
    }
    return false;
}

enum access_verdict access_judge(const struct access *access,
                                 const struct access_claim *claim)
{
    if (!access->token)
        return is_own_host(claim->host) ? ACCESS_GRANTED : ACCESS_WRONG_HOST;
    if (bears_token(access->token, claim->authorization) ||
        has_cookie(access->token, claim->cookie))
        return ACCESS_GRANTED;
    if (claim->token &&
        same_token(access->token, claim->token, strlen(claim->token)))
        return ACCESS_TOKEN_IN_URL;
    return ACCESS_DENIED;
}
