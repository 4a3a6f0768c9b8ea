/* endpoint.c: see endpoint.h. */
#include "wire/endpoint.h"

#include <stdio.h>
#include <stdlib.h>

static int bad(const char *place, struct error *err)
{
    return error_set(err, ERR_USAGE,
                     "\"%s\" is no place for a cluster: write "
                     "ipc://FOLDER or tcp://HOST:PORT",
                     place);
}

static bool fits(int wrote)
{
    return wrote > 0 && wrote < SOCKET_ENDPOINT_BYTES;
}

/* "tcp://HOST" without the port; 0 where it is none. */
static int host_len(const char *endpoint)
{
    const char *colon = strrchr(endpoint, ':');
    if (!endpoint_is_tcp(endpoint) || !colon || colon < endpoint + 7)
        return 0;
    return (int)(colon - endpoint);
}

int endpoints_of(const char *place, struct endpoints *ret, struct error *err)
{
    struct endpoints found;
    if (!strncmp(place, "ipc://", 6) && place[6]) {
        if (!fits(snprintf(found.reports, sizeof found.reports, "%s/reports",
                           place)) ||
            !fits(snprintf(found.control, sizeof found.control, "%s/control",
                           place)))
            return bad(place, err);
        *ret = found;
        return 0;
    }
    int len = host_len(place);
    const char *digits = place + len + 1;
    if (!len || strspn(digits, "0123456789") != strlen(digits))
        return bad(place, err);
    long port = strtol(digits, NULL, 10);
    if (port < 1 || port > 65534)
        return bad(place, err);
    if (!fits(snprintf(found.reports, sizeof found.reports, "%.*s:%ld", len,
                       place, port)) ||
        !fits(snprintf(found.control, sizeof found.control, "%.*s:%ld", len,
                       place, port + 1)))
        return bad(place, err);
    *ret = found;
    return 0;
}

bool endpoint_is_tcp(const char *place)
{
    return !strncmp(place, "tcp://", 6);
}

static bool has_host(const char *place, const char *host)
{
    size_t len = strlen(host);
    return !strncmp(place + 6, host, len) && place[6 + len] == ':';
}

/* 127.0.0.0/8, in full. */
static bool is_loopback_address(const char *host)
{
    int parts[3], used = 0;
    return sscanf(host, "127.%3d.%3d.%3d%n", &parts[0], &parts[1], &parts[2],
                  &used) == 3 &&
           host[used] == ':';
}

bool endpoint_is_local(const char *place)
{
    if (!endpoint_is_tcp(place))
        return true;
    return is_loopback_address(place + 6) || has_host(place, "[::1]") ||
           has_host(place, "localhost");
}

static int join(const char *from, int len, const char *port,
                char ret[SOCKET_ENDPOINT_BYTES], struct error *err)
{
    if (!len ||
        !fits(snprintf(ret, SOCKET_ENDPOINT_BYTES, "%.*s:%s", len, from, port)))
        return error_set(err, ERR_USAGE,
                         "\"%.200s\" has no host and port: write "
                         "tcp://HOST:PORT",
                         from);
    return 0;
}

int endpoint_with_port(const char *endpoint, const char *port,
                       char ret[SOCKET_ENDPOINT_BYTES], struct error *err)
{
    return join(endpoint, host_len(endpoint), port, ret, err);
}

int endpoint_from_here(const char *bound, char ret[SOCKET_ENDPOINT_BYTES],
                       struct error *err)
{
    const char *colon = strrchr(bound, ':');
    const char *here = bound;
    if (has_host(bound, "0.0.0.0") || has_host(bound, "*"))
        here = "tcp://127.0.0.1:";
    else if (has_host(bound, "[::]"))
        here = "tcp://[::1]:";
    return join(here, host_len(here), colon ? colon + 1 : "", ret, err);
}

int endpoint_dialled(const char *endpoint, const char *place,
                     char ret[SOCKET_ENDPOINT_BYTES], struct error *err)
{
    bool any = endpoint_is_tcp(endpoint) && has_host(endpoint, "*");
    const char *from = any ? place : endpoint;
    if (!endpoint_is_tcp(endpoint)) {
        if (fits(snprintf(ret, SOCKET_ENDPOINT_BYTES, "%s", endpoint)))
            return 0;
        return error_set(err, ERR_MESSAGE, "an endpoint is too long");
    }
    return join(from, host_len(from), strrchr(endpoint, ':') + 1, ret, err);
}
