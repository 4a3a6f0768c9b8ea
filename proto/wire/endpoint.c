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
    const char *colon = strrchr(place, ':');
    if (strncmp(place, "tcp://", 6) || !colon || colon < place + 7)
        return bad(place, err);
    bool digits = strspn(colon + 1, "0123456789") == strlen(colon + 1);
    long port = strtol(colon + 1, NULL, 10);
    if (!digits || port < 1 || port > 65534)
        return bad(place, err);
    int host_len = (int)(colon - place);
    if (!fits(snprintf(found.reports, sizeof found.reports, "%.*s:%ld",
                       host_len, place, port)) ||
        !fits(snprintf(found.control, sizeof found.control, "%.*s:%ld",
                       host_len, place, port + 1)))
        return bad(place, err);
    *ret = found;
    return 0;
}
